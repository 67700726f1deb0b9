// How numbers of one Parquet type become numbers of the model's, never changing a value. Private to
// lake/.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <parquet/types.h>

namespace df::lake {

/// Turns integers of one type into another. Returns false when one does not fit.
template <typename Src, typename Out>
struct IntegerConversion {
  bool operator()(const Src* in, int64_t count, Out* out) const {
    if constexpr (sizeof(Src) == sizeof(Out) && std::is_signed_v<Src> == std::is_signed_v<Out>) {
      std::memcpy(out, in, static_cast<size_t>(count) * sizeof(Out));
      return true;
    } else {
      bool fits = true;
      for (int64_t i = 0; i < count; ++i) {
        fits &= std::in_range<Out>(in[i]);
        out[i] = static_cast<Out>(in[i]);
      }
      return fits;
    }
  }
};

/// Keeps the bits of a 64-bit time, or scales it to nanoseconds.
struct TimeConversion {
  int64_t nanos_per_unit = 1;
  bool operator()(const int64_t* in, int64_t count, int64_t* out) const {
    if (nanos_per_unit == 1) {
      std::memcpy(out, in, static_cast<size_t>(count) * sizeof(int64_t));
      return true;
    }
    bool fits = true;
    for (int64_t i = 0; i < count; ++i) {
      fits &= !__builtin_mul_overflow(in[i], nanos_per_unit, &out[i]);
    }
    return fits;
  }
};

template <typename Src>
struct FloatConversion {
  bool operator()(const Src* in, int64_t count, double* out) const {
    std::copy(in, in + count, out);
    return true;
  }
};

/// Below this every integer has a double of its own; from here on one double stands for several.
inline constexpr double kFirstInexactInteger = 9'007'199'254'740'992.0;  // 2^53

/// Turns whole decimals, big-endian in two's complement as Parquet stores them, into integers.
/// Returns false when one does not fit.
template <typename Out>
struct DecimalConversion {
  int64_t width = 0;  ///< bytes of each value
  bool operator()(const parquet::FixedLenByteArray* in, int64_t count, Out* out) const {
    bool fits = true;
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* bytes = in[i].ptr;
      const bool is_negative = (bytes[0] & 0x80U) != 0;
      const uint8_t sign = is_negative ? 0xFF : 0;
      uint64_t bits = is_negative ? ~uint64_t{0} : 0;
      for (int64_t at = 0; at < width; ++at) {
        fits &= width - at <= 8 || bytes[at] == sign;
        bits = (bits << 8U) | bytes[at];
      }
      const auto number = static_cast<int64_t>(bits);
      fits &= is_negative ? number < 0 && std::in_range<Out>(number) : std::in_range<Out>(bits);
      out[i] = static_cast<Out>(bits);
    }
    return fits;
  }
};

/// The same of times, each of so many nanoseconds.
struct DecimalTimeConversion {
  DecimalConversion<int64_t> whole;
  TimeConversion scaled;
  bool operator()(const parquet::FixedLenByteArray* in, int64_t count, int64_t* out) const {
    return whole(in, count, out) && (scaled.nanos_per_unit == 1 || scaled(out, count, out));
  }
};

/// Turns doubles that some writers make of integers with nulls back into integers. Returns false
/// when one is no integer or may have been rounded.
template <typename Out>
struct RealToInteger {
  bool operator()(const double* in, int64_t count, Out* out) const {
    for (int64_t i = 0; i < count; ++i) {
      const double value = in[i];
      if (!(std::abs(value) < kFirstInexactInteger) || std::trunc(value) != value) {
        return false;
      }
      const auto integer = static_cast<int64_t>(value);
      if (!std::in_range<Out>(integer)) {
        return false;
      }
      out[i] = static_cast<Out>(integer);
    }
    return true;
  }
};

/// Turns integers into doubles. Returns false when one has no double of its own.
template <typename Src>
struct IntegerToReal {
  bool operator()(const Src* in, int64_t count, double* out) const {
    bool fits = true;
    for (int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<double>(in[i]);
      fits &= std::abs(out[i]) < kFirstInexactInteger;
    }
    return fits;
  }
};

/// Turns the 96-bit times of Spark and Impala (nanoseconds of a Julian day) into nanoseconds.
struct Int96Conversion {
  bool operator()(const parquet::Int96* in, int64_t count, int64_t* out) const {
    constexpr int64_t kJulianDayOfEpoch = 2'440'588;
    constexpr int64_t kNanosPerDay = 86'400'000'000'000;
    bool fits = true;
    for (int64_t i = 0; i < count; ++i) {
      int64_t nanos_of_day = 0;
      std::memcpy(&nanos_of_day, in[i].value.data(), sizeof(nanos_of_day));
      const int64_t day = int64_t{in[i].value[2]} - kJulianDayOfEpoch;
      fits &= !__builtin_mul_overflow(day, kNanosPerDay, &out[i]) &&
              !__builtin_add_overflow(out[i], nanos_of_day, &out[i]);
    }
    return fits;
  }
};

}  // namespace df::lake
