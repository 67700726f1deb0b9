// What becomes of root files that the file system refuses for a while.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <arrow/filesystem/localfs.h>
#include <arrow/io/interfaces.h>
#include <gtest/gtest.h>

#include "lake/queue/work_list.h"
#include "testing/lake_writer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

/// When root files fail.
struct Faults {
  df::testing::RandomEngine random;
  uint64_t one_in = 0;  ///< 0: never
  int64_t num_failed = 0;
  arrow::Status Next() {
    if (one_in == 0 || random() % one_in != 0) {
      return arrow::Status::OK();
    }
    ++num_failed;
    return arrow::Status::IOError("device busy");
  }
};

class FaultyFile final : public arrow::io::RandomAccessFile {
 public:
  FaultyFile(std::shared_ptr<arrow::io::RandomAccessFile> file, Faults* faults)
      : file_(std::move(file)), faults_(faults) {}
  arrow::Status Close() override { return file_->Close(); }
  bool closed() const override { return file_->closed(); }
  arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
  arrow::Status Seek(int64_t position) override { return file_->Seek(position); }
  arrow::Result<int64_t> GetSize() override { return file_->GetSize(); }
  arrow::Result<int64_t> Read(int64_t size, void* out) override { return file_->Read(size, out); }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t size) override {
    return file_->Read(size);
  }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t size, void* out) override {
    ARROW_RETURN_NOT_OK(faults_->Next());
    return file_->ReadAt(position, size, out);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t size) override {
    ARROW_RETURN_NOT_OK(faults_->Next());
    return file_->ReadAt(position, size);
  }

 private:
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  Faults* faults_;
};

/// A local file system in which files of logs/ fail.
class FaultyFileSystem final : public arrow::fs::LocalFileSystem {
 public:
  explicit FaultyFileSystem(Faults* faults) : faults_(faults) {}
  using arrow::fs::LocalFileSystem::OpenInputFile;
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(
      const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(auto file, arrow::fs::LocalFileSystem::OpenInputFile(path));
    if (path.find("/logs/") == std::string::npos) {
      return file;
    }
    ARROW_RETURN_NOT_OK(faults_->Next());
    return std::make_shared<FaultyFile>(std::move(file), faults_);
  }

 private:
  Faults* faults_;
};

class WorkListRetrySeeds : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    static const arrow::Status kInitialized = arrow::compute::Initialize();
    ASSERT_TRUE(kInitialized.ok());
    faults_.random.seed(GetParam());
    df::testing::RandomEngine random(GetParam());
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 40;
    batches_ = df::testing::RandomBatches(4, otap::Signal::kLogs, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.root_rows_per_file = 80;
    layout.row_group_rows = 25;
    layout.data_page_bytes = 64;
    ASSERT_TRUE(df::testing::WriteLake(folder_.path(), batches_, layout, GetParam()).ok());
    options_.signals = {otap::Signal::kLogs};
    options_.batch_size = 7;
  }

  std::unique_ptr<WorkList> Once(const std::shared_ptr<FileLedger>& ledger) {
    auto list = std::make_unique<WorkList>(store_, folder_.path().string(), options_,
                                           FollowOptions{}, [this] { return now_; });
    list->UseLedger(ledger);
    return list;
  }

  /// Reads everything that a list gives out, as a receiver does. Of 100 batches `acked` arrive.
  std::vector<otap::BatchPtr> Drain(WorkList* list, uint64_t acked = 100) {
    std::vector<otap::BatchPtr> sent;
    MemoryBudget budget(options_.memory_limit_bytes);
    while (true) {
      auto taken = list->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken->work.has_value()) {
        if (!taken->wait_until.has_value()) {
          return sent;
        }
        now_ = std::max(now_, *taken->wait_until);
        continue;
      }
      ReadReport report;
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        auto reader = PartitionReader::Make(store_.get(), folder_.path().string(), task, options_,
                                            &budget, &report)
                          .ValueOrDie();
        while (true) {
          auto payload = reader->Next();
          EXPECT_TRUE(payload.ok()) << payload.status();
          if (!payload.ok() || !payload->has_value()) {
            break;
          }
          const Origin& origin = (**payload).origin;
          Delivery delivery;
          for (size_t i = 0; i < task.root_files.size(); ++i) {
            if (task.files->of(otap::TableKind::kLogs)[task.root_files[i]]->entry.path ==
                origin.file) {
              delivery = task.claims[i]->Send(origin.row_group, origin.first_row, origin.num_rows);
            }
          }
          if (faults_.random() % 100 < acked) {
            sent.push_back((**payload).batch);
            delivery.Ack();
          } else {
            delivery.Refuse();
          }
        }
        outcomes.insert(outcomes.end(), reader->outcomes().begin(), reader->outcomes().end());
      }
      const Status sums = list->Done(outcomes, report).CheckConservation();
      EXPECT_TRUE(sums.ok()) << sums;
    }
  }

  void ExpectEverything(const std::vector<otap::BatchPtr>& sent) {
    const auto expected = df::testing::CanonicalRecords(batches_);
    const auto actual = df::testing::CanonicalRecords(sent);
    EXPECT_EQ(expected, actual) << df::testing::DescribeDifference(expected, actual);
  }

  df::testing::TemporaryFolder folder_;
  std::vector<otap::BatchPtr> batches_;
  Faults faults_;
  std::shared_ptr<storage::Store> store_ =
      storage::Store::Over({}, {}, std::make_shared<FaultyFileSystem>(&faults_));
  ReadOptions options_;
  std::chrono::system_clock::time_point now_{std::chrono::seconds(1'800'000'000)};
};

TEST_P(WorkListRetrySeeds, WhatPassesCostsNothingAndRepeatsNothing) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  faults_.one_in = 40 + GetParam() % 100;
  const auto list = Once(std::make_shared<FileLedger>());
  const std::vector<otap::BatchPtr> sent = Drain(list.get());
  const ReadReport report = list->Report();
  if (report.num_errors() == 0) {
    ExpectEverything(sent);
    return;
  }
  // Five failures one after the other are given up, and said.
  const TableCounts& roots = report.table(otap::TableKind::kLogs);
  EXPECT_EQ(roots.rows_emitted + roots.dropped(DropReason::kUnreadable), 160) << "named, not lost";
}

TEST_P(WorkListRetrySeeds, TheNextListSendsExactlyWhatDidNotArrive) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  const auto ledger = std::make_shared<FileLedger>();
  std::vector<otap::BatchPtr> sent;
  for (const uint64_t acked : {uint64_t{0}, GetParam() % 100, uint64_t{50}, uint64_t{100}}) {
    options_.batch_size = 1 + static_cast<int64_t>(faults_.random() % 60);
    const auto list = Once(ledger);
    const std::vector<otap::BatchPtr> more = Drain(list.get(), acked);
    sent.insert(sent.end(), more.begin(), more.end());
    EXPECT_EQ(list->Report().num_errors(), 0);
  }
  ExpectEverything(sent);
  const auto list = Once(ledger);
  EXPECT_TRUE(Drain(list.get()).empty());
  EXPECT_EQ(list->num_delivered_before(), 2);
}

TEST_P(WorkListRetrySeeds, AFileThatNeverOpensIsNamed) {
  faults_.one_in = 1;
  const auto list = Once(std::make_shared<FileLedger>());
  EXPECT_TRUE(Drain(list.get()).empty());
  EXPECT_EQ(list->Report().num_errors(), 2);
  EXPECT_GE(faults_.num_failed, 2 * WorkList::kMaxAttempts);
}

INSTANTIATE_TEST_SUITE_P(Some, WorkListRetrySeeds, ::testing::Range<uint64_t>(1, 60));

}  // namespace
}  // namespace df::lake
