#include "otlp/export_response.h"

#include <gtest/gtest.h>

namespace df::otlp {
namespace {

using otap::Signal;

class ExportResponse : public ::testing::TestWithParam<Encoding> {};
INSTANTIATE_TEST_SUITE_P(Encodings, ExportResponse,
                         ::testing::Values(Encoding::kProtobuf, Encoding::kJson));

TEST_P(ExportResponse, OfAPartialSuccessReadsBack) {
  for (const Signal signal : otap::kAllSignals) {
    const std::string response = WriteExportResponse(signal, GetParam(), {7, "too \"old\"\n"});
    const auto read = ReadExportResponse(signal, GetParam(), response);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->rejected_items, 7);
    EXPECT_EQ(read->message, "too \"old\"\n");
  }
}

TEST_P(ExportResponse, OfAStatusReadsBack) {
  const auto read = ReadRpcStatus(GetParam(), WriteRpcStatus(GetParam(), {14, "wait"}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->code, 14);
  EXPECT_EQ(read->message, "wait");
}

TEST_P(ExportResponse, ThatIsMalformedIsAnError) {
  const std::string_view text = GetParam() == Encoding::kJson ? "[1" : "\x0A\x05";
  EXPECT_FALSE(ReadExportResponse(Signal::kLogs, GetParam(), text).ok());
  EXPECT_FALSE(ReadRpcStatus(GetParam(), text).ok());
}

TEST(WriteExportResponse, IsAsTheSpecificationHasIt) {
  EXPECT_EQ(WriteExportResponse(Signal::kLogs, Encoding::kProtobuf, {}), "");
  EXPECT_EQ(WriteExportResponse(Signal::kLogs, Encoding::kJson, {}), "{}");
  EXPECT_EQ(WriteExportResponse(Signal::kTraces, Encoding::kProtobuf, {3, "no"}),
            "\x0A\x06\x08\x03\x12\x02no");
  EXPECT_EQ(WriteExportResponse(Signal::kMetrics, Encoding::kJson, {3, "no"}),
            R"({"partialSuccess":{"errorMessage":"no","rejectedDataPoints":"3"}})");
}

}  // namespace
}  // namespace df::otlp
