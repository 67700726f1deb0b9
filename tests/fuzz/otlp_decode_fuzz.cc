// Feeds bytes as a request; the first byte chooses signal and form. What is accepted has to be a
// valid batch whose request reads back as itself; what is refused as protobuf has to have a fault.
#include <cstdint>
#include <string_view>

#include "otap/validate.h"
#include "otlp/decode.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/encode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace df;  // NOLINT: a fuzz target is a main function
  if (size < 1) {
    return 0;
  }
  const otap::Signal signal = otap::kAllSignals[data[0] % 3];
  const bool is_json = data[0] >= 128;
  const std::string_view request(reinterpret_cast<const char*>(data + 1), size - 1);
  static otlp::Decoder decoder({.max_root_rows = 50});
  const auto batches =
      is_json ? decoder.DecodeJson(signal, request) : decoder.DecodeRequest(signal, request);
  if (!is_json &&
      batches.ok() == otlp::FindFault(otlp::RequestShape(signal), request, 128).has_value()) {
    __builtin_trap();
  }
  for (size_t i = 0; batches.ok() && i < batches->size(); ++i) {
    const otap::BatchPtr& batch = (*batches)[i];
    const auto encoded = otlp::EncodeRequest(*batch);
    if (!otap::Validate(*batch).ok() || !encoded.ok()) {
      __builtin_trap();
    }
    const auto again = otlp::DecodeRequest(signal, *encoded);
    if (!again.ok() || again->size() != 1 ||
        otlp::EncodeRequest(*again->front()).ValueOr("") != *encoded) {
      __builtin_trap();
    }
  }
  return 0;
}
