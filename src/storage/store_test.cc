#include "storage/store.h"

#include <map>
#include <memory>
#include <string>

#include <arrow/buffer.h>
#include <arrow/filesystem/mockfs.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/scripted_store.h"

namespace df::storage {
namespace {

using df::testing::Answer;
using df::testing::NoWaits;
using df::testing::ScriptedStore;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::shared_ptr<Store> Scripted(df::testing::AnswerScript script, StoreKind kind = StoreKind::kS3) {
  return Store::Over({.kind = kind, .path = "b/lake"}, {},
                     std::make_shared<ScriptedStore>(std::move(script)),
                     std::make_unique<NoWaits>());
}

std::shared_ptr<arrow::Buffer> Bytes(const std::string& text) {
  return arrow::Buffer::FromString(text);
}

TEST(Store, WritesListsAndRemovesWhateverFails) {
  int num_requests = 0;
  const auto store = Scripted([&](std::string_view operation, const std::string&) {
    return operation == "close" || ++num_requests % 3 == 0 ? Answer::kWhole : Answer::kFails;
  });
  ASSERT_TRUE(store->WriteFile("b/lake/logs/p/f", Bytes("hello")).ok());
  const auto directories = store->ReadDirectories("b/lake").ValueOrDie();
  EXPECT_EQ(directories->List("b/lake/logs").ValueOrDie().entries.front().name, "p");
  EXPECT_THAT(store->ListFiles("b/lake/logs").ValueOrDie(), ElementsAre("b/lake/logs/p/f"));
  EXPECT_TRUE(store->Exists("b/lake/logs/p/f").ValueOrDie());
  EXPECT_FALSE(store->Exists("b/lake/logs/p/g").ValueOrDie());
  const auto file = store->OpenFile("b/lake/logs/p/f").ValueOrDie();
  EXPECT_EQ(file->ReadAt(1, 3).ValueOrDie()->ToString(), "ell");
  ASSERT_TRUE(store->RemoveFile("b/lake/logs/p/f").ok());
  EXPECT_FALSE(store->OpenFile("b/lake/logs/p/f").ok());
  EXPECT_EQ(store->counts().failed, 1);
}

TEST(Store, ListsAzureFolderByFolderAndNoFolderTwice) {
  for (const StoreKind kind : {StoreKind::kAzure, StoreKind::kS3}) {
    std::map<std::string, int> num_listed;
    const auto store = Scripted(
        [&](std::string_view operation, const std::string& path) {
          return operation == "list" && ++num_listed[path] < 6 ? Answer::kFails : Answer::kWhole;
        },
        kind);
    for (const char* path : {"b/lake/logs/p/f", "b/lake/logs/q/f", "b/lake/spans/p/f"}) {
      ASSERT_TRUE(store->WriteFile(path, Bytes("hello")).ok());
    }
    EXPECT_THAT(store->ListFiles("b/lake").ValueOrDie(),
                UnorderedElementsAre("b/lake/logs/p/f", "b/lake/logs/q/f", "b/lake/spans/p/f"));
    const std::map<std::string, int> folders = {{"b/lake", 6},        {"b/lake/logs", 6},
                                                {"b/lake/logs/p", 6}, {"b/lake/logs/q", 6},
                                                {"b/lake/spans", 6},  {"b/lake/spans/p", 6}};
    const std::map<std::string, int> once = {{"b/lake", 6}};
    EXPECT_EQ(num_listed, kind == StoreKind::kAzure ? folders : once);
    const auto directories = store->ReadDirectories("b/lake").ValueOrDie();
    EXPECT_EQ(directories->List("b/lake/logs").ValueOrDie().entries.size(), 2);
    EXPECT_EQ(directories->List("b/lake/spans/p").ValueOrDie().entries.front().name, "f");
    EXPECT_FALSE(store->ReadDirectories("b/other").ok());
    EXPECT_THAT(store->ListFiles("b/other").ValueOrDie(), IsEmpty());
  }
}

/// Lists a folder below itself, as Azure's file system does where a name has an empty part.
class FolderInItself final : public arrow::fs::internal::MockFileSystem {
 public:
  FolderInItself() : MockFileSystem(arrow::fs::TimePoint{}) {}
  using MockFileSystem::GetFileInfo;
  arrow::Result<arrow::fs::FileInfoVector> GetFileInfo(
      const arrow::fs::FileSelector& selector) override {
    EXPECT_LE(++num_listed_, 3);
    if (num_listed_ > 3) {
      return arrow::Status::IOError("HTTP status 400");  // else it would not end
    }
    ARROW_ASSIGN_OR_RAISE(auto found, MockFileSystem::GetFileInfo(selector));
    found.emplace_back(selector.base_dir, arrow::fs::FileType::Directory);
    return found;
  }

 private:
  int num_listed_ = 0;
};

TEST(Store, ListsNoFolderOfAzureInItself) {
  const auto objects = std::make_shared<FolderInItself>();
  ASSERT_TRUE(objects->CreateDir("b/lake/logs/p", true).ok());
  const auto store = Store::Over({.kind = StoreKind::kAzure, .path = "b/lake"}, {}, objects);
  const auto directories = store->ReadDirectories("b/lake");
  ASSERT_TRUE(directories.ok()) << directories.status();
  EXPECT_EQ((*directories)->List("b/lake").ValueOrDie().entries.size(), 1);
}

TEST(Store, WritesAgainWhatTheStoreHasForgotten) {
  int num_closed = 0;
  int num_forgotten = 2;
  const auto store = Scripted([&](std::string_view operation, const std::string&) {
    return operation == "close" && num_closed++ < num_forgotten ? Answer::kForgotten
                                                                : Answer::kWhole;
  });
  ASSERT_TRUE(store->WriteFile("b/lake/f", Bytes("hello")).ok());
  EXPECT_EQ(num_closed, 3);
  EXPECT_EQ(store->OpenFile("b/lake/f").ValueOrDie()->ReadAt(0, 9).ValueOrDie()->ToString(),
            "hello");
  num_closed = 0;
  num_forgotten = 100;
  EXPECT_THAT(store->WriteFile("b/lake/f", Bytes("x")).message(), HasSubstr("NO_SUCH_UPLOAD"));
  EXPECT_EQ(num_closed, 3) << "not without end";
}

TEST(Store, WritesAgainWhatDidNotArriveWhole) {
  int num_closed = 0;
  int num_short = 2;
  bool may_look = true;
  const auto store = Scripted([&](std::string_view operation, const std::string&) {
    if (operation == "look" && !may_look) {
      return Answer::kDenied;
    }
    return operation == "close" && num_closed++ < num_short ? Answer::kShort : Answer::kWhole;
  });
  ASSERT_TRUE(store->WriteFile("b/lake/f", Bytes("hello")).ok());
  EXPECT_EQ(num_closed, 3);
  EXPECT_EQ(store->OpenFile("b/lake/f").ValueOrDie()->ReadAt(0, 9).ValueOrDie()->ToString(),
            "hello");
  num_closed = 0;
  num_short = 100;
  EXPECT_THAT(store->WriteFile("b/lake/f", Bytes("hello")).message(),
              HasSubstr("the store has 2 bytes of it, expected 5"));
  EXPECT_EQ(num_closed, 3);
  may_look = false;  // keys that may write only
  EXPECT_TRUE(store->WriteFile("b/lake/f", Bytes("hello")).ok());
}

TEST(Store, TakesWhatArrivedThoughTheAnswerWasLost) {
  for (const Answer lost : {Answer::kLost, Answer::kAskedTwice}) {
    int num_closed = 0;
    const auto store = Scripted([&](std::string_view operation, const std::string&) {
      num_closed += operation == "close" ? 1 : 0;
      return operation == "close" ? lost : Answer::kWhole;
    });
    const Status written = store->WriteFile("b/lake/f", Bytes("hello"));
    EXPECT_TRUE(written.ok()) << written;
    EXPECT_EQ(num_closed, 1) << "a reader would see another version";
    EXPECT_EQ(store->OpenFile("b/lake/f").ValueOrDie()->ReadAt(0, 9).ValueOrDie()->ToString(),
              "hello");
  }
}

TEST(Store, TakesNoOtherBytesForThoseThatItWrote) {
  bool is_forgotten = false;
  int num_closed = 0;
  Answer read = Answer::kWhole;
  const auto store = Scripted([&](std::string_view operation, const std::string&) {
    if (operation == "close" && is_forgotten) {
      ++num_closed;
      return Answer::kForgotten;
    }
    return operation == "read" ? read : Answer::kWhole;
  });
  ASSERT_TRUE(store->WriteFile("b/lake/f", Bytes("hello")).ok());
  is_forgotten = true;
  EXPECT_THAT(store->WriteFile("b/lake/f", Bytes("world")).message(), HasSubstr("NO_SUCH_UPLOAD"));
  EXPECT_EQ(num_closed, 3);
  for (const Answer answer : {Answer::kDenied, Answer::kFails}) {
    read = answer;
    num_closed = 0;
    EXPECT_THAT(store->WriteFile("b/lake/f", Bytes("hello")).message(),
                HasSubstr("NO_SUCH_UPLOAD"));
    EXPECT_EQ(num_closed, 3) << "what cannot be read is not known";
  }
}

TEST(Store, RemovesWhatIsNotThere) {
  const auto store = Scripted([](std::string_view, const std::string&) { return Answer::kWhole; });
  ASSERT_TRUE(store->WriteFile("b/lake/f", Bytes("hello")).ok());
  ASSERT_TRUE(store->RemoveFile("b/lake/f").ok());
  const Status again = store->RemoveFile("b/lake/f");  // as after an answer that was lost
  EXPECT_TRUE(again.ok()) << again;
}

TEST(Store, WhatItsClientThrowsIsAnError) {
  std::string throws;
  bool is_once = true;
  int version = 0;
  const auto store = Scripted([&](std::string_view operation, const std::string&) {
    if (operation != throws) {
      return Answer::kWhole;
    }
    throws = is_once ? "" : throws;
    return Answer::kThrows;
  });
  ASSERT_TRUE(store->WriteFile("b/lake/f", Bytes("hello")).ok());
  for (const bool once : {true, false}) {
    for (const char* operation : {"list", "look", "open", "read", "write", "close"}) {
      SCOPED_TRACE(operation);
      is_once = once;
      throws = operation;
      EXPECT_EQ(store->ListFiles("b/lake").ok(), once || throws != "list");
      EXPECT_EQ(store->Exists("b/lake/f").ok(), once || throws != "look");
      const auto file = store->OpenFile("b/lake/f");
      EXPECT_EQ(file.ok(), once || throws != "open");
      if (file.ok()) {
        EXPECT_EQ((*file)->ReadAt(0, 5).ok(), once || throws != "read");
      }
      // Another version: nothing that was read before is given out.
      const Status written =
          store->WriteFile("b/lake/f", Bytes(fmt::format("hello {}", ++version)));
      EXPECT_EQ(written.ok(), once || (throws != "write" && throws != "close" && throws != "look"));
      if (!written.ok()) {
        EXPECT_THAT(written.message(), HasSubstr("the client of the store gave up: as scripted"));
      }
    }
  }
}

TEST(Store, SaysWhatIsRefused) {
  const auto store = Scripted([](std::string_view, const std::string&) { return Answer::kDenied; });
  EXPECT_THAT(store->ReadDirectories("b/lake").status().message(),
              AllOf(HasSubstr("s3://b/lake cannot be listed"), HasSubstr("s3:ListBucket")));
  EXPECT_THAT(store->WriteFile("b/lake/f", Bytes("x")).message(),
              AllOf(HasSubstr("s3://b/lake/f cannot be written"), HasSubstr("s3:PutObject")));
  EXPECT_THAT(store->OpenFile("b/lake/f").status().message(), HasSubstr("cannot be opened"));
}

TEST(Store, OfAFolderKeepsItsPath) {
  const auto store = Store::Make({.path = "/data"}).ValueOrDie();
  EXPECT_EQ(store->uri().path, "/data");
  EXPECT_EQ(store->Describe(store->uri().path), "/data");
}

TEST(Store, StopsAtOnce) {
  const auto store = Scripted([](std::string_view, const std::string&) { return Answer::kFails; });
  store->Stop();
  EXPECT_TRUE(store->OpenFile("b/lake/f").status().IsIOError());
}

TEST(Store, TellsWhatExistsThoughRequestsFail) {
  int num_requests = 0;
  const auto store = Scripted([&](std::string_view operation, const std::string&) {
    return operation == "look" && ++num_requests % 3 != 0 ? Answer::kFails : Answer::kWhole;
  });
  EXPECT_FALSE(store->Exists("b/lake/f").ValueOrDie());
  const auto denied =
      Scripted([](std::string_view, const std::string&) { return Answer::kDenied; });
  EXPECT_THAT(denied->Exists("b/lake/f").status().message(), HasSubstr("s3:GetObject"));
}

struct BadStore {
  const char* uri;
  StoreOptions options;
  const char* words;
};

class BadOptions : public ::testing::TestWithParam<BadStore> {};

TEST_P(BadOptions, AreRefused) {
  const auto store = Store::Make(ParseStoreUri(GetParam().uri).ValueOrDie(), GetParam().options);
  ASSERT_FALSE(store.ok());
  EXPECT_THAT(store.status().message(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadOptions,
    ::testing::Values(
        BadStore{"s3://b?zone=1", {}, "unknown key 'zone', expected region, endpoint"},
        BadStore{"s3://b?region=a", {.s3 = S3Options{.region = "b"}}, "storage.s3.region says"},
        BadStore{"s3://b", {.s3 = S3Options{.endpoint = "127.0.0.1:9000"}}, "http:// or https://"},
        BadStore{"s3://b", {.s3 = S3Options{.endpoint = "http://127.0.0.1:9000"}}, "allow_http"},
        BadStore{"s3://b", {.s3 = S3Options{.endpoint = "https://h/path"}}, "without a path"},
        BadStore{"s3://b?anonymous=perhaps", {}, "expected true or false"},
        BadStore{"gs://b?region=x", {}, "unknown key 'region'"},
        BadStore{"gs://b",
                 {.gcs = GcsOptions{.auth = {.kind = GcsAuth::Kind::kServiceAccount,
                                             .service_account_file = "/nowhere"}}},
                 "'/nowhere' cannot be read"},
        BadStore{"az://c/p", {}, "no account is named"},
        BadStore{"abfs://c@a.dfs.core.windows.net",
                 {.azure = AzureOptions{.account = "other"}},
                 "storage.azure.account says other"}));

}  // namespace
}  // namespace df::storage
