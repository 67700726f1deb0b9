#include "nodes/receivers/otlp_file/request_reader.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/request_file.h"

namespace df::nodes::receivers::otlp_file {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RequestReaderTest : public ::testing::Test {
 protected:
  RequestReaderTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "reader-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~RequestReaderTest() override { std::filesystem::remove_all(folder_); }

  struct Read {
    std::vector<std::string> requests;
    std::vector<std::string> errors;
  };
  Read ReadAll(const std::string& text, bool is_json, int64_t max_bytes = 1000) {
    const std::string path = folder_ / "file";
    std::ofstream(path, std::ios::binary) << text;
    auto reader = RequestReader::Open(path, is_json, max_bytes);
    Read read;
    while (reader.ok() && reader->goes_on()) {
      auto request = reader->Next();
      if (!request.ok()) {
        read.errors.push_back(request.status().message());
      } else if (request->has_value()) {
        read.requests.push_back(std::to_string((*request)->place) + " " + (*request)->bytes);
      }
    }
    return read;
  }

  static std::string Frame(const std::string& request) {
    const auto head = otlp::RequestHead(request.size()).ValueOrDie();
    return std::string(head.begin(), head.end()) + request;
  }

  std::filesystem::path folder_;
};

TEST_F(RequestReaderTest, LinesAreRequestsAndBlankOnesAreNone) {
  const Read read = ReadAll("{a}\n\n \t\r\n{b}\r\n{c}", true);
  EXPECT_THAT(read.requests, ElementsAre("1 {a}", "4 {b}\r", "5 {c}"));
  EXPECT_THAT(read.errors, IsEmpty());
  EXPECT_THAT(ReadAll("", true).requests, IsEmpty());
}

TEST_F(RequestReaderTest, ABraceAloneBeginsARequestOverAllLines) {
  EXPECT_THAT(ReadAll("{\n  \"a\": {}\n}\n", true).requests, ElementsAre("1 {\n  \"a\": {}\n}\n"));
  EXPECT_THAT(ReadAll("{}\n{\n", true).requests, ElementsAre("1 {}", "2 {"));
}

TEST_F(RequestReaderTest, ALineThatIsTooLongIsNamedAndTheNextOneRead) {
  const Read read = ReadAll("{a}\n" + std::string(11, 'x') + "\n" + std::string(10, 'y'), true, 10);
  EXPECT_THAT(read.requests, ElementsAre("1 {a}", "3 yyyyyyyyyy"));
  EXPECT_THAT(read.errors, ElementsAre(HasSubstr("line 2: found a request of more than 10 bytes")));
}

TEST_F(RequestReaderTest, FramesAreRequestsAlsoEmptyOnes) {
  const Read read = ReadAll(Frame("ab") + Frame("") + Frame("c"), false);
  EXPECT_THAT(read.requests, ElementsAre("0 ab", "6 ", "10 c"));
  EXPECT_THAT(read.errors, IsEmpty());
}

TEST_F(RequestReaderTest, WhatIsCutOffOrTooLargeEndsAFileOfFrames) {
  Read read = ReadAll(Frame("ab") + Frame("abc").substr(0, 6), false);
  EXPECT_THAT(read.requests, ElementsAre("0 ab"));
  EXPECT_THAT(read.errors, ElementsAre("offset 6: found 2 of the 3 bytes of a request"));
  read = ReadAll(Frame("ab") + "\1\2", false);
  EXPECT_THAT(read.errors, ElementsAre("offset 6: found 2 bytes, expected a length of 4"));
  read = ReadAll("{\"resourceLogs\":[]}\n", false);  // JSON, taken for frames
  EXPECT_THAT(read.errors, ElementsAre(HasSubstr("or no length")));
}

TEST(Signals, AreTold) {
  EXPECT_EQ(SignalOfName("/logs/x.binpb"), std::nullopt);
  EXPECT_EQ(SignalOfName("/x/my-spans-0.pb"), otap::Signal::kTraces);
  EXPECT_EQ(SignalOfName("metrics.otlp"), otap::Signal::kMetrics);
  EXPECT_EQ(SignalOfJson(R"({"resourceLogs":[{"x":"\"resourceSpans\""}]})"), otap::Signal::kLogs);
  EXPECT_EQ(SignalOfJson(R"({"resource_metrics":[]})"), otap::Signal::kMetrics);
  EXPECT_EQ(SignalOfJson("{}"), std::nullopt);
}

}  // namespace
}  // namespace df::nodes::receivers::otlp_file
