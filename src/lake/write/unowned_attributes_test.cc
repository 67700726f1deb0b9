// Attributes of resources and scopes whose records are missing as whole files are named.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_reader.h>

#include "lake/queue/work_list.h"
#include "lake/write/signal_writer.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::TemporaryFolder;
using otap::TableKind;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::chrono::seconds kGrace(10);

df::testing::RandomBatchOptions EveryResourceHasAttributes() {
  df::testing::RandomBatchOptions shape;
  shape.missing_column = 0;
  shape.null_struct = 0;
  shape.without_attributes = 0;
  return shape;
}

/// Log records in a partition each, whose resources and scopes have attributes and which have none.
class UnownedAttributes : public ::testing::Test {
 protected:
  void SetUp() override {
    df::testing::RandomEngine random(42);
    const auto shape = EveryResourceHasAttributes();
    const auto sent = df::testing::RandomBatches(3, otap::Signal::kLogs, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.batches_per_partition = 1;
    written_ = df::testing::WriteLake(base(), sent, layout, 7).ValueOrDie();
    fs::remove_all(base() / "log_attrs");
    for (const otap::Signal signal : {otap::Signal::kTraces, otap::Signal::kMetrics}) {
      const auto others = df::testing::RandomBatches(1, signal, shape, random);
      ASSERT_TRUE(df::testing::WriteLake(base(), others, layout, random()).ok());
    }
    for (const auto& file : written_.files) {
      if (file.table == TableKind::kLogs) {
        roots_.push_back(base() / file.path);
      }
    }
    ASSERT_EQ(roots_.size(), 3U);
  }

  fs::path base() const { return folder_.path(); }

  std::unique_ptr<WorkList> Make(const std::vector<otap::Signal>& signals,
                                 const FollowOptions& follow = {}) {
    ReadOptions read;
    read.signals = signals;
    return std::make_unique<WorkList>(storage::Store::Local(), base().string(), read, follow,
                                      [this] { return now_; });
  }

  /// Takes everything; returns the problems that the list knows of.
  static std::vector<std::string> TakeAll(WorkList* list) {
    while (true) {
      auto taken = list->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken.ok() || !taken->work.has_value()) {
        break;
      }
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        for (const size_t index : task.root_files) {
          outcomes.push_back({.file = task.files->of(otap::RootTable(task.signal))[index],
                              .status = Status::OK()});
        }
      }
      list->Done(outcomes, {});
    }
    std::vector<std::string> problems;
    for (const Problem& problem : list->Report().problems) {
      problems.push_back(problem.message);
    }
    return problems;
  }

  std::vector<std::string> Follow(WorkList* list) {
    std::vector<std::string> problems;
    for (int i = 0; i < 8; ++i) {
      now_ += kGrace / 2;
      problems = TakeAll(list);
    }
    return problems;
  }

  TemporaryFolder folder_;
  df::testing::WrittenLake written_;
  std::vector<fs::path> roots_;
  std::chrono::system_clock::time_point now_ = std::chrono::system_clock::now();
};

constexpr const char* kMissing = "and no file of the records that they belong to";

TEST_F(UnownedAttributes, OfAPartitionWithoutRecordsAreNamed) {
  EXPECT_THAT(TakeAll(Make({otap::kAllSignals.begin(), otap::kAllSignals.end()}).get()), IsEmpty());
  fs::remove(roots_[1]);
  for (const auto& signals :
       {std::vector<otap::Signal>{otap::kAllSignals.begin(), otap::kAllSignals.end()},
        std::vector<otap::Signal>{otap::Signal::kLogs},
        std::vector<otap::Signal>{otap::Signal::kTraces}}) {
    const auto problems = TakeAll(Make(signals).get());
    const std::string partition = roots_[1].parent_path().filename().string();
    EXPECT_THAT(problems, Contains(AllOf(HasSubstr("resource_attrs"), HasSubstr(kMissing),
                                         HasSubstr(partition))));
    EXPECT_THAT(problems, Contains(AllOf(HasSubstr("scope_attrs"), HasSubstr(kMissing),
                                         HasSubstr(partition))));
    EXPECT_EQ(problems.size(), 2U);
  }
}

/// Who copies the tables of one signal copies attributes of all.
TEST_F(UnownedAttributes, MayBeOfATableThatIsNotThereAtAll) {
  fs::remove_all(base() / "univariate_metrics");
  fs::remove(roots_[1]);
  const auto list = Make({otap::Signal::kLogs, otap::Signal::kTraces});
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  std::vector<std::string> notices;
  for (const Problem& notice : list->Report().notices) {
    notices.push_back(notice.message);
  }
  EXPECT_THAT(notices, Contains(AllOf(HasSubstr("resource_attrs"),
                                      HasSubstr("there is no file of univariate_metrics: "))));
}

TEST_F(UnownedAttributes, OfSignalsThatAreNotReadAreNot) {
  EXPECT_THAT(TakeAll(Make({otap::Signal::kTraces}).get()), IsEmpty());
  auto list =
      Make({otap::Signal::kTraces}, {.polling_interval = kGrace / 2, .completeness_grace = kGrace});
  EXPECT_THAT(Follow(list.get()), IsEmpty());
  const fs::path aside = folder_.path() / "aside";
  fs::rename(roots_[1], aside);
  auto other =
      Make({otap::Signal::kTraces}, {.polling_interval = kGrace / 2, .completeness_grace = kGrace});
  EXPECT_EQ(Follow(other.get()).size(), 2U);
  fs::rename(aside, roots_[1]);
  EXPECT_THAT(Follow(other.get()), IsEmpty());
}

TEST_F(UnownedAttributes, AreNamedWhileFollowingUntilTheRecordsCome) {
  const fs::path aside = folder_.path() / "aside";
  fs::rename(roots_[1], aside);
  auto list =
      Make({otap::Signal::kLogs}, {.polling_interval = kGrace / 2, .completeness_grace = kGrace});
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "the grace is not over";
  EXPECT_EQ(Follow(list.get()).size(), 2U);
  fs::rename(aside, roots_[1]);
  EXPECT_THAT(Follow(list.get()), IsEmpty());
}

class NoListener final : public WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t> /*batches*/) override {}
  void OnClosed(std::span<const uint64_t> /*batches*/, CloseReason /*reason*/,
                const FileCounts& /*counts*/, const Status& status) override {
    EXPECT_TRUE(status.ok()) << status;
  }
  void OnRefused(uint64_t /*batch*/, const Status& status) override { ADD_FAILURE() << status; }
};

/// Three sets of our own exporter in one partition.
class UnownedSets : public UnownedAttributes {
 protected:
  void SetUp() override {
    df::testing::RandomEngine random(42);
    auto shape = EveryResourceHasAttributes();
    shape.max_attributes = 1;
    NoListener listener;
    const auto store = MakeLocalStore(base().string());
    SignalWriter::Settings settings;
    settings.unix_millis = [time = int64_t{1'756'000'000'000}]() mutable { return time++; };
    SignalWriter writer(store.get(), otap::Signal::kLogs, settings, &listener);
    for (const auto& batch : df::testing::RandomBatches(3, otap::Signal::kLogs, shape, random)) {
      writer.Add(batch, 0);
      writer.Close(CloseReason::kAge);
    }
    fs::remove_all(base() / "log_attrs");
    for (const auto& entry : fs::recursive_directory_iterator(base() / "logs")) {
      if (entry.path().extension() == ".parquet") {
        roots_.push_back(entry.path());
      }
    }
    std::sort(roots_.begin(), roots_.end());
    ASSERT_EQ(roots_.size(), 3U);
  }
};

TEST_F(UnownedSets, WithoutTheirRecordsAreNamed) {
  EXPECT_THAT(TakeAll(Make({otap::Signal::kLogs}).get()), IsEmpty());
  fs::remove(roots_[1]);
  const auto problems = TakeAll(Make({otap::Signal::kLogs}).get());
  EXPECT_THAT(problems, Contains(AllOf(HasSubstr("resource_attrs"), HasSubstr(kMissing),
                                       HasSubstr("(set "))));
  EXPECT_THAT(TakeAll(Make({otap::Signal::kMetrics}).get()), problems) << "they are looked for";
}

/// Who writes the records anew may put those of all sets into one file, and keep the name of one.
TEST_F(UnownedSets, AreNotNamedWhereTheRecordsWereWrittenAnew) {
  const auto rows = df::testing::ReadTable(roots_[0].string()).ValueOrDie();
  const auto keys = parquet::ParquetFileReader::OpenFile(roots_[0].string())
                        ->metadata()
                        ->key_value_metadata()
                        ->Copy();
  fs::remove(roots_[1]);
  for (const bool has_keys : {false, true}) {
    SCOPED_TRACE(has_keys);
    const auto table = arrow::Table::FromRecordBatches({rows}).ValueOrDie()->ReplaceSchemaMetadata(
        has_keys ? keys : nullptr);
    const auto sink = arrow::io::FileOutputStream::Open(roots_[0].string()).ValueOrDie();
    const auto stored = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 1 << 20,
                                           parquet::default_writer_properties(), stored)
                    .ok());
    ASSERT_TRUE(sink->Close().ok());
    EXPECT_THAT(TakeAll(Make({otap::Signal::kLogs}).get()), Each(Not(HasSubstr(kMissing))));
  }
}

TEST_F(UnownedSets, AreNamedWhileFollowingUntilTheRecordsCome) {
  const fs::path aside = folder_.path() / "aside";
  fs::rename(roots_[1], aside);
  auto list =
      Make({otap::Signal::kLogs}, {.polling_interval = kGrace / 2, .completeness_grace = kGrace});
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "the grace is not over";
  EXPECT_THAT(Follow(list.get()), Contains(HasSubstr("in sets of files that have no file of")));
  fs::rename(aside, roots_[1]);
  EXPECT_THAT(Follow(list.get()), IsEmpty());
}

}  // namespace
}  // namespace df::lake
