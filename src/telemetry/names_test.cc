#include "telemetry/names.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::telemetry {
namespace {

// The rows of all tables of docs/metrics.md that begin with a metric's name, without the marks of
// code.
std::vector<std::string> DocumentedRows() {
  std::ifstream file(OTAP_SOURCE_DIR "/docs/metrics.md");
  std::vector<std::string> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `") && line.find(" | `metric`") == std::string::npos) {
      line.erase(std::remove(line.begin(), line.end(), '`'), line.end());
      rows.push_back(line);
    }
  }
  return rows;
}

TEST(Names, TheDocumentSaysTheSame) {
  std::vector<std::string> expected;
  for (const Instrument* instrument : names::kAll) {
    std::string keys;
    for (const char c : instrument->attributes) {
      keys += c == ',' ? std::string(", ") : std::string(1, c);
    }
    expected.push_back(fmt::format("| {} | {} | {} | {} | {}", instrument->name,
                                   Name(instrument->kind), instrument->unit, keys,
                                   instrument->description));
  }
  const std::vector<std::string> rows = DocumentedRows();
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    // The meaning may go on in the document.
    EXPECT_THAT(rows[i], ::testing::StartsWith(expected[i]));
  }
}

TEST(Names, AreThereOnceAndInOrder) {
  std::set<std::string_view> seen;
  for (const Instrument* instrument : names::kAll) {
    EXPECT_TRUE(seen.insert(instrument->name).second) << instrument->name;
    EXPECT_FALSE(instrument->description.ends_with(".")) << instrument->name;
  }
}

}  // namespace
}  // namespace df::telemetry
