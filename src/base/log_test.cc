#include "base/log.h"

#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>

#include "base/logging.h"

namespace df {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;

class LogTest : public ::testing::Test {
 protected:
  void Make(Log::Options options) {
    log_ = std::make_unique<Log>(
        std::make_shared<spdlog::sinks::ostream_sink_mt>(out_), [this] { return now_; }, options);
  }

  void Write(LogLevel level, const std::string& message,
             std::source_location site = std::source_location::current()) {
    if (log_->Admit(level, site)) {
      LogRecord record;
      record.level = level;
      record.message = message;
      log_->Write(std::move(record));
    }
  }

  std::vector<std::string> Kept(uint64_t after = 0, size_t max_records = 100) const {
    std::vector<std::string> messages;
    for (const LogRecord& record : log_->Kept(after, max_records)) {
      messages.push_back(record.message);
    }
    return messages;
  }

  int64_t now_ = 1'700'000'000'123'456'789;
  std::ostringstream out_;
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, TextLinesAreTimeLevelMessageAndFields) {
  Make({});
  LogRecord record;
  record.level = LogLevel::kInfo;
  record.event = "df.test";
  record.message = "has happened";
  record.fields = {{"count", 3},          {"share", 0.5}, {"ok", true},        {"word", "plain"},
                   {"text", "two words"}, {"empty", ""},  {"quote", "a\"b\nc"}};
  log_->Write(record);
  EXPECT_EQ(out_.str(),
            "2023-11-14T22:13:20.123Z info  has happened count=3 share=0.5 ok=true word=plain "
            "text=\"two words\" empty=\"\" quote=\"a\\\"b\\nc\"\n");
}

TEST_F(LogTest, JsonLinesAreObjectsWithTypedAttributes) {
  Make({});
  log_->SetFormat(Log::Format::kJson);
  LogRecord record;
  record.level = LogLevel::kWarning;
  record.event = "df.test";
  record.message = "bad \xff byte";
  record.fields = {{"count", 3}, {"ok", false}, {"node", "a b"}};
  log_->Write(record);
  const std::string line = out_.str();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json, nlohmann::json::parse(R"({"time": "2023-11-14T22:13:20.123456789Z",
      "level": "warning", "event": "df.test", "message": "bad � byte",
      "attributes": {"count": 3, "ok": false, "node": "a b"}})"));
}

TEST_F(LogTest, TheLevelMayChangeWhileItRuns) {
  Make({});
  Write(LogLevel::kDebug, "a");
  log_->set_level(LogLevel::kDebug);
  Write(LogLevel::kDebug, "b");
  log_->set_level(LogLevel::kError);
  Write(LogLevel::kWarning, "c");
  EXPECT_THAT(Kept(), ElementsAre("b"));
  EXPECT_THAT(log_->counts().written, ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(log_->counts().suppressed, ElementsAre(0, 0, 0, 0));
}

TEST_F(LogTest, APlaceThatWritesTooMuchIsCutOffAndTold) {
  Make({.site_burst = 3, .site_interval = std::chrono::seconds(10)});
  const auto storm = [this] { Write(LogLevel::kWarning, "storm"); };
  for (int i = 0; i < 8; ++i) {
    storm();
  }
  Write(LogLevel::kInfo, "other place");
  EXPECT_THAT(Kept(), ElementsAre("storm", "storm", "storm", "other place"));
  EXPECT_EQ(log_->counts().suppressed[2], 5);
  now_ += 10 * kSecond - 1;
  storm();
  EXPECT_EQ(log_->counts().suppressed[2], 6);
  now_ += 1;
  Write(LogLevel::kInfo, "any place");
  EXPECT_THAT(Kept(4), ElementsAre("6 more suppressed", "any place"));
  EXPECT_EQ(log_->Kept(4, 1)[0].level, LogLevel::kWarning);
  EXPECT_THAT(out_.str(), HasSubstr("6 more suppressed file=src/base/log_test.cc line="));
  storm();
  EXPECT_THAT(Kept(6), ElementsAre("storm"));
}

TEST_F(LogTest, WhatIsLeftOutIsToldAtTheEndToo) {
  Make({.site_burst = 1});
  for (int i = 0; i < 3; ++i) {
    Write(LogLevel::kError, "x");
  }
  log_.reset();
  EXPECT_THAT(out_.str(), HasSubstr("2 more suppressed"));
}

TEST_F(LogTest, ATimeThatIsSetBackBeginsANewInterval) {
  Make({.site_burst = 1});
  for (int i = 0; i < 3; ++i) {
    now_ -= kSecond;
    Write(LogLevel::kInfo, fmt::format("{}", i));
  }
  EXPECT_THAT(Kept(), ElementsAre("0", "1", "2"));
}

TEST_F(LogTest, TheLastRecordsAreKept) {
  Make({.site_burst = 1000, .max_kept_records = 4});
  for (int i = 1; i <= 10; ++i) {
    Write(LogLevel::kInfo, fmt::format("{}", i));
  }
  EXPECT_THAT(Kept(), ElementsAre("7", "8", "9", "10"));
  EXPECT_THAT(Kept(8), ElementsAre("9", "10"));
  EXPECT_THAT(Kept(3, 2), ElementsAre("7", "8"));
  EXPECT_THAT(Kept(10), ElementsAre());
  EXPECT_THAT(Kept(99), ElementsAre());
  EXPECT_EQ(log_->last_sequence(), 10U);
  EXPECT_EQ(log_->Kept(9, 1).at(0).sequence, 10U);
}

TEST_F(LogTest, WhatIsKeptIsBoundedInBytes) {
  Make({.site_burst = 1000, .max_kept_bytes = 4000});
  for (int i = 0; i < 20; ++i) {
    Write(LogLevel::kInfo, std::string(1000, 'x'));
  }
  EXPECT_EQ(Kept().size(), 3U);
  Write(LogLevel::kInfo, std::string(5000, 'x'));
  EXPECT_EQ(Kept().size(), 0U);
}

TEST(Logging, EachLineOfTheProgramIsAPlaceOfItsOwn) {
  const uint64_t before = ProcessLog().last_sequence();
  const Log::Counts counts = ProcessLog().counts();
  for (int i = 0; i < 60; ++i) {
    LogInfo("a {}", i);
  }
  LogInfo("b");
  LogEvent(LogLevel::kWarning, "df.test", "c", {{"i", 1}});
  const auto records = ProcessLog().Kept(before, 100);
  ASSERT_EQ(records.size(), 52U);
  EXPECT_EQ(records[49].message, "a 49");
  EXPECT_EQ(records[50].message, "b");
  EXPECT_EQ(records[51].event, "df.test");
  EXPECT_EQ(ProcessLog().counts().suppressed[1] - counts.suppressed[1], 10);
}

TEST(Logging, LevelsHaveNames) {
  for (size_t i = 0; i < kNumLogLevels; ++i) {
    EXPECT_EQ(FindLogLevel(Name(static_cast<LogLevel>(i))), static_cast<LogLevel>(i));
  }
  EXPECT_FALSE(FindLogLevel("trace").has_value());
}

}  // namespace
}  // namespace df
