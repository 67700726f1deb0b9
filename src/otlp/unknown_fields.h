// Fields of OTLP messages that the model has no column for: newer, removed, or of another wire
// type than they should be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "otlp/schema/message_shape.h"

namespace df::otlp {

/// How often one such field stood in messages.
struct UnknownField {
  std::string_view message;  ///< of the protobuf definition: "Resource"
  uint32_t number = 0;       ///< 0: a key of OTLP JSON
  uint8_t wire_type = 0;     ///< of a number
  std::string key;           ///< of JSON; cut off where it is long
  int64_t count = 0;

  /// "Resource.entity_refs (field 3)", "LogRecord field 99", "LogRecord key 'colour'",
  /// "LogRecord.flags (field 8) of wire type 0".
  std::string Name() const;
};

/// Counts fields by message and number. Whoever sends may invent as many as there are numbers:
/// beyond kMaxDistinct they are counted together.
class UnknownFields {
 public:
  static constexpr size_t kMaxDistinct = 64;

  /// `tag`: number and wire type, as protobuf writes them.
  void Add(const MessageShape& shape, uint32_t tag);
  void AddKey(const MessageShape& shape, std::string_view key);
  void Add(const UnknownFields& other);

  std::span<const UnknownField> fields() const { return fields_; }
  /// Of fields that are not among these.
  int64_t num_others() const { return num_others_; }
  /// Of all.
  int64_t total() const { return total_; }
  void Clear();

 private:
  void Count(UnknownField field);

  std::vector<UnknownField> fields_;
  int64_t num_others_ = 0;
  int64_t total_ = 0;
};

}  // namespace df::otlp
