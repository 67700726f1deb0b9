#include "nodes/processors/durable_buffer/segment_store.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "nodes/processors/durable_buffer/checksum.h"
#include "testing/crash_files.h"

namespace df::nodes::processors::durable_buffer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SegmentStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "segments-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string Payload(uint64_t number) {
    return fmt::format("payload {} {}", number, std::string(number * 37 % 300, 'x'));
  }

  std::unique_ptr<SegmentStore> Open(const fs::path& folder, FileCalls* calls,
                                     int64_t segment_bytes = 1000) {
    recovered_ = {};
    auto store =
        SegmentStore::Open({.folder = folder, .segment_bytes = segment_bytes}, calls, &recovered_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  std::unique_ptr<SegmentStore> Open(int64_t segment_bytes = 1000) {
    return Open(folder_, &SystemFileCalls(), segment_bytes);
  }

  static Result<RecordFacts> Add(SegmentStore* store, uint64_t number) {
    return store->Add({.signal = otap::Signal::kTraces,
                       .num_items = static_cast<int64_t>(number),
                       .accepted_nanos = static_cast<int64_t>(1000 + number)},
                      Payload(number));
  }
  /// Adds records whose number of items says which they are.
  static void AddSynced(SegmentStore* store, uint64_t first, uint64_t last) {
    for (uint64_t number = first; number <= last; ++number) {
      ASSERT_TRUE(Add(store, number).ok());
    }
    ASSERT_TRUE(store->Sync().ok());
  }

  std::vector<int64_t> Recovered() const {
    std::vector<int64_t> numbers;
    for (const RecordFacts& facts : recovered_.records) {
      numbers.push_back(facts.num_items);
    }
    return numbers;
  }
  std::vector<fs::path> Segments() const {
    std::set<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".segment") {
        found.insert(entry.path());
      }
    }
    return {found.begin(), found.end()};
  }
  static void Flip(const fs::path& path, int64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 0x40));
  }

  fs::path folder_;
  RecoveredRecords recovered_;
};

TEST_F(SegmentStoreTest, TheChecksumIsThatOfRfc3720) {
  EXPECT_EQ(Checksum(""), 0U);
  EXPECT_EQ(Checksum("123456789"), 0xE3069283U);
  EXPECT_EQ(Checksum(std::string(32, '\0')), 0x8A9136AAU);
}

TEST_F(SegmentStoreTest, RecordsComeBackInOrder) {
  {
    auto store = Open();
    AddSynced(store.get(), 1, 20);
    EXPECT_GT(Segments().size(), 2U);
  }
  auto store = Open();
  ASSERT_EQ(recovered_.records.size(), 20U);
  EXPECT_THAT(recovered_.findings, IsEmpty());
  for (uint64_t i = 0; i < 20; ++i) {
    const RecordFacts& facts = recovered_.records[i];
    EXPECT_EQ(facts.num_items, static_cast<int64_t>(i + 1));
    EXPECT_EQ(facts.signal, otap::Signal::kTraces);
    EXPECT_EQ(facts.accepted_nanos, static_cast<int64_t>(1001 + i));
    EXPECT_EQ(store->Read(facts.sequence).ValueOrDie(), Payload(i + 1));
  }
  const RecordFacts added = Add(store.get(), 21).ValueOrDie();
  EXPECT_GT(added.sequence, recovered_.records.back().sequence);
}

TEST_F(SegmentStoreTest, WhatIsRemovedStaysAwayAndItsFilesGo) {
  {
    auto store = Open();
    AddSynced(store.get(), 1, 20);
    ASSERT_TRUE(store->Remove(std::vector<uint64_t>{2, 3, 20, 99}).ok());
  }
  auto store = Open();
  EXPECT_EQ(Recovered().size(), 17U);
  EXPECT_THAT(Recovered(), ::testing::Not(::testing::Contains(::testing::AnyOf(2, 3, 20))));
  std::vector<uint64_t> rest;
  for (const RecordFacts& facts : recovered_.records) {
    rest.push_back(facts.sequence);
  }
  ASSERT_TRUE(store->Remove(rest).ok());
  EXPECT_THAT(Segments(), IsEmpty());
  EXPECT_EQ(store->size_bytes(), 0);
}

TEST_F(SegmentStoreTest, ATornEndIsCutAndNamed) {
  {
    auto store = Open(1'000'000);
    AddSynced(store.get(), 1, 5);
  }
  const fs::path segment = Segments().at(0);
  for (const int64_t cut : {1, 40, 60}) {  // in the payload, and in the head
    fs::resize_file(segment, fs::file_size(segment) - static_cast<uint64_t>(cut));
    auto store = Open(1'000'000);
    ASSERT_EQ(recovered_.findings.size(), 1U);
    EXPECT_THAT(recovered_.findings[0], HasSubstr("an incomplete end was cut off at byte"));
    EXPECT_EQ(recovered_.num_damaged, 0);
  }
  std::ofstream(segment, std::ios::app | std::ios::binary) << std::string(100, '\0');
  auto store = Open(1'000'000);
  EXPECT_THAT(Recovered(), ElementsAre(1, 2));
  EXPECT_EQ(recovered_.findings.size(), 1U);
  store.reset();
  Open(1'000'000);
  EXPECT_THAT(Recovered(), ElementsAre(1, 2));
  EXPECT_THAT(recovered_.findings, IsEmpty()) << "it is whole again";
}

TEST_F(SegmentStoreTest, ALastRecordOfOtherBytesIsATornEnd) {
  {
    auto store = Open(1'000'000);
    AddSynced(store.get(), 1, 3);
  }
  const fs::path segment = Segments().at(0);
  Flip(segment, static_cast<int64_t>(fs::file_size(segment)) - 1);
  Open(1'000'000);
  EXPECT_THAT(Recovered(), ElementsAre(1, 2));
  EXPECT_THAT(recovered_.findings, ElementsAre(HasSubstr("an incomplete end")));
}

TEST_F(SegmentStoreTest, ADamagedHeadCostsItsRecordAndNoOther) {
  std::vector<int64_t> offsets = {0};
  {
    auto store = Open(1'000'000);
    for (uint64_t number = 1; number <= 6; ++number) {
      offsets.push_back(offsets.back() + Add(store.get(), number)->size_bytes);
    }
    ASSERT_TRUE(store->Sync().ok());
  }
  Flip(Segments().at(0), offsets[2] + 20);
  auto store = Open(1'000'000);
  EXPECT_THAT(Recovered(), ElementsAre(1, 2, 4, 5, 6));
  EXPECT_THAT(recovered_.findings,
              ElementsAre(HasSubstr(fmt::format("damaged records at byte {} ({} bytes)", offsets[2],
                                                offsets[3] - offsets[2]))));
  EXPECT_EQ(recovered_.num_damaged, 1);
  EXPECT_EQ(fs::file_size(folder_ / "damaged" / fmt::format("{:016}-{}", 1, offsets[2])),
            static_cast<uint64_t>(offsets[3] - offsets[2]));
  for (const RecordFacts& facts : recovered_.records) {
    EXPECT_EQ(store->Read(facts.sequence).ValueOrDie(),
              Payload(static_cast<uint64_t>(facts.num_items)));
  }
}

TEST_F(SegmentStoreTest, ADamagedPayloadIsFoundWhenItIsReadAndSetAside) {
  int64_t offset = 0;
  auto store = Open(1'000'000);
  offset = Add(store.get(), 1)->size_bytes;
  AddSynced(store.get(), 2, 4);
  Flip(Segments().at(0), offset + SegmentStore::HeadBytes());
  const auto read = store->Read(2);
  ASSERT_FALSE(read.ok());
  EXPECT_FALSE(IsRetryable(read.status()));
  EXPECT_THAT(read.status().message(), HasSubstr("2 items of traces) is not what was written"));
  EXPECT_FALSE(store->Has(2));
  EXPECT_EQ(store->Read(3).ValueOrDie(), Payload(3));
  EXPECT_TRUE(fs::exists(folder_ / "damaged" / fmt::format("{:016}-{}", 1, offset)));
  store.reset();
  Open(1'000'000);
  EXPECT_THAT(Recovered(), ElementsAre(1, 3, 4));
}

TEST_F(SegmentStoreTest, AFolderHasOneOwner) {
  auto store = Open();
  RecoveredRecords recovered;
  const auto second = SegmentStore::Open({.folder = folder_, .segment_bytes = 1000},
                                         &SystemFileCalls(), &recovered);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().message(), HasSubstr("another process, or another node"));
  store.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(SegmentStoreTest, TheOldestSegmentMakesRoom) {
  auto store = Open();
  AddSynced(store.get(), 1, 20);
  const int64_t size = store->size_bytes();
  const auto removed = store->RemoveOldest().ValueOrDie();
  ASSERT_FALSE(removed.empty());
  EXPECT_EQ(removed.front().num_items, 1);
  EXPECT_FALSE(store->Has(removed.front().sequence));
  EXPECT_LT(store->size_bytes(), size);
  while (!store->RemoveOldest().ValueOrDie().empty()) {
  }
  EXPECT_TRUE(store->Has(20)) << "the one that is written stays";
}

TEST_F(SegmentStoreTest, AWriteThatFailsLeavesTheOthersWhole) {
  testing::CrashFiles files;
  auto store = Open("/tmp/buffer", &files, 1'000'000);
  AddSynced(store.get(), 1, 3);
  bool fails = true;
  int num_writes = 0;
  files.SetFault([&](std::string_view call, const std::string&) {
    return fails && call == "write" && ++num_writes > 1 ? -ENOSPC : 0;  // behind the head
  });
  EXPECT_FALSE(Add(store.get(), 4).ok());
  fails = false;
  AddSynced(store.get(), 5, 6);
  store.reset();
  files.LeaveAfter(testing::Crash::kOnlyWhatWasSynced, "/tmp/buffer", folder_ / "left");
  Open(folder_ / "left", &SystemFileCalls());
  EXPECT_THAT(Recovered(), ElementsAre(1, 2, 3, 5, 6));
  EXPECT_THAT(recovered_.findings, IsEmpty());
}

TEST_F(SegmentStoreTest, WhatASyncHasLostDoesNotCountAsStored) {
  testing::CrashFiles files;
  auto store = Open("/tmp/buffer", &files, 1'000'000);
  AddSynced(store.get(), 1, 2);
  ASSERT_TRUE(Add(store.get(), 3).ok());
  ASSERT_TRUE(Add(store.get(), 4).ok());
  files.SetFault([](std::string_view call, const std::string& path) {
    return call == "sync" && path.ends_with(".segment") ? -EIO : 0;
  });
  EXPECT_FALSE(store->Sync().ok());
  EXPECT_TRUE(store->Has(2));
  EXPECT_FALSE(store->Has(3));
  EXPECT_FALSE(store->Has(4));
  files.SetFault(nullptr);
  AddSynced(store.get(), 5, 5);
  store.reset();
  files.LeaveAfter(testing::Crash::kOnlyWhatWasSynced, "/tmp/buffer", folder_ / "left");
  Open(folder_ / "left", &SystemFileCalls());
  EXPECT_THAT(Recovered(), ElementsAre(1, 2, 5));
}

TEST_F(SegmentStoreTest, ASyncThatFailsWhereASegmentEndsIsSeenByHas) {
  testing::CrashFiles files;
  auto store = Open("/tmp/buffer", &files, 200);
  ASSERT_TRUE(Add(store.get(), 7).ok());  // more than a segment
  files.SetFault([](std::string_view call, const std::string& path) {
    return call == "sync" && path.ends_with(".segment") ? -EIO : 0;
  });
  EXPECT_FALSE(Add(store.get(), 8).ok());
  files.SetFault(nullptr);
  EXPECT_TRUE(store->Sync().ok()) << "nothing is left to be synced";
  EXPECT_FALSE(store->Has(1)) << "so it must not be taken for stored";
}

/// After each call to the system: what was synced, and not removed, is there.
TEST_F(SegmentStoreTest, ACrashAtAnyMomentTakesNothingThatWasSynced) {
  testing::CrashFiles files;
  std::map<uint64_t, uint64_t> durable;  // number of a record by sequence
  std::set<uint64_t> removed;
  int num_checks = 0;
  const auto check = [&](testing::Crash crash) {
    const fs::path left = folder_ / fmt::format("left-{}", ++num_checks);
    files.LeaveAfter(crash, "/tmp/buffer", left);
    RecoveredRecords recovered;
    auto store =
        SegmentStore::Open({.folder = left, .segment_bytes = 1000}, &SystemFileCalls(), &recovered);
    ASSERT_TRUE(store.ok()) << store.status();
    uint64_t before = 0;
    std::set<uint64_t> found;
    for (const RecordFacts& facts : recovered.records) {
      ASSERT_GT(facts.sequence, before);
      before = facts.sequence;
      found.insert(facts.sequence);
      const auto payload = (*store)->Read(facts.sequence);
      if (durable.contains(facts.sequence)) {
        ASSERT_TRUE(payload.ok()) << payload.status();
        ASSERT_EQ(*payload, Payload(durable.at(facts.sequence)));
      }
    }
    for (const auto& [sequence, number] : durable) {
      ASSERT_TRUE(found.contains(sequence) || removed.contains(sequence)) << sequence;
    }
    store->reset();
    fs::remove_all(left);
  };
  bool is_checking = false;
  auto store = Open("/tmp/buffer", &files, 600);
  files.OnStep([&] {
    if (std::exchange(is_checking, true)) {
      return;
    }
    for (const testing::Crash crash :
         {testing::Crash::kOnlyWhatWasSynced, testing::Crash::kNamesWereEarly,
          testing::Crash::kBytesWereTorn}) {
      check(crash);
    }
    is_checking = false;
  });
  std::vector<RecordFacts> open;
  for (uint64_t number = 1; number <= 12; ++number) {
    open.push_back(Add(store.get(), number).ValueOrDie());
    if (number % 2 == 0) {
      ASSERT_TRUE(store->Sync().ok());
      for (const RecordFacts& facts : std::exchange(open, {})) {
        durable[facts.sequence] = static_cast<uint64_t>(facts.num_items);
      }
    }
    if (number % 4 == 0) {
      removed.insert({number - 3, number - 2});
      ASSERT_TRUE(store->Remove(std::vector<uint64_t>{number - 3, number - 2}).ok());
    }
  }
  EXPECT_GT(num_checks, 100);
}

}  // namespace
}  // namespace df::nodes::processors::durable_buffer
