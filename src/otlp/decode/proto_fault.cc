#include "otlp/decode/proto_fault.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/decode/text_builder.h"

namespace df::otlp {
namespace {

bool IsVarint(WireKind kind) { return WireTypeOf(kind) == WireType::varint; }

class FaultFinder {
 public:
  FaultFinder(std::string_view whole, int max_value_depth)
      : whole_(whole), max_value_depth_(max_value_depth) {}

  /// Returns whether the message is faultless; says nothing about what is wrong.
  bool IsFaultless(const MessageShape& shape, std::string_view message, int value_depth,
                   int level) const {
    ProtoReader in(message);
    const bool is_value = &shape == &kAnyValueShape;
    while (!in.at_end()) {
      uint32_t tag = 0;
      if (!in.ReadTag(&tag)) {
        return false;
      }
      std::string_view bytes;
      if (static_cast<WireType>(tag & 7U) != WireType::length_delimited) {
        if (!in.Skip(tag)) {
          return false;
        }
        continue;
      }
      if (!in.ReadBytes(&bytes)) {
        return false;
      }
      const FieldShape* field = shape.Find(tag >> 3U);
      if (field == nullptr) {
        continue;
      }
      if (field->message != nullptr) {
        if (level == kMaxMessageDepth || (is_value && value_depth == max_value_depth_) ||
            !IsFaultless(*field->message, bytes, value_depth + (is_value ? 1 : 0), level + 1)) {
          return false;
        }
      } else if (field->kind == WireKind::kString) {
        if (!IsValidUtf8(bytes)) {
          return false;
        }
      } else if (field->kind != WireKind::kBytes && field->presence == Presence::kRepeated &&
                 !IsPacked(*field, bytes)) {
        return false;
      }
    }
    return true;
  }

  /// Returns whether the message is faultless, and keeps what is wrong.
  bool Walk(const MessageShape& shape, std::string_view message, int value_depth, int level) {
    ProtoReader in(message);
    // How often each field came; no message has more fields than numbers.
    std::array<uint32_t, MessageShape::kMaxNumber> counts{};
    while (!in.at_end()) {
      const char* start = in.position();
      uint32_t tag = 0;
      if (!in.ReadTag(&tag)) {
        return Report(start,
                      "found no tag of a field, expected a number from "
                      "1 and a wire type");
      }
      const FieldShape* field = shape.Find(tag >> 3U);
      const auto position = field == nullptr ? 0 : static_cast<size_t>(field - &shape.fields[0]);
      if (!Field(shape, field, tag, start, {value_depth, level}, &in)) {
        if (field != nullptr) {
          Prepend(*field, counts[position]);
        }
        return false;
      }
      ++counts[position];
    }
    return true;
  }

  ProtoFault&& fault() && { return std::move(fault_); }

 private:
  bool Report(const char* at, std::string problem) {
    fault_.offset = static_cast<size_t>(at - whole_.data());
    fault_.problem = std::move(problem);
    return false;
  }
  void Prepend(const FieldShape& field, uint32_t count) {
    std::string step(field.name);
    // Numbers of a list may stand many in one field: only messages are counted.
    if (field.presence == Presence::kRepeated && field.message != nullptr) {
      step += fmt::format("[{}]", count);
    }
    fault_.path = fault_.path.empty() ? step : step + "." + fault_.path;
  }

  struct Place {
    int value_depth;
    int level;
  };

  bool Field(const MessageShape& shape, const FieldShape* field, uint32_t tag, const char* start,
             Place place, ProtoReader* in) {
    const auto type = static_cast<WireType>(tag & 7U);
    if (field == nullptr || type != WireType::length_delimited) {
      return in->Skip(tag) || Report(start, SkipProblem(tag));
    }
    std::string_view bytes;
    if (!in->ReadBytes(&bytes)) {
      return Report(start, "found a length past the end of the message, expected it inside");
    }
    if (WireTypeOf(field->kind) != WireType::length_delimited) {
      return field->presence != Presence::kRepeated || Packed(*field, bytes);
    }
    if (field->kind == WireKind::kString && !IsValidUtf8(bytes)) {
      return Report(bytes.data(), "found bytes that are not UTF-8, expected text");
    }
    if (field->message == nullptr) {
      return true;
    }
    const bool is_container = &shape == &kAnyValueShape;
    if (place.level == kMaxMessageDepth) {
      return Report(start, fmt::format("found more than {} messages inside each other, expected "
                                       "no more",
                                       kMaxMessageDepth));
    }
    if (is_container && place.value_depth == max_value_depth_) {
      return Report(start, fmt::format("found a value deeper than {} arrays and maps, expected "
                                       "less",
                                       max_value_depth_));
    }
    return Walk(*field->message, bytes, place.value_depth + (is_container ? 1 : 0),
                place.level + 1);
  }

  static std::string SkipProblem(uint32_t tag) {
    switch (tag & 7U) {
      case 0:
        return "found a number that does not end within ten bytes and the "
               "message, expected one "
               "that does";
      case 3:
        return "found a group that does not end, expected its end";
      case 4:
        return "found the end of a group, expected its start before it";
      case 6:
      case 7:
        return fmt::format("found wire type {}, expected 0, 1, 2 or 5", tag & 7U);
      default:
        return "found the end of the message, expected a value";
    }
  }

  static bool IsPacked(const FieldShape& field, std::string_view bytes) {
    if (!IsVarint(field.kind)) {
      return bytes.size() % sizeof(uint64_t) == 0;
    }
    ProtoReader in(bytes);
    uint64_t value = 0;
    while (!in.at_end()) {
      if (!in.ReadVarint(&value)) {
        return false;
      }
    }
    return true;
  }

  bool Packed(const FieldShape& field, std::string_view bytes) {
    if (!IsVarint(field.kind)) {
      return bytes.size() % sizeof(uint64_t) == 0 ||
             Report(bytes.data(),
                    fmt::format("found {} bytes, expected a multiple of 8", bytes.size()));
    }
    ProtoReader in(bytes);
    while (!in.at_end()) {
      const char* start = in.position();
      uint64_t value = 0;
      if (!in.ReadVarint(&value)) {
        return Report(start, SkipProblem(0));
      }
    }
    return true;
  }

  std::string_view whole_;
  int max_value_depth_;
  ProtoFault fault_;
};

}  // namespace

std::string ProtoFault::ToString() const {
  return fmt::format("{}{}at offset {}: {}", path, path.empty() ? "" : ": ", offset, problem);
}

std::optional<ProtoFault> FindFault(const MessageShape& shape, std::string_view message,
                                    int max_value_depth, int level) {
  FaultFinder finder(message, max_value_depth);
  // Nearly all messages are good: the walk that counts where it is is for the others.
  if (finder.IsFaultless(shape, message, 0, level) || finder.Walk(shape, message, 0, level)) {
    return std::nullopt;
  }
  return std::move(finder).fault();
}

}  // namespace df::otlp
