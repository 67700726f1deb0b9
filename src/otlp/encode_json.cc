#include "otlp/encode.h"
#include "otlp/json_writer.h"
#include "otlp/walk.h"

namespace df::otlp {

arrow::Result<std::string> EncodeJson(const otap::Batch& batch, EncodeStats* stats) {
  JsonWriter writer(static_cast<size_t>(batch.size_bytes()));
  ARROW_RETURN_NOT_OK(WriteRequest(batch, stats, &writer));
  return writer.Finish();
}

}  // namespace df::otlp
