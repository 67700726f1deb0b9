#include "nodes/exporters/perf/perf_report.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace df::nodes::exporters::perf {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Nothing happens in no time.
double PerSecond(int64_t amount, double seconds) {
  return seconds > 0 ? static_cast<double>(amount) / seconds : 0;
}

Rates RatesOf(const SignalSums& before, const SignalSums& now, double seconds) {
  return {.batches = PerSecond(now.batches - before.batches, seconds),
          .items = PerSecond(now.items - before.items, seconds),
          .size_bytes = PerSecond(now.size_bytes - before.size_bytes, seconds)};
}

std::optional<UsageRates::Traffic> TrafficRates(const std::optional<ProcessUsage::Traffic>& before,
                                                const std::optional<ProcessUsage::Traffic>& now,
                                                double seconds) {
  if (!before.has_value() || !now.has_value()) {
    return std::nullopt;
  }
  return UsageRates::Traffic{.in_bytes = PerSecond(now->in_bytes - before->in_bytes, seconds),
                             .out_bytes = PerSecond(now->out_bytes - before->out_bytes, seconds)};
}

UsageRates UsageOf(const ProcessUsage& before, const ProcessUsage& now, double seconds) {
  UsageRates rates;
  if (before.cpu.has_value() && now.cpu.has_value()) {
    const int64_t busy_ns =
        now.cpu->user_ns - before.cpu->user_ns + now.cpu->system_ns - before.cpu->system_ns;
    rates.cpu_percent = PerSecond(busy_ns, seconds) / 1e7;
    rates.switches = PerSecond(now.cpu->voluntary_switches - before.cpu->voluntary_switches +
                                   now.cpu->forced_switches - before.cpu->forced_switches,
                               seconds);
  }
  rates.memory = now.memory;
  rates.disk = TrafficRates(before.disk, now.disk, seconds);
  rates.network = TrafficRates(before.network, now.network, seconds);
  return rates;
}

/// "1.50 M", with 1000 as the base.
std::string Amount(double value) {
  constexpr std::array<std::string_view, 5> kUnits = {"", " k", " M", " G", " T"};
  size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}{}", value, kUnits[unit]);
}

/// "1.5 MiB".
std::string SizeText(double bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (std::abs(bytes) >= 1023.5 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string TimeText(int64_t nanos) {
  const auto value = static_cast<double>(nanos);
  return nanos < 1'000'000       ? fmt::format("{:.1f} us", value / 1e3)
         : nanos < 1'000'000'000 ? fmt::format("{:.1f} ms", value / 1e6)
                                 : fmt::format("{:.2f} s", value / 1e9);
}

std::string_view ItemName(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return "log records";
    case otap::Signal::kTraces:
      return "spans";
    case otap::Signal::kMetrics:
      return "data points";
  }
  return "";
}

void AppendUsageLines(const UsageRates& usage, std::vector<std::string>* lines) {
  if (usage.cpu_percent.has_value()) {
    lines->push_back(fmt::format("  cpu: {:.1f} % of a core, {} context switches/s",
                                 *usage.cpu_percent, Amount(*usage.switches)));
  }
  if (usage.memory.has_value()) {
    lines->push_back(fmt::format("  memory: {} resident, {} at most",
                                 SizeText(static_cast<double>(usage.memory->resident_bytes)),
                                 SizeText(static_cast<double>(usage.memory->peak_bytes))));
  }
  if (usage.disk.has_value()) {
    lines->push_back(fmt::format("  disk: {}/s read, {}/s written", SizeText(usage.disk->in_bytes),
                                 SizeText(usage.disk->out_bytes)));
  }
  if (usage.network.has_value()) {
    lines->push_back(fmt::format("  network: {}/s received, {}/s sent",
                                 SizeText(usage.network->in_bytes),
                                 SizeText(usage.network->out_bytes)));
  }
}

Json UsageJson(const UsageRates& usage) {
  Json json = Json::object();
  if (usage.cpu_percent.has_value()) {
    json["cpu"] = {{"percent_of_a_core", *usage.cpu_percent},
                   {"context_switches_per_second", *usage.switches}};
  }
  if (usage.memory.has_value()) {
    json["memory"] = {{"resident_bytes", usage.memory->resident_bytes},
                      {"peak_bytes", usage.memory->peak_bytes}};
  }
  if (usage.disk.has_value()) {
    json["disk"] = {{"read_bytes_per_second", usage.disk->in_bytes},
                    {"written_bytes_per_second", usage.disk->out_bytes}};
  }
  if (usage.network.has_value()) {
    json["network"] = {{"received_bytes_per_second", usage.network->in_bytes},
                       {"sent_bytes_per_second", usage.network->out_bytes}};
  }
  return json;
}

}  // namespace

SignalSums& SignalSums::operator+=(const SignalSums& other) {
  batches += other.batches;
  items += other.items;
  size_bytes += other.size_bytes;
  return *this;
}

PerfReport ReportMaker::Next(const Measurement& now, const AgeCounts& ages) {
  const double seconds = Seconds(now.elapsed - last_.elapsed);
  for (size_t i = 0; i < kNumSignals; ++i) {
    const Rates rates = RatesOf(last_.signals[i], now.signals[i], seconds);
    const double weight = has_rates_ ? smoothing_factor_ : 1;
    const auto smooth = [weight](double latest, double* smoothed) {
      *smoothed += weight * (latest - *smoothed);
    };
    smooth(rates.batches, &smoothed_[i].batches);
    smooth(rates.items, &smoothed_[i].items);
    smooth(rates.size_bytes, &smoothed_[i].size_bytes);
  }
  has_rates_ = true;
  PerfReport report = {.is_final = false,
                       .elapsed = now.elapsed,
                       .period = now.elapsed - last_.elapsed,
                       .sums = now.signals,
                       .rates = smoothed_,
                       .ages = ages,
                       .usage = UsageOf(last_.usage, now.usage, seconds)};
  last_ = now;
  return report;
}

PerfReport ReportMaker::Final(const Measurement& now) const {
  const double seconds = Seconds(now.elapsed - start_.elapsed);
  PerfReport report = {.is_final = true,
                       .elapsed = now.elapsed,
                       .period = now.elapsed - start_.elapsed,
                       .sums = now.signals,
                       .ages = now.ages,
                       .usage = UsageOf(start_.usage, now.usage, seconds)};
  for (size_t i = 0; i < kNumSignals; ++i) {
    report.rates[i] = RatesOf(start_.signals[i], now.signals[i], seconds);
  }
  return report;
}

std::vector<std::string> ToLines(const PerfReport& report) {
  std::vector<std::string> lines;
  lines.push_back(report.is_final
                      ? fmt::format("perf: over all of {:.2f} s", Seconds(report.period))
                      : fmt::format("perf: {:.2f} s, the last {:.2f} s of them",
                                    Seconds(report.elapsed), Seconds(report.period)));
  for (const otap::Signal signal : otap::kAllSignals) {
    const SignalSums& sums = report.sums[static_cast<size_t>(signal)];
    const Rates& rates = report.rates[static_cast<size_t>(signal)];
    if (sums.batches > 0) {
      lines.push_back(fmt::format(
          "  {}: {} {}/s, {} batches/s, {}/s; {} {} in {} batches so far, {}", otap::Name(signal),
          Amount(rates.items), ItemName(signal), Amount(rates.batches), SizeText(rates.size_bytes),
          sums.items, ItemName(signal), sums.batches,
          SizeText(static_cast<double>(sums.size_bytes))));
    }
  }
  if (lines.size() == 1) {
    lines.emplace_back("  nothing came");
  }
  const AgeHistogram& ages = report.ages.recent;
  if (ages.count() > 0) {
    lines.push_back(fmt::format("  age of {} records: p50 {}, p90 {}, p99 {}, max {}", ages.count(),
                                TimeText(ages.Percentile(0.5)), TimeText(ages.Percentile(0.9)),
                                TimeText(ages.Percentile(0.99)), TimeText(ages.max())));
  }
  if (report.ages.num_not_recent > 0) {
    lines.push_back(fmt::format("  {} records are older than a day or from the future",
                                report.ages.num_not_recent));
  }
  AppendUsageLines(report.usage, &lines);
  return lines;
}

std::string ToJson(const PerfReport& report) {
  Json json = {{"final", report.is_final},
               {"elapsed_seconds", Seconds(report.elapsed)},
               {"period_seconds", Seconds(report.period)}};
  Json& signals = json["signals"] = Json::object();
  for (const otap::Signal signal : otap::kAllSignals) {
    const SignalSums& sums = report.sums[static_cast<size_t>(signal)];
    const Rates& rates = report.rates[static_cast<size_t>(signal)];
    signals[std::string(otap::Name(signal))] = {{"items", sums.items},
                                                {"batches", sums.batches},
                                                {"bytes", sums.size_bytes},
                                                {"items_per_second", rates.items},
                                                {"batches_per_second", rates.batches},
                                                {"bytes_per_second", rates.size_bytes}};
  }
  const AgeHistogram& ages = report.ages.recent;
  Json& age = json["age"] = {{"records", ages.count()}, {"not_recent", report.ages.num_not_recent}};
  if (ages.count() > 0) {
    age["p50_seconds"] = static_cast<double>(ages.Percentile(0.5)) / 1e9;
    age["p90_seconds"] = static_cast<double>(ages.Percentile(0.9)) / 1e9;
    age["p99_seconds"] = static_cast<double>(ages.Percentile(0.99)) / 1e9;
    age["max_seconds"] = static_cast<double>(ages.max()) / 1e9;
  }
  json["usage"] = UsageJson(report.usage);
  return json.dump();
}

}  // namespace df::nodes::exporters::perf
