#include "base/compression.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kPlenty = 64 << 20;

class EveryCompression : public ::testing::TestWithParam<Compression> {};
INSTANTIATE_TEST_SUITE_P(All, EveryCompression,
                         ::testing::Values(Compression::kNone, Compression::kGzip,
                                           Compression::kZstd, Compression::kDeflate,
                                           Compression::kSnappy, Compression::kLz4),
                         [](const auto& test) { return std::string(Name(test.param)); });

TEST_P(EveryCompression, GivesBackWhatWasCompressed) {
  const auto seed = static_cast<uint32_t>(std::random_device{}());
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (const size_t size : {0, 1, 17, 4096, 65535, 65536, 65537, 1 << 20}) {
    std::string bytes(size, 'a');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 7);
    }
    const auto compressed = Compress(GetParam(), bytes);
    ASSERT_TRUE(compressed.ok());
    const auto back = Decompress(GetParam(), *compressed, kPlenty);
    ASSERT_TRUE(back.ok()) << size << " " << back.status();
    EXPECT_EQ(*back, bytes);
  }
}

TEST_P(EveryCompression, RefusesOneByteMoreThanAllowed) {
  const std::string bytes(200'000, 'x');
  const std::string compressed = *Compress(GetParam(), bytes);
  EXPECT_TRUE(Decompress(GetParam(), compressed, 200'000).ok());
  EXPECT_TRUE(Decompress(GetParam(), compressed, 199'999).status().IsCapacityError());
}

TEST_P(EveryCompression, RefusesEveryCutOff) {
  if (GetParam() == Compression::kNone) {
    return;
  }
  const std::string compressed = *Compress(GetParam(), "some text, some more text, some text");
  for (size_t size = 1; size < compressed.size(); ++size) {
    EXPECT_TRUE(Decompress(GetParam(), compressed.substr(0, size), kPlenty).status().IsInvalid())
        << size;
  }
}

TEST_P(EveryCompression, RefusesOtherBytesThanItsOwn) {
  if (GetParam() == Compression::kNone) {
    return;
  }
  EXPECT_TRUE(Decompress(GetParam(), "certainly not compressed", kPlenty).status().IsInvalid());
  EXPECT_TRUE(
      Decompress(GetParam(), *Compress(GetParam(), "x") + "tail", kPlenty).status().IsInvalid());
}

TEST(Compression, ReadsAllMembersOfGzipAndAllFramesOfZstd) {
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    const std::string bytes = *Compress(compression, "one ") + *Compress(compression, "two");
    EXPECT_EQ(*Decompress(compression, bytes, kPlenty), "one two");
  }
}

TEST(Compression, RefusesAZstdFrameThatAsksForAHugeWindow) {
  // Magic; no content size, not a single segment; window of 2^30 bytes; a last raw block of none.
  const std::string frame("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 9);
  EXPECT_THAT(Decompress(Compression::kZstd, frame, kPlenty).status().message(),
              HasSubstr("memory"));
}

// Two chunks, plain and compressed, with one to be skipped between them.
constexpr std::string_view kSnappyFrames = {
    "\xff\x06\x00\x00sNaPpY"
    "\x01\x07\x00\x00\x6e\x57\xf1\x21"
    "abc"
    "\xfe\x02\x00\x00\x00\x00"
    "\x00\x12\x00\x00\x05\x76\x36\xd3\x1b\x20"
    "123456789\x46\x09\x00",
    49};

TEST(Compression, ReadsSnappyInFrames) {
  const std::string frames(kSnappyFrames);
  EXPECT_EQ(*Decompress(Compression::kSnappy, frames, kPlenty), "abc123456789123456789123456789");
  EXPECT_EQ(*Decompress(Compression::kSnappy, frames, 30), "abc123456789123456789123456789");
  EXPECT_TRUE(Decompress(Compression::kSnappy, frames, 29).status().IsCapacityError());
  for (size_t size = 11; size < frames.size(); ++size) {
    if (size != 21 && size != 27) {  // where a chunk ends
      EXPECT_FALSE(Decompress(Compression::kSnappy, frames.substr(0, size), kPlenty).ok()) << size;
    }
  }
  std::string wrong = frames;
  wrong[18] = 'x';
  EXPECT_THAT(Decompress(Compression::kSnappy, wrong, kPlenty).status().message(),
              HasSubstr("checksum"));
}

TEST(Compression, ReadsAFrameOfLz4ThatAnotherLibraryWrote) {
  const std::string frame(
      "\x04\x22\x4d\x18\x60\x40\x82\x17\x00\x00\x00\xe3lz4 says "
      "hello\x06\x00Phello\x00\x00\x00\x00",
      38);
  EXPECT_EQ(*Decompress(Compression::kLz4, frame, kPlenty), "lz4 says hello hello hello");
  EXPECT_EQ(*Decompress(Compression::kLz4, frame + frame, kPlenty),
            "lz4 says hello hello hellolz4 says hello hello hello");
}

TEST(Compression, ReadsItsNamesBack) {
  EXPECT_EQ(ParseCompression("gzip"), Compression::kGzip);
  EXPECT_EQ(ParseCompression("zstd"), Compression::kZstd);
  EXPECT_EQ(ParseCompression("deflate"), Compression::kDeflate);
  EXPECT_EQ(ParseCompression("identity"), Compression::kNone);
  EXPECT_EQ(ParseCompression("none"), Compression::kNone);
  EXPECT_EQ(ParseCompression("snappy"), Compression::kSnappy);
  EXPECT_EQ(ParseCompression("LZ4"), Compression::kLz4);
  EXPECT_EQ(ParseCompression("X-Gzip"), Compression::kGzip);
  EXPECT_EQ(ParseCompression("zlib"), Compression::kDeflate);
  EXPECT_EQ(ParseCompression("x-snappy-framed"), Compression::kSnappy);
  EXPECT_EQ(ParseCompression("br"), std::nullopt);
}

}  // namespace
}  // namespace df
