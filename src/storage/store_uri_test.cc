#include "storage/store_uri.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Good {
  const char* text;
  StoreKind kind;
  const char* path;
  const char* described;
};

class GoodUri : public ::testing::TestWithParam<Good> {};

TEST_P(GoodUri, IsTakenApart) {
  const auto uri = ParseStoreUri(GetParam().text);
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->kind, GetParam().kind);
  EXPECT_EQ(uri->path, GetParam().path);
  EXPECT_EQ(uri->Describe(uri->path), GetParam().described);
}

INSTANTIATE_TEST_SUITE_P(
    Table, GoodUri,
    ::testing::Values(
        Good{"data", StoreKind::kLocal, "data", "data"},
        Good{"/data/", StoreKind::kLocal, "/data/", "/data/"},
        Good{"a?b=c", StoreKind::kLocal, "a?b=c", "a?b=c"},
        Good{"file:///data", StoreKind::kLocal, "/data", "/data"},
        Good{"s3://b", StoreKind::kS3, "b", "s3://b"},
        Good{"S3://b/p", StoreKind::kS3, "b/p", "s3://b/p"},
        Good{"s3://b//p//q/", StoreKind::kS3, "b/p/q", "s3://b/p/q"},
        Good{"s3://b/50%25 \xC3\xA4", StoreKind::kS3, "b/50%25 \xC3\xA4", "s3://b/50%25 \xC3\xA4"},
        Good{"s3://b/p?region=eu-1&anonymous=true", StoreKind::kS3, "b/p", "s3://b/p"},
        Good{"gs://b/p", StoreKind::kGcs, "b/p", "gs://b/p"},
        Good{"gcs://b/p", StoreKind::kGcs, "b/p", "gs://b/p"},
        Good{"abfs://c@acc.dfs.core.windows.net/p/q", StoreKind::kAzure, "c/p/q",
             "abfs://c@acc.dfs.core.windows.net/p/q"},
        Good{"abfss://acc.blob.core.windows.net/c/p", StoreKind::kAzure, "c/p",
             "abfs://c@acc.blob.core.windows.net/p"},
        Good{"az://c/p", StoreKind::kAzure, "c/p", "abfs://c/p"}));

TEST(StoreUri, HasTheAccountAndTheQuery) {
  const auto azure = ParseStoreUri("abfs://c@acc.dfs.core.windows.net/p").ValueOrDie();
  EXPECT_EQ(azure.account, "acc");
  const auto s3 = ParseStoreUri("s3://b?region=x&endpoint=http://h:1").ValueOrDie();
  EXPECT_EQ(s3.query.at("region"), "x");
  EXPECT_EQ(s3.query.at("endpoint"), "http://h:1");
}

struct Bad {
  const char* text;
  const char* words;
};

class BadUri : public ::testing::TestWithParam<Bad> {};

TEST_P(BadUri, IsRefused) {
  const auto uri = ParseStoreUri(GetParam().text);
  ASSERT_FALSE(uri.ok());
  EXPECT_THAT(uri.status().message(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadUri,
    ::testing::Values(Bad{"", "found nothing"}, Bad{"file://data", "absolute path"},
                      Bad{"s3://", "without a bucket"}, Bad{"s3:///p", "without a bucket"},
                      Bad{"s3a://b/p", "write s3://"}, Bad{"wasb://b/p", "write abfs://"},
                      Bad{"s4://b", "did you mean s3://?"},
                      Bad{"http://h/p", "found scheme 'http'"},
                      Bad{"s3://b?region", "expected key=value"},
                      Bad{"s3://b?region=a&region=b", "stands twice"},
                      Bad{"abfs://c@acc/p", "expected container@account"},
                      Bad{"abfs://@acc.dfs.core.windows.net/p", "expected container@account"},
                      Bad{"abfs://acc.blob.core.windows.net", "without a container"}));

TEST(StoreUri, DoesNotPrintKeys) {
  const auto uri = ParseStoreUri("s3://AKIA:hush@bucket/p");
  ASSERT_FALSE(uri.ok());
  EXPECT_THAT(uri.status().message(),
              AllOf(HasSubstr("storage.s3.auth"), Not(HasSubstr("hush")), Not(HasSubstr("AKIA"))));
}

TEST(StoreUri, NeverPrintsAKey) {
  for (const char* uri : {"abfs://c:SECRET@a.dfs.core.windows.net/p", "abfs://:SECRET@a/c",
                          "abfs://c@a.dfs.core.windows.net/p?SECRET", "s3://k:SECRET@b/p"}) {
    const auto parsed = ParseStoreUri(uri);
    ASSERT_FALSE(parsed.ok()) << uri;
    EXPECT_EQ(parsed.status().message().find("SECRET"), std::string::npos) << parsed.status();
  }
}

}  // namespace
}  // namespace df::storage
