#include "storage/remote_file.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <arrow/buffer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/ahead_stream.h"
#include "storage/store.h"
#include "storage/store_failure.h"
#include "testing/scripted_store.h"

namespace df::storage {
namespace {

using df::testing::Answer;
using df::testing::NoWaits;
using df::testing::RangeRequest;
using df::testing::ScriptedStore;
using ::testing::HasSubstr;

std::string RandomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
  return bytes;
}

/// Has ranges of a remote file fetched.
RemoteFile::Hold Announce(const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                          const std::vector<arrow::io::ReadRange>& ranges) {
  return dynamic_cast<RemoteFile&>(*file).Announce(ranges);
}

class RemoteFileTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(objects_->CreateDir(path.substr(0, path.find_last_of('/')), true).ok());
    ASSERT_TRUE(objects_->CreateFile(path, bytes).ok());
  }
  std::shared_ptr<Store> MakeStore(ReadOptions read, RetryOptions retry = {}) {
    return Store::Over({.kind = StoreKind::kS3, .path = "b"}, {.retry = retry, .read = read},
                       objects_, std::make_unique<NoWaits>());
  }
  std::string ReadAt(arrow::io::RandomAccessFile* file, int64_t position, int64_t num_bytes) {
    const auto buffer = file->ReadAt(position, num_bytes);
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    return buffer.ok() ? (*buffer)->ToString() : "";
  }

  std::function<Answer(std::string_view, const std::string&)> script_ =
      [](std::string_view, const std::string&) { return Answer::kWhole; };
  std::shared_ptr<ScriptedStore> objects_ =
      std::make_shared<ScriptedStore>([this](std::string_view operation, const std::string& path) {
        return script_(operation, path);
      });
};

constexpr ReadOptions kSmall{
    .request_bytes = 4096, .hole_bytes = 100, .tail_bytes = 512, .cache_bytes = 2048};

TEST_F(RemoteFileTest, TheEndIsReadOnceHoweverOftenAFileIsOpened) {
  const std::string bytes = RandomBytes(10'000, 1);
  Put("b/f", bytes);
  const auto store = MakeStore(kSmall);
  for (int i = 0; i < 3; ++i) {
    const auto file = store->OpenFile("b/f").ValueOrDie();
    EXPECT_EQ(ReadAt(file.get(), 9'992, 8), bytes.substr(9'992));
    EXPECT_EQ(ReadAt(file.get(), 9'500, 200), bytes.substr(9'500, 200));
  }
  EXPECT_EQ(objects_->requests().size(), 1U);
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 3);
  EXPECT_EQ(store->counts().bytes_fetched, 512);
}

TEST_F(RemoteFileTest, ASmallFileIsAskedForOnceAfterEachListing) {
  const std::string first = RandomBytes(400, 1);
  const std::string second = RandomBytes(400, 2);
  Put("b/f", first);
  const auto store = MakeStore(kSmall);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 0, 400), first);
  }
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 1);
  Put("b/f", second);
  objects_->Touch();
  ASSERT_TRUE(store->ReadDirectories("b").ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 0, 400), second);
  }
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 2);
}

TEST_F(RemoteFileTest, WhatWasReadDuringAListingIsNotKept) {
  const std::string first = RandomBytes(400, 1);
  const std::string second = RandomBytes(400, 2);
  Put("b/f", first);
  const auto store = MakeStore(kSmall);
  script_ = [&](std::string_view operation, const std::string&) {
    if (operation == "list") {
      // The listing shows the second version; the first is read while it is made.
      EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 0, 400), first);
      Put("b/f", second);
      objects_->Touch();
    }
    return Answer::kWhole;
  };
  ASSERT_TRUE(store->ReadDirectories("b").ok());
  EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 0, 400), second);
}

TEST_F(RemoteFileTest, FilesThatArePreparedAreOpenedTogetherAndEachOnce) {
  const std::string bytes = RandomBytes(2'000, 4);
  std::vector<std::string> paths;
  for (int i = 0; i < 40; ++i) {
    paths.push_back(fmt::format("b/{}", i));
    Put(paths.back(), bytes);
  }
  const auto store = MakeStore(kSmall);
  store->Prepare(paths);
  for (const std::string& path : paths) {
    EXPECT_EQ(ReadAt(store->OpenFile(path).ValueOrDie().get(), 1'990, 10), bytes.substr(1'990));
  }
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 40);
  EXPECT_EQ(objects_->requests().size(), 40U);
  store->Prepare({"b/0", "b/nowhere"});
  EXPECT_FALSE(store->OpenFile("b/nowhere").ok());
  EXPECT_TRUE(store->OpenFile("b/1").ok());
}

TEST_F(RemoteFileTest, ANewVersionIsNotReadFromTheOldEnd) {
  const std::string first = RandomBytes(600, 1);
  const std::string second = RandomBytes(600, 2);
  Put("b/f", first);
  const auto store = MakeStore(kSmall);
  EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 500, 100), first.substr(500));
  Put("b/f", second);
  objects_->Touch();
  EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 500, 100), second.substr(500));
}

TEST_F(RemoteFileTest, RangesThatAreAnnouncedAreFetchedTogether) {
  const std::string bytes = RandomBytes(100'000, 3);
  Put("b/f", bytes);
  const auto store = MakeStore(kSmall);
  const auto file = store->OpenFile("b/f").ValueOrDie();
  // Three that touch or nearly do, and one far away.
  const auto hold = Announce(file, {{1'100, 500}, {100, 1'000}, {1'650, 400}, {50'000, 700}});
  EXPECT_EQ(ReadAt(file.get(), 100, 1'000), bytes.substr(100, 1'000));
  EXPECT_EQ(ReadAt(file.get(), 1'650, 400), bytes.substr(1'650, 400));
  EXPECT_EQ(ReadAt(file.get(), 1'200, 10), bytes.substr(1'200, 10));
  EXPECT_EQ(ReadAt(file.get(), 50'100, 600), bytes.substr(50'100, 600));
  std::vector<int64_t> positions;
  for (const RangeRequest& request : objects_->requests()) {
    positions.push_back(request.position);
  }
  EXPECT_THAT(positions, ::testing::UnorderedElementsAre(100, 50'000));
  // What was not announced is read by itself, across the border too.
  EXPECT_EQ(ReadAt(file.get(), 2'000, 100), bytes.substr(2'000, 100));
  EXPECT_EQ(objects_->requests().size(), 3U);
}

TEST_F(RemoteFileTest, AnnouncedBytesGoWhenTheyHaveBeenReadOrNobodyHoldsThem) {
  const std::string bytes = RandomBytes(100'000, 3);
  Put("b/f", bytes);
  const auto store = MakeStore(kSmall);
  const auto file = store->OpenFile("b/f").ValueOrDie();
  const int64_t most = store->ahead_left();
  const auto first = Announce(file, {{0, 10'000}, {20'000, 500}});  // the first: three requests
  auto second = Announce(file, {{40'000, 1'000}});
  EXPECT_EQ(store->ahead_left(), most - 11'500);
  EXPECT_EQ(ReadAt(file.get(), 3'000, 6'000), bytes.substr(3'000, 6'000));
  EXPECT_EQ(ReadAt(file.get(), 20'000, 500), bytes.substr(20'000, 500));
  EXPECT_EQ(store->ahead_left(), most - 11'500);
  EXPECT_EQ(ReadAt(file.get(), 9'000, 1'000), bytes.substr(9'000, 1'000));
  EXPECT_EQ(store->ahead_left(), most - 1'000);
  const size_t num_requests = objects_->requests().size();
  EXPECT_EQ(num_requests, 5U);
  second.reset();
  EXPECT_EQ(store->ahead_left(), most);
  EXPECT_EQ(ReadAt(file.get(), 40'000, 10), bytes.substr(40'000, 10));
  EXPECT_EQ(objects_->requests().size(), num_requests + 1);
}

TEST_F(RemoteFileTest, RangesThatOverlapAreReadRight) {
  const std::string bytes = RandomBytes(10'000, 3);
  Put("b/f", bytes);
  const auto store = MakeStore(kSmall);
  const auto file = store->OpenFile("b/f").ValueOrDie();
  const auto hold = Announce(file, {{100, 1'000}, {500, 2'000}, {-5, 20}, {9'990, 100}, {50, 0}});
  EXPECT_EQ(ReadAt(file.get(), 500, 2'000), bytes.substr(500, 2'000));
  EXPECT_EQ(ReadAt(file.get(), 100, 1'000), bytes.substr(100, 1'000));
}

TEST_F(RemoteFileTest, AStretchIsReadTwoPiecesAtATime) {
  const std::string bytes = RandomBytes(100'000, 3);
  Put("b/f", bytes);
  for (const int64_t piece_bytes : {1'000, 3'777, 1'000'000}) {
    const auto store = MakeStore(kSmall);
    const auto file = std::dynamic_pointer_cast<RemoteFile>(store->OpenFile("b/f").ValueOrDie());
    const int64_t most = store->ahead_left();
    AheadStream stream(file, 500, 99'400, piece_bytes);
    std::mt19937_64 random(7);
    std::string read;
    int64_t most_held = 0;
    while (true) {
      const auto buffer = stream.Read(static_cast<int64_t>(1 + random() % 5'000)).ValueOrDie();
      if (buffer->size() == 0) {
        break;
      }
      read += buffer->ToString();
      most_held = std::max(most_held, most - store->ahead_left());
    }
    EXPECT_EQ(read, bytes.substr(500, 99'400));
    EXPECT_EQ(stream.Tell().ValueOrDie(), 99'400);
    EXPECT_LE(most_held, 2 * piece_bytes);
    EXPECT_GT(most_held, 0);
    ASSERT_TRUE(stream.Close().ok());
    EXPECT_FALSE(stream.Read(1).ok());
    EXPECT_EQ(store->ahead_left(), most);
  }
}

TEST_F(RemoteFileTest, WhatTwoCallersPrepareIsKeptForBoth) {
  for (const char* path : {"b/0", "b/1", "b/2", "b/3", "b/4"}) {
    Put(path, RandomBytes(2'000, 4));
  }
  const auto store = MakeStore(kSmall);  // four ends are kept
  store->Prepare({"b/0", "b/1"});
  store->Prepare({"b/2", "b/3"});
  for (const char* path : {"b/0", "b/2", "b/1", "b/3"}) {
    EXPECT_TRUE(store->OpenFile(path).ok());
  }
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 4);
  store->Prepare({"b/0", "b/1"});
  store->Prepare({"b/1", "b/2", "b/3", "b/4"});
  for (const char* path : {"b/1", "b/2", "b/3", "b/4"}) {
    EXPECT_TRUE(store->OpenFile(path).ok());
  }
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 10);
  EXPECT_TRUE(store->OpenFile("b/0").ok());
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 11) << "the earliest call was let go";
}

TEST_F(RemoteFileTest, GivesTheBytesWhateverFails) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const std::string bytes = RandomBytes(60'000, seed);
  Put("b/f", bytes);
  std::mutex mutex;
  script_ = [&](std::string_view operation, const std::string&) {
    const std::lock_guard lock(mutex);
    switch (random() % 10) {
      case 3:
        return operation == "read" ? Answer::kShortUnsaid : Answer::kWhole;
      case 0:
        return Answer::kFails;
      case 1:
        return Answer::kThrottled;
      case 2:
        return Answer::kShort;
      default:
        return Answer::kWhole;
    }
  };
  const auto store = MakeStore(kSmall, {.max_retries = 1000});
  std::mt19937_64 choices(seed + 1);
  for (int round = 0; round < 20; ++round) {
    const auto file = store->OpenFile("b/f").ValueOrDie();
    std::vector<arrow::io::ReadRange> ranges;
    int64_t at = 0;
    while (at < 60'000) {
      const auto length = static_cast<int64_t>(1 + choices() % 9'000);
      ranges.push_back({at, std::min<int64_t>(length, 60'000 - at)});
      at += length + static_cast<int64_t>(choices() % 400);
    }
    const auto hold = round % 2 == 0 ? Announce(file, ranges) : nullptr;
    for (const auto& range : ranges) {
      ASSERT_EQ(ReadAt(file.get(), range.offset, range.length),
                bytes.substr(static_cast<size_t>(range.offset), static_cast<size_t>(range.length)));
    }
    std::string whole(60'000, '\0');
    ASSERT_TRUE(file->Seek(0).ok());
    ASSERT_EQ(file->Read(70'000, whole.data()).ValueOrDie(), 60'000);
    ASSERT_EQ(whole, bytes);
  }
  EXPECT_GT(store->counts().retries, 0);
  EXPECT_EQ(store->counts().failed, 0);
}

TEST_F(RemoteFileTest, AReadThatStaysRefusedSaysWhat) {
  Put("b/f", RandomBytes(10'000, 5));
  const auto store = MakeStore(kSmall);
  const auto file = store->OpenFile("b/f").ValueOrDie();
  script_ = [](std::string_view, const std::string&) { return Answer::kDenied; };
  EXPECT_THAT(file->ReadAt(0, 10).status().message(),
              HasSubstr("s3://b/f cannot be read: access denied; this needs s3:GetObject"));
  script_ = [](std::string_view, const std::string&) { return Answer::kShort; };
  EXPECT_THAT(file->ReadAt(0, 10).status().message(),
              HasSubstr("the answer ended early: found 5 bytes at 0, expected 10"));
  const auto hold = Announce(file, {{100, 10}});
  EXPECT_THAT(file->ReadAt(100, 10).status().message(), HasSubstr("ended early"));
}

TEST_F(RemoteFileTest, ReadsBeyondTheEndGiveWhatIsThere) {
  Put("b/f", "0123456789");
  const auto store = MakeStore(kSmall);
  const auto file = store->OpenFile("b/f").ValueOrDie();
  EXPECT_EQ(ReadAt(file.get(), 8, 100), "89");
  EXPECT_EQ(ReadAt(file.get(), 10, 1), "");
  EXPECT_FALSE(file->ReadAt(11, 1).ok());
  EXPECT_FALSE(file->ReadAt(-1, 1).ok());
}

/// Reads a file of 10,000 bytes in some order; another version of it is there at some time.
class ReplacedFile : public RemoteFileTest {
 protected:
  ReplacedFile() { Put("b/f", first_); }

  /// Before request number `at` (opening is 0) the file is replaced. Returns what was read, or the
  /// first error.
  Result<std::string> Read(Store* store, int64_t at, const std::string& second,
                           const std::vector<arrow::io::ReadRange>& announced,
                           const std::vector<arrow::io::ReadRange>& read) {
    Put("b/f", first_);
    int64_t num_requests = 0;
    std::mutex mutex;
    script_ = [&](std::string_view operation, const std::string&) {
      if (operation == "write" || operation == "close") {
        return Answer::kWhole;
      }
      const std::lock_guard lock(mutex);
      if (num_requests++ == at) {
        Put("b/f", second);
      }
      return Answer::kWhole;
    };
    ARROW_ASSIGN_OR_RAISE(const auto file, store->OpenFile("b/f"));
    const auto hold = Announce(file, announced);
    std::string all;
    for (const auto& range : read) {
      ARROW_ASSIGN_OR_RAISE(const auto bytes, file->ReadAt(range.offset, range.length));
      all += bytes->ToString();
    }
    return all;
  }
  static std::string Of(const std::string& bytes, const std::vector<arrow::io::ReadRange>& read) {
    std::string all;
    for (const auto& range : read) {
      all += bytes.substr(static_cast<size_t>(range.offset), static_cast<size_t>(range.length));
    }
    return all;
  }

  const std::string first_ = RandomBytes(10'000, 1);
};

TEST_F(ReplacedFile, NeverGivesBytesOfTwoVersions) {
  const std::vector<std::vector<arrow::io::ReadRange>> orders = {
      {{9'900, 100}, {0, 500}, {3'000, 500}},
      {{0, 500}, {3'000, 500}, {9'900, 100}},
      {{0, 500}, {500, 500}, {9'000, 800}, {9'700, 300}},
      {{9'900, 100}, {100, 800}, {950, 50}, {4'000, 1'000}, {7'000, 1'500}}};
  const std::vector<std::vector<arrow::io::ReadRange>> announcements = {
      {}, {{0, 1'000}}, {{100, 800}, {950, 50}, {3'000, 2'000}, {7'000, 1'500}}};
  for (const size_t size : {10'000, 9'000, 20'000}) {
    const std::string second = RandomBytes(size, 2);
    for (const auto& read : orders) {
      for (const auto& announced : announcements) {
        int64_t num_named = 0;
        for (int64_t at = size < first_.size() ? 1 : 0; at < 16; ++at) {
          const auto store = MakeStore(kSmall);
          const auto got = Read(store.get(), at, second, announced, read);
          if (got.ok()) {
            // Before the file was opened, or behind the last request.
            EXPECT_EQ(*got, Of(at == 0 ? second : first_, read)) << "at request " << at;
          } else {
            EXPECT_TRUE(IsReplaced(got.status())) << got.status();
            ++num_named;
          }
        }
        EXPECT_GT(num_named, 0);
      }
    }
  }
}

TEST_F(ReplacedFile, IsNamedWithWhatIsThereNow) {
  const auto got = Read(MakeStore(kSmall).get(), 2, "short", {}, {{9'900, 100}, {0, 500}});
  EXPECT_THAT(got.status().message(),
              ::testing::AllOf(HasSubstr("s3://b/f cannot be read"),
                               HasSubstr("the file was replaced while it was read: found 5 bytes"),
                               HasSubstr("opened with 10000 bytes and the ETag")));
  EXPECT_EQ(FailureOf(StoreKind::kS3, got.status()), Failure::kReplaced);
}

TEST_F(ReplacedFile, CostsOneLookForWhatWasAnnouncedTogether) {
  const auto store = MakeStore(kSmall);
  const std::vector<arrow::io::ReadRange> ranges = {{0, 500}, {3'000, 500}, {6'000, 500}};
  EXPECT_EQ(Read(store.get(), 1'000, "", ranges, ranges).ValueOrDie(), Of(first_, ranges));
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 2);
  EXPECT_EQ(Read(store.get(), 1'000, "", {}, {{9'900, 100}}).ValueOrDie(), first_.substr(9'900));
  EXPECT_EQ(store->counts().requests_of(Operation::kOpen), 3) << "one answer has everything";
}

TEST_F(RemoteFileTest, WhatWasPreparedBeforeAListingIsNotGivenOut) {
  const std::string first = RandomBytes(2'000, 1);
  const std::string second = RandomBytes(2'000, 2);
  Put("b/f", first);
  const auto store = MakeStore(kSmall);
  store->Prepare({"b/f"});
  while (store->counts().requests_of(Operation::kRead) == 0) {
    std::this_thread::yield();
  }
  Put("b/f", second);
  ASSERT_TRUE(store->ReadDirectories("b").ok());
  EXPECT_EQ(ReadAt(store->OpenFile("b/f").ValueOrDie().get(), 1'900, 100), second.substr(1'900));
}

TEST_F(RemoteFileTest, EndsThatAreNotUsedAreForgotten) {
  const auto store = MakeStore(kSmall);
  for (int i = 0; i < 6; ++i) {
    Put(fmt::format("b/{}", i), RandomBytes(1'000, 1));
    ReadAt(store->OpenFile(fmt::format("b/{}", i)).ValueOrDie().get(), 900, 10);
  }
  EXPECT_EQ(objects_->requests().size(), 6U);
  ReadAt(store->OpenFile("b/5").ValueOrDie().get(), 900, 10);
  EXPECT_EQ(objects_->requests().size(), 6U);
  ReadAt(store->OpenFile("b/0").ValueOrDie().get(), 900, 10);
  EXPECT_EQ(objects_->requests().size(), 7U);
}

}  // namespace
}  // namespace df::storage
