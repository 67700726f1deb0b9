// OTLP messages as text that two messages share exactly when they say the same.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "otlp/schema/messages.h"

namespace df::otlp {

/// What is not compared.
struct CompareOptions {
  /// Leaves out what the Parquet exporter of the reference loses: flags of spans and links,
  /// is_monotonic, zero_threshold, and the sign of zero in attribute and body values.
  bool upstream_losses = false;
  /// Leaves out the sign of zero in attribute and body values, and nothing else.
  bool zero_signs = false;
};

/// One field of a message as it stands in the bytes: the wire says no more.
struct RawField {
  const FieldShape* shape = nullptr;  ///< null: the message has no such field
  uint32_t number = 0;
  uint64_t number_value = 0;            ///< varint, fixed32, fixed64
  std::vector<uint64_t> numbers;        ///< repeated numbers, packed or not
  std::string bytes;                    ///< singular text, bytes and messages; messages are merged
  std::vector<std::string_view> items;  ///< repeated messages; borrowed from the input
};

/// Splits a message into its fields, by the rules of protobuf: the last one of a singular field and
/// of a oneof wins, singular messages are merged. Throws protozero::exception on malformed bytes.
std::vector<RawField> SplitMessage(const MessageShape& shape, std::string_view bytes);

/// Returns the field of a name, or null when it is absent.
const RawField* FindField(const std::vector<RawField>& fields, std::string_view name);

/// Returns the text of a message. Equal: an implicit default and its absence; an empty message and
/// its absence, unless it is one of a oneof; any order of attributes, kvlist entries and repeated
/// messages; any NaN. Different: 0.0 and -0.0, set and unset of optional fields and oneofs,
/// unknown fields. Fields named in `skip` are left out. Throws protozero::exception.
std::string CanonicalText(const MessageShape& shape, const std::vector<RawField>& fields,
                          const CompareOptions& options,
                          const std::vector<std::string_view>& skip = {});
std::string CanonicalText(const MessageShape& shape, std::string_view bytes,
                          const CompareOptions& options);

}  // namespace df::otlp
