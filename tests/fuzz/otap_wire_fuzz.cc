// Feeds bytes as the messages of one stream, each behind its length in three bytes; the first byte
// chooses the signal. What is accepted has to be a valid batch that can be sent on and read again.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include <arrow/compute/initialize.h>

#include "otap/validate.h"
#include "otap_wire/consumer.h"
#include "otap_wire/producer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace df;  // NOLINT: a fuzz target is a main function
  static const bool is_ready = arrow::compute::Initialize().ok();
  if (size < 1 || !is_ready) {
    return 0;
  }
  const otap::Signal signal = otap::kAllSignals[data[0] % 3];
  const otap_wire::ConsumerLimits limits{
      .message_bytes = 1 << 18, .inflated_bytes = 1 << 20, .table_rows = 1 << 16};
  otap_wire::Consumer consumer(signal, limits);
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  while (rest.size() > 3 && !consumer.is_failed()) {
    const size_t length = static_cast<uint8_t>(rest[0]) * 65536U +
                          static_cast<uint8_t>(rest[1]) * 256U + static_cast<uint8_t>(rest[2]);
    const auto batch = consumer.Consume(rest.substr(3, length));
    rest.remove_prefix(std::min(rest.size(), length + 3));
    if (!batch.ok()) {
      continue;
    }
    otap_wire::Producer producer(signal);
    const auto message = producer.Produce(*batch, 1);
    otap_wire::Consumer again(signal);
    if (!otap::Validate(**batch).ok() || !message.ok()) {
      __builtin_trap();
    }
    const auto read = again.Consume(*message);
    if (!read.ok() || (*read)->num_items() != (*batch)->num_items()) {
      __builtin_trap();
    }
  }
  return 0;
}
