// What an ack promises is there after a crash at any moment.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/write/signal_writer.h"
#include "testing/crash_files.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::CanonicalRecords;
using df::testing::Crash;
using df::testing::CrashFiles;
using df::testing::DescribeDifference;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::IsEmpty;

constexpr Crash kCrashes[] = {Crash::kOnlyWhatWasSynced, Crash::kNamesWereEarly,
                              Crash::kBytesWereTorn};
const char* const kBase = "/tmp/data/lake";

/// Writes batches, two to a set of files, and remembers which were acked.
class Writing final : public WriteListener {
 public:
  Writing(CrashFiles* files, const std::vector<otap::BatchPtr>& batches)
      : files_(files), batches_(batches) {}

  /// `on_acks` is called after every set.
  void Run(const std::function<void()>& on_acks) {
    on_acks_ = on_acks;
    const auto store = MakeLocalStore(kBase, files_);
    SignalWriter::Settings settings;
    settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
    SignalWriter writer(store.get(), batches_.front()->signal(), settings, this);
    for (size_t i = 0; i < batches_.size(); ++i) {
      writer.Add(batches_[i], i);
      if (i % 2 == 1) {
        writer.Close(CloseReason::kRows);
      }
    }
  }

  void OnEncoded(std::span<const uint64_t>) override {}
  void OnRefused(uint64_t, const Status& status) override { ADD_FAILURE() << status; }
  void OnClosed(std::span<const uint64_t> batches, CloseReason, const FileCounts&,
                const Status& status) override {
    ASSERT_TRUE(status.ok()) << status;
    for (const uint64_t batch : batches) {
      acked_.push_back(batches_[batch]);
    }
    on_acks_();
  }

  /// Returns what of the acked records a crash now would lose, or what it would make up; "" when
  /// neither.
  std::string Wrong(Crash crash) const {
    const TemporaryFolder left;
    files_->LeaveAfter(crash, kBase, left.path());
    const Replayed replayed = ReplayTree(left.path(), {});
    const auto there = CanonicalRecords(replayed.batches);
    const auto acked = CanonicalRecords(acked_);
    const auto sent = CanonicalRecords(batches_);
    if (!std::includes(there.begin(), there.end(), acked.begin(), acked.end())) {
      return "lost: " + DescribeDifference(acked, there);
    }
    if (!std::includes(sent.begin(), sent.end(), there.begin(), there.end())) {
      return "made up: " + DescribeDifference(sent, there);
    }
    return "";
  }

 private:
  CrashFiles* files_;
  const std::vector<otap::BatchPtr>& batches_;
  std::vector<otap::BatchPtr> acked_;
  std::function<void()> on_acks_;
};

class Durability : public ::testing::TestWithParam<otap::Signal> {
 protected:
  std::vector<otap::BatchPtr> Batches() {
    testing::RandomEngine random(31);
    testing::RandomBatchOptions options;
    options.root_rows = 4;
    options.without_attributes = 0.1;
    options.without_children = 0.1;
    return testing::RandomBatches(4, GetParam(), options, random);
  }
};

TEST_P(Durability, ACrashAtAnyMomentLosesNothingThatWasAcked) {
  const auto batches = Batches();
  CrashFiles files;
  Writing writing(&files, batches);
  int64_t num_moments = 0;
  std::string before;
  files.OnStep([&] {
    // Bytes alone change nothing before they are synced.
    const std::string now = std::to_string(files.synced_paths().size());
    if (num_moments++ % 64 != 0 && now == before) {
      return;
    }
    before = now;
    for (const Crash crash : kCrashes) {
      ASSERT_EQ(writing.Wrong(crash), "")
          << "crash " << static_cast<int>(crash) << " at step " << num_moments;
    }
  });
  writing.Run([&] {
    for (const Crash crash : kCrashes) {
      ASSERT_EQ(writing.Wrong(crash), "") << "crash " << static_cast<int>(crash);
    }
  });
  EXPECT_GT(num_moments, 100);
}

TEST_P(Durability, NoSyncCanBeLeftOut) {
  const auto batches = Batches();
  CrashFiles whole;
  Writing(&whole, batches).Run([] {});
  const auto paths = whole.synced_paths();
  ASSERT_GT(paths.size(), 10U);
  for (size_t ignored = 0; ignored < paths.size(); ++ignored) {
    if (paths[ignored] == "/") {
      continue;  // it has nothing new
    }
    CrashFiles files;
    files.IgnoreSyncsOf(ignored);
    Writing writing(&files, batches);
    bool is_seen = false;
    writing.Run([&] {
      for (const Crash crash : kCrashes) {
        is_seen = is_seen || !writing.Wrong(crash).empty();
      }
    });
    EXPECT_TRUE(is_seen) << "no crash shows that " << paths[ignored] << " was not synced";
  }
}

TEST_P(Durability, FoldersThatAnotherProcessMadeAreMadeDurable) {
  const auto batches = Batches();
  CrashFiles files;
  for (const std::string& folder :
       {std::string("/tmp/data"), std::string(kBase),
        std::string(kBase) + "/" +
            std::string(otap::GetTable(otap::RootTable(GetParam())).directory)}) {
    ASSERT_EQ(files.MakeDirectory(folder, 0777), 0);
  }
  Writing writing(&files, batches);
  writing.Run([&] { ASSERT_EQ(writing.Wrong(Crash::kOnlyWhatWasSynced), ""); });
}

INSTANTIATE_TEST_SUITE_P(All, Durability, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& one) { return std::string(otap::Name(one.param)); });

}  // namespace
}  // namespace df::lake
