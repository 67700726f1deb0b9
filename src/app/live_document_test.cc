#include "app/live_document.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "nodes/registry.h"

namespace df::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LiveDocumentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("live_document_{}_{}.yaml", getpid(),
                        ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void Write(const std::string& text) { std::ofstream(path_) << text; }
  static std::string Pipeline(const std::string& name) {
    return "      " + name +
           ":\n"
           "        nodes:\n"
           "          in: {type: receiver:parquet, config: {base_uri: /tmp/none}}\n"
           "          out: {type: exporter:noop}\n"
           "        connections: [{from: in, to: out}]\n";
  }
  static std::string Document(const std::string& pipelines, const std::string& engine = "") {
    return "version: otel_dataflow/v1\n" + engine + "groups:\n  default:\n    pipelines:\n" +
           pipelines;
  }
  LiveDocument Load(const std::string& source) {
    DocumentFlags flags;
    flags.source = source;
    const auto first =
        LoadDocument(flags, registry_, {.allowed_cores = {0}}, config::EmptyEnvironment());
    EXPECT_TRUE(first.ok()) << first.status().message();
    return {flags, {0}, &registry_, config::EmptyEnvironment(), *first};
  }

  const engine::NodeRegistry registry_{nodes::AllDescriptors()};
  std::filesystem::path path_;
};

TEST_F(LiveDocumentTest, AFileIsReadAgain) {
  Write(Document(Pipeline("a") + Pipeline("b")));
  LiveDocument document = Load(path_);
  Write(Document(Pipeline("b") + Pipeline("c")));
  const auto reloaded = document.Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status().message();
  ASSERT_THAT(reloaded->plans, SizeIs(2));
  EXPECT_EQ(reloaded->plans[1]->pipeline.name, "c");
  EXPECT_THAT(reloaded->removed, ElementsAre(controller::PipelineKey{"default", "a"}));
  EXPECT_THAT(reloaded->notices, IsEmpty());
  EXPECT_THAT(document.Reload()->removed, IsEmpty());
}

TEST_F(LiveDocumentTest, ADocumentThatIsWrongIsNamedWithEveryProblemAndForgotten) {
  Write(Document(Pipeline("a")));
  LiveDocument document = Load(path_);
  Write(Document(Pipeline("b")) + "    polices: 1\n    other: 2\n");
  const auto reloaded = document.Reload();
  ASSERT_FALSE(reloaded.ok());
  EXPECT_THAT(reloaded.status().message(), HasSubstr("polices"));
  EXPECT_THAT(reloaded.status().message(), HasSubstr("other"));
  Write(Document(Pipeline("c")));
  EXPECT_THAT(document.Reload()->removed, ElementsAre(controller::PipelineKey{"default", "a"}));
  std::filesystem::remove(path_);
  EXPECT_THAT(document.Reload().status().message(), HasSubstr("No such file"));
}

TEST_F(LiveDocumentTest, WhatIsNoFileCannotBeReadAgain) {
  LiveDocument document = Load("yaml:" + Document(Pipeline("a")));
  EXPECT_THAT(document.Reload().status().message(), HasSubstr("not from a file"));
}

TEST_F(LiveDocumentTest, WhatCountsAtTheStartOnlyIsNamed) {
  Write(Document(Pipeline("a")));
  LiveDocument document = Load(path_);
  Write(Document(Pipeline("a"), "engine: {http_admin: {}}\n"));
  const auto reloaded = document.Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status().message();
  EXPECT_THAT(reloaded->notices, ElementsAre(HasSubstr("under 'engine'")));
}

TEST_F(LiveDocumentTest, TheStateStaysWhereItWas) {
  const std::string pipeline =
      "      a:\n"
      "        nodes:\n"
      "          in: {type: receiver:parquet, config: {base_uri: /tmp/none, checkpoint: {name: "
      "n}}}\n"
      "          out: {type: exporter:noop}\n"
      "        connections: [{from: in, to: out}]\n";
  Write(Document(pipeline, "engine: {state_dir: /tmp/first}\n"));
  LiveDocument document = Load(path_);
  Write(Document(pipeline, "engine: {state_dir: /tmp/second}\n"));
  const auto reloaded = document.Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status().message();
  EXPECT_THAT(reloaded->notices, ElementsAre(HasSubstr("under 'engine'")));
  // Also without it the receiver has where to keep its checkpoint.
  Write(Document(pipeline));
  EXPECT_TRUE(document.Reload().ok());
}

}  // namespace
}  // namespace df::app
