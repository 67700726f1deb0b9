#include "layers/layer_map.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::layers {
namespace {

using ::testing::HasSubstr;

TEST(LayerMap, AllowsStatedEdgesAndOneOwnLayerOnly) {
  const LayerMap map =
      LayerMap::Parse("# comment\nbase:\notap: base\nlake: otap base\n").ValueOrDie();
  EXPECT_TRUE(map.Allows("lake", "otap", false));
  EXPECT_TRUE(map.Allows("lake", "lake", false));
  EXPECT_FALSE(map.Allows("otap", "lake", false));
  EXPECT_FALSE(map.Allows("base", "otap", false));
}

TEST(LayerMap, DoesNotFollowEdgesOfOthers) {
  const LayerMap map = LayerMap::Parse("base:\notap: base\nlake: otap\n").ValueOrDie();
  EXPECT_FALSE(map.Allows("lake", "base", false));
}

TEST(LayerMap, KeepsMarkedEdgesAndTestingForTests) {
  const LayerMap map =
      LayerMap::Parse("base:\notap: base\nlake: +otap\ntesting: base\n").ValueOrDie();
  EXPECT_TRUE(map.Allows("lake", "otap", true));
  EXPECT_FALSE(map.Allows("lake", "otap", false));
  EXPECT_TRUE(map.Allows("base", "testing", true));
  EXPECT_FALSE(map.Allows("base", "testing", false));
}

TEST(LayerMap, AllowsNothingToAndFromUnknownLayers) {
  const LayerMap map = LayerMap::Parse("base:\n").ValueOrDie();
  EXPECT_FALSE(map.Allows("base", "boost", false));
  EXPECT_FALSE(map.Allows("boost", "base", false));
}

struct BadFile {
  std::string text;
  std::string message;
};

class LayerMapRefuses : public ::testing::TestWithParam<BadFile> {};

TEST_P(LayerMapRefuses, SaysWhatIsWrong) {
  const auto result = LayerMap::Parse(GetParam().text);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(BadFiles, LayerMapRefuses,
                         ::testing::Values(BadFile{"base:\nlake base\n", "line 2"},
                                           BadFile{"base:\nbase:\n", "'base' is stated twice"},
                                           BadFile{"lake: otap\n", "names 'otap'"},
                                           BadFile{"lake: +otap\n", "names 'otap'"},
                                           BadFile{"a: b\nb: c\nc: a\n", "leads back to itself"},
                                           BadFile{"a: a\n", "leads back to itself"}));

}  // namespace
}  // namespace df::layers
