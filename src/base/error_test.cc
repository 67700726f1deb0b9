#include "base/error.h"

#include <cerrno>

#include <arrow/util/io_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df {
namespace {

TEST(Error, MessageNamesEveryKnownPartOfTheLocation) {
  const Status status =
      MakeError(ErrorKind::kParquet, "bad magic: found 'ABCD', expected 'PAR1'",
                {.partition = "_part_id=1", .table = "logs", .file = "a.parquet", .row_group = 3});
  EXPECT_THAT(
      status.message(),
      testing::AllOf(testing::HasSubstr("partition=_part_id=1"), testing::HasSubstr("table=logs"),
                     testing::HasSubstr("file=a.parquet"), testing::HasSubstr("row_group=3")));
  EXPECT_EQ(KindOf(status), ErrorKind::kParquet);
}

TEST(Error, UnknownPartsAreNotPrinted) {
  EXPECT_EQ(MakeError(ErrorKind::kQuery, "no").message(), "no");
}

TEST(Error, ContextIsAddedOnce) {
  const Status inner = MakeError(ErrorKind::kIo, "gone", {}, true);
  const Status outer = WithContext(inner, ErrorKind::kParquet, {.table = "logs"});
  EXPECT_EQ(KindOf(outer), ErrorKind::kIo);
  EXPECT_TRUE(IsRetryable(outer));
  EXPECT_EQ(outer.message(), "gone");
}

TEST(Error, AMessageIsOneLine) {
  EXPECT_EQ(MakeError(ErrorKind::kParquet, "one\n  two\r\nthree\n").message(), "one two three");
}

TEST(Error, TheCauseOfTheSystemIsSaidAndThePathOnce) {
  const Status denied =
      arrow::internal::IOErrorFromErrno(EACCES, "Failed to open local file '/data/logs/a.parquet'");
  EXPECT_EQ(WithContext(denied, ErrorKind::kIo, {.table = "logs", .file = "logs/a.parquet"}, true)
                .message(),
            "Failed to open local file: Permission denied [table=logs file=logs/a.parquet]");
  EXPECT_EQ(WithContext(denied, ErrorKind::kIo, {}).message(),
            "Failed to open local file '/data/logs/a.parquet': Permission denied");
}

TEST(Error, OnlyWhatIsKnownToFailAgainIsPermanent) {
  EXPECT_TRUE(IsPermanent(MakeError(ErrorKind::kFileDiscovery, "x")));
  EXPECT_FALSE(IsPermanent(MakeError(ErrorKind::kFileDiscovery, "x", {}, true)));
  EXPECT_FALSE(IsPermanent(Status::Invalid("nothing is known of it")));
  EXPECT_FALSE(IsPermanent(Status::OK()));
}

TEST(Error, ForeignStatusGetsKindFromItsCode) {
  EXPECT_EQ(KindOf(Status::IOError("x")), ErrorKind::kIo);
  EXPECT_EQ(KindOf(Status::Invalid("x")), ErrorKind::kArrow);
  EXPECT_TRUE(WithContext(Status::OK(), ErrorKind::kIo, {}).ok());
}

}  // namespace
}  // namespace df
