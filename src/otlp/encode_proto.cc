#include <algorithm>
#include <string_view>

#include "otlp/encode.h"
#include "otlp/proto_writer.h"
#include "otlp/walk.h"

namespace df::otlp {

arrow::Result<std::string_view> EncodeRequestInto(const otap::Batch& batch, std::string* buffer,
                                                  EncodeStats* stats) {
  // The columns are about as large as the request where nothing repeats.
  constexpr int64_t kLeastBytes = 4096;
  const auto expected = static_cast<size_t>(std::max(batch.size_bytes(), kLeastBytes));
  if (buffer->size() < expected) {
    buffer->resize(expected);
  }
  ProtoWriter writer(buffer);
  ARROW_RETURN_NOT_OK(WriteRequest(batch, stats, &writer));
  return writer.written();
}

arrow::Result<std::string> EncodeRequest(const otap::Batch& batch, EncodeStats* stats) {
  std::string buffer;
  ARROW_ASSIGN_OR_RAISE(const std::string_view request, EncodeRequestInto(batch, &buffer, stats));
  return std::string(request);
}

}  // namespace df::otlp
