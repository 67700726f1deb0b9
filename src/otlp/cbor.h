// Reads CBOR item by item, for the nested values of attributes and bodies (format reference 2.13).
#pragma once

#include <cstdint>
#include <string_view>

namespace df::otlp {

enum class CborKind : uint8_t {
  kNull,
  kBool,
  kInteger,
  kDouble,
  kText,
  kBytes,
  kArray,
  kMap,
  kBreak,
  kInvalid,  ///< cut off, past int64, text that is not UTF-8, or a kind that no producer writes
             ///< (tags, undefined, ..)
};

/// One item, or the head of an array or map.
struct CborItem {
  static constexpr uint64_t kIndefinite = UINT64_MAX;

  CborKind kind = CborKind::kInvalid;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string_view bytes;  ///< kText, kBytes; borrowed from the input
  uint64_t length = 0;     ///< kArray: items, kMap: pairs, or kIndefinite until kBreak
};

/// Owner: borrows the input.
class CborReader {
 public:
  explicit CborReader(std::string_view input) : rest_(input) {}

  /// Returns the next item; kInvalid at the end of the input.
  CborItem Next();

  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace df::otlp
