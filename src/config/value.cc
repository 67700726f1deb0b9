#include "config/value.h"

#include <exception>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/text.h"

namespace df::config {
namespace {

// Longest piece of a scalar that is repeated in a message.
constexpr size_t kMaxQuoted = 60;

Mark ToMark(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

size_t CountNodes(const Value& value) {
  size_t count = 1;
  for (const ValuePtr& item : value.items) {
    count += CountNodes(*item);
  }
  for (const Value::Entry& entry : value.entries) {
    count += CountNodes(*entry.value);
  }
  return count;
}

/// Ends the parsing of a document with too many values where they become too many.
class TooManyValues : public std::exception {
 public:
  const char* what() const noexcept override { return "too many values"; }
};

/// Builds the tree from the events of the parser: its own tree would drop duplicate keys silently.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems* problems) : problems_(problems) {}

  ValuePtr root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Leaf(Open(Value::Kind::kNull, mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      problems_->Add(ToMark(mark), "the alias names a value that contains it");
      Place(Open(Value::Kind::kNull, mark));
      return;
    }
    Count(CountNodes(*found->second));
    Place(found->second, ToMark(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    auto value = Open(Value::Kind::kScalar, mark);
    value->scalar = text;
    value->is_quoted = tag == "!";
    Leaf(std::move(value), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_.push_back({Open(Value::Kind::kList, mark), anchor, nullptr, {}});
  }
  void OnSequenceEnd() override { CloseContainer(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open_.push_back({Open(Value::Kind::kMap, mark), anchor, nullptr, {}});
  }
  void OnMapEnd() override { CloseContainer(); }

 private:
  struct Container {
    std::shared_ptr<Value> value;
    YAML::anchor_t anchor = 0;
    ValuePtr key;  // of a map: the key whose value comes next
    Mark key_mark;
    std::map<std::string, int> lines = {};  // of the keys so far
  };

  void Count(size_t num_values) {
    num_values_ += num_values;
    if (num_values_ > kMaxDocumentValues) {
      throw TooManyValues();
    }
  }

  std::shared_ptr<Value> Open(Value::Kind kind, const YAML::Mark& mark) {
    Count(1);
    auto value = std::make_shared<Value>();
    value->kind = kind;
    value->mark = ToMark(mark);
    return value;
  }

  void Leaf(std::shared_ptr<Value> value, YAML::anchor_t anchor) {
    if (anchor != 0) {
      anchors_[anchor] = value;
    }
    const Mark mark = value->mark;
    Place(std::move(value), mark);
  }

  void CloseContainer() {
    Container container = std::move(open_.back());
    open_.pop_back();
    Leaf(std::move(container.value), container.anchor);
  }

  void Place(ValuePtr value) {
    const Mark mark = value->mark;
    Place(std::move(value), mark);
  }

  void Place(ValuePtr value, Mark mark) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Container& parent = open_.back();
    if (parent.value->kind == Value::Kind::kList) {
      parent.value->items.push_back(std::move(value));
    } else if (parent.key == nullptr) {
      parent.key = std::move(value);
      parent.key_mark = mark;
    } else {
      AddEntry(&parent, std::move(value));
    }
  }

  void AddEntry(Container* map, ValuePtr value) {
    const ValuePtr key = std::exchange(map->key, nullptr);
    if (key->kind != Value::Kind::kScalar) {
      problems_->Add(map->key_mark, fmt::format("a key must be text, found {}", key->Describe()));
      return;
    }
    if (key->scalar.size() > kMaxKeyBytes) {
      problems_->Add(map->key_mark, fmt::format("key {} has {} bytes, expected at most {}",
                                                key->Describe(), key->scalar.size(), kMaxKeyBytes));
      return;
    }
    const auto [first, is_new] = map->lines.try_emplace(key->scalar, map->key_mark.line);
    if (!is_new) {
      problems_->Add(map->key_mark, fmt::format("key '{}' is given twice, first at line {}",
                                                PrintableText(key->scalar), first->second));
      return;
    }
    if (value->kind == Value::Kind::kNull) {
      // The parser places a value that is left out at whatever comes next.
      auto placed = std::make_shared<Value>(*value);
      placed->mark = map->key_mark;
      value = std::move(placed);
    }
    map->value->entries.push_back({key->scalar, map->key_mark, std::move(value)});
  }

  Problems* problems_;
  ValuePtr root_;
  std::vector<Container> open_;
  std::map<YAML::anchor_t, ValuePtr> anchors_;
  size_t num_values_ = 0;
};

}  // namespace

const Value* Value::Find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) {
      return entry.value.get();
    }
  }
  return nullptr;
}

std::string Value::Describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return scalar.size() <= kMaxQuoted
                 ? fmt::format("'{}'", PrintableText(scalar))
                 : fmt::format("'{}...'", PrintableText(scalar.substr(0, kMaxQuoted)));
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "";
}

ValuePtr ParseDocument(std::string_view text, Problems* problems) {
  if (text.size() > kMaxDocumentBytes) {
    problems->Add({}, fmt::format("the document is larger than {}", FormatSize(kMaxDocumentBytes)));
    return nullptr;
  }
  if (!IsValidUtf8(text)) {
    problems->Add({}, "the document is not valid UTF-8");
    return nullptr;
  }
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(problems);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) {
      problems->Add({}, "the document is empty, expected a map with the key 'nodes'");
      return nullptr;
    }
    const ValuePtr root = builder.root();
    TreeBuilder rest(problems);
    if (parser.HandleNextDocument(rest)) {
      problems->Add(rest.root() == nullptr ? Mark{} : rest.root()->mark,
                    "a second document begins here, expected one");
    }
    return root;
  } catch (const TooManyValues&) {
    problems->Add({}, fmt::format("the document has more than {} values", kMaxDocumentValues));
  } catch (const YAML::Exception& error) {
    problems->Add(ToMark(error.mark), fmt::format("the YAML cannot be read: {}", error.msg));
  } catch (const std::exception& error) {
    problems->Add({}, fmt::format("the YAML cannot be read: {}", error.what()));
  }
  return nullptr;
}

}  // namespace df::config
