// Work in the order of the times of its records.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/queue/time_lanes.h"
#include "lake/queue/work_list.h"
#include "lake/read/time_cut.h"
#include "testing/lake_writer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::CanonicalRecords;
using df::testing::TemporaryFolder;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr int64_t kLast = std::numeric_limits<int64_t>::max();

struct Read {
  std::vector<otap::BatchPtr> batches;
  std::vector<std::string> files;
  std::vector<int64_t> first_times;  ///< of each work
  ReadReport report;
};

/// Takes and reads everything as a receiver with one worker does.
Read ReadByTime(const std::filesystem::path& base, std::optional<nanoseconds> span) {
  static const arrow::Status kInitialized = arrow::compute::Initialize();
  EXPECT_TRUE(kInitialized.ok());
  const std::shared_ptr<storage::Store> store = storage::Store::Local();
  ReadOptions options;
  if (span.has_value()) {
    options.payload_span = PayloadSpan{.most = *span};
  }
  WorkList list(store, base.string(), options, {.is_by_time = true},
                [] { return std::chrono::system_clock::now(); });
  Read read;
  MemoryBudget budget(options.memory_limit_bytes);
  while (true) {
    WorkList::Taken taken = list.Take().ValueOrDie();
    if (!taken.work.has_value()) {
      EXPECT_FALSE(taken.wait_until.has_value());
      break;
    }
    ReadReport report;
    std::vector<RootOutcome> outcomes;
    int64_t first_time = 0;
    for (const PartitionTask& task : taken.work->tasks) {
      auto reader =
          PartitionReader::Make(store.get(), base.string(), task, options, &budget, &report)
              .ValueOrDie();
      int64_t latest = 0;
      while (auto payload = reader->Next().ValueOrDie()) {
        const std::vector<int64_t> times = RootEventTimes(*payload->batch);
        // What stands behind a later record is as late as that.
        const int64_t begin = std::max({latest, times.front(), int64_t{0}});
        for (const int64_t time : times) {
          first_time = time > 0 && (first_time == 0 || time < first_time) ? time : first_time;
          if (span.has_value()) {
            EXPECT_LE(time,
                      begin == 0 ? 0 : std::min(kLast - span->count(), begin) + span->count());
          }
          latest = std::max(latest, time);
        }
        read.batches.push_back(payload->batch);
        read.files.push_back(payload->origin.file);
      }
      outcomes.insert(outcomes.end(), reader->outcomes().begin(), reader->outcomes().end());
    }
    read.first_times.push_back(first_time);
    report.partitions = taken.work->is_rest ? 0 : 1;
    list.Done(outcomes, std::move(report));
  }
  read.report = list.Report();
  EXPECT_TRUE(read.report.CheckConservation().ok()) << read.report.CheckConservation();
  EXPECT_EQ(list.sizes().waiting_bytes, 0);
  EXPECT_EQ(list.num_waiting(), 0);
  return read;
}

TEST(WorkByTime, EveryRecordGoesOutOnceWhateverTheTree) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    df::testing::RandomEngine random(seed);
    df::testing::RandomBatchOptions shape =
        seed % 2 == 0 ? df::testing::RandomBatchOptions() : df::testing::JoinableUpstreamShape();
    std::vector<otap::BatchPtr> batches;
    for (const otap::Signal signal : otap::kAllSignals) {
      for (const otap::BatchPtr& batch : df::testing::RandomBatches(6, signal, shape, random)) {
        batches.push_back(batch);
      }
    }
    df::testing::LakeWriterOptions layout;
    layout.layout =
        seed % 2 == 0 ? df::testing::LakeLayout::kOwn : df::testing::LakeLayout::kUpstream;
    layout.batches_per_partition = 6;
    layout.root_rows_per_file = seed % 3 == 0 ? 0 : 50;
    layout.row_group_rows = 30;
    TemporaryFolder folder;
    ASSERT_TRUE(df::testing::WriteLake(folder.path(), batches, layout, seed).ok());
    const nanoseconds span = seconds(df::testing::Between(random, 0, 600));
    const Read read = ReadByTime(folder.path(), span);
    EXPECT_EQ(CanonicalRecords(read.batches), CanonicalRecords(batches));
    EXPECT_TRUE(read.report.problems.empty()) << read.report.problems.front().message;
    EXPECT_GT(read.batches.size(), batches.size());
  }
}

/// Log records without anything but a time.
otap::BatchPtr LogsAt(const std::vector<int64_t>& times) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
  EXPECT_TRUE(builder.AppendValues(times).ok());
  const auto column = builder.Finish().ValueOrDie();
  otap::BatchBuilder batch(otap::Signal::kLogs);
  EXPECT_TRUE(batch
                  .Set(otap::TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("time_unix_nano", column->type())}),
                           column->length(), {column}))
                  .ok());
  return batch.Build();
}

TEST(TimeCut, APayloadEndsWhereTimeHasGoneOn) {
  TimeCut cut(PayloadSpan{.most = nanoseconds(10)});
  EXPECT_EQ(cut.RowsWithin(*LogsAt({100, 105, 110, 111, 100})), 3);
  cut.Commit();
  // 110 has gone out: what is earlier is late already, and waits for nobody.
  EXPECT_EQ(cut.RowsWithin(*LogsAt({100, 0, 50, 120, 121})), 4);
  cut.Commit();
  EXPECT_EQ(cut.RowsWithin(*LogsAt({121, 130, 131})), 3);
  EXPECT_EQ(cut.RowsWithin(*LogsAt({500, 501})), 2);
  EXPECT_EQ(cut.RowsWithin(*LogsAt({121, 132})), 1) << "the last call was not committed";
}

TEST(TimeCut, RowsWithoutATimeWaitForNone) {
  TimeCut cut(PayloadSpan{.most = nanoseconds(10)});
  EXPECT_EQ(cut.RowsWithin(*LogsAt({0, 0, 5})), 2);
  EXPECT_EQ(LatestEventTime(*LogsAt({0, 0})), std::nullopt);
  EXPECT_EQ(LatestEventTime(*LogsAt({3, 0, 7, 5})), 7);
}

TEST(TimeCut, ATimeBeyondTheLastOneThatCountsIsNone) {
  TimeCut cut(PayloadSpan{.most = nanoseconds(10), .ignored_after = 1'000});
  EXPECT_EQ(cut.RowsWithin(*LogsAt({100, 1'001, 105, 120})), 3);
  EXPECT_EQ(LatestEventTime(*LogsAt({100, 1'001, 105}), 1'000), 105);
}

FileSummaryPtr LogFile(const std::string& path, std::optional<EventTimeRange> times) {
  auto file = std::make_shared<FileSummary>();
  file->kind = otap::TableKind::kLogs;
  file->entry.path = path;
  file->entry.size_bytes = 100;
  file->row_groups.push_back({.num_rows = 1, .times = times});
  return file;
}

std::vector<std::vector<size_t>> LanesOf(const std::vector<std::optional<EventTimeRange>>& times,
                                         std::vector<int64_t>* firsts = nullptr,
                                         const select::TimeRange& wanted = {}) {
  auto files = std::make_shared<PartitionFiles>();
  PartitionTask task{.signal = otap::Signal::kLogs, .files = nullptr, .root_files = {}};
  for (size_t i = 0; i < times.size(); ++i) {
    files->of(otap::TableKind::kLogs).push_back(LogFile(std::to_string(i), times[i]));
    task.root_files.push_back(i);
  }
  task.files = files;
  std::vector<std::vector<size_t>> lanes;
  for (const TimeLane& lane : CutIntoLanes(task, wanted)) {
    EXPECT_EQ(lane.root_bytes, static_cast<int64_t>(lane.task.root_files.size()) * 100);
    EXPECT_NE(lane.task.files, files) << "readers that run at once share nothing";
    lanes.push_back(lane.task.root_files);
    if (firsts != nullptr) {
      firsts->push_back(lane.first_time);
    }
  }
  return lanes;
}

TEST(TimeLanes, FilesThatFollowEachOtherStayTogether) {
  EXPECT_THAT(LanesOf({EventTimeRange{10, 20}, EventTimeRange{20, 30}, EventTimeRange{31, 40}}),
              ElementsAre(ElementsAre(0, 1, 2)));
}

TEST(TimeLanes, FilesSideBySideAreReadAtOnce) {
  std::vector<int64_t> firsts;
  EXPECT_THAT(LanesOf({EventTimeRange{10, 20}, EventTimeRange{15, 25}, EventTimeRange{20, 30},
                       EventTimeRange{26, 40}},
                      &firsts),
              UnorderedElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
  EXPECT_THAT(firsts, ElementsAre(10, 15));
}

TEST(TimeLanes, AFileThatIsReadLaterThanItsTimesIsALaneOfItsOwn) {
  EXPECT_THAT(LanesOf({EventTimeRange{30, 40}, EventTimeRange{10, 20}}),
              ElementsAre(ElementsAre(1), ElementsAre(0)));
}

TEST(TimeLanes, AFileThatDoesNotTellItsTimesMayBeginAtAnyTime) {
  std::vector<int64_t> firsts;
  EXPECT_THAT(LanesOf({EventTimeRange{30, 40}, std::nullopt}, &firsts, {.from = 35}),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(firsts, ElementsAre(35, 35)) << "nothing before is wanted";
}

TEST(TimeLanes, AThousandFilesAtOnceAreReadByNoMoreReadersThanMayBe) {
  const std::vector<std::optional<EventTimeRange>> times(1'000, EventTimeRange{10, 20});
  const auto lanes = LanesOf(times);
  EXPECT_EQ(lanes.size(), kMostTimeLanes);
  size_t num_files = 0;
  for (const auto& lane : lanes) {
    EXPECT_TRUE(std::is_sorted(lane.begin(), lane.end()));
    num_files += lane.size();
  }
  EXPECT_EQ(num_files, times.size());
}

}  // namespace
}  // namespace df::lake
