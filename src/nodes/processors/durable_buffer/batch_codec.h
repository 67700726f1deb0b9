// A batch as bytes, for a file.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "otap/batch.h"

namespace df::nodes::processors::durable_buffer {

/// Returns a batch that has its tables as bytes. Shape: a head of three bytes (version, signal, id
/// encoding), then for each table its number, a length of 32 bits, and an Arrow IPC stream whose
/// buffers are compressed with zstd. Errors: those of Arrow, and Invalid for a table of 4 GiB.
Result<std::string> EncodeBatch(const otap::Batch& batch);

/// Returns the batch. Errors: Invalid with what was found and expected.
Result<otap::BatchPtr> DecodeBatch(std::string_view bytes);

}  // namespace df::nodes::processors::durable_buffer
