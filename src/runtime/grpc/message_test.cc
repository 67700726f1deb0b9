#include "runtime/grpc/message.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::runtime::grpc {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(MessageReader, GivesBackWhatWasFramedInWhateverPiecesItComes) {
  const auto seed = static_cast<uint32_t>(std::random_device{}());
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    const auto compression = static_cast<Compression>(random() % 4);
    std::vector<std::string> messages;
    std::string bytes;
    for (uint32_t i = random() % 20; i > 0; --i) {
      messages.emplace_back(random() % 3 == 0 ? random() % 90'000 : random() % 10, 'a');
      for (char& byte : messages.back()) {
        byte = static_cast<char>('a' + random() % 5);
      }
      bytes += *FrameMessage(messages.back(), compression);
    }
    MessageReader reader(100'000);
    reader.SetCompression(compression);
    std::vector<std::string> read;
    std::string message;
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = random() % 2 == 0 ? random() % 7 : random() % 60'000;
      reader.buffer()->append(bytes.substr(at, size));
      at += size;
      while (reader.Next(&message) == MessageReader::Step::kMessage) {
        read.push_back(message);
      }
      ASSERT_TRUE(reader.error().ok()) << reader.error().ToString();
    }
    EXPECT_EQ(read, messages);
    EXPECT_TRUE(reader.is_between_messages());
  }
}

TEST(MessageReader, ABrokenMessageIsTheLast) {
  MessageReader reader(10);
  *reader.buffer() = *FrameMessage("short", Compression::kNone) +
                     *FrameMessage("a longer one", Compression::kNone) +
                     *FrameMessage("short", Compression::kNone);
  std::string message;
  EXPECT_EQ(reader.Next(&message), MessageReader::Step::kMessage);
  EXPECT_EQ(reader.Next(&message), MessageReader::Step::kBroken);
  EXPECT_EQ(reader.error().code, Code::kResourceExhausted);
  EXPECT_EQ(reader.Next(&message), MessageReader::Step::kBroken);
}

TEST(MessageReader, AMessageThatIsNotWhatItIsCompressedWithIsBroken) {
  MessageReader reader(1'000);
  reader.SetCompression(Compression::kGzip);
  *reader.buffer() = std::string("\x01\x00\x00\x00\x04nope", 9);
  std::string message;
  EXPECT_EQ(reader.Next(&message), MessageReader::Step::kBroken);
  EXPECT_EQ(reader.error().code, Code::kInternal);
  EXPECT_THAT(reader.error().message, HasSubstr("gzip"));
}

TEST(CallStatus, IsReadBackFromItsFields) {
  CallStatus status = MakeStatus(Code::kUnavailable, "100 % \xe2\x82\xac\n\x7f");
  status.retry_delay = seconds(90) + nanoseconds(7);
  http2::Headers fields;
  AppendStatus(status, &fields);
  for (const http2::Header& field : fields) {
    for (const char byte : field.value) {
      EXPECT_TRUE(byte >= ' ' && byte <= '~') << field.name;
    }
  }
  const auto back = FindStatus(fields);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->code, status.code);
  EXPECT_EQ(back->message, status.message);
  EXPECT_EQ(back->retry_delay, status.retry_delay);
  EXPECT_EQ(FindStatus({{"content-type", "x"}}), std::nullopt);
}

TEST(CallStatus, TakesAStatusOfAnyBytes) {
  const auto seed = static_cast<uint32_t>(std::random_device{}());
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  CallStatus status = MakeStatus(Code::kUnavailable, "x");
  status.retry_delay = seconds(1);
  http2::Headers fields;
  AppendStatus(status, &fields);
  for (int i = 0; i < 20'000; ++i) {
    http2::Headers garbled = fields;
    std::string& value = garbled[random() % garbled.size()].value;
    value[random() % value.size()] = static_cast<char>(random() % 256);
    const auto read = FindStatus(garbled);
    ASSERT_TRUE(read.has_value());
    EXPECT_GE(read->retry_delay.value_or(nanoseconds(0)).count(), 0);
  }
}

TEST(Timeout, IsReadBackNotLonger) {
  const auto seed = static_cast<uint32_t>(std::random_device{}());
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 10'000; ++i) {
    const nanoseconds timeout(static_cast<int64_t>(random() >> (2 + random() % 60)));
    const std::string text = FormatTimeout(timeout);
    EXPECT_LE(text.size(), 9U) << text;
    const auto back = ParseTimeout(text);
    ASSERT_TRUE(back.has_value()) << text;
    EXPECT_LE(*back, timeout);
    EXPECT_GE(*back,
              std::min(timeout, nanoseconds(int64_t{1} << 61)) - timeout / 50'000 - nanoseconds(1))
        << text;
  }
  EXPECT_EQ(FormatTimeout(nanoseconds(-5)), "0n");
}

TEST(Timeout, RefusesWhatIsNone) {
  for (const char* text : {"", "5", "S", "-1S", "1s", "123456789S", "1.5S", " 1S", "0x1S"}) {
    EXPECT_EQ(ParseTimeout(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseTimeout("99999999H"), nanoseconds(int64_t{1} << 61));
  EXPECT_EQ(ParseTimeout("2H"), hours(2));
}

}  // namespace
}  // namespace df::runtime::grpc
