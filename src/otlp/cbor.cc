#include "otlp/cbor.h"

#include <cbor.h>

#include "base/text.h"

namespace df::otlp {
namespace {

CborItem& ItemOf(void* context) { return *static_cast<CborItem*>(context); }

void SetUnsigned(void* context, uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    ItemOf(context).kind = CborKind::kInteger;
    ItemOf(context).integer = static_cast<int64_t>(value);
  }
}

// CBOR holds -1 - n.
void SetNegative(void* context, uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    ItemOf(context).kind = CborKind::kInteger;
    ItemOf(context).integer = -1 - static_cast<int64_t>(value);
  }
}

void SetDouble(void* context, double value) {
  ItemOf(context).kind = CborKind::kDouble;
  ItemOf(context).real = value;
}

void SetBytes(void* context, cbor_data data, size_t size) {
  ItemOf(context).kind = CborKind::kBytes;
  ItemOf(context).bytes = {reinterpret_cast<const char*>(data), size};
}

void SetText(void* context, cbor_data data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (IsValidUtf8(text)) {
    ItemOf(context).kind = CborKind::kText;
    ItemOf(context).bytes = text;
  }
}

template <CborKind kKind>
void SetLength(void* context, size_t length) {
  if (length != CborItem::kIndefinite) {
    ItemOf(context).kind = kKind;
    ItemOf(context).length = length;
  }
}

template <CborKind kKind>
void SetIndefinite(void* context) {
  ItemOf(context).kind = kKind;
  ItemOf(context).length = CborItem::kIndefinite;
}

void SetBoolean(void* context, bool value) {
  ItemOf(context).kind = CborKind::kBool;
  ItemOf(context).boolean = value;
}

// What is left at the library's empty callbacks (tags, undefined, strings in pieces) stays invalid.
cbor_callbacks MakeCallbacks() {
  cbor_callbacks callbacks = cbor_empty_callbacks;
  callbacks.uint8 = [](void* context, uint8_t value) { SetUnsigned(context, value); };
  callbacks.uint16 = [](void* context, uint16_t value) { SetUnsigned(context, value); };
  callbacks.uint32 = [](void* context, uint32_t value) { SetUnsigned(context, value); };
  callbacks.uint64 = SetUnsigned;
  callbacks.negint8 = [](void* context, uint8_t value) { SetNegative(context, value); };
  callbacks.negint16 = [](void* context, uint16_t value) { SetNegative(context, value); };
  callbacks.negint32 = [](void* context, uint32_t value) { SetNegative(context, value); };
  callbacks.negint64 = SetNegative;
  callbacks.float2 = [](void* context, float value) { SetDouble(context, value); };
  callbacks.float4 = [](void* context, float value) { SetDouble(context, value); };
  callbacks.float8 = SetDouble;
  callbacks.string = SetText;
  callbacks.byte_string = SetBytes;
  callbacks.array_start = SetLength<CborKind::kArray>;
  callbacks.indef_array_start = SetIndefinite<CborKind::kArray>;
  callbacks.map_start = SetLength<CborKind::kMap>;
  callbacks.indef_map_start = SetIndefinite<CborKind::kMap>;
  callbacks.null = [](void* context) { ItemOf(context).kind = CborKind::kNull; };
  callbacks.boolean = SetBoolean;
  callbacks.indef_break = [](void* context) { ItemOf(context).kind = CborKind::kBreak; };
  return callbacks;
}

}  // namespace

CborItem CborReader::Next() {
  static const cbor_callbacks kCallbacks = MakeCallbacks();
  CborItem item;
  const cbor_decoder_result result = cbor_stream_decode(reinterpret_cast<cbor_data>(rest_.data()),
                                                        rest_.size(), &kCallbacks, &item);
  if (result.status != CBOR_DECODER_FINISHED) {
    return {};
  }
  rest_.remove_prefix(result.read);
  return item;
}

}  // namespace df::otlp
