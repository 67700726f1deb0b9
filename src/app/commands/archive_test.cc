#include "app/commands/archive.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/archive_summary.h"
#include "app/commands/group_counts.h"
#include "app/commands/kept_records.h"
#include "app/commands/records.h"
#include "app/commands/time_windows.h"
#include "app/commands/value_json.h"
#include "lake/write/file_store.h"
#include "select/selector.h"
#include "testing/levelled_lake.h"
#include "testing/selections.h"
#include "testing/tree_replay.h"

namespace df::app {
namespace {

using otap::Signal;
using testing::kHour;
using testing::kMidnight;
using testing::TemporaryFolder;

/// A lake of hours whose records have times of a day, many of them the same, and some none.
class ArchiveTest : public ::testing::TestWithParam<int> {
 protected:
  ArchiveTest() : random_(static_cast<uint64_t>(GetParam())) {
    RecordProperty("seed", GetParam());
    const arrow::Status initialized = arrow::compute::Initialize();
    EXPECT_TRUE(initialized.ok());
    batches_ = testing::BatchesWithTimes(
        9, std::nullopt,
        [this]() -> std::optional<int64_t> {
          if (random_() % 20 == 0) {
            return std::nullopt;
          }
          return kMidnight + static_cast<int64_t>(random_() % 3) * kHour +
                 static_cast<int64_t>(random_() % 3);
        },
        random_);
    const auto store = lake::MakeLocalStore(folder_.path().string());
    testing::WriteHours(store.get(), batches_, 2);
  }

  std::unique_ptr<Archive> Open(std::vector<Signal> signals, select::Wishes wishes = {},
                                int num_threads = 2) {
    ArchivePath path;
    path.base = folder_.path().string();
    auto archive = Archive::Open({.path = std::move(path),
                                  .signals = std::move(signals),
                                  .wishes = std::move(wishes),
                                  .cache = "",
                                  .num_threads = num_threads});
    EXPECT_TRUE(archive.ok()) << archive.status();
    return *std::move(archive);
  }

  /// Every item as its time and JSON, in the order of time.
  std::vector<std::pair<int64_t, std::string>> AllRecords(Signal signal) {
    const auto fields = RecordFields::Make(signal).ValueOrDie();
    std::vector<std::pair<int64_t, std::string>> all;
    for (const otap::BatchPtr& batch : batches_) {
      if (batch->signal() != signal) {
        continue;
      }
      for (const otap::TableKind table : ItemTablesOf(*batch)) {
        RecordTexts texts(fields, *batch, table, {.form = RecordForm::kJson});
        for (int64_t row = 0; row < batch->table(table)->num_rows(); ++row) {
          all.emplace_back(texts.TimeAt(row), texts.At(row));
        }
      }
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  testing::RandomEngine random_;
  TemporaryFolder folder_;
  std::vector<otap::BatchPtr> batches_;
};

TEST_P(ArchiveTest, TheFirstAndLastRecordsAreThoseOfAll) {
  for (const Signal signal : otap::kAllSignals) {
    const auto all = AllRecords(signal);
    ASSERT_FALSE(all.empty());
    const auto fields = RecordFields::Make(signal).ValueOrDie();
    for (const TimeOrder order : {TimeOrder::kOldestFirst, TimeOrder::kNewestFirst}) {
      const auto archive = Open({signal});
      // In the order in which records of one time stand, too.
      KeptRecords everything(fields, {.form = RecordForm::kJson}, order, KeptRecords::kAll);
      ASSERT_TRUE(archive
                      ->Read({}, [&](const lake::Payload& payload,
                                     size_t) { return everything.Add(payload); })
                      .ok());
      const std::vector<std::string> ordered = everything.Take();
      ASSERT_EQ(ordered.size(), all.size());
      std::multimap<std::string, int64_t> time_of;
      for (const auto& [time, text] : all) {
        time_of.emplace(text, time);
      }
      int64_t before = std::numeric_limits<int64_t>::min();
      for (const std::string& text : ordered) {
        const auto found = time_of.find(text);
        ASSERT_NE(found, time_of.end()) << text;
        ASSERT_LE(before, found->second);
        before = found->second;
        time_of.erase(found);
      }
      for (const size_t count : {size_t{1}, all.size() / 2, all.size() + 5}) {
        TimeWindows windows(archive->RowGroupsOf(signal), {}, order);
        KeptRecords kept(fields, {.form = RecordForm::kJson}, order, static_cast<int64_t>(count));
        int64_t num_rows = 3;
        while (kept.num_kept() < static_cast<int64_t>(count)) {
          const auto window = windows.Next(num_rows);
          if (!window.has_value()) {
            break;
          }
          ASSERT_TRUE(archive
                          ->Read(*window, [&](const lake::Payload& payload,
                                              size_t) { return kept.Add(payload); })
                          .ok());
          num_rows *= 4;
        }
        const std::vector<std::string> texts = kept.Take();
        ASSERT_EQ(texts.size(), std::min(count, all.size()));
        const auto begin = order == TimeOrder::kOldestFirst
                               ? ordered.begin()
                               : ordered.end() - static_cast<ptrdiff_t>(texts.size());
        EXPECT_EQ(texts,
                  std::vector<std::string>(begin, begin + static_cast<ptrdiff_t>(texts.size())));
      }
    }
  }
}

TEST_P(ArchiveTest, WindowsTogetherAreEverything) {
  for (const Signal signal : otap::kAllSignals) {
    const auto fields = RecordFields::Make(signal).ValueOrDie();
    const auto archive = Open({signal});
    TimeWindows windows(archive->RowGroupsOf(signal), {}, TimeOrder::kOldestFirst);
    std::vector<std::string> printed;
    while (const auto window = windows.Next(30)) {
      KeptRecords kept(fields, {.form = RecordForm::kJson}, TimeOrder::kOldestFirst,
                       KeptRecords::kAll);
      ASSERT_TRUE(archive
                      ->Read(*window, [&](const lake::Payload& payload,
                                          size_t) { return kept.Add(payload); })
                      .ok());
      for (std::string& text : kept.Take()) {
        printed.push_back(std::move(text));
      }
    }
    std::vector<std::string> expected;
    for (auto& [time, text] : AllRecords(signal)) {
      expected.push_back(text);
    }
    std::sort(printed.begin(), printed.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(printed, expected);
    EXPECT_EQ(archive->Report().num_errors(), 0);
  }
}

/// Value by value, of what was written: no codes, no neighbours.
std::map<std::vector<std::string>, int64_t> CountOneByOne(
    const std::vector<otap::BatchPtr>& batches, Signal signal,
    const std::vector<std::string>& names) {
  const std::map<std::string, std::string> paths = {
      {"service", "resource.attributes[\"service.name\"]"},
      {"severity", "severity_number"},
      {"status", "status.code"},
      {"kind", "kind.string"}};
  std::map<std::vector<std::string>, int64_t> counts;
  for (const otap::BatchPtr& batch : batches) {
    if (batch->signal() != signal) {
      continue;
    }
    for (const otap::TableKind table : ItemTablesOf(*batch)) {
      const auto times = select::EventTimes(*batch->table(table), table);
      std::vector<std::vector<std::string>> keys(times.size());
      for (const std::string& name : names) {
        const auto path = paths.find(name);
        const std::string text = path != paths.end()                            ? path->second
                                 : name == "name" && signal == Signal::kMetrics ? "metric.name"
                                                                                : name;
        std::optional<select::ExpressionReader> reader;
        if (name != "hour") {
          reader.emplace(select::Expression::Compile(text, signal).ValueOrDie(), *batch, table);
        }
        for (size_t row = 0; row < times.size(); ++row) {
          std::string json;
          if (name == "hour") {
            json = times[row] == 0 ? "null"
                                   : fmt::format("\"2024-10-04T{:02}:00:00.000Z\"",
                                                 (times[row] - kMidnight) / kHour);
            keys[row].push_back(json);
            continue;
          }
          const select::Value value = reader->At(static_cast<int64_t>(row));
          const auto* number = value.As<int64_t>();
          if (name == "severity") {
            constexpr std::array kNames = {"\"TRACE\"", "\"DEBUG\"", "\"INFO\"",
                                           "\"WARN\"",  "\"ERROR\"", "\"FATAL\""};
            json =
                *number < 1 || *number > 24 ? "null" : kNames[static_cast<size_t>(*number - 1) / 4];
          } else if (name == "status" && *number >= 0 && *number <= 2) {
            json = std::array{"\"unset\"", "\"ok\"", "\"error\""}[static_cast<size_t>(*number)];
          } else {
            AppendJson(value, &json);
          }
          keys[row].push_back(json);
        }
      }
      for (std::vector<std::string>& key : keys) {
        ++counts[std::move(key)];
      }
    }
  }
  return counts;
}

TEST_P(ArchiveTest, GroupsAreCountedAsOneByOne) {
  const std::vector<std::pair<Signal, std::vector<std::string>>> kCases = {
      {Signal::kLogs, {"service", "severity"}},
      {Signal::kLogs, {"hour"}},
      {Signal::kLogs, {"attributes[\"a\"]", "scope.name"}},
      {Signal::kTraces, {"status", "kind"}},
      {Signal::kTraces, {"name"}},
      {Signal::kMetrics, {"name", "metric.unit"}},
      {Signal::kMetrics, {"hour", "service"}},
  };
  for (const auto& [signal, names] : kCases) {
    std::vector<GroupField> fields;
    for (const std::string& name : names) {
      auto field = FindGroupField(name, signal);
      ASSERT_TRUE(field.ok()) << field.status();
      fields.push_back(*std::move(field));
    }
    const auto archive = Open({signal});
    std::vector<GroupCounts> counts(2, GroupCounts(fields));
    ASSERT_TRUE(archive
                    ->Read({}, [&](const lake::Payload& payload,
                                   size_t thread) { return counts[thread].Add(payload); })
                    .ok());
    ASSERT_TRUE(counts[0].Merge(counts[1]).ok());
    EXPECT_EQ(counts[0].groups(), CountOneByOne(batches_, signal, names));
    EXPECT_EQ(counts[0].num_items(), static_cast<int64_t>(AllRecords(signal).size()));
    int64_t sum = 0;
    for (const auto& [key, count] : counts[0].groups()) {
      sum += count;
    }
    EXPECT_EQ(sum, counts[0].num_items());
  }
}

TEST_P(ArchiveTest, TheSummaryCountsWhatIsThere) {
  const auto archive = Open({otap::kAllSignals.begin(), otap::kAllSignals.end()});
  ArchiveSummary summary = SummariseArchive(*archive);
  ReadTimes(archive.get(), &summary);
  ASSERT_EQ(summary.signals.size(), 3);
  for (const SignalSummary& signal : summary.signals) {
    const auto all = AllRecords(signal.signal);
    EXPECT_EQ(signal.num_items, static_cast<int64_t>(all.size()));
    ASSERT_TRUE(signal.times.has_value());
    EXPECT_EQ(signal.times->most, all.back().first);
    const auto first =
        std::find_if(all.begin(), all.end(), [](const auto& record) { return record.first != 0; });
    EXPECT_EQ(signal.times->least, first->first);
  }
  EXPECT_EQ(summary.writers.size(), 1);
  EXPECT_EQ(summary.writers.begin()->first, "df_engine");
  int64_t num_files = 0;
  for (const PartitionSummary& partition : summary.partitions) {
    num_files += partition.num_files;
  }
  EXPECT_EQ(num_files, summary.num_files);
}

TEST_P(ArchiveTest, FilesOfResourcesThatWereNotLookedAtAreSaid) {
  const auto archive = Open({otap::kAllSignals.begin(), otap::kAllSignals.end()});
  ArchiveSummary summary = SummariseArchive(*archive);
  ReadServices(archive.get(), 1'000'000, &summary);
  EXPECT_TRUE(summary.has_all_services);
  ReadServices(archive.get(), 1, &summary);
  EXPECT_FALSE(summary.has_all_services);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ArchiveTest, ::testing::Range(1, 4));

}  // namespace
}  // namespace df::app
