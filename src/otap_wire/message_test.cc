#include "otap_wire/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::otap_wire {
namespace {

using ::testing::HasSubstr;

TEST(Message, RecordsReadBackAsWritten) {
  const std::string record("\0\xff\x01", 3);
  const std::string written =
      WriteBatchArrowRecords({-7, {{"12", 30, record}, {"", 0, ""}}, "head"});
  const auto read = ReadBatchArrowRecords(written);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->batch_id, -7);
  EXPECT_EQ(read->headers, "head");
  ASSERT_EQ(read->payloads.size(), 2u);
  EXPECT_EQ(read->payloads[0].schema_id, "12");
  EXPECT_EQ(read->payloads[0].type, 30);
  EXPECT_EQ(read->payloads[0].record, record);
  EXPECT_EQ(read->payloads[1].type, 0);
}

TEST(Message, StatusReadsBackAsWritten) {
  for (const BatchStatus& status : {BatchStatus{}, {9, StatusCode::kUnavailable, "busy"}}) {
    const auto read = ReadBatchStatus(WriteBatchStatus(status));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->batch_id, status.batch_id);
    EXPECT_EQ(read->code, status.code);
    EXPECT_EQ(read->message, status.message);
  }
}

TEST(Message, WhatIsNoUtf8IsWrittenAsText) {
  const auto read = ReadBatchStatus(WriteBatchStatus({1, StatusCode::kInternal, "a\xff\n"}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->message, "a\\xff\\x0a");
  const auto good = ReadBatchStatus(WriteBatchStatus({1, StatusCode::kInternal, "\xc3\xa4\n"}));
  EXPECT_EQ(good->message, "\xc3\xa4\n");
}

TEST(Message, CutOffBytesAreRefused) {
  const std::string written = WriteBatchArrowRecords({1, {{"1", 30, "record"}}, ""});
  for (size_t size : {size_t{1}, size_t{5}, written.size() - 1}) {
    EXPECT_FALSE(ReadBatchArrowRecords(written.substr(0, size)).ok()) << size;
  }
}

TEST(Message, AWrongWireTypeIsNamed) {
  const auto read = ReadBatchArrowRecords(std::string("\x0a\x00", 2));
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("BatchArrowRecords.batch_id"));
}

TEST(Message, UnknownFieldsAreSkipped) {
  const auto read = ReadBatchArrowRecords(std::string("\x08\x05\x7a\x01x", 5));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->batch_id, 5);
  EXPECT_EQ(read->num_unknown_fields, 1);
  EXPECT_EQ(read->first_unknown_field, "BatchArrowRecords field 15 is not known");
  // A payload of one field, which is not known either.
  const auto payload = ReadBatchArrowRecords(std::string("\x12\x02\x48\x01", 4));
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_EQ(payload->num_unknown_fields, 1);
  EXPECT_EQ(payload->first_unknown_field, "ArrowPayload field 9 is not known");
}

TEST(Message, CodesThatTheModelLacksHaveANameToo) {
  const auto read = ReadBatchStatus(std::string("\x10\x02", 2));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Name(read->code), "unknown");
  EXPECT_EQ(Name(StatusCode::kDeadlineExceeded), "deadline_exceeded");
}

}  // namespace
}  // namespace df::otap_wire
