// The OTLP messages as JSON names them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "otlp/fields.h"
#include "otlp/message_shape.h"

namespace df::otlp {

struct EnumName {
  std::string_view name;  ///< "SPAN_KIND_SERVER"
  int32_t number;
};

struct JsonShape;

struct JsonField {
  const FieldShape* field = nullptr;
  std::string camel_name;              ///< "timeUnixNano"; `field` has "time_unix_nano"
  const JsonShape* message = nullptr;  ///< of a message
  bool is_hex = false;                 ///< ids; other bytes are base64
  Expect expect = Expect::kSmall;      ///< how large the message gets
  std::span<const EnumName> names;     ///< of an enum
};

struct JsonShape {
  const MessageShape* shape = nullptr;
  std::vector<JsonField> fields;  ///< as those of `shape`

  /// Returns the position of the field with a name of either form, or the number of fields.
  /// `guess`: the one that most likely comes.
  size_t Find(std::string_view key, size_t guess) const;
};

/// Returns the form of a message. Calls: from any thread.
const JsonShape& JsonShapeOf(const MessageShape& shape);

}  // namespace df::otlp
