// Files of OTLP as a source: convert and replay.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kSample = fs::path(OTAP_SOURCE_DIR) / "examples/data/corner";

class OtlpFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* signal : {"logs", "traces", "metrics"}) {
      const std::string name = std::string(signal) + ".otlp";
      fs::create_directories(sample());
      fs::copy_file(kSample / name, sample() / name);
    }
  }

  fs::path sample() const { return folder_.path() / "sample"; }
  fs::path At(const std::string& name) const { return folder_.path() / name; }

  Ran Run(std::vector<std::string> arguments) const {
    return RunIn(folder_.path(), std::move(arguments));
  }
  void Convert(const fs::path& from, const std::string& format, const fs::path& to) const {
    const Ran ran = Run({"convert", from.string(), "--to", format, "-o", to.string(), "-q"});
    EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  }
  void ExpectSame(const fs::path& one, const fs::path& other) const {
    const Ran ran = Run({"verify", one.string(), "--against", other.string(), "--no-cache"});
    EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  }

  TemporaryFolder folder_;
};

TEST_F(OtlpFilesTest, ThroughAnArchiveAndBackEveryItemIsTheSame) {
  Convert(sample(), "star-parquet", At("lake"));
  ExpectSame(At("lake"), sample());
  Convert(At("lake"), "otlp-json", At("json"));
  ExpectSame(At("json"), sample());
  Convert(At("json"), "star-parquet", At("lake2"));
  ExpectSame(At("lake2"), At("lake"));
  Convert(At("lake2"), "otlp-proto", At("proto"));
  ExpectSame(At("proto"), sample());
  Convert(At("proto"), "otlp-json", At("all.jsonl"));
  ExpectSame(At("all.jsonl"), sample());
}

TEST_F(OtlpFilesTest, TheReceiptHasItsNumbers) {
  const Ran ran = Run({"replay", sample().string(), "--to", "null", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("\"outcome\": \"complete\""));
  EXPECT_THAT(ran.log, HasSubstr("delivered 2,000 logs, 2,000 spans, 4,998 points; 0 refused"));
}

TEST_F(OtlpFilesTest, WhatCannotBeReadIsNamedAndMakesItIncomplete) {
  Convert(sample() / "logs.otlp", "otlp-json", At("logs.jsonl"));
  std::ofstream(At("logs.jsonl"), std::ios::app) << "{\"resourceLogs\":7}\n";
  const Ran ran = Run(
      {"convert", At("logs.jsonl").string(), "--to", "star-parquet", "-o", At("lake").string()});
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.log, HasSubstr("logs.jsonl: line "));
  EXPECT_THAT(ran.log, HasSubstr("delivered 2,000 logs"));
}

TEST_F(OtlpFilesTest, WhatIsLostOfARequestIsNamedThoughNothingElseIsInIt) {
  const auto convert = [this](const std::string& name, const std::string& text) {
    std::ofstream(At(name), std::ios::binary) << text;
    const Ran ran = Run({"convert", At(name).string(), "--to", "otlp-json", "-o", "-"});
    EXPECT_EQ(ran.exit_code, 4) << ran.log;
    return ran.log;
  };
  EXPECT_THAT(convert("unknown.jsonl",
                      R"({"resourceLogs":[{"instrumentationLibraryLogs":[{"logRecords":[{}]}]}]})"),
              HasSubstr("incomplete: decode: left out 1 fields that there is no column for: 1 x "
                        "ResourceLogs key 'instrumentationLibraryLogs'"));
  EXPECT_THAT(
      convert("short.jsonl",
              R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"0102"}]}]}]})"),
      HasSubstr("incomplete: decode: 1 trace and span ids of a wrong length were read as none"));
  // What a crash leaves of a file whose blocks were there before their bytes.
  EXPECT_THAT(convert("logs.binpb", std::string(4096, '\0')),
              HasSubstr("found zeros at the end, read as 1024 empty requests"));
}

TEST_F(OtlpFilesTest, AFileIsNotWrittenWhileItIsRead) {
  Convert(sample() / "logs.otlp", "otlp-json", At("logs.jsonl"));
  const auto size = fs::file_size(At("logs.jsonl"));
  const Ran ran = Run(
      {"convert", At("logs.jsonl").string(), "--to", "otlp-json", "-o", At("logs.jsonl").string()});
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_THAT(ran.log, HasSubstr("is a file that is read"));
  EXPECT_EQ(fs::file_size(At("logs.jsonl")), size);
}

TEST_F(OtlpFilesTest, WhatOnlyAnArchiveCanAnswerIsRefused) {
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--from", "-1h"}, {"--plan"}, {"--digest"}}) {
    std::vector<std::string> arguments = {"replay", sample().string(), "--to", "null", "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Ran ran = Run(arguments);
    EXPECT_NE(ran.exit_code, 0);
    EXPECT_THAT(ran.log, HasSubstr("are for archives")) << flags.front();
  }
}

}  // namespace
}  // namespace df::e2e
