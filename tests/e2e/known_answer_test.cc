// Replays trees of the upstream exporter and compares, item by item, with what was sent to it.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"
#include "otlp/compare/item_counts.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;

/// A tree and the requests that were sent to its exporter.
struct KnownSet {
  std::string name;
  std::vector<std::string> signals;
  bool
      ships;  ///< in examples/data; else below ../shared/data, which a user's machine does not have
};

const KnownSet kCorner = {"corner", {"logs", "traces", "metrics"}, true};
const KnownSet kLogs2025 = {"logs-2025", {"logs"}, true};
const KnownSet kSteady = {"upstream-steady", {"logs", "traces", "metrics"}, false};

fs::path FolderOf(const KnownSet& set) {
  const fs::path source(OTAP_SOURCE_DIR);
  if (set.ships) {
    return source / "examples/data" / set.name;
  }
  const char* shared = std::getenv("OTAP_SHARED_DATA");
  return (shared != nullptr ? fs::path(shared) : source.parent_path() / "shared/data") / set.name;
}

struct Case {
  KnownSet set;
  int batch_size = 8192;
  int num_cores = 1;
  bool without_partition = false;
};

std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  std::string name =
      fmt::format("{}_batch_{}_cores_{}{}", info.param.set.name, info.param.batch_size,
                  info.param.num_cores, info.param.without_partition ? "_flat" : "");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class KnownAnswer : public ::testing::TestWithParam<Case> {};

TEST_P(KnownAnswer, ComesBackItemByItem) {
  const Case& c = GetParam();
  const fs::path set = FolderOf(c.set);
  if (!fs::exists(set)) {
    GTEST_SKIP() << set
                 << " is not there: this set is too large to ship; set OTAP_SHARED_DATA to its "
                    "parent folder";
  }
  TemporaryFolder folder;
  fs::path base = set / "parquet";
  if (c.without_partition) {
    base = folder.path() / "flat";
    for (const auto& table : fs::directory_iterator(set / "parquet")) {
      for (const auto& partition : fs::directory_iterator(table.path())) {
        fs::create_directories(base / table.path().filename());
        for (const auto& file : fs::directory_iterator(partition.path())) {
          fs::copy_file(file.path(), base / table.path().filename() / file.path().filename());
        }
      }
    }
  }
  ReplaySettings settings;
  settings.base = base;
  settings.processing = fmt::format("        batch_size: {}\n", c.batch_size);
  settings.exporter = OtlpFileExporter(folder.path());
  const fs::path pipeline = WritePipeline(folder.path(), settings);
  EngineProcess engine(folder.path(), {.arguments = {"--num-cores", std::to_string(c.num_cores),
                                                     "--strict", "--pipeline", pipeline.string()}});
  ASSERT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  for (const std::string& signal : c.set.signals) {
    const auto comparison =
        otlp::CompareFiles(*otap::FindSignal(signal), (set / (signal + ".otlp")).string(),
                           OtlpFiles(folder.path(), signal), {.upstream_losses = true});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_GT(comparison->expected, 0);
    EXPECT_TRUE(comparison->is_equal())
        << comparison->Line(*otap::FindSignal(signal))
        << "\nmissing: " << ::testing::PrintToString(comparison->missing_examples)
        << "\nextra: " << ::testing::PrintToString(comparison->extra_examples);
  }
  EXPECT_EQ(engine.Log().find("error"), std::string::npos) << engine.Log();
}

INSTANTIATE_TEST_SUITE_P(All, KnownAnswer,
                         ::testing::Values(Case{kCorner, 1}, Case{kCorner, 7, 2},
                                           Case{kCorner, 1000}, Case{kCorner, 8192, 2},
                                           Case{kCorner, 65'535}, Case{kCorner, 8192, 1, true},
                                           Case{kLogs2025, 7}, Case{kLogs2025, 1000, 2},
                                           Case{kLogs2025, 65'535}, Case{kLogs2025, 8192, 1, true},
                                           Case{kSteady, 1000}, Case{kSteady, 8192, 2},
                                           Case{kSteady, 65'535}),
                         NameOf);

/// What is wanted of the corner set, and how many items of the known answer that is, as a reader of
/// its protobuf counted them.
struct Wanted {
  std::string name;
  std::string select;  ///< lines, indented by eight
  int64_t num_logs = 0;
  int64_t num_spans = 0;
  int64_t num_points = 0;
};

class KnownSelection : public ::testing::TestWithParam<Wanted> {};

TEST_P(KnownSelection, IsPartOfTheKnownAnswerAndAllOfIt) {
  const Wanted& wanted = GetParam();
  TemporaryFolder folder;
  ReplaySettings settings;
  settings.base = FolderOf(kCorner) / "parquet";
  settings.more_receiver_config = "      select:\n" + wanted.select;
  settings.exporter = OtlpFileExporter(folder.path());
  const fs::path pipeline = WritePipeline(folder.path(), settings);
  EngineProcess engine(folder.path(),
                       {.arguments = {"--num-cores", "2", "--pipeline", pipeline.string()}});
  ASSERT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  for (const auto& [signal, num_items] :
       {std::pair("logs", wanted.num_logs), std::pair("traces", wanted.num_spans),
        std::pair("metrics", wanted.num_points)}) {
    const auto comparison = otlp::CompareFiles(
        *otap::FindSignal(signal), (FolderOf(kCorner) / fmt::format("{}.otlp", signal)).string(),
        OtlpFiles(folder.path(), signal), {.upstream_losses = true});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_EQ(comparison->extra, 0) << signal;
    EXPECT_EQ(comparison->expected - comparison->missing, num_items) << signal;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Corner, KnownSelection,
    ::testing::Values(Wanted{"where",
                             "        where:\n"
                             "          logs: severity_number >= SEVERITY_NUMBER_ERROR\n"
                             "          traces: IsRootSpan() and kind == SPAN_KIND_SERVER\n"
                             "          metrics: metric.type == METRIC_DATA_TYPE_SUM\n",
                             607, 91, 1111},
                      Wanted{"time",
                             "        time: {from: 1790001000621776380, to: 1790001001205357664}\n",
                             647, 604, 580},
                      Wanted{"traces",
                             "        trace_ids: [e9e7fcb536d1f262a9ec8422d0b79441, "
                             "0d9ee4c2b23d0c4c248b01b0a92cee75]\n",
                             2, 2, 0}),
    [](const auto& test) { return test.param.name; });

/// The set has row counts for an answer; --strict fails when the resource of any row is ambiguous.
TEST(Generator, EveryRecordIsThereAndNoResourceIsAmbiguous) {
  const fs::path set = FolderOf({"upstream-generator", {}, false});
  if (!fs::exists(set)) {
    GTEST_SKIP() << set
                 << " is not there: this set is too large to ship; set OTAP_SHARED_DATA to its "
                    "parent folder";
  }
  TemporaryFolder folder;
  ReplaySettings settings;
  settings.base = set / "parquet";
  settings.exporter = "    plugin_urn: \"urn:otel:noop:exporter\"\n    config: {}\n";
  const fs::path pipeline = WritePipeline(folder.path(), settings);
  EngineProcess engine(folder.path(), {.arguments = {"--num-cores", "1", "--strict", "--pipeline",
                                                     pipeline.string()}});
  ASSERT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  EXPECT_THAT(engine.Output(),
              ::testing::HasSubstr("replayed 148000 log records, 56000 spans, 36000 metrics"));
}

}  // namespace
}  // namespace df::e2e
