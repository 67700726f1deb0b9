// A work list whose files come from a plan.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/lists/plan_list.h"
#include "lake/queue/work_list.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Files with names that say nothing, in one folder, and the lines that say what they are.
class FileListsTest : public ::testing::Test {
 protected:
  FileListsTest() {
    df::testing::RandomEngine random(1);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 20;
    shape.without_attributes = 0;
    shape.max_attributes = 2;
    const auto batches = df::testing::RandomBatches(3, otap::Signal::kLogs, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.batches_per_partition = 1;
    const auto staging = folder_.path() / "staging";
    fs::create_directories(base());
    const auto written = df::testing::WriteLake(staging, batches, layout, 1).ValueOrDie();
    for (const auto& file : written.files) {
      const std::string name = std::to_string(lines_.size());
      fs::copy_file(staging / file.path, base() / name);
      const FileEntry entry{.path = name,
                            .size_bytes = static_cast<int64_t>(fs::file_size(base() / name))};
      lines_.push_back(PlanLine(file.table, file.partition, entry).ValueOrDie());
      if (file.table == otap::TableKind::kLogs) {
        roots_.push_back(lines_.size() - 1);
        partitions_.push_back(file.partition);
      }
    }
  }

  fs::path base() const { return folder_.path() / "lake"; }

  void WritePlan(const std::vector<std::string>& lines) {
    std::ofstream out(folder_.path() / "plan");
    for (const std::string& line : lines) {
      out << line << "\n";
    }
  }

  std::unique_ptr<WorkList> Make(const FollowOptions& follow, const ReadOptions& read = {}) {
    auto list = std::make_unique<WorkList>(storage::Store::Local(), base().string(), read, follow,
                                           [this] { return now_; });
    list->UseFileList(std::make_unique<PlanList>(storage::Store::Local(), base().string(),
                                                 (folder_.path() / "plan").string()));
    return list;
  }

  /// Takes everything; returns the partitions of it.
  static std::vector<std::string> TakeAll(WorkList* list) {
    std::vector<std::string> partitions;
    while (true) {
      auto taken = list->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken.ok() || !taken->work.has_value()) {
        return partitions;
      }
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        for (const size_t index : task.root_files) {
          const FileSummaryPtr& file = task.files->of(otap::RootTable(task.signal))[index];
          partitions.push_back(task.files->partition);
          outcomes.push_back({.file = file, .status = Status::OK(), .rows_emitted = 0});
        }
      }
      list->Done(outcomes, {});
    }
  }

  df::testing::TemporaryFolder folder_;
  std::vector<std::string> lines_;       ///< by file
  std::vector<size_t> roots_;            ///< lines of files of logs
  std::vector<std::string> partitions_;  ///< of them
  std::chrono::system_clock::time_point now_ = std::chrono::system_clock::now();
};

TEST_F(FileListsTest, OnceGivesTheFilesOfThePlanAndNoOthers) {
  ASSERT_THAT(roots_, SizeIs(3));
  WritePlan(lines_);
  EXPECT_THAT(TakeAll(Make({}).get()), ::testing::UnorderedElementsAreArray(partitions_));
  lines_[roots_[1]].clear();
  WritePlan(lines_);
  EXPECT_THAT(TakeAll(Make({}).get()),
              ::testing::UnorderedElementsAre(partitions_[0], partitions_[2]));
}

TEST_F(FileListsTest, SelectionByPathSeesThePartitionsOfThePlan) {
  WritePlan(lines_);
  ReadOptions read;
  read.wants_partition = [this](const std::string& path) { return path == partitions_[1]; };
  const auto list = Make({}, read);
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(partitions_[1]));
  EXPECT_EQ(list->num_unwanted(), 2);
}

TEST_F(FileListsTest, FollowingShowsNewLinesAndSendsNothingTwice) {
  const FollowOptions follow{.polling_interval = seconds(5), .completeness_grace = seconds(0)};
  std::vector<std::string> lines;
  WritePlan({});
  const auto list = Make(follow);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  for (size_t i = 0; i < partitions_.size(); ++i) {
    for (const std::string& line : lines_) {
      if (line.find(partitions_[i]) != std::string::npos) {
        lines.push_back(line);
      }
    }
    WritePlan(lines);
    now_ += seconds(5);
    EXPECT_THAT(TakeAll(list.get()), ElementsAre(partitions_[i]));
  }
  now_ += seconds(5);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().num_errors(), 0);
}

TEST_F(FileListsTest, AFileWithOtherRowsThanThePlanSaysIsNamedAndNotRead) {
  std::string& line = lines_[roots_[0]];
  line.insert(line.size() - 1, R"(,"rows":21)");
  WritePlan(lines_);
  const auto list = Make({});
  EXPECT_THAT(TakeAll(list.get()), ::testing::UnorderedElementsAre(partitions_[1], partitions_[2]));
  ASSERT_THAT(list->Report().problems, SizeIs(1));
  EXPECT_THAT(list->Report().problems[0].message, HasSubstr("found 20 rows, expected 21"));
  line.replace(line.find("21"), 2, "20");
  WritePlan(lines_);
  EXPECT_THAT(TakeAll(Make({}).get()), SizeIs(3));
}

}  // namespace
}  // namespace df::lake
