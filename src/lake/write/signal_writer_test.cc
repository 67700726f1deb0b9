#include "lake/write/signal_writer.h"

#include <filesystem>
#include <map>
#include <new>
#include <set>
#include <string>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::ExpectSameRecords;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Remembers what became of every batch.
class Outcomes final : public WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t> batches) override { num_encoded += std::ssize(batches); }
  void OnClosed(std::span<const uint64_t> batches, CloseReason reason, const FileCounts& counts,
                const Status& status) override {
    for (const uint64_t batch : batches) {
      EXPECT_TRUE(statuses.emplace(batch, status).second) << "batch " << batch;
    }
    reasons.push_back(reason);
    files += counts.files;
    rows += counts.rows;
    bytes += counts.bytes;
  }
  void OnRefused(uint64_t batch, const Status& status) override {
    EXPECT_TRUE(statuses.emplace(batch, status).second) << "batch " << batch;
  }

  std::map<uint64_t, Status> statuses;
  std::vector<CloseReason> reasons;
  int64_t num_encoded = 0;
  int64_t files = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
};

SignalWriter::Settings MakeSettings() {
  SignalWriter::Settings settings;
  settings.unix_millis = [time = int64_t{1'756'000'000'000}]() mutable { return time++; };
  return settings;
}

/// Writes batches of all signals, each signal with a writer of its own.
void WriteAll(FileStore* store, const std::vector<otap::BatchPtr>& batches,
              const SignalWriter::Settings& settings, WriteListener* listener) {
  std::map<otap::Signal, std::unique_ptr<SignalWriter>> writers;
  for (size_t i = 0; i < batches.size(); ++i) {
    auto& writer = writers[batches[i]->signal()];
    if (writer == nullptr) {
      writer = std::make_unique<SignalWriter>(store, batches[i]->signal(), settings, listener);
    }
    writer->Add(batches[i], i);
  }
  for (auto& [signal, writer] : writers) {
    writer->Close(CloseReason::kEnd);
  }
}

class SignalWriterSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SignalWriterSeeds, EverythingComesBack) {
  testing::RandomEngine random(GetParam());
  testing::RandomBatchOptions options;
  options.root_rows = 1 + static_cast<int>(random() % 60);
  const auto sent =
      testing::RandomBatches(1 + static_cast<int>(random() % 12), std::nullopt, options, random);
  SignalWriter::Settings settings = MakeSettings();
  settings.options.row_group_bytes = 1 << (random() % 20);
  settings.options.row_group_rows = 1 + static_cast<int64_t>(random() % 300);
  settings.limits.rows = random() % 2 == 0 ? 1 + static_cast<int64_t>(random() % 200) : INT64_MAX;
  settings.limits.bytes = random() % 2 == 0 ? 1 << (random() % 20) : INT64_MAX;
  settings.first_id = random() % 3 == 0 ? UINT32_MAX - static_cast<uint32_t>(random() % 500) : 0;
  TemporaryFolder folder;
  Outcomes outcomes;
  WriteAll(MakeLocalStore(folder.path()).get(), sent, settings, &outcomes);
  EXPECT_EQ(outcomes.statuses.size(), sent.size());
  for (const auto& [batch, status] : outcomes.statuses) {
    EXPECT_TRUE(status.ok()) << status;
  }
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_THAT(replayed.report.problems, IsEmpty());
  ExpectSameRecords(sent, replayed);
}

/// Names of the partitions of a table, in no order.
std::set<std::string> Partitions(const std::filesystem::path& table) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(table)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(SignalWriter, APartitionBeginsWhenIdsAreUsedUp) {
  testing::RandomEngine random(3);
  testing::RandomBatchOptions options;
  options.without_attributes = 0;
  const auto sent = testing::RandomBatches(4, otap::Signal::kLogs, options, random);
  SignalWriter::Settings settings = MakeSettings();
  // The first batch gets the last ids of its partition, and not one is left over.
  settings.first_id = UINT32_MAX - LargestId(*sent[0]);
  const TemporaryFolder folder;
  Outcomes outcomes;
  WriteAll(MakeLocalStore(folder.path()).get(), sent, settings, &outcomes);
  EXPECT_THAT(outcomes.reasons, ElementsAre(CloseReason::kPartition, CloseReason::kEnd));
  EXPECT_EQ(Partitions(folder.path() / "logs").size(), 2U);
  ExpectSameRecords(sent, ReplayTree(folder.path(), {}));
}

/// Throws when a file is made, the first time.
class ThrowingStore final : public FileStore {
 public:
  explicit ThrowingStore(std::unique_ptr<FileStore> store) : store_(std::move(store)) {}
  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    if (!std::exchange(has_thrown_, true)) {
      throw std::bad_alloc();
    }
    return store_->Create(directory, name);
  }
  Result<int64_t> RemoveStale() override { return store_->RemoveStale(); }

 private:
  std::unique_ptr<FileStore> store_;
  bool has_thrown_ = false;
};

TEST(SignalWriter, AnAllocationThatFailsCostsTheBatchesOfItsSet) {
  const TemporaryFolder folder;
  testing::RandomEngine random(5);
  const auto sent = testing::RandomBatches(3, otap::Signal::kLogs, {}, random);
  Outcomes outcomes;
  ThrowingStore store(MakeLocalStore(folder.path()));
  SignalWriter::Settings settings = MakeSettings();
  settings.options.row_group_rows = 1;
  SignalWriter writer(&store, otap::Signal::kLogs, settings, &outcomes);
  for (size_t i = 0; i < sent.size(); ++i) {
    writer.Add(sent[i], i);
  }
  writer.Close(CloseReason::kEnd);
  ASSERT_EQ(outcomes.statuses.size(), 3U);
  EXPECT_TRUE(outcomes.statuses.at(0).IsOutOfMemory()) << outcomes.statuses.at(0);
  EXPECT_TRUE(outcomes.statuses.at(1).ok());
  EXPECT_TRUE(outcomes.statuses.at(2).ok());
  ExpectSameRecords({sent[1], sent[2]}, ReplayTree(folder.path(), {}));
}

TEST(SignalWriter, EveryStartHasAPartitionOfItsOwn) {
  const TemporaryFolder folder;
  testing::RandomEngine random(4);
  const auto sent = testing::RandomBatches(2, otap::Signal::kLogs, {}, random);
  Outcomes outcomes;
  const auto store = MakeLocalStore(folder.path());
  for (size_t start = 0; start < 2; ++start) {
    SignalWriter writer(store.get(), otap::Signal::kLogs, MakeSettings(), &outcomes);
    writer.Add(sent[start], start);
    writer.Close(CloseReason::kEnd);
  }
  EXPECT_EQ(Partitions(folder.path() / "logs").size(), 2U);
  ExpectSameRecords(sent, ReplayTree(folder.path(), {}));
}

TEST(SignalWriter, FilesOfATableHaveOneSchemaWhateverTheBatchesHave) {
  testing::RandomEngine random(5);
  testing::RandomBatchOptions options;
  options.missing_column = 0.6;
  options.root_rows = 8;
  const auto sent = testing::RandomBatches(30, std::nullopt, options, random);
  SignalWriter::Settings settings = MakeSettings();
  settings.limits.rows = 1;  // a file for each batch
  const TemporaryFolder folder;
  Outcomes outcomes;
  WriteAll(MakeLocalStore(folder.path()).get(), sent, settings, &outcomes);
  std::map<std::string, std::string> schemas;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) {
      const auto relative = entry.path().lexically_relative(folder.path());
      const auto reader = ::parquet::ParquetFileReader::OpenFile(entry.path().string());
      const std::string schema = reader->metadata()->schema()->ToString();
      const auto [found, is_new] = schemas.emplace(relative.begin()->string(), schema);
      EXPECT_EQ(found->second, schema) << relative;
    }
  }
  EXPECT_GT(schemas.size(), 12U);
}

TEST(SignalWriter, ABatchWithoutARequiredValueIsRefusedAlone) {
  testing::RandomEngine random(6);
  const auto sent = testing::RandomBatches(1, otap::Signal::kTraces, {}, random);
  otap::BatchBuilder builder(otap::Signal::kTraces);
  const auto& root = sent[0]->root();
  const int name = root->schema()->GetFieldIndex("name");
  ASSERT_TRUE(builder.Set(otap::TableKind::kSpans, root->RemoveColumn(name).ValueOrDie()).ok());
  const otap::BatchPtr nameless = builder.Build();
  const TemporaryFolder folder;
  Outcomes outcomes;
  WriteAll(MakeLocalStore(folder.path()).get(), {nameless, sent[0]}, MakeSettings(), &outcomes);
  EXPECT_THAT(outcomes.statuses.at(0).message(),
              HasSubstr("table spans: column name: found no column"));
  EXPECT_TRUE(outcomes.statuses.at(1).ok());
  ExpectSameRecords(sent, ReplayTree(folder.path(), {}));
}

INSTANTIATE_TEST_SUITE_P(Random, SignalWriterSeeds, ::testing::Range<uint64_t>(1, 25));

}  // namespace
}  // namespace df::lake
