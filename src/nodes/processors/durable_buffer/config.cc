#include "nodes/processors/durable_buffer/config.h"

#include <fmt/format.h>

namespace df::nodes::processors::durable_buffer {
namespace {

constexpr config::Range kIntervals = {
    std::chrono::nanoseconds(std::chrono::milliseconds(1)).count(),
    std::chrono::nanoseconds(std::chrono::hours(24)).count()};
constexpr config::Range kAges = {std::chrono::nanoseconds(std::chrono::seconds(1)).count(),
                                 std::chrono::nanoseconds(std::chrono::hours(24 * 365)).count()};

}  // namespace

const config::FieldTable<DurableBufferConfig>& DurableBufferFields() {
  using Config = DurableBufferConfig;
  static const config::FieldTable<Config> table = {
      config::String("path", &Config::path,
                     "a local folder of its own, made where it is missing; each core has a folder "
                     "in it")
          .Required(),
      config::Size("max_bytes", &Config::max_bytes, {1_MiB, 1024 * 1024_GiB}, "files of each core"),
      config::OptionalDuration("max_age", &Config::max_age,
                               "batches that have waited for so long are dropped, and counted",
                               kAges),
      config::Enum(
          "when_full", &Config::when_full,
          {{"backpressure", WhenFull::kBackpressure}, {"drop_oldest", WhenFull::kDropOldest}},
          "what is done with a batch for which there is no room: it is refused temporarily, or "
          "the oldest ones are dropped, and counted"),
      config::Size("segment_bytes", &Config::segment_bytes, {64_KiB, 4_GiB},
                   "a file that is as large is followed by another, and removed when all of it is "
                   "delivered"),
      config::Integer("max_in_flight", &Config::max_in_flight, {1, 10'000},
                      "batches that are read and have no outcome"),
      config::Duration(
          "retry_interval", &Config::retry_interval,
          "wait after a batch was refused temporarily; it doubles from one refusal to the "
          "next",
          kIntervals),
      config::Duration("max_retry_interval", &Config::max_retry_interval, "longest such wait",
                       kIntervals),
  };
  return table;
}

DurableBufferConfig ReadDurableBufferConfig(const config::Section& section) {
  DurableBufferConfig config = config::Read(DurableBufferFields(), section);
  if (config.segment_bytes > config.max_bytes / 4) {
    section.Add(fmt::format(
        "found segment_bytes of more than a quarter of max_bytes ({} of {} bytes): files are "
        "removed as a whole",
        config.segment_bytes, config.max_bytes));
  }
  if (config.max_retry_interval < config.retry_interval) {
    section.Add("found max_retry_interval below retry_interval");
  }
  return config;
}

}  // namespace df::nodes::processors::durable_buffer
