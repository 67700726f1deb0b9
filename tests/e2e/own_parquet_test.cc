// Writes trees with the Parquet exporter and replays them.
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

struct Case {
  std::string name;
  std::vector<std::string> signals;
  bool ships;  ///< in examples/data; else below ../shared/data
  int num_cores = 1;
  std::string writer_options;
};

fs::path FolderOf(const Case& c) {
  const fs::path source(OTAP_SOURCE_DIR);
  if (c.ships) {
    return source / "examples/data" / c.name;
  }
  const char* shared = std::getenv("OTAP_SHARED_DATA");
  return (shared != nullptr ? fs::path(shared) : source.parent_path() / "shared/data") / c.name;
}

std::string ParquetExporter(const fs::path& base, const std::string& writer_options) {
  return fmt::format(
      "    plugin_urn: \"urn:otel:otap:parquet:exporter\"\n    config:\n"
      "      base_uri: \"{}\"\n      writer_options: {{{}}}\n",
      base.string(), writer_options);
}

/// Runs one pipeline from a tree to an exporter.
void RunPipeline(const fs::path& folder, const fs::path& base, const std::string& exporter,
                 int num_cores) {
  fs::create_directories(folder);
  ReplaySettings settings;
  settings.base = base;
  settings.exporter = exporter;
  const fs::path pipeline = WritePipeline(folder, settings);
  EngineProcess engine(folder, {.arguments = {"--num-cores", std::to_string(num_cores), "--strict",
                                              "--pipeline", pipeline.string()}});
  ASSERT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  EXPECT_EQ(engine.Log().find("error"), std::string::npos) << engine.Log();
}

class OwnParquet : public ::testing::TestWithParam<Case> {};

TEST_P(OwnParquet, LosesNothingOnTheWay) {
  const Case& c = GetParam();
  const fs::path set = FolderOf(c);
  if (!fs::exists(set)) {
    GTEST_SKIP() << set << " is not there; set OTAP_SHARED_DATA to its parent folder";
  }
  const TemporaryFolder folder;
  const fs::path lake = folder.path() / "lake";
  const fs::path direct = folder.path() / "direct";
  const fs::path written = folder.path() / "written";
  const fs::path replayed = folder.path() / "replayed";
  RunPipeline(direct, set / "parquet", OtlpFileExporter(direct), c.num_cores);
  RunPipeline(written, set / "parquet", ParquetExporter(lake, c.writer_options), c.num_cores);
  RunPipeline(replayed, lake, OtlpFileExporter(replayed), c.num_cores);
  for (const std::string& name : c.signals) {
    const otap::Signal signal = *otap::FindSignal(name);
    // What upstream's files have lost is lost; our files lose nothing more.
    std::vector<std::string> expected = OtlpFiles(direct, name);
    ASSERT_FALSE(expected.empty());
    int64_t num_equal = 0;
    const auto known = otlp::CompareFiles(signal, (set / (name + ".otlp")).string(),
                                          OtlpFiles(replayed, name), {.upstream_losses = true});
    ASSERT_TRUE(known.ok()) << known.status();
    EXPECT_GT(known->expected, 0);
    EXPECT_TRUE(known->is_equal()) << known->Line(signal);
    if (expected.size() == 1) {
      const auto exact =
          otlp::CompareFiles(signal, expected.front(), OtlpFiles(replayed, name), {});
      ASSERT_TRUE(exact.ok()) << exact.status();
      EXPECT_TRUE(exact->is_equal()) << exact->Line(signal);
      num_equal = exact->expected;
    }
    EXPECT_EQ(c.num_cores == 1, num_equal > 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OwnParquet,
    ::testing::Values(Case{"corner", {"logs", "traces", "metrics"}, true},
                      Case{"corner",
                           {"logs", "traces", "metrics"},
                           true,
                           1,
                           "target_rows_per_file: 300, row_group_bytes: 64KiB"},
                      Case{"logs-2025", {"logs"}, true, 2},
                      Case{"upstream-steady", {"logs", "traces", "metrics"}, false}),
    [](const auto& one) {
      std::string name = fmt::format("{}_{}", one.param.name, one.index);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace df::e2e
