#include "delivery/decode_losses.h"

#include <utility>

#include <fmt/format.h>

#include "base/logging.h"

namespace df::delivery {
namespace {

using otlp::UnknownField;
using otlp::UnknownFields;

constexpr telemetry::Instrument kUnknown = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otlp.fields.unknown", "{field}",
    "Fields of decoded requests that there is no column for, left out", "field"};

/// The field of the metric that counts all fields after the first UnknownFields::kMaxDistinct.
constexpr char kOthers[] = "other";
/// So many fields are named in the report.
constexpr size_t kMaxNamed = 20;

}  // namespace

DecodeLosses::DecodeLosses(std::string node, telemetry::MetricSet* metrics)
    : node_(std::move(node)), metrics_(metrics) {}

void DecodeLosses::Count(const otlp::DecodeStats& stats) {
  invalid_ids_ += stats.invalid_ids;
  empty_groups_ += stats.empty_groups;
  replaced_surrogates_ += stats.replaced_surrogates;
  unknown_.Add(stats.unknown);
  for (const UnknownField& field : stats.unknown.fields()) {
    CountUnknown(field.Name(), field.count);
  }
  if (stats.unknown.num_others() > 0) {
    CountUnknown(kOthers, stats.unknown.num_others());
  }
}

void DecodeLosses::CountUnknown(const std::string& field, int64_t count) {
  const bool is_full = counters_.size() >= UnknownFields::kMaxDistinct;
  const auto known = counters_.find(field);
  const std::string& name = known == counters_.end() && is_full ? kOthers : field;
  telemetry::Counter*& counter = counters_[name];
  if (counter == nullptr) {
    counter = &metrics_->AddCounter(kUnknown, {{"field", name}});
    LogWarning("node '{}': {} has no column and is left out; further ones are counted", node_,
               name == kOthers ? "a field beyond those named before" : name);
  }
  counter->Add(count);
}

void DecodeLosses::AddTo(engine::NodeReport* report) const {
  if (invalid_ids_ > 0) {
    report->lines.push_back(
        fmt::format("{} trace and span ids of a wrong length were read as none", invalid_ids_));
  }
  if (replaced_surrogates_ > 0) {
    report->lines.push_back(
        fmt::format("{} halves of surrogate pairs in JSON became U+FFFD", replaced_surrogates_));
  }
  if (unknown_.total() > 0) {
    std::string line =
        fmt::format("left out {} fields that there is no column for:", unknown_.total());
    int64_t num_rest = unknown_.num_others();
    for (size_t i = 0; i < unknown_.fields().size(); ++i) {
      const UnknownField& field = unknown_.fields()[i];
      if (i < kMaxNamed) {
        line += fmt::format("{} {} x {}", i == 0 ? "" : ",", field.count, field.Name());
      } else {
        num_rest += field.count;
      }
    }
    report->lines.push_back(line + (num_rest > 0 ? fmt::format(", {} others", num_rest) : ""));
  }
  if (empty_groups_ > 0) {
    report->lines.push_back(
        fmt::format("left out {} resources and scopes without any record", empty_groups_));
  }
  report->num_problems += invalid_ids_ + replaced_surrogates_ + unknown_.total();
}

}  // namespace df::delivery
