// A byte that changes on a disk is an error, or changes nothing: never another value.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/write/file_set.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::CanonicalRecords;
using df::testing::DescribeDifference;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::IsEmpty;

constexpr uint64_t kSeed = 20'261'128;
constexpr int kNumFlips = 80;  // every other one in pages alone
constexpr size_t kMagicBytes = 4;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Overwrite(const std::filesystem::path& path, size_t offset, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

/// Where the footer of a whole file begins.
size_t FooterOffset(const std::string& bytes) {
  size_t length = 0;
  for (size_t i = 0; i < 4; ++i) {
    length |= static_cast<size_t>(static_cast<unsigned char>(bytes[bytes.size() - 8 + i]))
              << (8 * i);
  }
  return bytes.size() - 8 - length;
}

class PageChecksums
    : public ::testing::TestWithParam<std::tuple<otap::Signal, arrow::Compression::type>> {};

TEST_P(PageChecksums, AChangedByteIsAnErrorOrNoChange) {
  const auto [signal, codec] = GetParam();
  SCOPED_TRACE(fmt::format("seed {}", kSeed));
  testing::RandomEngine random(kSeed + static_cast<uint64_t>(signal));
  testing::RandomBatchOptions options;
  options.root_rows = 30;
  options.missing_column = 0;
  const auto sent = testing::RandomBatches(1, signal, options, random);
  const TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  WriteOptions write_options;
  write_options.compression = {codec, std::nullopt};
  FileSet set(store.get(), write_options, signal, "_part_id=a", 1);
  ASSERT_TRUE(set.Add(*sent[0], 0).ok());
  ASSERT_TRUE(set.Publish().ok());

  struct Page {
    std::filesystem::path path;
    std::string bytes;
    size_t footer;
  };
  std::vector<Page> files;
  size_t total_of_pages = 0;
  size_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) {
      std::string bytes = ReadAll(entry.path());
      const size_t footer = FooterOffset(bytes);
      total_of_pages += footer - kMagicBytes;
      total += bytes.size() - kMagicBytes;
      files.push_back({entry.path(), std::move(bytes), footer});
    }
  }
  const auto expected = CanonicalRecords(sent);
  int num_errors = 0;
  for (int flip = 0; flip < kNumFlips; ++flip) {
    const bool is_in_pages = flip % 2 == 0;
    size_t place = random() % (is_in_pages ? total_of_pages : total);
    size_t at = 0;
    const auto size_of = [&](const Page& file) {
      return (is_in_pages ? file.footer : file.bytes.size()) - kMagicBytes;
    };
    while (place >= size_of(files[at])) {
      place -= size_of(files[at++]);
    }
    const Page& file = files[at];
    const size_t offset = kMagicBytes + place;
    const char before = file.bytes[offset];
    const char after = static_cast<char>(before ^ static_cast<char>(1 + random() % 255));
    Overwrite(file.path, offset, after);
    const Replayed replayed = ReplayTree(folder.path(), {});
    if (replayed.report.problems.empty()) {
      const auto actual = CanonicalRecords(replayed.batches);
      ASSERT_EQ(expected, actual) << file.path << " byte " << offset << " of " << file.footer
                                  << ": " << static_cast<int>(before) << " to "
                                  << static_cast<int>(after) << "\n"
                                  << DescribeDifference(expected, actual);
    } else {
      ++num_errors;
    }
    Overwrite(file.path, offset, before);
  }
  EXPECT_GT(num_errors, kNumFlips / 4);
  EXPECT_THAT(ReplayTree(folder.path(), {}).report.problems, IsEmpty());
}

/// Where the footer says of value columns which type they have, and whether they may be null.
constexpr std::pair<size_t, size_t> kElements = {96, 128};
bool Contains(const std::pair<size_t, size_t>& range, size_t at) {
  return at >= range.first && at < range.second;
}

/// A bit of each byte of one footer, and each bit of some: Parquet has no checksum of it.
TEST(FooterChecksum, NoBitOfAFooterChangesWhatIsRead) {
  SCOPED_TRACE(fmt::format("seed {}", kSeed));
  testing::RandomEngine random(kSeed);
  testing::RandomBatchOptions options;
  options.root_rows = 20;
  options.missing_column = 0;
  const auto sent = testing::RandomBatches(1, otap::Signal::kLogs, options, random);
  const TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  FileSet set(store.get(), {}, otap::Signal::kLogs, "_part_id=a", 1);
  ASSERT_TRUE(set.Add(*sent[0], 0).ok());
  ASSERT_TRUE(set.Publish().ok());
  std::filesystem::path path;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file() && entry.path().string().find("/log_attrs/") != std::string::npos) {
      path = entry.path();
    }
  }
  const std::string bytes = ReadAll(path);
  const size_t footer = FooterOffset(bytes);
  const auto expected = CanonicalRecords(sent);
  for (size_t at = footer; at < bytes.size(); ++at) {
    for (size_t bit = 0; bit < 8; ++bit) {
      if (!Contains(kElements, at - footer) && bit != at % 8) {
        continue;
      }
      Overwrite(path, at, static_cast<char>(bytes[at] ^ (1 << bit)));
      const Replayed replayed = ReplayTree(folder.path(), {});
      if (replayed.report.problems.empty()) {
        ASSERT_EQ(expected, CanonicalRecords(replayed.batches))
            << "byte " << at - footer << " bit " << bit;
      }
      Overwrite(path, at, bytes[at]);
    }
  }
  EXPECT_THAT(ReplayTree(folder.path(), {}).report.problems, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, PageChecksums,
                         ::testing::Combine(::testing::ValuesIn(otap::kAllSignals),
                                            ::testing::Values(arrow::Compression::ZSTD,
                                                              arrow::Compression::UNCOMPRESSED)),
                         [](const auto& one) {
                           return fmt::format("{}_{}", otap::Name(std::get<0>(one.param)),
                                              std::get<1>(one.param) == arrow::Compression::ZSTD
                                                  ? "zstd"
                                                  : "plain");
                         });

}  // namespace
}  // namespace df::lake
