#include "telemetry/names.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::telemetry {
namespace {

// The chapter of docs/metrics.md about what only some kinds of node count.
constexpr std::string_view kOfSingleNodes = "### Instruments of single kinds of node";

// The rows of the tables of docs/metrics.md that begin with a metric's name, without the marks of
// code: those of the chapter above, or all others.
std::vector<std::string> DocumentedRows(bool of_single_nodes) {
  std::ifstream file(OTAP_SOURCE_DIR "/docs/metrics.md");
  std::vector<std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) {
      inside = line == kOfSingleNodes;
    }
    if (inside == of_single_nodes && line.starts_with("| `") &&
        line.find(" | `metric`") == std::string::npos) {
      line.erase(std::remove(line.begin(), line.end(), '`'), line.end());
      rows.push_back(line);
    }
  }
  return rows;
}

// "name | kind | unit" of each instrument that the source of a node defines.
std::set<std::string> InstrumentsOfNodes() {
  static const std::regex kDefinition(
      R"rx(Instrument\s+\w+\s*=\s*\{\s*[\w:]*\bk(\w+),\s*"([^"]+)",\s*"([^"]*)")rx");
  std::vector<std::filesystem::path> sources;
  for (const char* folder : {"/src/nodes", "/src/delivery"}) {  // delivery: what nodes share
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(OTAP_SOURCE_DIR) + folder)) {
      if (entry.is_regular_file() && !entry.path().string().ends_with("_test.cc")) {
        sources.push_back(entry.path());
      }
    }
  }
  std::set<std::string> found;
  for (const std::filesystem::path& path : sources) {
    std::ifstream file(path);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    for (std::sregex_iterator at(text.begin(), text.end(), kDefinition), end; at != end; ++at) {
      std::string kind;
      for (const char c : (*at)[1].str()) {
        kind += std::isupper(c) != 0 && !kind.empty() ? std::string("_") : std::string();
        kind += static_cast<char>(std::tolower(c));
      }
      found.insert(fmt::format("{} | {} | {}", (*at)[2].str(), kind, (*at)[3].str()));
    }
  }
  return found;
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
  const std::vector<std::string> rows = DocumentedRows(/*of_single_nodes=*/false);
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    // The meaning may go on in the document.
    EXPECT_THAT(rows[i], ::testing::StartsWith(expected[i]));
  }
}

TEST(Names, TheDocumentListsWhatSingleNodesCount) {
  std::set<std::string> documented;
  for (const std::string& row : DocumentedRows(/*of_single_nodes=*/true)) {
    // Of the cells only the first three are defined in the source.
    size_t end = 2;
    for (int cell = 0; cell < 3; ++cell) {
      end = row.find(" |", end + 1);
    }
    documented.insert(row.substr(2, end - 2));
  }
  ASSERT_FALSE(documented.empty());
  EXPECT_THAT(documented, ::testing::ContainerEq(InstrumentsOfNodes()));
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
