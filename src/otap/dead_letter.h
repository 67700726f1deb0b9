// The attributes by which a batch says that a destination has refused it, and why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// What all keys of such attributes begin with.
inline constexpr std::string_view kDeadLetterPrefix = "df_engine.dead_letter.";

/// Why a batch was not delivered.
struct DeadLetter {
  std::string reason;         ///< as the destination has said it
  std::string status;         ///< "refused" or "refused_in_part"
  int64_t refused_items = 0;  ///< of the batch; which ones is not known where only some were
  std::string time;           ///< of the refusal, in RFC 3339
  std::string source;         ///< the pipeline and node that sent it, as "group/pipeline/node"
};

/// Returns the batch with `letter` as attributes of every resource. A record without a resource
/// gets one. Attributes that begin with kDeadLetterPrefix already are renamed, so that Unmark gives
/// them back. Needs plain ids. Errors: those of EditAttributes.
arrow::Result<BatchPtr> MarkDeadLetter(const BatchPtr& batch, const DeadLetter& letter);

/// Returns the batch as it was before MarkDeadLetter, but for the order of the attributes of a
/// resource, and for resources that are empty in place of absent; as OTLP both are the same. A
/// batch without such attributes is returned itself. Errors: those of EditAttributes.
arrow::Result<BatchPtr> UnmarkDeadLetter(const BatchPtr& batch);

}  // namespace df::otap
