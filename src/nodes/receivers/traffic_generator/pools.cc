#include "nodes/receivers/traffic_generator/pools.h"

#include <algorithm>
#include <array>

#include <arrow/util/logging.h>
#include <fmt/format.h>

#include "nodes/receivers/traffic_generator/attribute_rows.h"
#include "nodes/receivers/traffic_generator/column.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

constexpr std::array<std::string_view, 8> kKeys = {"http.route", "http.response.status_code",
                                                   "user.id",    "duration.ms",
                                                   "host.name",  "retry.count",
                                                   "peer",       "cache.hit"};
constexpr std::array<std::string_view, 6> kSentences = {
    "request {} was answered",
    "connection to shard {} lost, connecting again",
    "user {} has signed in from a device that was not known before",
    "cache entry {} expired",
    "payment {} was declined by the bank: insufficient funds on the account",
    "job {} is done"};
constexpr size_t kNumBodies = 50;

TextPool MakePool(std::vector<std::string> texts, const std::vector<std::string>& corners) {
  TextPool pool;
  pool.num_texts = static_cast<uint32_t>(texts.size());
  pool.num_corners = static_cast<uint32_t>(corners.size());
  texts.insert(texts.end(), corners.begin(), corners.end());
  pool.texts = MakeTexts(texts);
  return pool;
}

std::vector<std::string> Numbered(std::string_view name, int64_t count) {
  std::vector<std::string> texts;
  texts.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    texts.push_back(fmt::format("{}-{:05}", name, i));
  }
  return texts;
}

std::vector<std::string> Keys(const TrafficConfig& traffic) {
  const int64_t count = std::max({traffic.num_log_attributes, traffic.num_span_attributes,
                                  traffic.num_metric_attributes, int64_t{1}});
  std::vector<std::string> keys;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    keys.push_back(i < kKeys.size() ? std::string(kKeys[i]) : fmt::format("attribute.{}", i));
  }
  return keys;
}

std::vector<std::string> Bodies(const TrafficConfig& traffic) {
  std::vector<std::string> bodies;
  for (size_t i = 0; i < kNumBodies; ++i) {
    std::string body;
    const auto size = static_cast<size_t>(traffic.log_body_size_bytes.value_or(0));
    do {
      body += fmt::format(fmt::runtime(kSentences[(i + body.size()) % kSentences.size()]), i);
      body += body.size() < size ? ". " : "";
    } while (body.size() < size);
    if (traffic.log_body_size_bytes.has_value()) {
      body.resize(size);
    }
    bodies.push_back(std::move(body));
  }
  return bodies;
}

std::shared_ptr<arrow::Array> MakeBinary(const std::vector<std::string>& values) {
  arrow::BinaryBuilder builder;
  ARROW_CHECK_OK(builder.AppendValues(values));
  return builder.Finish().ValueOrDie();
}

const std::vector<std::string>& CornerTexts() {
  static const std::vector<std::string> texts = {
      "", " ", "naïve 日本語 🙂", "line\nbreak\ttab", std::string("\0", 1), std::string(4000, 'a')};
  return texts;
}

}  // namespace

Pools::Pools(const TrafficGeneratorConfig& config)
    : traffic(config.traffic),
      has_resource(!config.resource_attributes.empty()),
      values(config.traffic.attribute_cardinality, config.traffic.zipf_exponent),
      attribute_keys(MakePool(Keys(config.traffic), {"", "ключ", std::string(300, 'x')})),
      attribute_texts(
          MakePool(Numbered("value", config.traffic.attribute_cardinality), CornerTexts())),
      bodies(MakePool(Bodies(config.traffic), CornerTexts())),
      severities(MakePool({"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}, {""})),
      span_names(MakePool(
          {"GET /", "GET /users/{id}", "POST /orders", "SELECT orders", "publish", "render"},
          CornerTexts())),
      event_names(MakePool({"exception", "message", "retry"}, {"x"})),
      messages(MakePool({"deadline exceeded", "not found"}, {"naïve"})),
      corner_bytes(MakeBinary({"", std::string("\0\xFF\x80", 3)})),
      corner_cbor(MakeBinary({std::string("\x82\x01\x61\x61", 4), "\xA1\x61\x6B\xF6"})) {
  if (has_resource) {
    AttributeRows<uint16_t> rows(this);
    std::vector<std::string> keys;
    std::vector<std::string> texts;
    for (const auto& [key, text] : config.resource_attributes) {
      keys.push_back(key);
      texts.push_back(text);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      rows.AppendText(0, static_cast<uint16_t>(i), static_cast<uint16_t>(i));
    }
    resource_attributes = rows.Finish(MakeTexts(keys), MakeTexts(texts));
  }
}

std::shared_ptr<arrow::Array> Pools::ResourceColumn(int64_t num_rows) const {
  Column<uint16_t> ids;
  for (int64_t row = 0; row < num_rows; ++row) {
    ids.AppendIf(has_resource, 0);
  }
  Table table;
  table.Add("id", ids.Finish(arrow::uint16()));
  return table.FinishStruct();
}

std::shared_ptr<arrow::Array> Pools::ScopeColumn(int64_t num_rows) const {
  Column<uint16_t> names;
  for (int64_t row = 0; row < num_rows; ++row) {
    names.Append(0);
  }
  Table table;
  table.Add("name", names.FinishIndices(MakeTexts({"load-generator"})));
  return table.FinishStruct();
}

}  // namespace df::nodes::receivers::traffic_generator
