// Partitions that become others: what an archive holds stays the same, whenever the process ends.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "engine_process.h"
#include "http_server.h"
#include "tree_files.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// Runs that are killed: enough for a test that runs each day, more where somebody asks.
int NumKills() {
  const char* asked = std::getenv("OTAP_KILLS");
  return asked == nullptr ? 12 : std::atoi(asked);
}

class CompactCommandTest : public ::testing::Test {
 protected:
  fs::path lake() const { return folder_.path() / "lake"; }

  Ran Run(std::vector<std::string> arguments) const {
    return RunIn(folder_.path(), std::move(arguments));
  }
  Ran Compact(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"compact", lake().string(), "--no-cache", "--older-than",
                                          "0s"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(std::move(arguments));
  }
  /// Tells whether two archives hold the same.
  ::testing::AssertionResult IsSame(const fs::path& other) const {
    const Ran ran =
        Run({"verify", lake().string(), "--against", other.string(), "--no-cache", "-q"});
    return ran.exit_code == 0 ? ::testing::AssertionSuccess()
                              : ::testing::AssertionFailure() << ran.output << ran.log;
  }

  /// An archive that is written once: so many partitions of each signal.
  static constexpr int kPartitions = 6;
  static fs::path Small() {
    static const TemporaryFolder folder;
    static const fs::path lake = [] {
      const fs::path path = folder.path() / "lake";
      for (int seed = 1; seed <= kPartitions; ++seed) {
        for (const char* signal : {"logs", "spans", "points"}) {
          EngineProcess process(
              folder.path(),
              {.arguments = {"generate", "--to", path.string(), "-n", "60", "--threads", "1",
                             "--signal", signal, "--seed", std::to_string(seed)}});
          EXPECT_EQ(process.Wait(), 0) << process.Log();
        }
      }
      return path;
    }();
    return lake;
  }
  void SetUp() override { fs::copy(Small(), lake(), fs::copy_options::recursive); }

  static size_t NumPartitions(const fs::path& lake, const std::string& table) {
    std::set<fs::path> folders;
    for (const fs::path& file : FilesOf(lake, table)) {
      folders.insert(file.parent_path());
    }
    return folders.size();
  }

  TemporaryFolder folder_;
};

TEST_F(CompactCommandTest, SmallPartitionsBecomeOneOfEachSignal) {
  const Ran plan = Compact({"--plan", "--json"});
  EXPECT_EQ(plan.exit_code, 0) << plan.log;
  EXPECT_EQ(Json::parse(plan.output)["groups"].size(), 3U);
  EXPECT_EQ(NumPartitions(lake(), "logs"), size_t{kPartitions});
  EXPECT_FALSE(fs::exists(lake() / "_compactions"));

  const Ran ran = Compact({"--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  const Json answer = Json::parse(ran.output);
  ASSERT_EQ(answer["groups"].size(), 3U);
  for (const Json& group : answer["groups"]) {
    EXPECT_EQ(group["old_partitions"].size(), size_t{kPartitions});
    EXPECT_EQ(group["new_partitions"].size(), 1U);
    EXPECT_EQ(group["signals"].size(), 1U);
    EXPECT_LT(group["new_bytes"], group["old_bytes"]);
  }
  EXPECT_TRUE(IsSame(Small()));
  for (const char* table : {"logs", "spans", "univariate_metrics", "log_attrs"}) {
    EXPECT_EQ(FilesOf(lake(), table).size(), 1U) << table;
    // The folders of partitions that are gone are, too.
    const fs::path level = FilesOf(lake(), table).front().parent_path().parent_path();
    EXPECT_EQ(std::distance(fs::directory_iterator(level), {}), 1) << table;
  }
  // Folders that are no compaction's are nobody's to remove.
  fs::create_directories(lake() / "_compactions/backup/logs");
  const Ran again = Compact({"--json"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_TRUE(fs::exists(lake() / "_compactions/backup/logs"));
  EXPECT_TRUE(Json::parse(again.output)["groups"].empty()) << again.output;
}

TEST_F(CompactCommandTest, PartitionsGoIntoFoldersOfHours) {
  const Ran ran = Compact({"--by", "hour"});
  ASSERT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  EXPECT_TRUE(fs::exists(lake() / "logs/_otap_event_time_levels"));
  for (const fs::path& file : FilesOf(lake(), "logs")) {
    EXPECT_THAT(file.string(), HasSubstr("/hour="));
  }
  EXPECT_TRUE(IsSame(Small()));
  // And back.
  ASSERT_EQ(Compact({"--by", "none"}).exit_code, 0);
  for (const fs::path& file : FilesOf(lake(), "logs")) {
    EXPECT_THAT(file.string(), Not(HasSubstr("/hour=")));
  }
  EXPECT_TRUE(IsSame(Small()));
}

TEST_F(CompactCommandTest, WhatIsNotWholeStaysAndTheRestGoesOn) {
  const fs::path damaged = FilesOf(lake(), "log_attrs").front();
  const fs::path partition = damaged.parent_path().lexically_relative(lake() / "log_attrs");
  {
    std::fstream file(damaged, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(fs::file_size(damaged) / 3);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get() ^ 0x55);
    file.seekp(at);
    file.put(byte);
  }
  const Ran ran = Compact({"--json"});
  EXPECT_EQ(ran.exit_code, 4) << ran.output;
  const Json answer = Json::parse(ran.output);
  ASSERT_EQ(answer["left"].size(), 1U) << ran.output;
  EXPECT_EQ(answer["left"][0]["partition"], partition.string());
  EXPECT_EQ(answer["left"][0]["fault"], true);
  EXPECT_TRUE(fs::exists(damaged));
  EXPECT_EQ(NumPartitions(lake(), "logs"), 2U);  // the damaged one, and what the others became
  EXPECT_EQ(NumPartitions(lake(), "spans"), 1U);
}

TEST_F(CompactCommandTest, WhatSomebodyWritesOrHasAnotherNameForStays) {
  const std::vector<fs::path> files = FilesOf(lake(), "logs");
  const fs::path written = files[0].parent_path() / ".part-1-x.parquet.tmp";
  const int descriptor = open(written.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  ASSERT_EQ(flock(descriptor, LOCK_EX), 0);
  const fs::path staging = lake() / "_staging/writer";
  fs::create_directories(staging / files[1].parent_path().lexically_relative(lake()));
  const int lock = open((staging / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  fs::create_hard_link(files[2], folder_.path() / "other-name");
  fs::create_directory(folder_.path() / "elsewhere");
  const fs::path moved = folder_.path() / "elsewhere" / files[3].filename();
  fs::rename(files[3], moved);
  fs::create_symlink(moved, files[3]);
  const Ran ran = Compact();
  EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("is being written"));
  EXPECT_THAT(ran.output, HasSubstr("the writer writer has staged records of it"));
  EXPECT_THAT(ran.output, HasSubstr("is a link, or has other names"));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(fs::exists(files[i])) << i;
  }
  EXPECT_FALSE(fs::exists(files[4]));
  close(lock);
  close(descriptor);
  fs::remove_all(lake() / "_staging");
  fs::remove(written);
  EXPECT_TRUE(IsSame(Small()));
}

TEST_F(CompactCommandTest, YoungPartitionsStayUnlessToldOtherwise) {
  const Ran ran = Run({"compact", lake().string(), "--no-cache"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.output, HasSubstr("each of 18 partitions like"));
  EXPECT_THAT(ran.output, HasSubstr("younger than 1h"));
  EXPECT_EQ(NumPartitions(lake(), "logs"), size_t{kPartitions});
}

TEST_F(CompactCommandTest, OldFilesAreSetAsideWhereTheyAreToBeKept) {
  ASSERT_EQ(Compact({"--keep"}).exit_code, 0);
  EXPECT_TRUE(IsSame(Small()));
  size_t num_kept = 0;
  for (const auto& entry : fs::recursive_directory_iterator(lake() / "_compactions")) {
    num_kept += entry.path().extension() == ".parquet" ? 1 : 0;
  }
  size_t num_small = 0;
  for (const auto& entry : fs::recursive_directory_iterator(Small())) {
    num_small += entry.path().extension() == ".parquet" ? 1 : 0;
  }
  EXPECT_EQ(num_kept, num_small);
}

TEST_F(CompactCommandTest, PlansSayWhatWouldBecomeOfWhat) {
  const Ran ran = Compact({"--plan"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_TRUE(ran.output.starts_with("date=")) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr(": 6 partitions ("));
  EXPECT_THAT(ran.output, HasSubstr("would become one an hour"));
}

TEST_F(CompactCommandTest, AFolderElsewhereIsRefusedBeforeAnythingIsWritten) {
  fs::create_directories(folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", lake() / "_compactions");
  const Ran ran = Compact();
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.log, HasSubstr("expected a folder of the file system of the base"));
  EXPECT_TRUE(fs::is_empty(folder_.path() / "elsewhere"));
}

TEST_F(CompactCommandTest, APartOfAnArchiveOrAStoreIsRefused) {
  const Ran table = Run({"compact", (lake() / "logs").string()});
  EXPECT_EQ(table.exit_code, 2);
  EXPECT_THAT(table.log, HasSubstr("is a part of an archive: expected all of it"));
  const Ran store = Run({"prune", "s3://bucket/prefix", "--older-than", "1d"});
  EXPECT_EQ(store.exit_code, 2);
  EXPECT_THAT(store.log, HasSubstr("in local folders only"));
  const Ran size = Compact({"--target-size", "many"});
  EXPECT_EQ(size.exit_code, 2);
  EXPECT_THAT(size.log, HasSubstr("--target-size"));
}

TEST_F(CompactCommandTest, PruneRemovesWhatIsOldAsAWhole) {
  // Of all records the times are years ago, but for one partition.
  const Ran none = Run({"prune", lake().string(), "--older-than", "300000h", "--no-cache"});
  EXPECT_EQ(none.exit_code, 0) << none.log;
  EXPECT_TRUE(IsSame(Small()));
  const Ran plan = Run({"prune", lake().string(), "--older-than", "0s", "--plan", "--no-cache"});
  EXPECT_THAT(plan.output, HasSubstr("would be removed"));
  EXPECT_TRUE(IsSame(Small()));
  const Ran all =
      Run({"prune", lake().string(), "--older-than", "0s", "--keep", "--json", "--no-cache"});
  ASSERT_EQ(all.exit_code, 0) << all.output << all.log;
  const Json answer = Json::parse(all.output);
  EXPECT_EQ(answer["removed"].size(), 3U * kPartitions) << all.output;
  EXPECT_TRUE(FilesOf(lake(), "logs").empty());
}

/// Waits for changes of names in folders, and counts them.
class NameChanges {
 public:
  explicit NameChanges(const fs::path& lake) : descriptor_(inotify_init1(IN_CLOEXEC)) {
    fs::create_directories(lake / "_compactions");
    Watch(lake);
    for (const auto& entry : fs::recursive_directory_iterator(lake)) {
      if (entry.is_directory()) {
        Watch(entry.path());
      }
    }
  }
  ~NameChanges() { close(descriptor_); }
  NameChanges(const NameChanges&) = delete;
  NameChanges& operator=(const NameChanges&) = delete;

  /// Returns once there were so many, or nothing more came for a while.
  int WaitFor(int count) {
    int seen = 0;
    while (seen < count) {
      pollfd entry = {descriptor_, POLLIN, 0};
      constexpr int kNothingMoreMillis = 3'000;
      if (poll(&entry, 1, kNothingMoreMillis) <= 0) {
        return seen;
      }
      alignas(inotify_event) char events[512];
      const ssize_t size = read(descriptor_, events, sizeof(events));
      for (ssize_t at = 0; at < size; ++seen) {
        at += static_cast<ssize_t>(sizeof(inotify_event) +
                                   reinterpret_cast<inotify_event*>(events + at)->len);
      }
    }
    return seen;
  }

 private:
  void Watch(const fs::path& path) {
    inotify_add_watch(descriptor_, path.c_str(), IN_CREATE | IN_MOVE | IN_DELETE);
  }

  int descriptor_;
};

TEST_F(CompactCommandTest, AKillAtAnyMomentChangesNothing) {
  int num_changes = 0;
  {
    NameChanges changes(lake());
    ASSERT_EQ(Compact().exit_code, 0);
    num_changes = changes.WaitFor(100'000);
  }
  ASSERT_GT(num_changes, 100);
  const int num_kills = NumKills();
  int num_killed = 0;
  for (int kill = 0; kill < num_kills; ++kill) {
    fs::remove_all(lake());
    fs::copy(Small(), lake(), fs::copy_options::recursive);
    const int moment = 1 + kill * num_changes / num_kills;
    SCOPED_TRACE(fmt::format("killed at change {} of {}", moment, num_changes));
    {
      NameChanges changes(lake());
      EngineProcess process(folder_.path(), {.arguments = {"compact", lake().string(), "--no-cache",
                                                           "--older-than", "0s"}});
      changes.WaitFor(moment);
      process.Signal(SIGKILL);
      num_killed += process.Wait() == 128 + SIGKILL ? 1 : 0;
    }
    ASSERT_TRUE(IsSame(Small()));
    const Ran again = Compact();
    ASSERT_EQ(again.exit_code, 0) << again.output << again.log;
    ASSERT_TRUE(IsSame(Small()));
    ASSERT_EQ(FilesOf(lake(), "logs").size(), 1U);
  }
  EXPECT_GT(num_killed, num_kills * 3 / 4);
}

TEST_F(CompactCommandTest, AReplayThatHasBegunReadsWhatItHasListed) {
  // A server that has no answer until it is told to.
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = false;
  bool is_asked = false;
  HttpServer server([&](std::string_view, std::string_view) -> std::string {
    std::unique_lock lock(mutex);
    is_asked = true;
    changed.notify_all();
    changed.wait(lock, [&] { return is_open; });
    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  });
  const fs::path replaying = folder_.path() / "replaying";
  fs::create_directory(replaying);
  EngineProcess replay(replaying, {.arguments = {"replay", lake().string(), "--to",
                                                 fmt::format("http://127.0.0.1:{}", server.port()),
                                                 "--no-cache", "--threads", "1"}});
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(60), [&] { return is_asked; }));
  }
  const Ran ran = Compact();
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_THAT(ran.log, HasSubstr("the archive is being read: "));
  {
    const std::lock_guard lock(mutex);
    is_open = true;
    changed.notify_all();
  }
  EXPECT_EQ(replay.Wait(), 0) << replay.Log();
  EXPECT_THAT(replay.Log(), HasSubstr("delivered 360 logs, 360 spans, "));
  EXPECT_TRUE(IsSame(Small()));
  // The next one removes what nobody reads any more.
  const auto num_aside = [&] {
    const fs::directory_iterator entries(lake() / "_compactions");
    return std::count_if(begin(entries), end(entries),
                         [](const auto& entry) { return entry.path().extension() == ".aside"; });
  };
  EXPECT_GT(num_aside(), 0);
  EXPECT_EQ(Compact().exit_code, 0);
  EXPECT_EQ(num_aside(), 0);
}

}  // namespace
}  // namespace df::e2e
