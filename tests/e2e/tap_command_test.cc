// df_engine tap, against an engine that runs.
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "running_engine.h"

namespace df::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TapCommandTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(engine_.is_ready()) << engine_.Log(); }

  Ran Tap(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"tap", "--admin", engine_.address()});
    return RunIn(folder_.path(), std::move(flags));
  }

  TemporaryFolder folder_;
  RunningEngine engine_{EngineDocument({{"default",
                                         {{"main", GeneratorPipeline("exporter:noop")},
                                          {"other", GeneratorPipeline("exporter:noop")}}}},
                                       "")};
};

TEST_F(TapCommandTest, RecordsOfReceiversAndExportersArePrinted) {
  for (const char* node : {"main:in", "default/main:out"}) {
    const Ran ran = Tap({node, "-n", "3", "--json"});
    EXPECT_EQ(ran.exit_code, 0) << ran.log;
    EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 3) << ran.output;
    const auto record = nlohmann::json::parse(ran.output.substr(0, ran.output.find('\n')));
    EXPECT_TRUE(record.contains("time")) << record;
    EXPECT_THAT(ran.log, HasSubstr("records that pass from now on"));
  }
  EXPECT_TRUE(engine_.WaitForLog("a tap of default/main:in was opened from 127.0.0.1:"));
}

TEST_F(TapCommandTest, KeysAreRedactedAndConditionsAsked) {
  const Ran ran = Tap({"main:in", "-n", "2", "--redact", "service.name", "--where",
                       "resource.attributes[\"service.name\"] != nil", "--sample", "1/2"});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("[redacted]"));
}

TEST_F(TapCommandTest, WrongNamesAndConditionsAreRefused) {
  const Ran two = Tap({"out"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_THAT(two.log, HasSubstr("default/main:out, default/other:out"));
  const Ran none = Tap({"default/main:uot"});
  EXPECT_EQ(none.exit_code, 5);
  EXPECT_THAT(none.log, HasSubstr("did you mean 'default/main:out'?"));
  EXPECT_EQ(Tap({"main:out", "--where", "nonsense("}).exit_code, 2);
  EXPECT_EQ(Tap({"main:out", "--sample", "2"}).exit_code, 2);
}

}  // namespace
}  // namespace df::e2e
