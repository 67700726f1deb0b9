// What the footers of our files say of themselves, and what a reader does about it.
#include "lake/format/own_keys.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "lake/format/footer_checksum.h"
#include "lake/write/file_set.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::ExpectSameRecords;
using df::testing::Messages;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

/// A tree of one set of log files.
class OwnKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::RandomEngine random(11);
    sent_ = testing::RandomBatches(1, otap::Signal::kLogs, {}, random);
    const auto store = MakeLocalStore(folder_.path());
    WriteOptions options;
    options.producer = "11111111-2222-4333-8444-555555555555";
    FileSet set(store.get(), options, otap::Signal::kLogs, "_part_id=a", 1);
    ASSERT_TRUE(set.Add(*sent_[0], 0).ok());
    ASSERT_TRUE(set.Publish().ok());
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) {
        files_.push_back(entry.path());
      }
    }
    std::sort(files_.begin(), files_.end());
  }

  /// Puts another value of the same size behind a key, in every file.
  void Replace(const std::string& key, const std::string& from, const std::string& to) const {
    for (const fs::path& path : files_) {
      std::ifstream in(path, std::ios::binary);
      std::string bytes{std::istreambuf_iterator<char>(in), {}};
      // Thrift's compact form: the header of the field, the size of the text, the text.
      const std::string found = key + '\x18' + static_cast<char>(from.size()) + from;
      const size_t at = bytes.find(found);
      ASSERT_NE(at, std::string::npos) << path;
      bytes.replace(at + found.size() - from.size(), to.size(), to);
      // As another version would have written it: with the checksum of what it says.
      uint32_t length = 0;
      std::memcpy(&length, bytes.data() + bytes.size() - 8, sizeof(length));
      const size_t begin = bytes.size() - 8 - length;
      const std::string footer = bytes.substr(begin, length);
      const auto place = FindFooterChecksum(footer);
      ASSERT_TRUE(place.has_value()) << path;
      bytes.replace(begin + *place, kUnknownFooterChecksum.size(),
                    ComputeFooterChecksum(footer, *place));
      std::ofstream(path, std::ios::binary) << bytes;
    }
  }

  TemporaryFolder folder_;
  std::vector<otap::BatchPtr> sent_;
  std::vector<fs::path> files_;
};

TEST_F(OwnKeys, StandInEveryFile) {
  EXPECT_GT(files_.size(), 2U);
  for (const fs::path& path : files_) {
    const auto reader = parquet::ParquetFileReader::OpenFile(path.string());
    const auto& keys = reader->metadata()->key_value_metadata();
    EXPECT_EQ(keys->Get("otap.format_version").ValueOr(""), "2") << path;
    EXPECT_EQ(keys->Get("otap.layout").ValueOr(""), "star") << path;
    EXPECT_EQ(keys->Get("otap.id_scope").ValueOr(""), "partition") << path;
    EXPECT_EQ(keys->Get("otap.producer").ValueOr(""), "11111111-2222-4333-8444-555555555555")
        << path;
  }
  ExpectSameRecords(sent_, ReplayTree(folder_.path(), {}));
}

TEST_F(OwnKeys, VersionOneIsRead) {
  Replace("otap.format_version", "2", "1");
  const Replayed replayed = ReplayTree(folder_.path(), {});
  EXPECT_THAT(replayed.report.problems, IsEmpty());
  ExpectSameRecords(sent_, replayed);
}

TEST_F(OwnKeys, ANewerVersionIsRefusedByName) {
  Replace("otap.format_version", "2", "3");
  const Replayed replayed = ReplayTree(folder_.path(), {});
  EXPECT_THAT(replayed.batches, IsEmpty());
  EXPECT_THAT(Messages(replayed), HasSubstr("logs/_part_id=a/part-1-"));
  EXPECT_THAT(Messages(replayed),
              HasSubstr("otap.format_version: found '3', expected 1 to 2: a newer version of "
                        "df_engine has written it"));
}

TEST_F(OwnKeys, AnotherLayoutIsRefusedByName) {
  Replace("otap.layout", "star", "flat");
  const Replayed replayed = ReplayTree(folder_.path(), {});
  EXPECT_THAT(replayed.batches, IsEmpty());
  EXPECT_THAT(Messages(replayed), HasSubstr("otap.layout: found 'flat', expected 'star'"));
}

TEST(CheckOwnKeys, TheMajorVersionDecides) {
  const auto check = [](const std::string& version) {
    return CheckOwnKeys(*arrow::key_value_metadata({"otap.format_version"}, {version}), {});
  };
  for (const char* known : {"1", "2", "1.9", "2.1"}) {
    EXPECT_TRUE(check(known).ok()) << check(known);
  }
  for (const char* newer : {"3", "3.0", "10"}) {
    EXPECT_THAT(check(newer).message(), HasSubstr("newer version")) << newer;
  }
  for (const char* damaged : {"", "two", "0", "-1", "2x", "99999999999"}) {
    EXPECT_FALSE(check(damaged).ok()) << damaged;
    EXPECT_THAT(check(damaged).message(), ::testing::Not(HasSubstr("newer version"))) << damaged;
  }
  EXPECT_TRUE(CheckOwnKeys(*arrow::key_value_metadata({"other"}, {"3"}), {}).ok());
}

}  // namespace
}  // namespace df::lake
