#include "otlp/compare/item_counts.h"

#include <algorithm>

#include <fmt/format.h>

#include "otlp/compare/item_texts.h"

namespace df::otlp {
namespace {

constexpr size_t kMaxExamples = 6;
constexpr char kHeadEnd = '\n';  // never in a canonical text, where it is escaped

}  // namespace

std::string Comparison::Line(otap::Signal signal) const {
  return fmt::format("{}: {}/{} items equal, {} extra", otap::Name(signal), expected - missing,
                     expected, extra);
}

arrow::Status ItemCounts::Add(std::string_view request, int side) {
  // Neighbours have the same heads, at the same place.
  std::string_view last_head;
  std::string shared;
  return VisitItemTexts(signal_, request, options_, [&](const ItemText& item) {
    if (shared.empty() || item.head.data() != last_head.data() || item.head != last_head) {
      shared = Share(std::string(item.head));
      last_head = item.head;
    }
    const std::string metric = item.metric_head.empty() ? "" : Share(std::string(item.metric_head));
    Count(fmt::format("{}{}{}", shared, metric, item.text), side);
  });
}

void ItemCounts::Count(std::string item, int side) {
  Balance& balance = items_[std::move(item)];
  ++(side > 0 ? balance.expected : balance.actual);
}

std::string ItemCounts::Share(std::string text) {
  const auto [at, is_new] = head_numbers_.try_emplace(text, static_cast<int64_t>(heads_.size()));
  if (is_new) {
    heads_.push_back(std::move(text));
  }
  return std::to_string(at->second) + kHeadEnd;
}

std::string ItemCounts::Explain(const std::string& item) const {
  std::string text;
  size_t begin = 0;
  for (size_t end = item.find(kHeadEnd); end != std::string::npos;
       end = item.find(kHeadEnd, begin)) {
    text += heads_[std::stoul(item.substr(begin, end - begin))] + " | ";
    begin = end + 1;
  }
  return text + item.substr(begin);
}

Comparison ItemCounts::Compare() const {
  Comparison result;
  for (const auto& [item, balance] : items_) {
    result.expected += balance.expected;
    const int64_t missing = std::max<int64_t>(balance.expected - balance.actual, 0);
    const int64_t extra = std::max<int64_t>(balance.actual - balance.expected, 0);
    result.missing += missing;
    result.extra += extra;
    auto* examples = missing > 0 ? &result.missing_examples : &result.extra_examples;
    if (missing + extra > 0 && examples->size() < kMaxExamples) {
      examples->push_back(fmt::format("{} x {}", missing + extra, Explain(item)));
    }
  }
  return result;
}

arrow::Result<Comparison> CompareFiles(otap::Signal signal, const std::string& expected,
                                       const std::vector<std::string>& actual,
                                       const CompareOptions& options) {
  ItemCounts counts(signal, options);
  ARROW_RETURN_NOT_OK(VisitRequestsOf(
      signal, expected, [&](std::string_view request) { return counts.AddExpected(request); }));
  for (const std::string& path : actual) {
    ARROW_RETURN_NOT_OK(VisitRequestsOf(
        signal, path, [&](std::string_view request) { return counts.AddActual(request); }));
  }
  return counts.Compare();
}

}  // namespace df::otlp
