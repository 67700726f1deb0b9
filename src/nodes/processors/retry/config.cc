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

/// A key of the older form: printed as it was written, and not at all without that.
config::Field<RetryConfig> Older(config::Field<RetryConfig> field) {
  field.write = nullptr;
  return field;
}

/// A key that an older one may stand for: a default printed beside that one would contradict it.
config::Field<RetryConfig> WhenGiven(config::Field<RetryConfig> field) {
  field.effective = [plain = field](const config::Section* section) {
    return section == nullptr ? nullptr : config::Effective(plain, section);
  };
  return field;
}

/// Keys that say the same; at most one of them may be given.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kSameKeys = {
    {{"initial_interval", "initial_retry_delay_ms"},
     {"max_interval", "max_retry_delay_ms"},
     {"multiplier", "backoff_multiplier"},
     {"max_in_flight", "max_pending_messages"}}};

}  // namespace

const config::FieldTable<RetryConfig>& RetryFields() {
  const config::Range positive = {1, kLongest.count()};
  static const config::FieldTable<RetryConfig> table = {
      WhenGiven(config::Duration("initial_interval", &RetryConfig::initial_interval,
                                 "wait before a batch is sent again for the first time", positive)),
      WhenGiven(config::Duration("max_interval", &RetryConfig::max_interval,
                                 "longest wait between two attempts", positive)),
      config::Duration("max_elapsed_time", &RetryConfig::max_elapsed_time,
                       "from the first attempt until a batch is given up", positive),
      WhenGiven(config::Number("multiplier", &RetryConfig::multiplier, {1, 1000},
                               "by which the wait grows from one attempt to the next")),
      config::Integer("max_retries", &RetryConfig::max_retries, {0, 1'000'000},
                      "attempts after the first until a batch is given up; 0 sets no bound"),
      WhenGiven(
          config::Integer("max_in_flight", &RetryConfig::max_in_flight, {1, 1'000'000},
                          "batches kept until they have an outcome; when there are as many, input "
                          "waits")),
      config::Integer("seed", &RetryConfig::seed, {0, INT64_MAX},
                      "chooses by how much each wait is shortened at random"),
      Older(BareNumber<milliseconds>("initial_retry_delay_ms", "milliseconds",
                                     &RetryConfig::initial_interval,
                                     "older form of initial_interval")),
      Older(BareNumber<milliseconds>("max_retry_delay_ms", "milliseconds",
                                     &RetryConfig::max_interval, "older form of max_interval")),
      Older(config::Number("backoff_multiplier", &RetryConfig::multiplier, {1, 1000},
                           "older form of multiplier")),
      Older(config::Integer("max_pending_messages", &RetryConfig::max_in_flight, {1, 1'000'000},
                            "older form of max_in_flight")),
      Older(BareNumber<seconds>(
          "cleanup_interval_secs", "seconds", &RetryConfig::unanswered_check,
          "how often batches are given up that have been out for "
          "max_elapsed_time without any answer; without it they are waited for")),
  };
  return table;
}

RetryConfig ReadRetryConfig(const config::Section& section) {
  RetryConfig config = config::Read(RetryFields(), section);
  for (const auto& [key, older_key] : kSameKeys) {
    const auto older = section.Find(older_key);
    if (older.has_value() && section.Find(key).has_value()) {
      older->Add(fmt::format("says the same as '{}', expected one of the two", key));
    }
  }
  if (config.max_interval < config.initial_interval) {
    section.Add(fmt::format("the longest wait, {}, is shorter than the first, {}",
                            config::ShowDuration(config.max_interval),
                            config::ShowDuration(config.initial_interval)));
  }
  return config;
}

}  // namespace df::nodes::processors::retry
