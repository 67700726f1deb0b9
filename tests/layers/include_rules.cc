#include "layers/include_rules.h"

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace df::layers {
namespace {

constexpr std::string_view kSourceFolder = "src/";

struct Include {
  std::string_view target;
  bool is_quoted = false;
};

std::string_view TrimLeft(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

std::optional<Include> ParseInclude(std::string_view line) {
  line = TrimLeft(line);
  if (line.empty() || line.front() != '#') {
    return std::nullopt;
  }
  line = TrimLeft(line.substr(1));
  constexpr std::string_view kWord = "include";
  if (!line.starts_with(kWord)) {
    return std::nullopt;
  }
  line = TrimLeft(line.substr(kWord.size()));
  if (line.empty() || (line.front() != '"' && line.front() != '<')) {
    return std::nullopt;
  }
  const bool is_quoted = line.front() == '"';
  const size_t end = line.find(is_quoted ? '"' : '>', 1);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  return Include{line.substr(1, end - 1), is_quoted};
}

// The first `count` folders of a path, empty where it has fewer above its file name.
std::string_view LeadingFolders(std::string_view path, int count) {
  size_t end = 0;
  for (int folder = 0; folder < count; ++folder) {
    end = path.find('/', folder == 0 ? 0 : end + 1);
    if (end == std::string_view::npos) {
      return {};
    }
  }
  return path.substr(0, end);
}

// The layer that a path belongs to: a room of a folder where the layers name one, else the folder.
std::string_view LayerOf(std::string_view path, const LayerMap& layers) {
  const std::string_view room = LeadingFolders(path, 2);
  return layers.Contains(room) ? room : LeadingFolders(path, 1);
}

// "nodes/<kinds>/<name>" for a file of a node, else empty.
std::string_view NodeOf(std::string_view path_in_source) {
  return LeadingFolders(path_in_source, 1) == "nodes" ? LeadingFolders(path_in_source, 3)
                                                      : std::string_view();
}

bool IsAsio(std::string_view target) {
  return target.starts_with("boost/asio") || target.starts_with("boost/beast");
}

std::string CheckSystemInclude(std::string_view layer, std::string_view target) {
  if (IsAsio(target) && layer != "runtime") {
    return fmt::format("<{}>: only src/runtime includes Boost.Asio and Boost.Beast", target);
  }
  return {};
}

std::string CheckQuotedInclude(std::string_view path, std::string_view target,
                               const LayerMap& layers) {
  if (target.ends_with(".cc")) {
    return fmt::format("\"{}\": a source file is never included", target);
  }
  const std::string_view from = LayerOf(path, layers);
  const std::string_view to = LayerOf(target, layers);
  if (!layers.Contains(to)) {
    return fmt::format("\"{}\" does not start with a layer: quoted includes are written from src/",
                       target);
  }
  const bool is_test = path.ends_with("_test.cc");
  if (to == "testing" && from != "testing" && !is_test) {
    return fmt::format("\"{}\": only tests include testing/", target);
  }
  if (!layers.Allows(from, to, is_test)) {
    return fmt::format("\"{}\": layer '{}' may not include layer '{}' (cmake/layers.txt)", target,
                       from, to);
  }
  const std::string_view own_node = NodeOf(path);
  const std::string_view other_node = NodeOf(target);
  if (!own_node.empty() && !other_node.empty() && own_node != other_node) {
    return fmt::format("\"{}\": a node never includes another node", target);
  }
  return {};
}

}  // namespace

std::vector<Violation> CheckIncludes(const SourceTree& tree, const LayerMap& layers) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree) {
    const std::string_view path = file.path;
    if (!path.starts_with(kSourceFolder) || !(path.ends_with(".cc") || path.ends_with(".h"))) {
      continue;
    }
    const std::string_view path_in_source = path.substr(kSourceFolder.size());
    const std::string_view layer = LayerOf(path_in_source, layers);
    if (!layers.Contains(layer)) {
      violations.push_back({file.path, 0, "its folder is no layer of cmake/layers.txt"});
      continue;
    }
    ForEachLine(file.text, [&](int number, std::string_view line) {
      const std::optional<Include> include = ParseInclude(line);
      if (!include) {
        return;
      }
      std::string message = include->is_quoted
                                ? CheckQuotedInclude(path_in_source, include->target, layers)
                                : CheckSystemInclude(layer, include->target);
      if (!message.empty()) {
        violations.push_back({file.path, number, std::move(message)});
      }
    });
  }
  return violations;
}

}  // namespace df::layers
