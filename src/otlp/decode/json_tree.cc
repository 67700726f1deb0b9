#include "otlp/decode/json_tree.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace df::otlp {
namespace {

using Json = nlohmann::json;

/// Takes the events of the parser. The values that are open form a path down the last members: a
/// parent gets no other member before its last one is closed, so the pointers hold.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit TreeBuilder(size_t max_depth) : max_depth_(max_depth) {}

  bool null() override { return Add({}); }
  bool boolean(bool value) override { return Add({value}); }
  bool number_integer(number_integer_t value) override { return Add({int64_t{value}}); }
  bool number_unsigned(number_unsigned_t value) override { return Add({uint64_t{value}}); }
  bool number_float(number_float_t value, const string_t&) override { return Add({value}); }
  bool string(string_t& value) override { return Add({std::move(value)}); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open({JsonValue::Object()}); }
  bool start_array(std::size_t) override { return Open({JsonValue::Array()}); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    std::get<JsonValue::Object>(open_.back()->value)
        .members.emplace_back(std::move(value), JsonValue());
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    problem_ = PrintableText(error.what());
    return false;
  }

  const std::string& problem() const { return problem_; }
  JsonValue&& root() && { return std::move(root_); }

 private:
  JsonValue* Place(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* array = std::get_if<JsonValue::Array>(&open_.back()->value)) {
      return &array->emplace_back(std::move(value));
    }
    JsonValue& member = std::get<JsonValue::Object>(open_.back()->value).members.back().second;
    member = std::move(value);
    return &member;
  }
  bool Add(JsonValue value) {
    Place(std::move(value));
    return true;
  }
  bool Open(JsonValue value) {
    if (open_.size() == max_depth_) {
      problem_ = fmt::format("found more than {} arrays and objects inside each other", max_depth_);
      return false;
    }
    open_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const size_t max_depth_;
  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::string problem_;
};

}  // namespace

arrow::Result<JsonValue> ParseJson(std::string_view text, size_t max_depth) {
  TreeBuilder builder(max_depth);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return arrow::Status::Invalid(builder.problem());
  }
  return std::move(builder).root();
}

}  // namespace df::otlp
