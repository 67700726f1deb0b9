// Files of a followed tree come in any order, late, in pieces, under temporary names, unreadable at
// first. What goes out is exact, or what is missing is named.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <arrow/compute/initialize.h>
#include <arrow/filesystem/localfs.h>
#include <gtest/gtest.h>

#include "lake/ledger/checkpoint.h"
#include "lake/queue/work_list.h"
#include "testing/lake_writer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = std::chrono::system_clock::time_point;
using df::testing::CanonicalRecords;
using df::testing::RandomEngine;

constexpr seconds kGrace(10);
constexpr seconds kPoll(4);
constexpr std::chrono::minutes kLateWindow(10);

/// Refuses to open some paths until their time has come.
class GuardedFileSystem final : public arrow::fs::LocalFileSystem {
 public:
  explicit GuardedFileSystem(const Time* now) : now_(now) {}
  using arrow::fs::LocalFileSystem::OpenInputFile;
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(
      const std::string& path) override {
    const auto closed = closed_until.find(path);
    if (closed != closed_until.end() && *now_ < closed->second) {
      return arrow::Status::IOError("Permission denied");
    }
    return arrow::fs::LocalFileSystem::OpenInputFile(path);
  }
  std::map<std::string, Time> closed_until;

 private:
  const Time* now_;
};

/// How files come.
struct Arrivals {
  milliseconds span{0};       ///< the last file comes so long after the first
  int percent_in_pieces = 0;  ///< share of files that are there in part before they are whole
  int percent_renamed = 0;    ///< that get another name later
  int percent_touched = 0;    ///< that get another time later
  int percent_closed = 0;     ///< that cannot be opened at first
  int percent_time_kept = 0;  ///< that have the time of the original, long before
  bool is_gentle() const { return span < kGrace && percent_in_pieces == 0 && percent_closed == 0; }
};

class ArrivalOrders {
 public:
  ArrivalOrders(uint64_t seed, LateChildren late_children, bool has_restarts)
      : late_children_(late_children), has_restarts_(has_restarts), random_(seed) {
    static const arrow::Status kInitialized = arrow::compute::Initialize();
    EXPECT_TRUE(kInitialized.ok());
    signal_ = otap::kAllSignals[random_() % 3];
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 12;
    shape.without_attributes = 0.1;
    shape.without_children = 0.1;
    shape.missing_column = 0;
    shape.null_ids_for_bare_children = random_() % 2 == 0;
    shape.upstream_columns_only = true;
    shape.valueless_exemplars = false;
    batches_ = df::testing::RandomBatches(4, signal_, shape, random_);
    df::testing::LakeWriterOptions layout;
    layout.layout =
        random_() % 2 == 0 ? df::testing::LakeLayout::kOwn : df::testing::LakeLayout::kUpstream;
    layout.batches_per_partition = 2;
    layout.root_rows_per_file = 1;  // a file of each table for each batch
    layout.child_rows_per_file = 1;
    layout.statistics = has_statistics_ = random_() % 4 != 0;
    written_ = df::testing::WriteLake(staging(), batches_, layout, seed).ValueOrDie();
    options_.signals = {signal_};
    options_.batch_size = 5;
    arrivals_.span = milliseconds(std::vector<int>{500, 8'000, 25'000, 90'000}[random_() % 4]);
    const auto share = [&] { return random_() % 2 == 0 ? 0 : 25; };
    arrivals_.percent_in_pieces = share();
    arrivals_.percent_renamed = share();
    arrivals_.percent_touched = share();
    arrivals_.percent_closed = share();
    arrivals_.percent_time_kept = share();
    if (has_restarts_) {
      // A file that changes between two processes is another one, and what one of them could not
      // read it has reported.
      arrivals_.percent_in_pieces = arrivals_.percent_closed = 0;
      arrivals_.percent_renamed = arrivals_.percent_touched = 0;
      arrivals_.percent_time_kept = 0;  // the first look of a process goes by the times of files
    }
    if (late_children_ == LateChildren::kResend) {
      arrivals_.percent_renamed = 0;  // what is sent once more is told by its path
    }
  }

  void Run() {
    Schedule();
    fs::create_directories(base());
    Start();
    if (has_restarts_) {
      for (uint64_t i = 0; i < 1 + random_() % 5; ++i) {
        At(Later(arrivals_.span + seconds(60)), [this] { Start(); });
      }
    }
    const Time end = now_ + arrivals_.span + 12 * kGrace + seconds(150);
    while (now_ < end) {
      const Time next = TakeAll();
      const auto event = events_.begin();
      if (event != events_.end() && event->first <= next) {
        now_ = std::max(now_, event->first);
        const auto action = event->second;
        events_.erase(event);
        action();
      } else {
        now_ = next;
      }
    }
    Stop();
    Check();
  }

  int64_t num_late() const { return num_late_; }
  int64_t num_resent() const { return num_resent_; }

 private:
  /// Begins a process that goes on from what the one before it has saved.
  void Start() {
    Stop();
    ledger_ = std::make_shared<FileLedger>();
    checkpoint_ =
        Checkpoint::Open((folder_.path() / "state").string(), "one", {"/lake", ""}).ValueOrDie();
    const SeenChildren seen = checkpoint_->LoadChildren().ValueOrDie();
    ledger_->RestoreChildren(seen.children, seen.first_number);
    ledger_->Restore(checkpoint_->Load().ValueOrDie());
    ledger_->KeepChanges();
    list_ = std::make_unique<WorkList>(store_, base().string(), options_,
                                       FollowOptions{.polling_interval = kPoll,
                                                     .completeness_grace = kGrace,
                                                     .late_window = kLateWindow,
                                                     .late_children = late_children_},
                                       [this] { return now_; });
    list_->UseLedger(ledger_);
  }

  void Stop() {
    if (list_ != nullptr) {
      for (const Problem& problem : list_->Report().problems) {
        problems_ += problem.message + "\n";
      }
      const ReadReport report = list_->Report();
      num_errors_ += report.num_errors();
      num_late_ += report.late_rows;
      num_without_resource_ += report.rows_without_resource;
      num_dropped_ += report.table(otap::RootTable(signal_)).num_dropped();
      list_.reset();
      EXPECT_TRUE(checkpoint_->Save(ledger_->TakeChanges()).ok());
      checkpoint_.reset();
    }
  }

  fs::path base() const { return folder_.path() / "lake"; }
  fs::path staging() const { return folder_.path() / "staging"; }
  bool Draw(int percent) { return static_cast<int>(random_() % 100) < percent; }
  Time Later(milliseconds most) {
    return milliseconds(random_() % static_cast<uint64_t>(most.count() + 1)) + now_;
  }
  void At(Time when, std::function<void()> action) { events_.emplace(when, std::move(action)); }

  void Stamp(const fs::path& path, Time when) {
    fs::last_write_time(path, std::chrono::file_clock::from_sys(when));
  }

  /// Draws when each file comes and what happens to it then.
  void Schedule() {
    for (const df::testing::WrittenFile& file : written_.files) {
      const fs::path from = staging() / file.path;
      const fs::path to = base() / file.path;
      const Time arrival = Later(arrivals_.span);
      const bool keeps_time = Draw(arrivals_.percent_time_kept);
      if (Draw(arrivals_.percent_in_pieces)) {
        const auto part = static_cast<uintmax_t>(random_() % 100);
        At(arrival - milliseconds(random_() % 4'000), [=, this] {
          fs::create_directories(to.parent_path());
          fs::copy_file(from, to, fs::copy_options::overwrite_existing);
          fs::resize_file(to, fs::file_size(from) * part / 100);
          Stamp(to, now_);
        });
      }
      if (Draw(arrivals_.percent_closed)) {
        file_system_->closed_until[to.string()] = arrival + milliseconds(random_() % 8'000);
      }
      At(arrival, [=, this] {
        fs::create_directories(to.parent_path());
        const fs::path hidden = to.parent_path() / ("." + to.filename().string());
        fs::copy_file(from, hidden, fs::copy_options::overwrite_existing);
        Stamp(hidden, keeps_time ? now_ - std::chrono::hours(30) : now_);
        fs::rename(hidden, to);
      });
      const Time after = arrival + milliseconds(random_() % 60'000);
      if (Draw(arrivals_.percent_touched)) {
        At(after, [=, this] {
          if (fs::exists(to)) {
            Stamp(to, now_);
          }
        });
      }
      if (Draw(arrivals_.percent_renamed)) {
        At(after, [=, this] {
          fs::path other = to;
          other.replace_filename(to.stem().string() + "-renamed.parquet");
          if (fs::exists(to)) {
            fs::rename(to, other);
          }
        });
      }
    }
  }

  /// Takes and reads what is ready; returns when to ask again.
  Time TakeAll() {
    MemoryBudget budget(options_.memory_limit_bytes);
    while (true) {
      auto taken = list_->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken->work.has_value()) {
        return taken->wait_until.value();
      }
      ReadReport report;
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        auto reader =
            PartitionReader::Make(store_.get(), base().string(), task, options_, &budget, &report)
                .ValueOrDie();
        while (true) {
          auto payload = reader->Next();
          EXPECT_TRUE(payload.ok()) << payload.status();
          if (!payload.ok() || !payload->has_value()) {
            break;
          }
          const Origin& origin = (**payload).origin;
          Keep(task.files->partition, origin, (**payload).batch);
          for (size_t i = 0; i < task.root_files.size(); ++i) {
            const auto& roots = task.files->of(otap::RootTable(signal_));
            if (roots[task.root_files[i]]->entry.path == origin.file) {
              task.claims[i]->Send(origin.row_group, origin.first_row, origin.num_rows).Ack();
            }
          }
        }
        outcomes.insert(outcomes.end(), reader->outcomes().begin(), reader->outcomes().end());
      }
      const Status sums = list_->Done(outcomes, report).CheckConservation();
      EXPECT_TRUE(sums.ok()) << sums;
    }
  }

  /// Keeps a batch; what is sent once more takes the place of what was sent before.
  void Keep(const std::string& partition, const Origin& origin, const otap::BatchPtr& batch) {
    auto& of_file = sent_[partition][origin.file];
    if (of_file.contains({origin.row_group, origin.first_row})) {
      of_file.clear();
    }
    if (!sent_once_.insert({origin.file, origin.row_group, origin.first_row}).second) {
      num_resent_ += origin.num_rows;
      EXPECT_EQ(late_children_, LateChildren::kResend) << origin.file << " came twice";
    } else {
      num_sent_ += origin.num_rows;
    }
    of_file[{origin.row_group, origin.first_row}] = batch;
  }

  std::vector<std::string> RecordsOf(const std::string& partition) const {
    std::vector<otap::BatchPtr> batches;
    if (const auto found = sent_.find(partition); found != sent_.end()) {
      for (const auto& [file, of_file] : found->second) {
        for (const auto& [place, batch] : of_file) {
          batches.push_back(batch);
        }
      }
    }
    return CanonicalRecords(batches);
  }

  /// The pieces of a record's line, whatever brackets stand around them.
  static std::multiset<std::string> Pieces(const std::string& line) {
    std::multiset<std::string> pieces;
    std::string piece;
    for (const char c : line + " ") {
      if (std::string_view(" {}[],").find(c) == std::string_view::npos) {
        piece += c;
      } else if (!piece.empty()) {
        pieces.insert(std::exchange(piece, ""));
      }
    }
    return pieces;
  }

  /// Whether a record is one of `expected` with nothing but parts left out.
  static bool IsPartOfOne(const std::string& line, const std::vector<std::string>& expected) {
    const std::multiset<std::string> pieces = Pieces(line);
    return std::any_of(expected.begin(), expected.end(), [&](const std::string& whole) {
      const std::multiset<std::string> all = Pieces(whole);
      return std::includes(all.begin(), all.end(), pieces.begin(), pieces.end());
    });
  }

  void Check() {
    const std::string& problems = problems_;
    bool is_exact = true;
    int64_t num_rows = 0;
    std::map<std::string, std::vector<otap::BatchPtr>> expected;
    const auto partitions = Partitions();
    for (size_t i = 0; i < batches_.size(); ++i) {
      expected[partitions.at(i / 2)].push_back(batches_[i]);
      num_rows += batches_[i]->num_root_rows();
    }
    for (const auto& [partition, batches] : expected) {
      const auto wanted = CanonicalRecords(batches);
      const auto found = RecordsOf(partition);
      if (wanted == found) {
        continue;
      }
      is_exact = false;
      if (late_children_ == LateChildren::kResend) {
        EXPECT_GT(num_without_resource_, 0)
            << "not sent with all: " << df::testing::DescribeDifference(wanted, found) << problems;
      }
      EXPECT_NE(problems.find(partition), std::string::npos)
          << "not named: " << df::testing::DescribeDifference(wanted, found) << problems;
      std::vector<std::string> extra;
      std::set_difference(found.begin(), found.end(), wanted.begin(), wanted.end(),
                          std::back_inserter(extra));
      for (const std::string& line : extra) {
        EXPECT_TRUE(IsPartOfOne(line, wanted)) << "wrong: " << line << "\n" << problems;
      }
    }
    EXPECT_EQ(num_sent_ + num_dropped_, num_rows) << "every record once: " << problems;
    // Small batches in one partition may be ambiguous by right; that is named too.
    if (arrivals_.is_gentle() && num_without_resource_ == 0) {
      EXPECT_TRUE(is_exact) << problems;
    }
    // Without statistics a late file may belong to records that it does not belong to.
    if (is_exact && num_resent_ == 0 && (has_statistics_ || arrivals_.is_gentle())) {
      // One process may have waited long enough for records that came to the next one.
      EXPECT_EQ(has_restarts_ ? num_late_ : num_errors_, 0) << "nothing is missing: " << problems;
    }
  }

  /// Partitions in the order that their first files were written in: two batches each.
  std::vector<std::string> Partitions() const {
    std::vector<std::string> partitions;
    for (const df::testing::WrittenFile& file : written_.files) {
      if (std::find(partitions.begin(), partitions.end(), file.partition) == partitions.end()) {
        partitions.push_back(file.partition);
      }
    }
    return partitions;
  }

  const LateChildren late_children_;
  const bool has_restarts_;
  RandomEngine random_;
  df::testing::TemporaryFolder folder_;
  Time now_{seconds(1'800'000'000)};
  std::shared_ptr<GuardedFileSystem> file_system_ = std::make_shared<GuardedFileSystem>(&now_);
  std::shared_ptr<storage::Store> store_ = storage::Store::Over({}, {}, file_system_);
  otap::Signal signal_ = otap::Signal::kLogs;
  std::vector<otap::BatchPtr> batches_;
  df::testing::WrittenLake written_;
  ReadOptions options_;
  bool has_statistics_ = true;
  Arrivals arrivals_;
  std::multimap<Time, std::function<void()>> events_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::shared_ptr<FileLedger> ledger_;
  std::unique_ptr<WorkList> list_;
  /// By partition, file, row group and row.
  std::map<std::string, std::map<std::string, std::map<std::pair<int, int64_t>, otap::BatchPtr>>>
      sent_;
  std::set<std::tuple<std::string, int, int64_t>> sent_once_;
  int64_t num_sent_ = 0;
  int64_t num_resent_ = 0;
  // Of all processes:
  std::string problems_;
  int64_t num_errors_ = 0;
  int64_t num_late_ = 0;
  int64_t num_without_resource_ = 0;
  int64_t num_dropped_ = 0;
};

/// DF_SEEDS asks for more seeds than are tried by default, DF_FIRST_SEED for others.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* asked = std::getenv(name);
  return asked == nullptr ? otherwise : std::strtoull(asked, nullptr, 10);
}

/// Tries one seed after the other; returns how many rows came too late and how many records were
/// sent once more.
std::pair<int64_t, int64_t> TrySeeds(LateChildren late_children, bool has_restarts,
                                     uint64_t num_seeds) {
  int64_t num_late = 0;
  int64_t num_resent = 0;
  const uint64_t first = FromEnvironment("DF_FIRST_SEED", 1);
  for (uint64_t seed = first; seed < first + FromEnvironment("DF_SEEDS", num_seeds); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    ArrivalOrders orders(seed, late_children, has_restarts);
    orders.Run();
    num_late += orders.num_late();
    num_resent += orders.num_resent();
    if (::testing::Test::HasFailure()) {
      break;
    }
  }
  return {num_late, num_resent};
}

TEST(ArrivalOrdersTest, WhatGoesOutIsExactOrWhatIsMissingIsNamed) {
  TrySeeds(LateChildren::kName, /*has_restarts=*/false, 60);
}

TEST(ArrivalOrdersTest, WhatComesTooLateIsNamedByLaterProcessesToo) {
  const auto [num_late, num_resent] = TrySeeds(LateChildren::kName, /*has_restarts=*/true, 40);
  EXPECT_GT(num_late, 0);
  EXPECT_EQ(num_resent, 0);
}

TEST(ArrivalOrdersTest, RecordsAreSentOnceMoreWithWhatComesTooLate) {
  for (const bool has_restarts : {false, true}) {
    const auto [num_late, num_resent] = TrySeeds(LateChildren::kResend, has_restarts, 20);
    EXPECT_EQ(num_late, 0);
    EXPECT_GT(num_resent, 0);
  }
}

}  // namespace
}  // namespace df::lake
