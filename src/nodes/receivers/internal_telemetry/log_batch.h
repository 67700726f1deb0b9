// Records of the log as an OTAP batch.
#pragma once

#include <span>

#include "base/error.h"
#include "base/log.h"
#include "nodes/receivers/internal_telemetry/metric_batches.h"
#include "otap/batch.h"

namespace df::nodes::receivers::internal_telemetry {

/// Makes a batch of at least one and at most 65,535 records, all of one resource and of the scope
/// "df.log": time, severity, body, event name, and the fields as attributes.
Result<otap::BatchPtr> MakeLogBatch(std::span<const LogRecord> records, const Resource& resource);

}  // namespace df::nodes::receivers::internal_telemetry
