#include "app/commands/pace_flags.h"

#include <charconv>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/moment.h"
#include "base/text.h"
#include "config/environment.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

/// Reads "5000/s", items, and "10MiB/s", bytes.
Status ReadRate(std::string_view written, Json* pace) {
  const std::string_view amount =
      written.ends_with("/s") ? written.substr(0, written.size() - 2) : written;
  int64_t count = 0;
  const char* end = amount.data() + amount.size();
  const auto read = std::from_chars(amount.data(), end, count);
  const bool is_count = read.ec == std::errc() && read.ptr == end;
  if (!is_count) {
    const auto size = ParseSize(amount);
    count = size.ok() ? *size : 0;
  }
  if (count <= 0) {
    return Status::Invalid(
        fmt::format("--rate-limit: found '{}', expected so many items a second, "
                    "as 5000/s, or bytes, as 10MiB/s",
                    PrintableText(written)));
  }
  (*pace)[is_count ? "items_per_second" : "bytes_per_second"] = count;
  return Status::OK();
}

}  // namespace

void AddPaceFlags(CLI::App* command, PaceFlags* flags) {
  const std::string group = "Pace and time";
  command
      ->add_option("--speed", flags->speed,
                   "Send records at their times, so many times as fast: 1x, 10x, 0.5x; waits of "
                   "more than a minute in which nothing is due are cut to one")
      ->type_name("FACTOR")
      ->group(group);
  command
      ->add_option("--rate-limit", flags->rate_limit,
                   "Send at most so much a second: 5000/s (log records, spans, data points) or "
                   "10MiB/s (requests as OTLP)")
      ->type_name("RATE")
      ->group(group);
  CLI::Option* shift =
      command->add_option("--shift", flags->shift, "Add a duration to every time: -7d, 90m")
          ->type_name("DURATION")
          ->group(group);
  command
      ->add_option("--shift-to", flags->shift_to,
                   "Move every time, so that the first record has this one. 'now': with --speed "
                   "each has the time at which it is sent, else the last one has the time of now")
      ->excludes(shift)
      ->type_name("TIME")
      ->group(group);
}

Result<Json> ReadPaceFlags(const PaceFlags& flags, int64_t now_nanos) {
  Json config = Json::object();
  if (!flags.speed.empty()) {
    config["pace"]["speed"] = config::EscapeReferences(flags.speed);
  }
  if (!flags.rate_limit.empty()) {
    ARROW_RETURN_NOT_OK(ReadRate(flags.rate_limit, &config["pace"]));
  }
  if (!flags.shift.empty()) {
    config["time"]["shift"] = config::EscapeReferences(flags.shift);
  }
  if (flags.shift_to == "now" && !flags.speed.empty()) {
    config["time"]["as_sent"] = true;
  } else if (flags.shift_to == "now") {
    config["time"]["last_at"] = "now";
  } else if (!flags.shift_to.empty()) {
    const auto moment = ParseMoment(flags.shift_to, now_nanos);
    if (!moment.ok()) {
      return Status::Invalid("--shift-to: " + moment.status().message());
    }
    config["time"]["first_at"] = fmt::format("{}ns", *moment);
  }
  return config;
}

}  // namespace df::app
