// A tree that is followed by a process whose next poll is an hour away.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"
#include "otlp/compare/item_counts.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kBatches = 400;  // each is a file in up to four tables

class WatchTest : public ::testing::Test {
 protected:
  /// Writes a lake, and keeps its files in the order in which an exporter makes them visible.
  WatchTest() {
    df::testing::RandomEngine random(7);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 4;
    shape.without_attributes = 0;
    const auto batches = df::testing::RandomBatches(kBatches, otap::Signal::kLogs, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.root_rows_per_file = 1;  // one batch a file, in every table
    layout.child_rows_per_file = 1;
    const auto written = df::testing::WriteLake(staged(), batches, layout, 1).ValueOrDie();
    for (const auto& file : written.files) {
      files_.push_back(file.path);
    }
    const auto is_child = [](const std::string& path) { return !path.starts_with("logs/"); };
    std::stable_partition(files_.begin(), files_.end(), is_child);
    fs::create_directories(lake());
  }

  fs::path staged() const { return folder_.path() / "staged"; }
  fs::path lake() const { return folder_.path() / "lake"; }

  ReplaySettings Settings(const fs::path& base, const std::string& polling,
                          const fs::path& out) const {
    ReplaySettings settings;
    settings.base = base;
    settings.signals = "[logs]";
    settings.polling = polling;
    settings.processing = "        completeness_grace: 2s\n";
    settings.exporter = OtlpFileExporter(out);
    return settings;
  }

  TemporaryFolder folder_;
  std::vector<std::string> files_;
};

TEST_F(WatchTest, AThousandFilesThatAreRenamedIntoATreeComeOutOnceLongBeforeThePoll) {
  const fs::path expected = folder_.path() / "expected";
  fs::create_directories(expected);
  {
    EngineProcess once(
        expected,
        {.arguments = {"--num-cores", "1", "--pipeline",
                       WritePipeline(expected, Settings(staged(), "once", expected)).string()}});
    ASSERT_EQ(once.Wait(), 0) << once.Output() << once.Log();
  }
  const std::vector<std::string> wanted = OtlpFiles(expected, "logs");
  ASSERT_EQ(wanted.size(), 1U);

  const fs::path out = folder_.path() / "followed";
  fs::create_directories(out);
  EngineProcess engine(out,
                       {.arguments = {"--num-cores", "2", "--pipeline",
                                      WritePipeline(out, Settings(lake(), "1h", out)).string()}});
  ASSERT_TRUE(engine.WaitForOutput([&](const std::string&) {
    return engine.Log().find("nothing found to replay") != std::string::npos;
  })) << engine.Log();
  ASSERT_GE(files_.size(), 1000U);
  for (const std::string& file : files_) {
    fs::create_directories((lake() / file).parent_path());
    fs::rename(staged() / file, lake() / file);
  }
  const auto compare = [&] {
    return otlp::CompareFiles(otap::Signal::kLogs, wanted[0], OtlpFiles(out, "logs"),
                              {.upstream_losses = true});
  };
  EXPECT_TRUE(engine.WaitForOutput([&](const std::string&) {
    const auto comparison = compare();
    return comparison.ok() && comparison->missing == 0;
  })) << engine.Log();
  engine.Signal(SIGTERM);
  EXPECT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  const auto comparison = compare();
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->is_equal()) << comparison->Line(otap::Signal::kLogs) << engine.Log();
}

}  // namespace
}  // namespace df::e2e
