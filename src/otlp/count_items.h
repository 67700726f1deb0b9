// What a request holds, told without decoding it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "otap/batch.h"
#include "otlp/decode.h"

namespace df::otlp {

struct ItemCount {
  int64_t root_rows = 0;  ///< log records, spans or metrics
  int64_t items = 0;      ///< log records, spans or data points
};

/// Counts what a decoder would find in the protobuf bytes of an export request, by walking over
/// the lengths of resources, scopes and records (and of metrics); nothing inside those is looked
/// at, so that other faults stay unseen.
/// Errors: Invalid "<path>: at offset <n>: found .., expected .." where the lengths do not fit.
/// Cost: a few instructions for each record, no allocation.
arrow::Result<ItemCount> CountItems(otap::Signal signal, std::string_view request);

/// Makes a batch of a request as it is; none when it holds nothing. It decodes by itself where
/// somebody needs its tables, which does not fail: the whole request is checked here. Owner: shares
/// the bytes. Shape: one of more than otap::kMaxRootRows records becomes several, which have their
/// tables. `on_decoded` hears what decoding could not keep, once a request, if it comes to that; by
/// whoever asks for the tables. It owns what it needs. Errors: as DecodeRequest. Cost: a pass over
/// the bytes, that of FindFault.
arrow::Result<std::vector<otap::BatchPtr>> MakeRequestBatches(
    otap::Signal signal, std::shared_ptr<arrow::Buffer> request,
    std::function<void(const DecodeStats&)> on_decoded = nullptr);

}  // namespace df::otlp
