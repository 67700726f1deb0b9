#include "nodes/processors/retry/config.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::retry {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// A year: what is longer was meant as something else.
constexpr nanoseconds kLongest = std::chrono::hours(24 * 365);

/// A duration written as a bare number of `Unit`, the older form.
template <typename Unit, typename Member>
config::Field<RetryConfig> BareNumber(std::string name, std::string unit,
                                      Member RetryConfig::* member, std::string description) {
  return config::Custom<RetryConfig, Member>(
      std::move(name), fmt::format("whole number of {}, at least 1", unit), member,
      [](std::string_view text) -> Result<Member> {
        int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || end != text.data() + text.size() || number < 1 ||
            number > std::chrono::duration_cast<Unit>(kLongest).count()) {
          return Status::Invalid(fmt::format("found '{}'", text));
        }
        return Member(nanoseconds(Unit(number)));
      },
      [](const Member& value) -> std::string {
        if constexpr (std::is_same_v<Member, nanoseconds>) {
          return std::to_string(std::chrono::duration_cast<Unit>(value).count());
        } else {
          return value.has_value()
                     ? std::to_string(std::chrono::duration_cast<Unit>(*value).count())
                     : "none";
        }
      },
      std::move(description));
}

}  // namespace

const config::FieldTable<RetryConfig>& RetryFields() {
  const config::Range positive = {1, kLongest.count()};
  static const config::FieldTable<RetryConfig> table = {
      config::Duration("initial_interval", &RetryConfig::initial_interval,
                       "wait before a batch is sent again for the first time", positive),
      config::Duration("max_interval", &RetryConfig::max_interval,
                       "longest wait between two attempts", positive),
      config::Duration("max_elapsed_time", &RetryConfig::max_elapsed_time,
                       "from the first attempt until a batch is given up", positive),
      config::Number("multiplier", &RetryConfig::multiplier, {1, 1000},
                     "by which the wait grows from one attempt to the next"),
      config::Integer("max_retries", &RetryConfig::max_retries, {0, 1'000'000},
                      "attempts after the first until a batch is given up; 0 sets no bound"),
      config::Integer("max_in_flight", &RetryConfig::max_in_flight, {1, 1'000'000},
                      "batches kept until they have an outcome; when there are as many, input "
                      "waits"),
      config::Integer("seed", &RetryConfig::seed, {0, INT64_MAX},
                      "chooses by how much each wait is shortened at random"),
      BareNumber<milliseconds>("initial_retry_delay_ms", "milliseconds",
                               &RetryConfig::initial_interval, "older form of initial_interval")
          .OlderFormOf("initial_interval"),
      BareNumber<milliseconds>("max_retry_delay_ms", "milliseconds", &RetryConfig::max_interval,
                               "older form of max_interval")
          .OlderFormOf("max_interval"),
      config::Number("backoff_multiplier", &RetryConfig::multiplier, {1, 1000},
                     "older form of multiplier")
          .OlderFormOf("multiplier"),
      config::Integer("max_pending_messages", &RetryConfig::max_in_flight, {1, 1'000'000},
                      "older form of max_in_flight")
          .OlderFormOf("max_in_flight"),
      BareNumber<seconds>("cleanup_interval_secs", "seconds", &RetryConfig::unanswered_check,
                          "how often batches are given up that have been out for "
                          "max_elapsed_time without any answer; without it they are waited for")
          .PrintedWhenGiven(),
  };
  return table;
}

RetryConfig ReadRetryConfig(const config::Section& section) {
  RetryConfig config = config::Read(RetryFields(), section);
  if (config.max_interval < config.initial_interval) {
    section.Add(fmt::format("the longest wait, {}, is shorter than the first, {}",
                            config::ShowDuration(config.max_interval),
                            config::ShowDuration(config.initial_interval)));
  }
  return config;
}

}  // namespace df::nodes::processors::retry
