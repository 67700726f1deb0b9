// Replays trees that other writers wrote or rewrote, and compares item by item with the answer.
#include <filesystem>
#include <sstream>
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
using ::testing::HasSubstr;

/// A tree below tests/cases/rewritten, and what a replay says of it.
struct Rewritten {
  std::string name;
  std::vector<std::string> signals;
  bool is_whole = true;  ///< every item comes back; else none that is wrong
  std::string notice;    ///< said without anything missing
  std::string problem;   ///< said of what is missing
};

void PrintTo(const Rewritten& rewritten, std::ostream* out) { *out << rewritten.name; }

class RewrittenTree : public ::testing::TestWithParam<Rewritten> {};

TEST_P(RewrittenTree, ComesBackExactlyOrIsRefusedByName) {
  const Rewritten& c = GetParam();
  const fs::path set = fs::path(OTAP_SOURCE_DIR) / "tests/cases/rewritten" / c.name;
  TemporaryFolder folder;
  ReplaySettings settings;
  settings.base = set / "tree";
  settings.signals = fmt::format("[{}]", fmt::join(c.signals, ", "));
  settings.exporter = OtlpFileExporter(folder.path());
  const fs::path pipeline = WritePipeline(folder.path(), settings);
  EngineProcess engine(folder.path(), {.arguments = {"--num-cores", "1", "--strict", "--pipeline",
                                                     pipeline.string()}});
  const int code = engine.Wait();
  EXPECT_EQ(code == 0, c.problem.empty()) << engine.Output() << engine.Log();
  EXPECT_THAT(engine.Output(), HasSubstr(c.notice));
  EXPECT_THAT(engine.Output(), HasSubstr(c.problem));
  if (c.notice.empty() && c.problem.empty()) {
    // Small trees do not have every table; that is said of each, and nothing else.
    std::istringstream lines(engine.Output());
    for (std::string line; std::getline(lines, line);) {
      EXPECT_TRUE(line.find("notice") == std::string::npos ||
                  line.find("there is no file of") != std::string::npos)
          << line;
    }
  }
  for (const std::string& signal : c.signals) {
    const auto comparison =
        otlp::CompareFiles(*otap::FindSignal(signal), (set / (signal + ".otlp")).string(),
                           OtlpFiles(folder.path(), signal), {});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_GT(comparison->expected, 0);
    EXPECT_EQ(comparison->is_equal(), c.is_whole)
        << comparison->Line(*otap::FindSignal(signal))
        << "\nmissing: " << ::testing::PrintToString(comparison->missing_examples);
    EXPECT_EQ(comparison->extra_examples, std::vector<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RewrittenTree,
    ::testing::Values(
        Rewritten{"null_typed_columns", {"logs"}}, Rewritten{"unannotated_lists", {"metrics"}},
        Rewritten{"dictionary_booleans", {"logs", "traces"}},
        Rewritten{"int96_times", {"logs", "traces"}}, Rewritten{"list_views", {"metrics"}},
        Rewritten{"fastparquet_footer", {"logs"}},
        Rewritten{"microseconds_with_nanoseconds_beside", {"logs", "traces", "metrics"}},
        Rewritten{"microseconds",
                  {"logs"},
                  true,
                  "times coarser than nanoseconds are read as they are stored: time_unix_nano, "
                  "observed_time_unix_nano [table=logs]"},
        Rewritten{"durations_in_microseconds",
                  {"traces"},
                  true,
                  "times coarser than nanoseconds are read as they are stored: "
                  "duration_time_unix_nano [table=spans]"},
        Rewritten{"foreign_file",
                  {"logs"},
                  true,
                  "",
                  "the columns are those of no table of the model: city, zip"},
        Rewritten{"flattened_structs",
                  {"logs"},
                  false,
                  "",
                  "column body.str: found a column of its own, expected str in the struct body"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace df::e2e
