// Reading a whole tree back, for tests.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/compute/initialize.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "lake/catalog/catalog.h"
#include "lake/queue/times_wanted.h"
#include "lake/read/partition_reader.h"
#include "otap/validate.h"
#include "testing/naive_join.h"

namespace df::testing {

/// A directory that goes with its test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    // In memory where there is such a folder: hundreds of small files are fsynced.
    const std::filesystem::path memory = "/dev/shm";
    const bool has_memory = access(memory.c_str(), W_OK) == 0;
    std::string pattern =
        ((has_memory ? memory : std::filesystem::temp_directory_path()) / "lake-test-XXXXXX")
            .string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Replayed {
  std::vector<otap::BatchPtr> batches;
  std::vector<lake::Origin> origins;
  lake::ReadReport report;
  int64_t budget_left_over = 0;
  int64_t num_folders_skipped = 0;
};

/// Returns the problems of a report, a line each.
inline std::string Messages(const Replayed& replayed) {
  std::string messages;
  for (const lake::Problem& problem : replayed.report.problems) {
    messages += problem.message + "\n";
  }
  return messages;
}

/// Reads a whole tree the way a receiver does, one partition after the other.
inline Replayed ReplayTree(const std::filesystem::path& base, const lake::ReadOptions& options,
                           storage::Store* store = nullptr) {
  static const arrow::Status kInitialized = arrow::compute::Initialize();
  EXPECT_TRUE(kInitialized.ok());
  Replayed replayed;
  const auto local_store = storage::Store::Local();
  storage::Store& local = store == nullptr ? *local_store : *store;
  const auto listing =
      lake::ListLake(local, base.string(), options.signals, lake::TimesWanted(options));
  EXPECT_TRUE(listing.ok()) << listing.status();
  for (const Status& problem : listing->problems) {
    replayed.report.Add(problem);
  }
  for (const Status& notice : listing->notices) {
    replayed.report.AddNotice(notice);
  }
  replayed.num_folders_skipped = listing->num_folders_skipped;
  lake::MemoryBudget budget(options.memory_limit_bytes);
  for (const lake::PartitionListing& partition : listing->partitions) {
    const auto files = std::make_shared<lake::PartitionFiles>(
        lake::LoadPartition(local, base.string(), partition, &replayed.report));
    for (const otap::Signal signal : options.signals) {
      lake::PartitionTask task{
          .signal = signal, .files = files, .root_files = {}, .is_partial = false};
      for (size_t i = 0; i < files->of(otap::RootTable(signal)).size(); ++i) {
        task.root_files.push_back(i);
      }
      auto reader = lake::PartitionReader::Make(&local, base.string(), task, options, &budget,
                                                &replayed.report)
                        .ValueOrDie();
      while (true) {
        auto payload = reader->Next();
        if (!payload.ok()) {
          replayed.report.Add(payload.status());
          break;
        }
        if (!payload->has_value()) {
          break;
        }
        if ((**payload).batch == nullptr) {
          continue;  // nobody wants any of its rows
        }
        EXPECT_LE((**payload).batch->num_root_rows(), options.batch_size);
        replayed.batches.push_back((**payload).batch);
        replayed.origins.push_back((**payload).origin);
      }
    }
  }
  replayed.budget_left_over = budget.used_bytes();
  const Status conservation = replayed.report.CheckConservation();
  EXPECT_TRUE(conservation.ok()) << conservation;
  return replayed;
}

inline void ExpectSameRecords(const std::vector<otap::BatchPtr>& sent, const Replayed& replayed) {
  for (const otap::BatchPtr& batch : replayed.batches) {
    const Status valid = otap::Validate(*batch);
    ASSERT_TRUE(valid.ok()) << valid;
  }
  const auto expected = CanonicalRecords(sent);
  const auto actual = CanonicalRecords(replayed.batches);
  ASSERT_EQ(expected.size(), actual.size());
  ASSERT_EQ(expected, actual) << DescribeDifference(expected, actual);
  EXPECT_EQ(replayed.budget_left_over, 0);
}

}  // namespace df::testing
