#include "app/pipeline_plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document_source.h"
#include "config/value_writer.h"
#include "nodes/registry.h"

namespace df::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDocument[] = R"(
version: otel_dataflow/v1
engine: {http_admin: {bearer_token_file: /run/token}}
groups:
  g:
    pipelines:
      p:
        nodes:
          in: {type: receiver:parquet, config: {base_uri: somewhere}}
          out: {type: exporter:noop}
        connections: [{from: in, to: out}]
)";

constexpr char kPipeline[] = R"(
nodes:
  in: {type: receiver:parquet, config: {base_uri: somewhere%}}
  out: {type: exporter:noop}
connections: [{from: in, to: out}]
)";

std::string Pipeline(const std::string& more, const std::string& policies = "") {
  std::string text = kPipeline;
  text.replace(text.find('%'), 1, more);
  return policies + text;
}

class PipelinePlansTest : public ::testing::Test {
 protected:
  Result<controller::PipelinePlanPtr> Check(const std::string& text) {
    return CheckPlan({"g", "p"}, text, {}, engine_.document, registry_, {0, 1});
  }
  controller::RolloutAction CompareWith(const std::string& text) {
    const auto plan = Check(text);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? controller::Compare(*plans_[0], **plan) : controller::RolloutAction::kCreate;
  }

  engine::NodeRegistry registry_{nodes::AllDescriptors()};
  engine::CheckedEngine engine_ =
      engine::LoadEngine(kDocument, "test.yaml", registry_, {.allowed_cores = {0, 1}}).ValueOrDie();
  std::vector<controller::PipelinePlanPtr> plans_ = MakePlans(engine_.pipelines);
};

TEST_F(PipelinePlansTest, APipelineThatIsPutUnchangedChangesNothing) {
  EXPECT_EQ(CompareWith(Pipeline("")), controller::RolloutAction::kNoop);
  EXPECT_EQ(CompareWith(Pipeline(", polling_interval: 5s")), controller::RolloutAction::kNoop)
      << "that is the default";
}

TEST_F(PipelinePlansTest, ChangesAreToldApart) {
  EXPECT_EQ(CompareWith(Pipeline(", polling_interval: 6s")),
            controller::RolloutAction::kApplyInPlace);
  EXPECT_EQ(CompareWith(Pipeline(", signal_types: [logs]")), controller::RolloutAction::kReplace);
  EXPECT_EQ(CompareWith(Pipeline("", "policies: {channel_capacity: {pdata: 7}}")),
            controller::RolloutAction::kReplace);
  EXPECT_EQ(CompareWith(Pipeline(
                "", "policies: {resources: {core_allocation: {type: core_count, count: 1}}}")),
            controller::RolloutAction::kResize);
}

TEST_F(PipelinePlansTest, ABadPipelineIsRefusedWithItsPlace) {
  const auto plan = Check(Pipeline(", polling: 6s"));
  EXPECT_THAT(plan.status().message(), HasSubstr("body:3:"));
  EXPECT_THAT(plan.status().message(), HasSubstr("polling_interval"));
}

TEST_F(PipelinePlansTest, TheDocumentHasEverythingButSecrets) {
  const std::string text = PrintPlans(plans_, engine_.document);
  EXPECT_THAT(text, HasSubstr("somewhere"));
  EXPECT_THAT(text, HasSubstr("/run/token")) << "the name of a file is no secret";
  config::Problems problems("secrets");
  const auto value = config::ParseDocument(
      "{headers: {a: hush, b: hush}, nodes: [{api_token: hush}], open: told, token_file: told}",
      &problems);
  const auto environment = [](const std::string&) { return std::optional<std::string>("hush"); };
  const auto referred = config::SubstituteEnvironment(
      config::ParseDocument("{secret: \"${env:A}\", password: \"${env:A:-hush}\", "
                            "api_key: \"hush${env:A}\"}",
                            &problems),
      environment, &problems);
  const std::string kept = config::ToJson(*WithoutSecrets(referred));
  EXPECT_THAT(kept, HasSubstr(R"("secret": "${env:A}")"));
  EXPECT_THAT(kept, HasSubstr(R"("password": "[redacted]")"));
  EXPECT_THAT(kept, HasSubstr(R"("api_key": "[redacted]")"));
  const std::string shown = config::ToJson(*WithoutSecrets(value));
  EXPECT_THAT(shown, Not(HasSubstr("hush")));
  EXPECT_THAT(shown, HasSubstr("told"));
  EXPECT_THAT(shown, HasSubstr("[redacted]"));
}

TEST_F(PipelinePlansTest, WhatIsPrintedNamesTheEnvironmentAndMeansTheSame) {
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "PLACE" ? std::optional<std::string>("somewhere") : std::nullopt;
  };
  const auto load = [&](const std::string& text) {
    config::Problems problems("test.yaml");
    const config::ValuePtr root =
        config::ReadDocument({.name = "test.yaml", .text = text}, {}, environment, &problems);
    const auto checked = engine::CheckEngine(config::ReadEngineDocument(root, &problems), registry_,
                                             {.allowed_cores = {0, 1}}, &problems);
    EXPECT_THAT(problems.Lines(), ::testing::IsEmpty());
    return engine::EffectiveEngine(checked->document, registry_);
  };
  std::string document = kDocument;
  document.replace(document.find("somewhere"), 9, R"("/data/${env:PLACE}/$${env:PLACE}")");
  document.replace(document.find("type: exporter:noop"), 19,
                   "type: exporter:perf, config: {frequency: \"${env:EVERY:-7s}\"}");
  const config::ValuePtr effective = load(document);
  const std::string printed = config::ToYaml(*WithoutSecrets(effective));
  EXPECT_THAT(printed, HasSubstr("/data/${env:PLACE}/$${env:PLACE}"));
  EXPECT_EQ(config::ToJson(*load(printed)), config::ToJson(*effective)) << printed;
}

}  // namespace
}  // namespace df::app
