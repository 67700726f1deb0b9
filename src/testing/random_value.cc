#include "testing/random_value.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>

namespace df::testing {
namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;

constexpr std::array<std::string_view, 12> kLetters = {
    "a", "Z", "7", " ", "\"", "\\", "\n", "ä", "Ж", "漢", "🚀", std::string_view("\0", 1)};

/// Appends a CBOR head: major type and length, shortest form.
void CborHead(std::string& out, int major, uint64_t value) {
  const auto first = [major](int low) { return static_cast<char>(major << 5 | low); };
  if (value < 24) {
    out += first(static_cast<int>(value));
    return;
  }
  const int width = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
  out += first(24 + width);
  for (int shift = ((1 << width) - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

void CborItem(std::string& out, RandomEngine& rng, RandomValues& values, int depth);

void CborContainer(std::string& out, RandomEngine& rng, RandomValues& values, int depth,
                   bool is_map) {
  const int64_t count = Between(rng, 0, 3);
  const bool indefinite = Chance(rng, 0.7);
  const int major = is_map ? 5 : 4;
  if (indefinite) {
    out += static_cast<char>(major << 5 | 31);
  } else {
    CborHead(out, major, static_cast<uint64_t>(count));
  }
  for (int64_t i = 0; i < count; ++i) {
    if (is_map) {
      const std::string key = values.Text();
      CborHead(out, 3, key.size());
      out += key;
    }
    CborItem(out, rng, values, depth + 1);
  }
  if (indefinite) {
    out += '\xff';
  }
}

void CborItem(std::string& out, RandomEngine& rng, RandomValues& values, int depth) {
  switch (Between(rng, 0, depth < 3 ? 7 : 5)) {
    case 0:
      out += '\xf6';
      return;
    case 1: {
      const std::string text = values.Text();
      CborHead(out, 3, text.size());
      out += text;
      return;
    }
    case 2:
      CborHead(out, static_cast<int>(Between(rng, 0, 1)), rng() >> Between(rng, 1, 63));
      return;
    case 3: {
      const auto bits = std::bit_cast<uint64_t>(values.Double());
      out += '\xfb';
      for (int shift = 56; shift >= 0; shift -= 8) {
        out += static_cast<char>(bits >> shift & 0xff);
      }
      return;
    }
    case 4:
      out += Chance(rng, 0.5) ? '\xf4' : '\xf5';
      return;
    case 5: {
      const std::string bytes = values.Bytes();
      CborHead(out, 2, bytes.size());
      out += bytes;
      return;
    }
    default:
      CborContainer(out, rng, values, depth, Chance(rng, 0.5));
  }
}

}  // namespace

bool Chance(RandomEngine& rng, double probability) {
  return std::uniform_real_distribution<double>(0, 1)(rng) < probability;
}

int64_t Between(RandomEngine& rng, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(rng);
}

RandomValues::RandomValues(RandomEngine& rng, const RandomValueOptions& options)
    : rng_(rng), options_(options) {
  for (int i = 0; i < options.distinct_texts; ++i) {
    std::string text;
    std::string binary;
    for (int64_t length = Between(rng, 0, options.max_text_bytes); length > 0; --length) {
      if (static_cast<int>(text.size()) < options.max_text_bytes) {
        text += kLetters[static_cast<size_t>(Between(rng, 0, kLetters.size() - 1))];
      }
      binary += static_cast<char>(Between(rng, 0, 255));
    }
    // The number keeps a pool of short entries distinct.
    texts_.push_back(text + fmt::format("{}", i));
    binaries_.push_back(binary + fmt::format("{}", i));
  }
}

std::string RandomValues::Text() {
  return Chance(rng_, options_.default_share) || texts_.empty()
             ? ""
             : texts_[static_cast<size_t>(Between(rng_, 0, std::ssize(texts_) - 1))];
}

std::string RandomValues::Bytes() {
  return Chance(rng_, options_.default_share) || binaries_.empty()
             ? ""
             : binaries_[static_cast<size_t>(Between(rng_, 0, std::ssize(binaries_) - 1))];
}

std::string RandomValues::Cbor(bool is_map) {
  std::string out;
  CborContainer(out, rng_, *this, 0, is_map);
  return out;
}

double RandomValues::Double() {
  using Limits = std::numeric_limits<double>;
  constexpr std::array kSpecial = {0.0,
                                   -0.0,
                                   1.5,
                                   Limits::quiet_NaN(),
                                   Limits::max(),
                                   Limits::min(),
                                   -1e-300,
                                   Limits::infinity(),
                                   -1.0,
                                   Limits::lowest(),
                                   -Limits::infinity(),
                                   0.1};
  if (Chance(rng_, options_.default_share)) {
    return 0.0;
  }
  return Chance(rng_, 0.5) ? kSpecial[static_cast<size_t>(Between(rng_, 0, kSpecial.size() - 1))]
                           : static_cast<double>(Between(rng_, -1'000'000, 1'000'000)) / 64;
}

int64_t RandomValues::Time() {
  constexpr int64_t kBase = 1'750'000'000'000'000'000;
  int64_t time = kBase + Between(rng_, 0, 3'600'000'000'000);
  if (Chance(rng_, 0.05)) {
    // Times are u64 in OTLP: the upper half shows as negative (format reference P28).
    time = Between(rng_, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  }
  return options_.whole_milliseconds ? time / kNanosPerMilli * kNanosPerMilli : time;
}

Cell RandomValues::List(otap::ColumnType type) {
  const int64_t count = Chance(rng_, 0.3) ? 0 : Between(rng_, 1, 6);
  std::vector<uint64_t> counts;
  std::vector<double> bounds;
  std::vector<QuantileCell> quantiles;
  for (int64_t i = 0; i < count; ++i) {
    counts.push_back(rng_() >> Between(rng_, 0, 63));
    bounds.push_back(Double());
    quantiles.push_back({static_cast<double>(i) / 8, Double()});
  }
  return type == otap::ColumnType::kListUInt64    ? Cell(counts)
         : type == otap::ColumnType::kListFloat64 ? Cell(bounds)
                                                  : Cell(quantiles);
}

Cell RandomValues::Value(const otap::Column& column) {
  using enum otap::ColumnType;
  const bool is_default = Chance(rng_, options_.default_share);
  const auto fixed = [&](size_t width) {
    std::string bytes(width, '\0');
    if (!is_default) {
      const uint64_t number = static_cast<uint64_t>(Between(rng_, 1, options_.distinct_texts + 1));
      bytes[0] = static_cast<char>(number & 0xff);
      bytes[1] = static_cast<char>(number >> 8 & 0xff);
      bytes[width - 1] = '\xee';
    }
    return Cell(std::move(bytes));
  };
  switch (column.type) {
    case kUInt8:
      return is_default ? uint64_t{0} : static_cast<uint64_t>(Between(rng_, 0, 255));
    case kUInt16:
      return is_default ? uint64_t{0} : static_cast<uint64_t>(Between(rng_, 0, 65'535));
    case kUInt32:
      return is_default ? uint64_t{0} : rng_() >> Between(rng_, 32, 63);
    case kUInt64:
      return is_default ? uint64_t{0} : rng_() >> Between(rng_, 0, 63);
    case kInt32:
      return is_default ? int64_t{0} : Between(rng_, -3, 24);
    case kInt64:
    case kDuration:
      return is_default ? int64_t{0} : static_cast<int64_t>(rng_()) >> Between(rng_, 0, 63);
    case kTimestamp:
      return is_default ? int64_t{0} : Time();
    case kFloat64:
      return is_default ? 0.0 : Double();
    case kBool:
      return !is_default && Chance(rng_, 0.6);
    case kUtf8:
      return Text();
    case kBinary:
      return Bytes();
    case kFixedBinary8:
      return fixed(8);
    case kFixedBinary16:
      return fixed(16);
    case kListUInt64:
    case kListFloat64:
    case kListQuantile:
      return List(column.type);
    case kStruct:
      return true;
  }
  return {};
}

}  // namespace df::testing
