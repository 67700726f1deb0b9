#include "storage/store_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Case {
  StoreKind kind;
  const char* message;  ///< as Arrow's file systems gave it
  Failure failure;
};

class Answers : public ::testing::TestWithParam<Case> {};

TEST_P(Answers, AreTold) {
  EXPECT_EQ(FailureOf(GetParam().kind, Status::IOError(GetParam().message)), GetParam().failure);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Answers,
    ::testing::Values(
        Case{StoreKind::kS3,
             "When listing objects under key 'p/' in bucket 'b': AWS Error NO_SUCH_BUCKET during "
             "ListObjectsV2 operation: The specified bucket does not exist",
             Failure::kNotFound},
        Case{StoreKind::kS3,
             "AWS Error ACCESS_DENIED during GetObject operation: No response body.",
             Failure::kDenied},
        Case{StoreKind::kS3,
             "AWS Error NETWORK_CONNECTION during ListObjectsV2 operation: curlCode: 7, Could not "
             "connect to server",
             Failure::kMayPass},
        Case{StoreKind::kS3, "AWS Error SLOW_DOWN during GetObject operation: Please reduce",
             Failure::kThrottled},
        Case{StoreKind::kS3, "AWS Error UNKNOWN (HTTP status 400) during HeadObject operation",
             Failure::kPermanent},
        Case{StoreKind::kS3, "AWS Error NETWORK_CONNECTION: curlCode: 60, SSL peer certificate",
             Failure::kTls},
        Case{StoreKind::kGcs, "google::cloud::Status(PERMISSION_DENIED: Permission denied)",
             Failure::kDenied},
        Case{StoreKind::kGcs, "google::cloud::Status(UNAVAILABLE: Retry policy exhausted)",
             Failure::kMayPass},
        Case{StoreKind::kAzure, "Azure Error: [ContainerNotFound] 404 The container is not there",
             Failure::kNotFound},
        Case{StoreKind::kAzure, "Azure Error: [AuthenticationFailed] 403 Server failed",
             Failure::kDenied},
        Case{StoreKind::kAzure, "Azure Error: [ServerBusy] 503", Failure::kThrottled}));

TEST(StoreFailure, NamesThePermissionThatIsMissing) {
  const StoreUri uri{.kind = StoreKind::kS3, .path = "b/p"};
  const Status denied = Status::IOError("AWS Error ACCESS_DENIED");
  EXPECT_THAT(
      ExplainFailure(uri, Operation::kList, "b/p", denied).message(),
      AllOf(HasSubstr("s3://b/p cannot be listed: access denied"), HasSubstr("s3:ListBucket")));
  EXPECT_THAT(ExplainFailure(uri, Operation::kRead, "b/p/f", denied).message(),
              AllOf(HasSubstr("s3://b/p/f cannot be read"), HasSubstr("s3:GetObject")));
  EXPECT_THAT(ExplainFailure(uri, Operation::kWrite, "b/p/f", denied).message(),
              HasSubstr("s3:PutObject"));
}

TEST(StoreFailure, TellsThatAzureHasNoKeysWhateverTheKindOfTheError) {
  const Status status = Status::UnknownError(
      "Check for Hierarchical Namespace support on 'x' failed: Failed to get token from "
      "DefaultAzureCredential.");
  EXPECT_EQ(FailureOf(StoreKind::kAzure, status), Failure::kDenied);
  EXPECT_THAT(
      ExplainFailure({.kind = StoreKind::kAzure, .path = "b"}, Operation::kList, "b/p", status)
          .message(),
      AllOf(HasSubstr("access denied"), HasSubstr("Storage Blob Data Reader")));
}

TEST(StoreFailure, GivesHintsOfSettingsThatTheStoreHas) {
  for (const char* cause : {"curlCode: 60, SSL peer certificate", "HTTP status 301"}) {
    for (const StoreKind kind : {StoreKind::kGcs, StoreKind::kAzure}) {
      EXPECT_THAT(ExplainFailure({.kind = kind, .path = "b"}, Operation::kOpen, "b/f",
                                 Status::IOError(cause))
                      .message(),
                  ::testing::Not(HasSubstr("s3")));
    }
  }
}

TEST(StoreFailure, NeverPrintsASignature) {
  const Status status = ExplainFailure(
      {.kind = StoreKind::kAzure, .path = "c"}, Operation::kOpen, "c/f",
      Status::IOError("GetProperties failed for 'https://a/c/f?sv=1&sig=SECRET%3D&se=2'. 403"));
  EXPECT_THAT(status.message(), ::testing::Not(HasSubstr("SECRET")));
  EXPECT_THAT(status.message(), HasSubstr("sig=..&se=2'"));
}

TEST(StoreFailure, LeavesLocalErrorsAlone) {
  const Status status = Status::IOError("No space left on device");
  EXPECT_EQ(ExplainFailure({}, Operation::kWrite, "f", status).message(), status.message());
}

}  // namespace
}  // namespace df::storage
