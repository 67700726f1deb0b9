#include "lake/write/signal_writer.h"

#include <map>
#include <set>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::ExpectSameRecords;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;

using ::testing::IsEmpty;

/// Remembers what became of every batch.
class Outcomes final : public WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t> batches) override { num_encoded += std::ssize(batches); }
  void OnClosed(std::span<const uint64_t> batches, CloseReason reason, const FileCounts& counts,
                const Status& status) override {
    for (const uint64_t batch : batches) {
      EXPECT_TRUE(statuses.emplace(batch, status).second) << "batch " << batch;
    }
    reasons.push_back(reason);
    files += counts.files;
    rows += counts.rows;
    bytes += counts.bytes;
  }
  void OnRefused(uint64_t batch, const Status& status) override {
    EXPECT_TRUE(statuses.emplace(batch, status).second) << "batch " << batch;
  }

  std::map<uint64_t, Status> statuses;
  std::vector<CloseReason> reasons;
  int64_t num_encoded = 0;
  int64_t files = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
};

SignalWriter::Settings MakeSettings() {
  SignalWriter::Settings settings;
  settings.unix_millis = [time = int64_t{1'756'000'000'000}]() mutable { return time++; };
  return settings;
}

/// Writes batches of all signals, each signal with a writer of its own.
void WriteAll(FileStore* store, const std::vector<otap::BatchPtr>& batches,
              const SignalWriter::Settings& settings, WriteListener* listener) {
  std::map<otap::Signal, std::unique_ptr<SignalWriter>> writers;
  for (size_t i = 0; i < batches.size(); ++i) {
    auto& writer = writers[batches[i]->signal()];
    if (writer == nullptr) {
      writer = std::make_unique<SignalWriter>(store, batches[i]->signal(), settings, listener);
    }
    writer->Add(*batches[i], i);
  }
  for (auto& [signal, writer] : writers) {
    writer->Close(CloseReason::kEnd);
  }
}

class SignalWriterSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SignalWriterSeeds, EverythingComesBack) {
  testing::RandomEngine random(GetParam());
  testing::RandomBatchOptions options;
  options.root_rows = 1 + static_cast<int>(random() % 60);
  const auto sent =
      testing::RandomBatches(1 + static_cast<int>(random() % 12), std::nullopt, options, random);
  SignalWriter::Settings settings = MakeSettings();
  settings.options.row_group_bytes = 1 << (random() % 20);
  settings.options.row_group_rows = 1 + static_cast<int64_t>(random() % 300);
  settings.limits.rows = random() % 2 == 0 ? 1 + static_cast<int64_t>(random() % 200) : INT64_MAX;
  settings.limits.bytes = random() % 2 == 0 ? 1 << (random() % 20) : INT64_MAX;
  settings.first_id = random() % 3 == 0 ? UINT32_MAX - static_cast<uint32_t>(random() % 500) : 0;
  TemporaryFolder folder;
  Outcomes outcomes;
  WriteAll(MakeLocalStore(folder.path()).get(), sent, settings, &outcomes);
  EXPECT_EQ(outcomes.statuses.size(), sent.size());
  for (const auto& [batch, status] : outcomes.statuses) {
    EXPECT_TRUE(status.ok()) << status;
  }
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_THAT(replayed.report.problems, IsEmpty());
  ExpectSameRecords(sent, replayed);
}

INSTANTIATE_TEST_SUITE_P(Random, SignalWriterSeeds, ::testing::Range<uint64_t>(1, 25));

}  // namespace
}  // namespace df::lake
