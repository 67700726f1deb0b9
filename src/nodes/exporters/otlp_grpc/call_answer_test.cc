#include "nodes/exporters/otlp_grpc/call_answer.h"

#include <set>

#include <gtest/gtest.h>

namespace df::nodes::exporters::otlp_grpc {
namespace {

using runtime::grpc::CallStatus;
using runtime::grpc::Code;

delivery::RequestAnswer Of(const CallStatus& status) {
  return AnswerOf({.status = status, .message = ""}, otap::Signal::kLogs);
}

TEST(CallAnswer, FollowsTheTableOfTheSpecification) {
  const std::set<Code> retryable = {Code::kCancelled,  Code::kDeadlineExceeded, Code::kAborted,
                                    Code::kOutOfRange, Code::kUnavailable,      Code::kDataLoss};
  for (int number = 0; number <= 16; ++number) {
    CallStatus status;
    status.code = static_cast<Code>(number);
    const delivery::RequestAnswer answer = Of(status);
    EXPECT_EQ(answer.is_taken, number == 0) << number;
    if (number != 0) {
      EXPECT_EQ(answer.is_permanent, !retryable.contains(status.code)) << number;
    }
  }
}

TEST(CallAnswer, AnExhaustedServerThatSaysWhenIsTriedAgain) {
  CallStatus status = runtime::grpc::MakeStatus(Code::kResourceExhausted, "full");
  EXPECT_TRUE(Of(status).is_permanent);
  status.retry_delay = std::chrono::seconds(1);
  EXPECT_FALSE(Of(status).is_permanent);
  EXPECT_EQ(Of(status).reason, "RESOURCE_EXHAUSTED: full");
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_grpc
