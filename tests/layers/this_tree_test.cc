// The rules, asked about this tree.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "layers/file_rules.h"
#include "layers/include_rules.h"
#include "layers/layer_map.h"
#include "layers/source_tree.h"

namespace df::layers {
namespace {

const SourceTree& ThisTree() {
  static const SourceTree tree = LoadTree(OTAP_SOURCE_DIR).ValueOrDie();
  return tree;
}

std::string TextOf(const std::string& path) {
  for (const SourceFile& file : ThisTree()) {
    if (file.path == path) {
      return file.text;
    }
  }
  ADD_FAILURE() << path << " is not in the tree";
  return {};
}

TEST(ThisTree, IncludesOnlyWhatItsLayersAllow) {
  const LayerMap layers = LayerMap::Parse(TextOf("cmake/layers.txt")).ValueOrDie();
  EXPECT_EQ(Render(CheckIncludes(ThisTree(), layers)), "");
}

TEST(ThisTree, HasNamesThatSaySomething) { EXPECT_EQ(Render(CheckNames(ThisTree())), ""); }

TEST(ThisTree, HasFilesThatCanBeRead) {
  EXPECT_EQ(Render(CheckSizes(ThisTree(), TextOf("tests/layers/size_ratchet.txt"))), "");
}

TEST(ThisTree, HasNoUnfinishedWork) { EXPECT_EQ(Render(CheckMarkers(ThisTree())), ""); }

TEST(ThisTree, SaysThingsPlainly) { EXPECT_EQ(Render(CheckPhrases(ThisTree())), ""); }

TEST(ThisTree, BuildsEveryFileItHolds) { EXPECT_EQ(Render(CheckReferenced(ThisTree())), ""); }

TEST(ThisTree, LinksToWhatIsThere) {
  const auto exists = [](const std::string& path) {
    return std::filesystem::exists(std::filesystem::path(OTAP_SOURCE_DIR) / path);
  };
  EXPECT_EQ(Render(CheckLinks(ThisTree(), exists)), "");
}

}  // namespace
}  // namespace df::layers
