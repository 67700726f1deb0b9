// Parquet's hybrid of run-length and bit-packed integers: definition levels and dictionary indices.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace df::lake {

static_assert(std::endian::native == std::endian::little,
              "values are decoded with little-endian loads");

namespace internal {

/// Unpacks 8 values of kBits bits each. Reads up to 8 bytes past the last one needed.
template <int kBits, typename T>
inline void Unpack8(const uint8_t* in, T* out) {
  if constexpr (kBits == 0) {
    std::memset(out, 0, 8 * sizeof(T));
  } else {
    constexpr uint64_t kMask = kBits == 64 ? ~uint64_t{0} : (uint64_t{1} << kBits) - 1;
    for (int i = 0; i < 8; ++i) {
      uint64_t word;
      std::memcpy(&word, in + (i * kBits >> 3), sizeof(word));
      out[i] = static_cast<T>((word >> (i * kBits & 7)) & kMask);
    }
  }
}

template <typename T>
using UnpackGroups = void (*)(const uint8_t* in, int64_t num_groups, T* out);

template <int kBits, typename T>
void UnpackGroupsOf(const uint8_t* in, int64_t num_groups, T* out) {
  for (int64_t group = 0; group < num_groups; ++group) {
    Unpack8<kBits>(in + group * kBits, out + group * 8);
  }
}

template <typename T, size_t... kBits>
constexpr auto MakeUnpackTable(std::index_sequence<kBits...>) {
  return std::array<UnpackGroups<T>, sizeof...(kBits)>{
      &UnpackGroupsOf<static_cast<int>(kBits), T>...};
}

/// Unpacker of groups of 8 values, by bit width 0..32.
template <typename T>
inline constexpr auto kUnpack = MakeUnpackTable<T>(std::make_index_sequence<33>{});

}  // namespace internal

/// Reads one stream of hybrid-encoded integers. Bounds are checked; a broken stream yields fewer
/// values than asked. Owner: borrows the bytes.
class HybridDecoder {
 public:
  HybridDecoder() = default;

  /// `bit_width` is 0..32.
  HybridDecoder(const uint8_t* data, int64_t size_bytes, int bit_width)
      : position_(data), end_(data + size_bytes), bit_width_(bit_width) {}

  /// A piece of the stream: `count` times `value`, or `count` values packed from bit `first *
  /// bit_width` of `packed`.
  struct Run {
    bool is_packed = false;
    int64_t count = 0;
    uint32_t value = 0;
    const uint8_t* packed = nullptr;
    int64_t first = 0;
  };

  /// Takes at most `limit` values of the current run; count 0 means that the stream has ended or is
  /// broken.
  Run Take(int64_t limit) {
    if (remaining_ == 0 && !NextRun()) {
      return {};
    }
    Run run{is_packed_, limit < remaining_ ? limit : remaining_, value_, packed_, packed_first_};
    remaining_ -= run.count;
    packed_first_ += run.count;
    return run;
  }

  /// Decodes `count` values into `out`. Returns how many there were.
  template <typename T>
  int64_t Decode(int64_t count, T* out) {
    int64_t done = 0;
    while (done < count) {
      const Run run = Take(count - done);
      if (run.count == 0) {
        break;
      }
      if (run.is_packed) {
        Unpack(run, out + done);
      } else {
        std::fill_n(out + done, run.count, static_cast<T>(run.value));
      }
      done += run.count;
    }
    return done;
  }

  /// Unpacks a packed run that Take returned.
  template <typename T>
  void Unpack(const Run& run, T* out) const {
    int64_t index = run.first;
    const int64_t stop = run.first + run.count;
    while (index < stop && (index & 7) != 0) {
      *out++ = static_cast<T>(At(run.packed, index++));
    }
    // A group may be unpacked with 8-byte loads while they stay inside the page.
    const uint8_t* group = run.packed + (index >> 3) * bit_width_;
    int64_t num_groups = (stop - index) >> 3;
    const int64_t safe_bytes = end_ - group - 8;
    const int64_t safe_groups =
        bit_width_ == 0 ? num_groups : (safe_bytes < 0 ? 0 : safe_bytes / bit_width_);
    num_groups = num_groups < safe_groups ? num_groups : safe_groups;
    internal::kUnpack<T>[static_cast<size_t>(bit_width_)](group, num_groups, out);
    out += num_groups * 8;
    index += num_groups * 8;
    while (index < stop) {
      *out++ = static_cast<T>(At(run.packed, index++));
    }
  }

 private:
  uint32_t At(const uint8_t* packed, int64_t index) const {
    const int64_t bit = index * bit_width_;
    const uint8_t* byte = packed + (bit >> 3);
    uint64_t word = 0;
    const int64_t available = end_ - byte;
    std::memcpy(&word, byte, static_cast<size_t>(available < 8 ? available : 8));
    return static_cast<uint32_t>((word >> (bit & 7)) & ((uint64_t{1} << bit_width_) - 1));
  }

  /// Reads run headers until one stands for at least one value. Returns false at the end or when
  /// the stream is broken.
  bool NextRun() {
    do {
      uint64_t header = 0;
      for (int shift = 0;; shift += 7) {
        if (position_ == end_ || shift > 35) {
          return false;
        }
        const uint8_t byte = *position_++;
        header |= static_cast<uint64_t>(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
          break;
        }
      }
      is_packed_ = (header & 1) != 0;
      if (is_packed_) {
        StartPacked(static_cast<int64_t>(header >> 1));
      } else if (!StartRepeated(static_cast<int64_t>(header >> 1))) {
        return false;
      }
    } while (remaining_ == 0);
    return true;
  }

  void StartPacked(int64_t num_groups) {
    // Writers may cut the padding of the last group, so a run may be shorter than its header says.
    const int64_t bytes_left = end_ - position_;
    const int64_t bytes = num_groups * bit_width_;
    packed_ = position_;
    packed_first_ = 0;
    remaining_ = num_groups * 8;
    if (bytes > bytes_left) {
      remaining_ = bytes_left * 8 / bit_width_;
      position_ = end_;
    } else {
      position_ += bytes;
    }
  }

  bool StartRepeated(int64_t count) {
    const int value_bytes = (bit_width_ + 7) / 8;
    if (end_ - position_ < value_bytes) {
      return false;
    }
    value_ = 0;
    std::memcpy(&value_, position_, static_cast<size_t>(value_bytes));
    position_ += value_bytes;
    remaining_ = count;
    return true;
  }

  const uint8_t* position_ = nullptr;
  const uint8_t* end_ = nullptr;
  int bit_width_ = 0;
  bool is_packed_ = false;
  int64_t remaining_ = 0;
  uint32_t value_ = 0;
  const uint8_t* packed_ = nullptr;
  int64_t packed_first_ = 0;
};

}  // namespace df::lake
