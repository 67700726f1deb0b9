// What bad input and signals do to a replay.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "engine_process.h"
#include "otlp/compare/item_counts.h"
#include "tree_files.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kCorner = fs::path(OTAP_SOURCE_DIR) / "examples/data/corner";
constexpr char kNoop[] = "    plugin_urn: \"urn:otel:noop:exporter\"\n    config: {}\n";

/// Copies the tree of the corner set so that a test may damage it.
fs::path CopyCorner(const fs::path& folder) {
  fs::copy(kCorner / "parquet", folder / "lake", fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(folder / "lake")) {
    fs::permissions(entry.path(), fs::perms::all, fs::perm_options::replace);
  }
  fs::permissions(folder / "lake", fs::perms::all, fs::perm_options::replace);
  return folder / "lake";
}

int CountOf(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

class BrokenTree : public ::testing::Test {
 protected:
  BrokenTree() {
    lake_ = CopyCorner(folder_.path());
    truncated_ = FilesOf(lake_, "logs")[3];
    fs::resize_file(truncated_, fs::file_size(truncated_) / 2);
    random_ = FilesOf(lake_, "spans")[0].parent_path() / "part-1-random.parquet";
    std::mt19937 random(7);
    std::ofstream garbage(random_, std::ios::binary);
    for (int i = 0; i < 10'000; ++i) {
      garbage.put(static_cast<char>(random()));
    }
    garbage.close();
    fs::create_directories(lake_ / "logs/_part_id=__HIVE_DEFAULT_PARTITION__");
    fs::copy_file(FilesOf(lake_, "logs")[0],
                  lake_ / "logs/_part_id=__HIVE_DEFAULT_PARTITION__/part-1-a.parquet");
    unreadable_ = lake_ / "spans/_part_id=00000000-0000-4000-8000-000000000000";
    fs::create_directories(unreadable_);
    fs::permissions(unreadable_, fs::perms::none, fs::perm_options::replace);
    ReplaySettings settings;
    settings.base = lake_;
    settings.exporter = OtlpFileExporter(folder_.path());
    pipeline_ = WritePipeline(folder_.path(), settings);
  }

  TemporaryFolder folder_;
  fs::path lake_;
  fs::path truncated_;
  fs::path random_;
  fs::path unreadable_;
  fs::path pipeline_;
};

TEST_F(BrokenTree, CostsItsBadUnitsOnlyAndNamesEachOnce) {
  EngineProcess engine(folder_.path(),
                       {.arguments = {"--num-cores", "1", "--pipeline", pipeline_.string()},
                        .obeys_permissions = true});
  ASSERT_EQ(engine.Wait(), 4) << engine.Output() << engine.Log();
  for (const std::string signal : {"logs", "traces", "metrics"}) {
    const auto comparison =
        otlp::CompareFiles(*otap::FindSignal(signal), (kCorner / (signal + ".otlp")).string(),
                           OtlpFiles(folder_.path(), signal), {.upstream_losses = true});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_EQ(comparison->extra, 0) << signal;
    EXPECT_EQ(comparison->missing, signal == "logs" ? 100 : 0)
        << signal << ": the truncated file holds 100 logs";
  }
  const std::string summary = engine.Output();
  EXPECT_EQ(CountOf(summary, "not replayed: "), 4) << summary;
  for (const fs::path& unit : {truncated_.filename(), random_.filename(), unreadable_.filename(),
                               fs::path("_part_id=__HIVE_DEFAULT_PARTITION__")}) {
    EXPECT_EQ(CountOf(engine.Log(), unit.string()) > 0, true) << unit << "\n" << engine.Log();
    EXPECT_THAT(summary, HasSubstr(unit.string()));
  }
  EXPECT_THAT(summary, HasSubstr("invalid_partition"));
  EXPECT_THAT(summary, HasSubstr("file_discovery"));
}

TEST_F(BrokenTree, MayBeAllowed) {
  EngineProcess engine(folder_.path(), {.arguments = {"--num-cores", "1", "--allow-incomplete",
                                                      "--pipeline", pipeline_.string()},
                                        .obeys_permissions = true});
  EXPECT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  EXPECT_THAT(engine.Output(), HasSubstr("incomplete: "));
}

TEST(Exit, AMissingBaseFailsAReplayThatEnds) {
  TemporaryFolder folder;
  ReplaySettings settings;
  settings.base = folder.path() / "nowhere";
  settings.exporter = kNoop;
  EngineProcess engine(folder.path(),
                       {.arguments = {"--num-cores", "1", "--pipeline",
                                      WritePipeline(folder.path(), settings).string()}});
  EXPECT_EQ(engine.Wait(), 1);
  EXPECT_THAT(engine.Output() + engine.Log(), HasSubstr("nowhere"));
}

TEST(Exit, ABadDocumentIsRefusedWithItsPlace) {
  TemporaryFolder folder;
  ReplaySettings settings;
  settings.base = kCorner / "parquet";
  settings.exporter = kNoop;
  settings.processing = "        batch_size: 70000\n        batchsize: 1\n";
  EngineProcess engine(folder.path(),
                       {.arguments = {"--num-cores", "1", "--pipeline",
                                      WritePipeline(folder.path(), settings).string()}});
  EXPECT_EQ(engine.Wait(), 2);
  EXPECT_THAT(engine.Log(),
              ::testing::AllOf(HasSubstr("pipeline.yaml:15:"), HasSubstr("65535"),
                               HasSubstr("pipeline.yaml:16:"), HasSubstr("batch_size")));
}

/// Many copies of one partition: enough work that a signal finds the replay in the middle.
fs::path ManyPartitions(const fs::path& folder, int copies) {
  for (const auto& table : fs::directory_iterator(kCorner / "parquet")) {
    for (const auto& partition : fs::directory_iterator(table.path())) {
      for (int i = 0; i < copies; ++i) {
        const fs::path copy =
            folder / "lake" / table.path().filename() / fmt::format("_part_id={:08}", i);
        fs::create_directories(copy);
        for (const auto& file : fs::directory_iterator(partition.path())) {
          fs::create_hard_link(file.path(), copy / file.path().filename());
        }
      }
    }
  }
  return folder / "lake";
}

class Signalled : public ::testing::TestWithParam<int> {};

TEST_P(Signalled, InTheMiddleOfAReplayEndsCleanlyAndSaysHowFarItGot) {
  // Hard links need the temporary folder on the file system of the sources; copies of copies would
  // be slow.
  const fs::path folder =
      fs::path(DF_ENGINE_PATH).parent_path() / fmt::format("e2e-signal-{}", GetParam());
  fs::remove_all(folder);
  fs::create_directories(folder);
  ReplaySettings settings;
  settings.base = ManyPartitions(folder, 40);
  settings.processing = "        batch_size: 1\n";
  settings.exporter = OtlpFileExporter(folder);
  {
    EngineProcess engine(folder, {.arguments = {"--num-cores", "1", "--pipeline",
                                                WritePipeline(folder, settings).string()}});
    ASSERT_TRUE(engine.WaitForOutput(
        [&](const std::string&) { return !OtlpFiles(folder, "logs").empty(); }));
    const auto start = std::chrono::steady_clock::now();
    engine.Signal(GetParam());
    EXPECT_EQ(engine.Wait(std::chrono::seconds(60)), 4) << engine.Output() << engine.Log();
    const auto took = std::chrono::steady_clock::now() - start;
    // Two seconds are the promise of an optimised build. This one runs under sanitizers, and on
    // machines that do other things; a drain that does not end would take the whole minute.
    EXPECT_LT(took, std::chrono::seconds(30));
    EXPECT_THAT(engine.Output(), HasSubstr("stopped"));
    EXPECT_THAT(engine.Output(), HasSubstr("replayed "));
  }
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Signals, Signalled, ::testing::Values(SIGTERM, SIGINT));

TEST(Following, FilesThatArriveComeOutOnceUntilASignal) {
  TemporaryFolder folder;
  const fs::path staged = CopyCorner(folder.path());
  const fs::path lake = folder.path() / "watched";
  fs::create_directories(lake);
  ReplaySettings settings;
  settings.base = lake;
  settings.signals = "[logs]";
  settings.polling = "20ms";
  settings.processing = "        completeness_grace: 200ms\n";
  settings.exporter = OtlpFileExporter(folder.path());
  EngineProcess engine(folder.path(),
                       {.arguments = {"--num-cores", "1", "--pipeline",
                                      WritePipeline(folder.path(), settings).string()}});
  // Children first, then the logs one by one, as an exporter makes them visible.
  for (const std::string table : {"resource_attrs", "scope_attrs", "log_attrs", "logs"}) {
    for (const fs::path& file : FilesOf(staged, table)) {
      const fs::path target = lake / fs::relative(file, staged);
      fs::create_directories(target.parent_path());
      fs::rename(file, target);
    }
  }
  const auto all_there = [&](const std::string&) {
    const auto comparison =
        otlp::CompareFiles(otap::Signal::kLogs, (kCorner / "logs.otlp").string(),
                           OtlpFiles(folder.path(), "logs"), {.upstream_losses = true});
    return comparison.ok() && comparison->missing == 0;
  };
  EXPECT_TRUE(engine.WaitForOutput(all_there));
  engine.Signal(SIGTERM);
  EXPECT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  const auto comparison =
      otlp::CompareFiles(otap::Signal::kLogs, (kCorner / "logs.otlp").string(),
                         OtlpFiles(folder.path(), "logs"), {.upstream_losses = true});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->is_equal())
      << comparison->Line(otap::Signal::kLogs) << engine.Output() << engine.Log();
}

}  // namespace
}  // namespace df::e2e
