#include "engine/account.h"

#include <fmt/format.h>

namespace df::engine {
namespace {

int64_t SumOf(const Reasons& reasons) {
  int64_t sum = 0;
  for (const auto& [reason, count] : reasons) {
    sum += count;
  }
  return sum;
}

}  // namespace

std::string_view RecordName(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return "log records";
    case otap::Signal::kTraces:
      return "spans";
    case otap::Signal::kMetrics:
      return "metrics";
  }
  return "records";
}

std::vector<std::string> BrokenSums(const SourceAccount& account) {
  std::vector<std::string> broken = account.broken_sums;
  const auto check = [&](std::string_view of, std::string_view law, int64_t left, int64_t right) {
    if (left != right) {
      broken.push_back(
          fmt::format("the sums of {} do not hold: {}: found {} and {}", of, law, left, right));
    }
  };
  for (const SignalAccount& signal : account.signals) {
    const std::string_view name = otap::Name(signal.signal);
    check(name, "listed = sent + left out", signal.listed, signal.sent + SumOf(signal.left_out));
    check(name, "sent = delivered + refused + in flight", signal.sent,
          signal.delivered + signal.refused + signal.in_flight);
    check(name, "items sent = delivered + refused + in flight", signal.items_sent,
          signal.items_delivered + signal.items_refused + signal.items_in_flight);
    if (signal.dead_letters > signal.refused || signal.items_dead_letters > signal.items_refused) {
      broken.push_back(fmt::format(
          "the sums of {} do not hold: found {} records and {} items among the dead letters, "
          "expected no more than the {} and {} that were refused",
          name, signal.dead_letters, signal.items_dead_letters, signal.refused,
          signal.items_refused));
    }
    if (signal.sent > signal.read || signal.read > signal.listed) {
      broken.push_back(fmt::format(
          "the sums of {} do not hold: found {} listed, {} read, {} sent, expected no rise", name,
          signal.listed, signal.read, signal.sent));
    }
  }
  return broken;
}

}  // namespace df::engine
