#include "delivery/size_refusal.h"

#include <gtest/gtest.h>

#include "delivery/request_limit.h"

namespace df::delivery {
namespace {

using runtime::grpc::CallStatus;
using runtime::grpc::Code;
using runtime::grpc::MakeStatus;

std::optional<int64_t> Limit(std::string_view message) {
  const auto refusal = FindSizeRefusal(message);
  EXPECT_TRUE(refusal.has_value()) << message;
  return refusal.has_value() ? refusal->max_bytes : std::nullopt;
}

TEST(SizeRefusal, IsReadInTheWordsOfEveryServer) {
  EXPECT_EQ(Limit("grpc: received message larger than max (6553600 vs. 4194304)"), 4194304);
  EXPECT_EQ(Limit("grpc: received message after decompression larger than max 4194304"), 4194304);
  EXPECT_EQ(Limit("grpc: received message after decompression larger than max (5 vs. 4)"), 4);
  EXPECT_EQ(Limit("Received message larger than max (5242880 vs. 4194304)"), 4194304);
  EXPECT_EQ(Limit("SERVER: Received message larger than max (5242880 vs. 4194304)"), 4194304);
  EXPECT_EQ(Limit("Received message larger than max"), std::nullopt);
  EXPECT_EQ(Limit("Error, message length too large: found 5000000 bytes, the limit is: 4194304 "
                  "bytes"),
            4194304);
  EXPECT_EQ(Limit("Error, decoded message length too large: found 5000000 bytes, the limit is: "
                  "4194304 bytes"),
            4194304);
  EXPECT_EQ(Limit("gRPC message exceeds maximum size 4194304: 5242880"), 4194304);
  EXPECT_EQ(Limit("gRPC message exceeds maximum size"), std::nullopt);
  EXPECT_EQ(Limit("Decompressed gRPC message exceeds maximum size 4194304"), 4194304);
  EXPECT_EQ(Limit("Received message exceeds the maximum configured message size."), std::nullopt);
  EXPECT_EQ(Limit("http: request body too large"), std::nullopt);
  EXPECT_EQ(Limit("the incoming push request has been rejected because its message size of "
                  "104857601 bytes is larger than the allowed limit of 104857600 bytes"),
            104857600);
  EXPECT_EQ(Limit("a message of 5000000 bytes is larger than the 4194304 bytes allowed"), 4194304);
  EXPECT_EQ(Limit("a message cannot be inflated: gzip: inflates to more than the 4194304 bytes "
                  "allowed"),
            4194304);
}

TEST(SizeRefusal, IsNotReadIntoQuotasMemoryAndQueues) {
  for (const std::string_view message :
       {"quota exceeded", "too many requests", "data refused due to high memory usage",
        "sending queue is full", "Too many concurrent requests", "",
        "RATE_LIMITED: ingestion rate limit (local: 15000000 bytes, global: 0 bytes) exceeded "
        "while "
        "adding 5242880 bytes for user single-tenant",
        "TRACE_TOO_LARGE: max size of trace (5000000) exceeded while adding 387 bytes",
        "Max entry size '262144' bytes exceeded for stream", "the memory of the pipeline is full",
        "limit of 100 requests"}) {
    EXPECT_FALSE(FindSizeRefusal(message).has_value()) << message;
    EXPECT_FALSE(
        FindSizeRefusal(MakeStatus(Code::kResourceExhausted, std::string(message))).has_value());
    EXPECT_FALSE(FindHttpSizeRefusal(429, message).has_value()) << message;
  }
}

TEST(SizeRefusal, OfACallIsOneWithAnyCodeUnlessTheServerSaysWhenToComeAgain) {
  const std::string message = "received message larger than max (6553600 vs. 4194304)";
  for (const Code code : {Code::kResourceExhausted, Code::kOutOfRange, Code::kInvalidArgument,
                          Code::kUnknown, Code::kInternal}) {
    EXPECT_TRUE(FindSizeRefusal(MakeStatus(code, message)).has_value());
  }
  EXPECT_FALSE(FindSizeRefusal(CallStatus()).has_value());
  CallStatus busy = MakeStatus(Code::kResourceExhausted, message);
  busy.retry_delay = std::chrono::seconds(1);
  EXPECT_FALSE(FindSizeRefusal(busy).has_value());
  EXPECT_TRUE(FindSizeRefusal(runtime::grpc::StatusOfHttp("413")).has_value());
  EXPECT_FALSE(FindSizeRefusal(runtime::grpc::StatusOfHttp("503")).has_value());
}

TEST(SizeRefusal, OverHttpIs413OrAnyRefusalThatSaysSo) {
  EXPECT_TRUE(FindHttpSizeRefusal(413, "").has_value());
  EXPECT_TRUE(FindHttpSizeRefusal(400, "http: request body too large").has_value());
  EXPECT_TRUE(FindHttpSizeRefusal(500, "Request Entity Too Large").has_value());
  EXPECT_FALSE(FindHttpSizeRefusal(400, "malformed").has_value());
  EXPECT_FALSE(FindHttpSizeRefusal(200, "request body too large").has_value());
}

TEST(SizeRefusal, MayBeBehindACallThatTheServerCancels) {
  EXPECT_TRUE(MayBeSizeRefusal(runtime::grpc::StatusOfReset(8, false)));
  EXPECT_FALSE(MayBeSizeRefusal(runtime::grpc::StatusOfReset(7, true)));
  EXPECT_FALSE(MayBeSizeRefusal(MakeStatus(Code::kCancelled, "the pipeline ends")));
  EXPECT_FALSE(MayBeSizeRefusal(MakeStatus(Code::kUnavailable, "cannot connect")));
}

TEST(RequestLimit, TakesTheWordOfTheServerElseHalvesAndNeverRises) {
  RequestLimit limit(4'000'000);
  EXPECT_EQ(limit.bytes(), 4'000'000);
  EXPECT_FALSE(limit.is_learned());
  EXPECT_EQ(limit.Refuse({1'000'000}, 3'900'000, true), 1'000'000);
  EXPECT_EQ(limit.bytes(), 1'000'000);
  EXPECT_TRUE(limit.is_learned());
  EXPECT_EQ(limit.Refuse({}, 900'000, true), 450'000);
  EXPECT_EQ(limit.Refuse({}, 2'000'000, true), 1'000'000);
  EXPECT_EQ(limit.bytes(), 450'000);
  // A limit that the request has kept is none.
  EXPECT_EQ(limit.Refuse({5'000'000}, 400'000, true), 200'000);
  // One record that is refused says little of requests of many.
  EXPECT_EQ(limit.Refuse({}, 300'000, false), 299'999);
  EXPECT_EQ(limit.bytes(), 200'000);
  EXPECT_EQ(limit.Refuse({}, 2, true), 1);
  EXPECT_EQ(limit.bytes(), RequestLimit::kLeastLearned);
}

}  // namespace
}  // namespace df::delivery
