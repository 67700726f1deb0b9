#include "config/environment.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace df::config {
namespace {

constexpr std::string_view kOpen = "${env:";
constexpr std::string_view kOpenFile = "${file:";
constexpr size_t kMostFileBytes = 65'536;

bool IsVariableName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
    return false;
  }
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) {
      return false;
    }
  }
  return true;
}

class Substitution {
 public:
  Substitution(const Environment& environment, Problems* problems)
      : environment_(environment), problems_(problems) {}

  ValuePtr Apply(const ValuePtr& value) {
    // Aliases share their value, and still do afterwards.
    const auto [known, is_new] = done_.try_emplace(value.get());
    if (!is_new) {
      return known->second;
    }
    ValuePtr changed = value->kind == Value::Kind::kScalar ? Scalar(value) : Container(value);
    done_[value.get()] = changed;
    return changed;
  }

 private:
  /// A step from a map or list to the value in it. Paths are written for problems only: they are
  /// longer than what stands at their end.
  struct Step {
    const std::string* key;  // null: an item of a list
    size_t index;
  };

  ValuePtr Container(const ValuePtr& value) {
    auto copy = std::make_shared<Value>(*value);
    bool has_changed = false;
    for (size_t i = 0; i < copy->items.size(); ++i) {
      steps_.push_back({nullptr, i});
      ValuePtr changed = Apply(copy->items[i]);
      steps_.pop_back();
      has_changed |= changed != copy->items[i];
      copy->items[i] = std::move(changed);
    }
    for (Value::Entry& entry : copy->entries) {
      steps_.push_back({&entry.key, 0});
      ValuePtr changed = Apply(entry.value);
      steps_.pop_back();
      has_changed |= changed != entry.value;
      entry.value = std::move(changed);
    }
    return has_changed ? ValuePtr(std::move(copy)) : value;
  }

  ValuePtr Scalar(const ValuePtr& value) {
    if (value->scalar.find('$') == std::string::npos) {
      return value;
    }
    bool has_reference = false;
    auto copy = std::make_shared<Value>(*value);
    copy->scalar = Expand(value->scalar, value->mark, &has_reference);
    if (has_reference) {
      copy->reference = value->scalar;
      const bool reads_as_nothing =
          copy->scalar.empty() || copy->scalar == "null" || copy->scalar == "~";
      if (!copy->is_quoted && reads_as_nothing) {
        copy->kind = Value::Kind::kNull;
      }
    }
    return copy;
  }

  std::string Expand(std::string_view text, Mark mark, bool* has_reference) {
    std::string expanded;
    while (!text.empty()) {
      const size_t dollar = text.find('$');
      expanded += text.substr(0, dollar);
      if (dollar == std::string_view::npos) {
        break;
      }
      text.remove_prefix(dollar);
      if (text.starts_with("$$")) {
        expanded += '$';
        text.remove_prefix(2);
      } else if (text.starts_with(kOpen) || text.starts_with(kOpenFile)) {
        *has_reference = true;
        const bool is_file = text.starts_with(kOpenFile);
        const size_t open = is_file ? kOpenFile.size() : kOpen.size();
        const size_t close = text.find('}');
        if (close == std::string_view::npos) {
          Add(mark, fmt::format("'{}' is not closed, expected {}", PrintableText(text),
                                is_file ? "${file:PATH}" : "${env:NAME}"));
          break;
        }
        const std::string_view inside = text.substr(open, close - open);
        expanded += is_file ? ReadFile(inside, mark) : Lookup(inside, mark);
        text.remove_prefix(close + 1);
      } else {
        expanded += '$';
        text.remove_prefix(1);
      }
    }
    return expanded;
  }

  std::string Lookup(std::string_view inside, Mark mark) {
    const size_t separator = inside.find(":-");
    const std::string name(inside.substr(0, separator));
    if (!IsVariableName(name)) {
      Add(mark, fmt::format("'{}' is not the name of a variable, expected letters, "
                            "digits and _, as in ${{env:NAME}} or ${{env:NAME:-text}}",
                            PrintableText(name)));
      return "";
    }
    std::optional<std::string> value = environment_.Variable(name);
    if (!value.has_value() && separator != std::string_view::npos) {
      value = std::string(inside.substr(separator + 2));
    }
    if (!value.has_value()) {
      Add(mark, fmt::format("environment variable '{0}' is not set, expected it or a "
                            "default, as in ${{env:{0}:-text}}",
                            name));
    } else if (!IsValidUtf8(*value)) {
      Add(mark, fmt::format("the value of environment variable '{}' is not UTF-8", name));
      return "";
    }
    return value.value_or("");
  }

  std::string ReadFile(std::string_view inside, Mark mark) {
    const std::string path(inside);
    Result<std::string> text = environment_.File(path);
    if (!text.ok()) {
      Add(mark, fmt::format("'{}': {}", PrintableText(path), text.status().message()));
      return "";
    }
    if (!IsValidUtf8(*text)) {
      Add(mark, fmt::format("what is in '{}' is not UTF-8", PrintableText(path)));
      return "";
    }
    for (const char end : {'\n', '\r'}) {
      if (text->ends_with(end)) {
        text->pop_back();
      }
    }
    return *std::move(text);
  }

  void Add(Mark mark, const std::string& message) {
    std::string path;
    for (const Step& step : steps_) {
      path += step.key == nullptr
                  ? fmt::format("[{}]", step.index)
                  : fmt::format("{}{}", path.empty() ? "" : ".", PrintableText(*step.key));
    }
    problems_->Add(mark, path.empty() ? message : path + ": " + message);
  }

  const Environment& environment_;
  Problems* problems_;
  std::map<const Value*, ValuePtr> done_;
  std::vector<Step> steps_;
};

}  // namespace

Environment ProcessEnvironment() {
  const auto variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  const auto file = [](const std::string& path) -> Result<std::string> {
    std::error_code error;
    const auto kind = std::filesystem::status(path, error).type();
    if (kind != std::filesystem::file_type::regular) {  // others may never end
      return Status::IOError(error ? fmt::format("cannot be read: {}", error.message())
                                   : std::string("is no file"));
    }
    std::ifstream stream(path, std::ios::binary);
    std::string text(kMostFileBytes + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!stream.is_open() || stream.bad()) {
      return Status::IOError(fmt::format("cannot be read: {}", std::strerror(errno)));
    }
    text.resize(static_cast<size_t>(stream.gcount()));
    if (text.size() > kMostFileBytes) {
      return Status::IOError(fmt::format("has more than {} bytes", kMostFileBytes));
    }
    return text;
  };
  return Environment(variable, file);
}

Environment EmptyEnvironment() {
  return [](const std::string&) { return std::optional<std::string>(); };
}

ValuePtr SubstituteEnvironment(const ValuePtr& root, const Environment& environment,
                               Problems* problems) {
  return Substitution(environment, problems).Apply(root);
}

std::string EscapeReferences(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c;
    if (c == '$') {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace df::config
