// A store proves that it can write before anything depends on it.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "lake/write/file_store.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The operating system, but for one kind of call that fails; and a list of what was done.
class FailingCalls final : public FileCalls {
 public:
  std::string failing;  ///< "rename" and so on
  std::vector<std::string> done;

  int Open(const std::string& path, int flags, mode_t permissions) override {
    return Do("open", [&] { return system_.Open(path, flags, permissions); });
  }
  int Close(int descriptor) override {
    return Do("close", [&] { return system_.Close(descriptor); });
  }
  int64_t Write(int descriptor, std::string_view first, std::string_view second) override {
    return Do("write", [&] { return static_cast<int>(system_.Write(descriptor, first, second)); });
  }
  int64_t ReadAt(int descriptor, char* buffer, size_t size, int64_t offset) override {
    return system_.ReadAt(descriptor, buffer, size, offset);
  }
  int Sync(int descriptor) override {
    return Do("sync", [&] { return system_.Sync(descriptor); });
  }
  int Truncate(int descriptor, int64_t size_bytes) override {
    return system_.Truncate(descriptor, size_bytes);
  }
  int Stat(int descriptor, FileFacts* facts) override { return system_.Stat(descriptor, facts); }
  int Lock(int descriptor, FileLock lock) override {
    return Do("lock", [&] { return system_.Lock(descriptor, lock); });
  }
  int MakeDirectory(const std::string& path, mode_t permissions) override {
    return Do("mkdir", [&] { return system_.MakeDirectory(path, permissions); });
  }
  int Rename(const std::string& from, const std::string& to) override {
    return Do("rename", [&] { return system_.Rename(from, to); });
  }
  int Unlink(const std::string& path) override {
    return Do("unlink", [&] { return system_.Unlink(path); });
  }

 private:
  int Do(const std::string& name, const std::function<int()>& call) {
    if (name == failing) {
      return -ENOSPC;
    }
    done.push_back(name);
    return call();
  }

  FileCalls& system_ = SystemFileCalls();
};

class StoreProofTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::remove_all(base_); }
  void TearDown() override { fs::remove_all(base_); }

  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(base_, ignored)) {
      files.push_back(entry.path().filename());
    }
    return files;
  }

  FailingCalls calls_;
  const fs::path base_ = fs::temp_directory_path() / fmt::format("store_proof_{}", getpid()) / "a";
};

TEST_F(StoreProofTest, DoesAllThatAFileNeedsAndLeavesNothing) {
  fs::create_directories(base_ / "logs");
  std::ofstream(base_ / "logs" / "part-1.parquet") << "data";
  ASSERT_TRUE(MakeLocalStore(base_, &calls_)->Prove().ok());
  EXPECT_THAT(Files(), ::testing::UnorderedElementsAre("logs", "part-1.parquet"));
  EXPECT_EQ(fs::file_size(base_ / "logs" / "part-1.parquet"), 4U);
  for (const char* call : {"open", "lock", "write", "sync", "rename", "unlink"}) {
    EXPECT_EQ(std::count(calls_.done.begin(), calls_.done.end(), call) > 0, true) << call;
  }
}

TEST_F(StoreProofTest, MakesTheFolder) {
  ASSERT_TRUE(MakeLocalStore(base_, &calls_)->Prove().ok());
  EXPECT_TRUE(fs::is_directory(base_));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(StoreProofTest, NamesWhatCannotBeDone) {
  for (const char* call : {"mkdir", "open", "lock", "write", "sync", "rename"}) {
    fs::remove_all(base_.parent_path());
    calls_.failing = call;
    const Status status = MakeLocalStore(base_, &calls_)->Prove();
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr("': cannot "), HasSubstr("No space left on device")))
        << call;
    EXPECT_THAT(Files(), IsEmpty()) << call;
  }
}

TEST_F(StoreProofTest, AFileIsNoFolder) {
  fs::create_directories(base_.parent_path());
  std::ofstream(base_) << "a file";
  EXPECT_FALSE(MakeLocalStore(base_, &calls_)->Prove().ok());
  EXPECT_EQ(fs::file_size(base_), 6U);
  fs::remove(base_);
  EXPECT_THAT(MakeLocalStore("/proc/nope")->Prove().message(), HasSubstr("/proc/nope"));
}

TEST_F(StoreProofTest, WhatAKilledProofLeavesIsStale) {
  fs::create_directories(base_);
  std::ofstream(base_ / ".part-proof-1-1-b.parquet.tmp") << "x";
  EXPECT_EQ(MakeLocalStore(base_, &calls_)->RemoveStale().ValueOrDie(), 1);
  EXPECT_THAT(Files(), IsEmpty());
}

}  // namespace
}  // namespace df::lake
