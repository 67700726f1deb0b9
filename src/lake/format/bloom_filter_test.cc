#include "lake/format/bloom_filter.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/bloom_filter.h>
#include <parquet/xxhasher.h>

namespace df::lake {
namespace {

std::vector<std::string> RandomIds(size_t count, std::mt19937_64& random) {
  std::vector<std::string> ids(count, std::string(16, '\0'));
  for (std::string& id : ids) {
    for (char& byte : id) {
      byte = static_cast<char>(random());
    }
  }
  return ids;
}

/// A file with a bloom filter of some ids behind eight other bytes.
std::string FileWith(const std::vector<std::string>& ids) {
  parquet::BlockSplitBloomFilter filter;
  filter.Init(
      parquet::BlockSplitBloomFilter::OptimalNumOfBytes(static_cast<uint32_t>(ids.size()), 0.01));
  const parquet::XxHasher hasher;
  for (const std::string& id : ids) {
    const parquet::FLBA value(reinterpret_cast<const uint8_t*>(id.data()));
    filter.InsertHash(hasher.Hash(&value, 16));
  }
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(sink->Write("PAR1....", 8).ok());
  filter.WriteTo(sink.get());
  return sink->Finish().ValueOrDie()->ToString();
}

bool Ask(const std::string& bytes, const std::vector<std::string>& ids, bool is_remote = false) {
  arrow::io::BufferReader file(arrow::Buffer::FromString(bytes));
  return MayHaveAny(
      &file,
      {.offset = 8, .size_bytes = std::nullopt, .file_bytes = static_cast<int64_t>(bytes.size())},
      {ids.begin(), ids.end()}, is_remote);
}

TEST(BloomFilter, AnswersAsArrowDoes) {
  std::mt19937_64 random(7);
  const auto ids = RandomIds(5000, random);
  const std::string bytes = FileWith(ids);
  const auto others = RandomIds(5000, random);
  int num_wrong = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_TRUE(Ask(bytes, {ids[i]})) << i;
    EXPECT_EQ(Ask(bytes, {others[i]}), Ask(bytes, {others[i]}, /*is_remote=*/true));
    num_wrong += Ask(bytes, {others[i]}) ? 1 : 0;
  }
  EXPECT_LT(num_wrong, 150);
  EXPECT_TRUE(Ask(bytes, {others[0], others[1], ids[9]}));
  EXPECT_TRUE(Ask(bytes, ids));  // so many that all of the filter is read
  EXPECT_FALSE(Ask(FileWith(ids), {}));
}

TEST(BloomFilter, OneThatCannotBeReadSaysNothing) {
  std::mt19937_64 random(7);
  const std::string bytes = FileWith(RandomIds(50, random));
  const auto others = RandomIds(20, random);
  for (size_t size = 0; size < bytes.size(); ++size) {
    for (const std::string& other : others) {
      // Only where the block of the id is there may it be told that the id is not.
      if (!Ask(bytes.substr(0, size), {other})) {
        FAIL() << size;
      }
    }
  }
  for (size_t at = 8; at < 30; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      Ask(changed, others);  // ends, and reads nothing outside
    }
  }
}

}  // namespace
}  // namespace df::lake
