#include "nodes/exporters/otlp_grpc/call_outcome.h"

#include <set>

#include <gtest/gtest.h>

namespace df::nodes::exporters::otlp_grpc {
namespace {

using runtime::grpc::CallStatus;
using runtime::grpc::Code;

TEST(CallOutcome, FollowsTheTableOfTheSpecification) {
  const std::set<Code> retryable = {Code::kCancelled,  Code::kDeadlineExceeded, Code::kAborted,
                                    Code::kOutOfRange, Code::kUnavailable,      Code::kDataLoss};
  for (int number = 0; number <= 16; ++number) {
    CallStatus status;
    status.code = static_cast<Code>(number);
    const engine::Outcome outcome = OutcomeOf(status);
    EXPECT_EQ(outcome.is_ack, number == 0) << number;
    if (number != 0) {
      EXPECT_EQ(outcome.is_permanent, !retryable.contains(status.code)) << number;
    }
  }
}

TEST(CallOutcome, AnExhaustedServerThatSaysWhenIsTriedAgain) {
  CallStatus status = runtime::grpc::MakeStatus(Code::kResourceExhausted, "full");
  EXPECT_TRUE(OutcomeOf(status).is_permanent);
  status.retry_delay = std::chrono::seconds(1);
  EXPECT_FALSE(OutcomeOf(status).is_permanent);
  EXPECT_EQ(OutcomeOf(status).reason, "RESOURCE_EXHAUSTED: full");
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_grpc
