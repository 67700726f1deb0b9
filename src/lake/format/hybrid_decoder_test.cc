#include "lake/format/hybrid_decoder.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

/// Writes hybrid runs the obvious way, bit by bit.
class HybridWriter {
 public:
  explicit HybridWriter(int bit_width) : bit_width_(bit_width) {}

  void Repeat(uint32_t value, uint64_t count) {
    Varint(count << 1);
    for (int byte = 0; byte < (bit_width_ + 7) / 8; ++byte) {
      bytes_.push_back(static_cast<uint8_t>(value >> (8 * byte)));
    }
    values_.insert(values_.end(), count, value);
  }

  void Pack(const std::vector<uint32_t>& values) {  // a multiple of 8
    Varint(values.size() / 8 << 1 | 1);
    const size_t first = bytes_.size();
    bytes_.resize(first + values.size() * static_cast<size_t>(bit_width_) / 8);
    size_t bit = 0;
    for (const uint32_t value : values) {
      for (int i = 0; i < bit_width_; ++i, ++bit) {
        bytes_[first + bit / 8] =
            static_cast<uint8_t>(bytes_[first + bit / 8] | ((value >> i & 1) << (bit % 8)));
      }
    }
    values_.insert(values_.end(), values.begin(), values.end());
  }

  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> values_;

 private:
  void Varint(uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<uint8_t>(value));
  }
  int bit_width_;
};

class HybridDecoderAtWidth : public testing::TestWithParam<int> {};

TEST_P(HybridDecoderAtWidth, DecodesWhatWasWrittenInPiecesOfAnySize) {
  const int bit_width = GetParam();
  const uint32_t seed = 7000 + static_cast<uint32_t>(bit_width);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const uint32_t mask = bit_width == 32 ? UINT32_MAX : (uint32_t{1} << bit_width) - 1;
  HybridWriter writer(bit_width);
  for (int run = 0; run < 40; ++run) {
    if (random() % 2 == 0) {
      writer.Repeat(static_cast<uint32_t>(random()) & mask, random() % 50);
    } else {
      std::vector<uint32_t> values(8 * (random() % 9));
      for (uint32_t& value : values) {
        value = static_cast<uint32_t>(random()) & mask;
      }
      writer.Pack(values);
    }
  }
  // A buffer of exactly the size: ASan sees any read past the end.
  HybridDecoder decoder(writer.bytes_.data(), static_cast<int64_t>(writer.bytes_.size()),
                        bit_width);
  std::vector<uint32_t> decoded;
  while (decoded.size() < writer.values_.size()) {
    std::vector<uint32_t> piece(1 + random() % 37);
    const int64_t got = decoder.Decode(static_cast<int64_t>(piece.size()), piece.data());
    ASSERT_GT(got, 0);
    decoded.insert(decoded.end(), piece.begin(), piece.begin() + got);
  }
  EXPECT_EQ(decoded, writer.values_);
}

INSTANTIATE_TEST_SUITE_P(Widths, HybridDecoderAtWidth,
                         testing::Values(0, 1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32));

TEST(HybridDecoder, EndsAtABrokenStream) {
  std::vector<uint8_t> out(100);
  EXPECT_EQ(HybridDecoder(nullptr, 0, 3).Decode(5, out.data()), 0);
  const std::vector<uint8_t> cut_header = {0x80, 0x80};
  EXPECT_EQ(HybridDecoder(cut_header.data(), 2, 3).Decode(5, out.data()), 0);
  const std::vector<uint8_t> no_value = {0x0A};  // five times a value that is missing
  EXPECT_EQ(HybridDecoder(no_value.data(), 1, 9).Decode(5, out.data()), 0);
  const std::vector<uint8_t> short_group = {0x03,
                                            0xFF};  // eight 4-bit values in one byte: two are there
  EXPECT_EQ(HybridDecoder(short_group.data(), 2, 4).Decode(8, out.data()), 2);
  const std::vector<uint8_t> endless_header(20, 0xFF);
  EXPECT_EQ(HybridDecoder(endless_header.data(), 20, 1).Decode(8, out.data()), 0);
}

}  // namespace
}  // namespace df::lake
