#include "otlp/decode.h"

#include <fmt/format.h>

#include "otlp/decode/json_transcoder.h"
#include "otlp/decode/metric_records.h"
#include "otlp/decode/request_decoder.h"
#include "otlp/decode/table_builder.h"

namespace df::otlp {

DecodeStats& DecodeStats::operator+=(const DecodeStats& other) {
  items += other.items;
  invalid_ids += other.invalid_ids;
  empty_groups += other.empty_groups;
  replaced_surrogates += other.replaced_surrogates;
  unknown.Add(other.unknown);
  return *this;
}

struct Decoder::State {
  explicit State(const DecodeOptions& options)
      : logs(options), traces(options), metrics(options), json(options.max_value_depth) {}

  RequestDecoder<otap::Signal::kLogs, TableBuilder<kLogRecordShape, otap::TableKind::kLogs>> logs;
  RequestDecoder<otap::Signal::kTraces, TableBuilder<kSpanShape, otap::TableKind::kSpans>> traces;
  RequestDecoder<otap::Signal::kMetrics, MetricRecords> metrics;
  JsonTranscoder json;
};

Decoder::Decoder(const DecodeOptions& options) : state_(std::make_unique<State>(options)) {}
Decoder::~Decoder() = default;

arrow::Result<std::vector<otap::BatchPtr>> Decoder::DecodeRequest(otap::Signal signal,
                                                                  std::string_view request,
                                                                  DecodeStats* stats) {
  // Offsets of Arrow's texts and lists are int32; nothing grows on its way into the columns.
  if (request.size() > static_cast<size_t>(INT32_MAX)) {
    return arrow::Status::Invalid(
        fmt::format("found a request of {} bytes, expected at most {}", request.size(), INT32_MAX));
  }
  switch (signal) {
    case otap::Signal::kLogs:
      return state_->logs.Decode(request, stats);
    case otap::Signal::kTraces:
      return state_->traces.Decode(request, stats);
    case otap::Signal::kMetrics:
      return state_->metrics.Decode(request, stats);
  }
  return arrow::Status::Invalid("found a signal that is none of logs, traces and metrics");
}

arrow::Result<std::vector<otap::BatchPtr>> Decoder::DecodeJson(otap::Signal signal,
                                                               std::string_view json,
                                                               DecodeStats* stats) {
  ARROW_ASSIGN_OR_RAISE(const std::string_view request,
                        state_->json.Transcode(RequestShape(signal), json));
  auto batches = DecodeRequest(signal, request, stats);
  if (batches.ok() && stats != nullptr) {
    stats->unknown.Add(state_->json.unknown());
    stats->replaced_surrogates += state_->json.num_lone_surrogates();
  }
  return batches;
}

arrow::Result<std::vector<otap::BatchPtr>> DecodeRequest(otap::Signal signal,
                                                         std::string_view request,
                                                         const DecodeOptions& options,
                                                         DecodeStats* stats) {
  return Decoder(options).DecodeRequest(signal, request, stats);
}

}  // namespace df::otlp
