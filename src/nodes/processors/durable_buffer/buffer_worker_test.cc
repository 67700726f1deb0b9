#include "nodes/processors/durable_buffer/buffer_worker.h"

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/crash_files.h"
#include "testing/random_batch.h"

namespace df::nodes::processors::durable_buffer {
namespace {

/// A worker on files in memory, whose reports a test can wait for.
class BufferWorkerTest : public ::testing::Test {
 protected:
  void Start() {
    worker_ = std::make_unique<BufferWorker>(
        BufferWorker::Settings{
            .folder = "/tmp/buffer", .segment_bytes = 1'000'000, .max_bytes = 1'000'000},
        &files_, [this](BufferReport report) {
          const std::lock_guard lock(mutex_);
          for (Stored& stored : report.stored) {
            stored_.push_back(std::move(stored));
          }
          has_report_.notify_all();
        });
  }
  std::vector<Stored> WaitForStored(size_t count) {
    std::unique_lock lock(mutex_);
    has_report_.wait(lock, [&] { return stored_.size() >= count; });
    return stored_;
  }
  void Store(uint64_t number) {
    testing::RandomEngine random(number);
    worker_->Store(testing::RandomBatch(otap::Signal::kLogs, {}, random), number, 0);
  }

  testing::CrashFiles files_;
  std::mutex mutex_;
  std::condition_variable has_report_;
  std::vector<Stored> stored_;
  std::unique_ptr<BufferWorker> worker_;
};

TEST_F(BufferWorkerTest, ABatchIsStoredWhenItsFileIsSyncedAndNotBefore) {
  std::mutex gate;
  std::condition_variable changed;
  bool is_syncing = false;
  bool may_sync = false;
  files_.SetFault([&](std::string_view call, const std::string& path) {
    if (call == "sync" && path.ends_with(".segment")) {
      std::unique_lock lock(gate);
      is_syncing = true;
      changed.notify_all();
      changed.wait(lock, [&] { return may_sync; });
    }
    return 0;
  });
  Start();
  Store(1);
  {
    std::unique_lock lock(gate);
    changed.wait(lock, [&] { return is_syncing; });
    const std::lock_guard reports(mutex_);
    EXPECT_TRUE(stored_.empty()) << "the sync is not over";
    may_sync = true;
    changed.notify_all();
  }
  const auto stored = WaitForStored(1);
  EXPECT_TRUE(stored[0].status.ok()) << stored[0].status;
  worker_.reset();
}

TEST_F(BufferWorkerTest, ABatchWhoseSyncFailsIsNotStored) {
  files_.SetFault([](std::string_view call, const std::string& path) {
    return call == "sync" && path.ends_with(".segment") ? -EIO : 0;
  });
  Start();
  Store(1);
  Stored stored = WaitForStored(1)[0];
  EXPECT_FALSE(stored.status.ok());
  EXPECT_FALSE(stored.is_permanent);
  files_.SetFault(nullptr);
  Store(2);
  stored = WaitForStored(2)[1];
  EXPECT_TRUE(stored.status.ok()) << stored.status;
  worker_.reset();
}

TEST_F(BufferWorkerTest, WhatCannotBeWrittenIsNotStored) {
  files_.SetFault([](std::string_view call, const std::string& path) {
    return call == "write" && path.ends_with(".segment") ? -ENOSPC : 0;
  });
  Start();
  Store(1);
  const Stored stored = WaitForStored(1)[0];
  EXPECT_FALSE(stored.status.ok());
  EXPECT_FALSE(stored.is_permanent);
  worker_.reset();
}

}  // namespace
}  // namespace df::nodes::processors::durable_buffer
