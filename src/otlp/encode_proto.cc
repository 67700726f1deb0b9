#include <algorithm>

#include "otlp/encode.h"
#include "otlp/proto_writer.h"
#include "otlp/walk.h"

namespace df::otlp {

arrow::Result<std::string> EncodeRequest(const otap::Batch& batch, EncodeStats* stats) {
  // The columns are about as large as the request where nothing repeats.
  constexpr int64_t kLeastBytes = 4096;
  ProtoWriter writer(static_cast<size_t>(std::max(batch.size_bytes(), kLeastBytes)));
  ARROW_RETURN_NOT_OK(WriteRequest(batch, stats, &writer));
  return writer.Finish();
}

}  // namespace df::otlp
