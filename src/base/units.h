// Size literals and ids that cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>

namespace df {

inline constexpr int64_t operator""_KiB(unsigned long long count) {
  return static_cast<int64_t>(count) << 10;
}
inline constexpr int64_t operator""_MiB(unsigned long long count) {
  return static_cast<int64_t>(count) << 20;
}
inline constexpr int64_t operator""_GiB(unsigned long long count) {
  return static_cast<int64_t>(count) << 30;
}

/// An integer that only compares with its own kind.
template <typename Tag, typename T = uint32_t>
struct StrongId {
  T value{};
  auto operator<=>(const StrongId&) const = default;
};

using CoreId = StrongId<struct CoreIdTag>;

}  // namespace df
