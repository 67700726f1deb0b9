#include "nodes/processors/batch/config.h"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::batch {
namespace {

using config::Section;

/// A whole number that may be left out or null.
template <typename S>
config::Field<S> OptionalInteger(std::string name, std::optional<int64_t> S::* member,
                                 config::Range range, std::string description) {
  return config::Structured<S, std::optional<int64_t>>(
      std::move(name), config::IntegerType(range), member,
      [range](const Section& section) -> std::optional<std::optional<int64_t>> {
        if (section.value().kind == config::Value::Kind::kNull) {
          return std::optional<int64_t>();
        }
        const std::optional<int64_t> number = section.ReadInteger(range);
        return number.has_value() ? std::optional(number) : std::nullopt;
      },
      [](const std::optional<int64_t>& value) {
        return value.has_value() ? config::MakeInteger(*value) : nullptr;
      },
      [](const std::optional<int64_t>& value) {
        return value.has_value() ? std::to_string(*value) : std::string("none");
      },
      config::OrNullSchema(config::IntegerSchema(range)), std::move(description));
}

const config::FieldTable<SizeConfig>& SizeFields() {
  static const config::FieldTable<SizeConfig> table = {
      config::Integer("min_size", &SizeConfig::min_size, {1, INT64_MAX},
                      "a batch of this size is sent at once"),
      OptionalInteger("max_size", &SizeConfig::max_size, {1, INT64_MAX},
                      "no batch is larger; null: none is divided"),
      config::Enum("sizer", &SizeConfig::sizer,
                   {{"items", Sizer::kItems}, {"bytes", Sizer::kBytes}},
                   "what sizes count: log records, spans and data points, or bytes in memory"),
  };
  return table;
}

/// A year: what is longer was meant as something else.
constexpr config::Range kDurations = {
    0, std::chrono::nanoseconds(std::chrono::hours(24 * 365)).count()};

}  // namespace

const config::FieldTable<BatchDocument>& BatchFields() {
  static const config::FieldTable<BatchDocument> table = {
      config::Group("otap", &BatchDocument::otap, SizeFields(), "sizes of batches"),
      config::Duration("max_batch_duration", &BatchDocument::max_batch_duration,
                       "longest wait of an item; 0 sends every batch at once", kDurations),
      OptionalInteger("send_batch_size", &BatchDocument::send_batch_size, {1, INT64_MAX},
                      "older form of otap.min_size, in items")
          .OlderFormOf("otap"),
      OptionalInteger("send_batch_max_size", &BatchDocument::send_batch_max_size, {0, INT64_MAX},
                      "older form of otap.max_size, in items; 0 divides none")
          .OlderFormOf("otap"),
      config::OptionalDuration("timeout", &BatchDocument::timeout,
                               "older form of max_batch_duration", kDurations)
          .OlderFormOf("max_batch_duration"),
  };
  return table;
}

BatchConfig ReadBatchConfig(const Section& section) {
  const BatchDocument document = config::Read(BatchFields(), section);
  BatchConfig config;
  config.otap = document.otap;
  config.otap.min_size = document.send_batch_size.value_or(config.otap.min_size);
  if (document.send_batch_max_size.value_or(0) > 0) {
    config.otap.max_size = document.send_batch_max_size;
  }
  config.max_batch_duration = document.timeout.value_or(document.max_batch_duration);
  if (config.otap.max_size.has_value() && *config.otap.max_size < config.otap.min_size) {
    section.Add(fmt::format("the largest size, {}, is below the smallest, {}",
                            *config.otap.max_size, config.otap.min_size));
  }
  return config;
}

}  // namespace df::nodes::processors::batch
