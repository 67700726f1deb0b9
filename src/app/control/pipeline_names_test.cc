#include "app/control/pipeline_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<PipelineName> kKnown = {{"default", "main"}, {"default", "a"}, {"edge", "a"}};

TEST(PipelineNamesTest, OneNameIsEnoughWhereOneGroupHasIt) {
  EXPECT_EQ(*FindPipeline("main", kKnown), (PipelineName{"default", "main"}));
  EXPECT_EQ(*FindPipeline("edge/a", kKnown), (PipelineName{"edge", "a"}));
  const Status two = FindPipeline("a", kKnown).status();
  EXPECT_TRUE(two.IsInvalid());
  EXPECT_THAT(two.message(), HasSubstr("default/a, edge/a"));
}

TEST(PipelineNamesTest, WhatIsNotThereNamesTheNearest) {
  const Status near = FindPipeline("edge/main", {{"edge", "mian"}}).status();
  EXPECT_TRUE(near.IsKeyError());
  EXPECT_THAT(near.message(), HasSubstr("did you mean 'edge/mian'?"));
  EXPECT_THAT(FindPipeline("xyzzy", kKnown).status().message(),
              HasSubstr("there are default/main, default/a, edge/a"));
  EXPECT_THAT(FindPipeline("main", {}).status().message(), HasSubstr("has no pipeline"));
}

TEST(PipelineNamesTest, ANewOneIsOfTheGroupDefaultUnlessItSaysOtherwise) {
  EXPECT_EQ(*FindOrNamePipeline("neu", kKnown), (PipelineName{"default", "neu"}));
  EXPECT_EQ(*FindOrNamePipeline("edge/neu", kKnown), (PipelineName{"edge", "neu"}));
  EXPECT_EQ(*FindOrNamePipeline("a", {{"edge", "a"}}), (PipelineName{"edge", "a"}));
  EXPECT_TRUE(FindOrNamePipeline("a", kKnown).status().IsInvalid());
  EXPECT_TRUE(FindOrNamePipeline("edge/", kKnown).status().IsInvalid());
}

TEST(PipelineNamesTest, NamesStandInPathsAsTheyAre) {
  EXPECT_EQ((PipelineName{"a b", "c/ü"}).Path(), "/api/v1/groups/a%20b/pipelines/c%2F%C3%BC");
}

TEST(PipelineNamesTest, WhatIsNoStatusHasNoPipelines) {
  using nlohmann::json;
  EXPECT_THAT(PipelinesOf(json::parse(R"({"pipelines": [{"group": "g", "pipeline": "p"}]})")),
              ElementsAre(PipelineName{"g", "p"}));
  for (const char* text : {"[]", "{}", R"({"pipelines": 3})", R"({"pipelines": [3, {}]})",
                           R"({"pipelines": [{"group": 1, "pipeline": "p"}]})"}) {
    EXPECT_THAT(PipelinesOf(json::parse(text)), IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace df::app
