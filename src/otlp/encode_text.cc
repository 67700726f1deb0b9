#include "otlp/encode.h"
#include "otlp/text_writer.h"
#include "otlp/walk.h"

namespace df::otlp {

arrow::Result<std::string> EncodeText(const otap::Batch& batch, TextLayout layout,
                                      EncodeStats* stats) {
  TextWriter writer(layout);
  ARROW_RETURN_NOT_OK(WriteRequest(batch, stats, &writer));
  return writer.Finish();
}

}  // namespace df::otlp
