// Files that are written on, and what becomes of them when calls fail or the machine ends.
#include "nodes/exporters/file/output_file.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "otlp/encode.h"
#include "otlp/request_file.h"
#include "testing/crash_files.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::file {
namespace {

using testing::Crash;
using testing::CrashFiles;
using ::testing::HasSubstr;

const char* const kPath = "/tmp/out";

FileConfig Config(Format format, OpenMode mode = OpenMode::kAppend,
                  Durability durability = Durability::kSync) {
  FileConfig config;
  config.format = format;
  config.open_mode = mode;
  config.durability = durability;
  return config;
}

/// Puts bytes into a file without looking at it.
void Put(CrashFiles* files, const std::string& bytes) {
  const int descriptor = files->Open(kPath, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  files->Write(descriptor, bytes, {});
  files->Close(descriptor);
}

std::string Frame(const otap::Batch& batch) {
  const std::string request = otlp::EncodeRequest(batch).ValueOrDie();
  const auto head = otlp::RequestHead(request.size()).ValueOrDie();
  return std::string(head.data(), head.size()) + request;
}

std::string Line(const otap::Batch& batch) { return otlp::EncodeJson(batch).ValueOrDie() + "\n"; }

class AppendTest : public ::testing::TestWithParam<Format> {
 protected:
  std::string Written(const otap::Batch& batch) const {
    return GetParam() == Format::kOtlpProto ? Frame(batch) : Line(batch);
  }
  Result<std::unique_ptr<OutputFile>> Open() {
    return OutputFile::Open(&files_, kPath, Config(GetParam()));
  }

  CrashFiles files_;
};

TEST_P(AppendTest, WhateverIsLeftOfARequestIsCutOffAndNothingElse) {
  testing::RandomEngine random(41);
  testing::RandomBatchOptions options;
  options.root_rows = 2;
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto batches = testing::RandomBatches(3, signal, options, random);
    const std::string whole = Written(*batches[0]) + Written(*batches[1]);
    const std::string last = Written(*batches[2]);
    const bool is_json = GetParam() == Format::kOtlpJson;
    for (size_t left = 0; left <= last.size(); ++left) {
      Put(&files_, whole + last.substr(0, left));
      const auto file = Open();
      ASSERT_TRUE(file.ok()) << file.status() << " with " << left << " of " << last.size();
      const bool lacks_newline = is_json && left + 1 == last.size();
      const bool is_whole = left == last.size() || lacks_newline;
      EXPECT_EQ(files_.Content(kPath), whole + (is_whole ? last : "")) << left;
      EXPECT_EQ((*file)->repair().cut_bytes, is_whole ? 0 : static_cast<int64_t>(left));
      EXPECT_EQ((*file)->repair().added_newline, lacks_newline);
    }
  }
}

TEST_P(AppendTest, AFirstRequestThatWasCutOffIsCutToo) {
  const std::string first = Written(*testing::SmallLogs(3));
  for (size_t left = 1; left + 1 < first.size(); ++left) {
    Put(&files_, first.substr(0, left));
    const auto file = Open();
    ASSERT_TRUE(file.ok()) << file.status() << " with " << left;
    EXPECT_EQ(files_.Content(kPath), "");
  }
}

TEST_P(AppendTest, AFileOfSomethingElseIsRefusedAndLeftAsItIs) {
  const std::string one = Written(*testing::SmallLogs(3));
  const std::string other = GetParam() == Format::kOtlpProto ? Line(*testing::SmallLogs(3))
                                                             : Frame(*testing::SmallLogs(3));
  std::string damaged = one + one + one;
  damaged[one.size() + 4] ^= 0x15;  // in the second
  for (const std::string& bytes :
       {std::string("hello world, this is a text\nof two lines\n"), std::string("x"),
        std::string("{\"a\": 1}\n{\"b\": 2}\n"), other, one + "and a remark",
        GetParam() == Format::kOtlpProto ? damaged : one + one.substr(0, 9) + one,
        one + std::string("\x7F\x7F\x7F\x7F remarks of others", 22)}) {
    Put(&files_, bytes);
    const auto file = Open();
    ASSERT_FALSE(file.ok()) << bytes;
    EXPECT_THAT(file.status().message(), HasSubstr("'/tmp/out': found "));
    EXPECT_FALSE(IsRetryable(file.status()));
    EXPECT_EQ(files_.Content(kPath), bytes);
  }
}

TEST_P(AppendTest, ZerosInPlaceOfARequestAreCutOff) {
  const std::string one = Written(*testing::SmallLogs(3));
  const std::string begin = GetParam() == Format::kOtlpProto ? one.substr(0, 4) : "";
  Put(&files_, one + begin + std::string(one.size() - begin.size(), '\0'));
  const auto file = Open();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(files_.Content(kPath), one);
}

TEST_P(AppendTest, WhatAnotherWriterIsInTheMiddleOfIsLeftAlone) {
  const std::string one = Written(*testing::SmallLogs(3));
  const auto writer = Open();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Write(one, {}).ok());
  ASSERT_TRUE((*writer)->Write(one.substr(0, 7), {}).ok());
  const auto second = Open();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE((*second)->repair().was_in_use);
  EXPECT_EQ(files_.Content(kPath), one + one.substr(0, 7));
}

TEST_P(AppendTest, TheEndOfALargeFileIsFound) {
  testing::RandomEngine random(42);
  testing::RandomBatchOptions options;
  options.root_rows = 300;
  const std::string one = Written(*testing::RandomBatch(otap::Signal::kLogs, options, random));
  std::string bytes;
  for (int i = 0; i < 50; ++i) {
    bytes += one;
  }
  Put(&files_, bytes + one.substr(0, one.size() / 2));
  const auto file = Open();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(files_.Content(kPath), bytes);
}

INSTANTIATE_TEST_SUITE_P(Formats, AppendTest,
                         ::testing::Values(Format::kOtlpJson, Format::kOtlpProto),
                         [](const auto& one) {
                           return one.param == Format::kOtlpJson ? "json" : "proto";
                         });

class OutputFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<OutputFile> Open(Durability durability = Durability::kSync) {
    return OutputFile::Open(&files_, kPath,
                            Config(Format::kOtlpProto, OpenMode::kTruncate, durability))
        .ValueOrDie();
  }
  void FailOnce(std::string_view failing, int error) {
    files_.SetFault(
        [failing, error, is_over = false](std::string_view call, const std::string&) mutable {
          return call == failing && !std::exchange(is_over, true) ? error : 0;
        });
  }

  CrashFiles files_;
};

TEST_F(OutputFileTest, AnUnfinishedRequestThatCannotBeTakenBackStopsTheNext) {
  const auto file = Open();
  ASSERT_TRUE(file->Write("12", "34").ok());
  files_.LimitWrites(3);
  int num_writes = 0;
  files_.SetFault([&](std::string_view call, const std::string&) {
    if (call == "write") {
      return ++num_writes == 2 ? -ENOSPC : 0;
    }
    return call == "truncate" ? -EIO : 0;
  });
  EXPECT_THAT(file->Write("ab", "cd").message(), HasSubstr("cannot write: No space left"));
  EXPECT_THAT(file->Write("ef", "").message(), HasSubstr("behind offset 4: Input/output error"));
  EXPECT_EQ(files_.Content(kPath), "1234abc");
  files_.SetFault({});
  ASSERT_TRUE(file->Write("ef", "").ok());
  EXPECT_EQ(files_.Content(kPath), "1234ef");
}

TEST_F(OutputFileTest, WhatCouldNotBeSyncedIsTakenBack) {
  const auto file = Open();
  ASSERT_TRUE(file->Write("12", "34").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Write("56", "78").ok());
  FailOnce("sync", -EIO);
  const Status status = file->Sync();
  EXPECT_THAT(status.message(), HasSubstr("'/tmp/out': cannot fsync: Input/output error"));
  EXPECT_TRUE(IsRetryable(status));
  EXPECT_EQ(files_.Content(kPath), "1234");
  ASSERT_TRUE(file->Write("9", "").ok());
  EXPECT_EQ(files_.Content(kPath), "12349");
}

TEST_F(OutputFileTest, WhatWasSyncedSurvivesTheMachine) {
  const auto file =
      OutputFile::Open(&files_, "/tmp/a/b/out", Config(Format::kOtlpProto, OpenMode::kCreateNew))
          .ValueOrDie();
  ASSERT_TRUE(file->Write("1234", "").ok());
  ASSERT_TRUE(file->Sync().ok());
  const auto target =
      std::filesystem::temp_directory_path() / fmt::format("output_file_{}", getpid());
  std::filesystem::remove_all(target);
  files_.LeaveAfter(Crash::kOnlyWhatWasSynced, "/tmp", target);
  std::ifstream left(target / "a/b/out");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(left), {}), "1234");
  std::filesystem::remove_all(target);
}

TEST_F(OutputFileTest, OnlyRegularFilesCanBeSynced) {
  EXPECT_THAT(OutputFile::Open(&SystemFileCalls(), "/dev/null", Config(Format::kOtlpJson))
                  .status()
                  .message(),
              HasSubstr("'/dev/null': durability: sync needs a regular file"));
}

}  // namespace
}  // namespace df::nodes::exporters::file
