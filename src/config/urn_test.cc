#include "config/urn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::config {
namespace {

using ::testing::HasSubstr;

std::string Canonical(std::string_view text) {
  const auto urn = ParseNodeUrn(text);
  return urn.ok() ? urn->ToString() : urn.status().message();
}

TEST(NodeUrn, HasAShortFormForTheNamespaceOtel) {
  EXPECT_EQ(Canonical("receiver:parquet"), "urn:otel:receiver:parquet");
  EXPECT_EQ(Canonical("urn:otel:receiver:parquet"), "urn:otel:receiver:parquet");
  EXPECT_EQ(ParseNodeUrn("urn:otel:receiver:parquet")->ToShortString(), "receiver:parquet");
  EXPECT_EQ(ParseNodeUrn("urn:acme:receiver:x")->ToShortString(), "urn:acme:receiver:x");
}

TEST(NodeUrn, IgnoresBlanksAroundItAndCaseBeforeTheId) {
  EXPECT_EQ(Canonical("  URN:Otel:RECEIVER:a.b_c-9 "), "urn:otel:receiver:a.b_c-9");
  EXPECT_EQ(Canonical("Exporter:x"), "urn:otel:exporter:x");
}

TEST(NodeUrn, SaysWhatIsWrong) {
  EXPECT_THAT(Canonical(""), HasSubstr("'' has 1 segment"));
  EXPECT_THAT(Canonical("a:b:c"), HasSubstr("3 segments"));
  EXPECT_THAT(Canonical("uri:otel:receiver:x"), HasSubstr("scheme"));
  EXPECT_THAT(Canonical("urn:o l:receiver:x"), HasSubstr("namespace 'o l'"));
  EXPECT_THAT(Canonical("receiver:X"), HasSubstr("upper case"));
  EXPECT_THAT(Canonical("receiver:\xc3\xa9"), HasSubstr("other characters"));
  EXPECT_THAT(Canonical("procesor:x"), HasSubstr("did you mean 'processor'?"));
}

}  // namespace
}  // namespace df::config
