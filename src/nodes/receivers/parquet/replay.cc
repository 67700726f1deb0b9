#include "nodes/receivers/parquet/replay.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "engine/account.h"
#include "lake/catalog/base_folder.h"
#include "nodes/receivers/parquet/receipt_progress.h"
#include "nodes/receivers/parquet/replay_ledgers.h"
#include "nodes/receivers/parquet/wrong_folder.h"

namespace df::nodes::receivers::parquet {
namespace {

/// Share of the memory limit that ids of traces may take.
constexpr int64_t kTracesPercent = 25;

/// What was delivered outlives a pipeline that is replaced, stopped or started anew.
ReplayLedgers& LedgersOfProcess() {
  static ReplayLedgers ledgers;
  return ledgers;
}

}  // namespace

Replay::Replay(ParquetReceiverConfig config, std::shared_ptr<storage::Store> store)
    : config_(std::move(config)),
      base_(store->uri().path),
      store_(std::move(store)),
      hold_(*store_, base_),
      read_options_(MakeReadOptions(config_, std::chrono::system_clock::now())),
      work_list_(store_, base_, read_options_, MakeFollowOptions(config_),
                 [] { return std::chrono::system_clock::now(); }),
      pacing_(config_.pace.value_or(PaceOptions()), config_.time.value_or(TimeOptions()),
              runtime::SystemClock()) {
  if (config_.digest) {
    ledger_.KeepDigests();
  }
  if (config_.catalog.files.has_value()) {
    work_list_.UseFileList(lake::MakeFileList(store_, base_, *config_.catalog.files));
  }
  if (lake::TraceSearch::IsNeeded(read_options_)) {
    lake::ReadOptions search_options = read_options_;
    search_options.payload_span = std::nullopt;
    search_ = std::make_unique<lake::TraceSearch>(
        store_, base_, std::move(search_options),
        [this](const lake::ReadOptions& read) { return MakeSearchList(read); },
        config_.memory_limit * kTracesPercent / 100);
  }
}

Result<std::unique_ptr<lake::WorkList>> Replay::MakeSearchList(const lake::ReadOptions& read) {
  auto list = std::make_unique<lake::WorkList>(store_, base_, read, lake::FollowOptions{},
                                               [] { return std::chrono::system_clock::now(); });
  if (config_.catalog.files.has_value()) {
    list->UseFileList(lake::MakeFileList(store_, base_, *config_.catalog.files));
  }
  if (config_.catalog.unknown_schemas != lake::UnknownSchemas::kWarn) {
    // The list that sees a schema first records it, and only that one warns. The replay has to.
    ARROW_RETURN_NOT_OK(list->UseCache(cache_, config_.catalog.unknown_schemas));
  }
  return list;
}

Status Replay::FindTraces(int64_t budget_bytes, const std::function<bool()>& is_stopped) {
  if (search_ == nullptr) {
    return Status::OK();
  }
  ARROW_RETURN_NOT_OK(search_->Run(budget_bytes, is_stopped));
  std::call_once(searched_, [this] {
    read_options_.selector = search_->selector();
    work_list_.Done({}, search_->Problems());
    for (const std::string& line : search_->Describe()) {
      LogInfo("parquet receiver: {}", line);
    }
  });
  return Status::OK();
}

void Replay::Wake() {
  work_list_.Wake();
  pacing_.Wake();
  if (search_ != nullptr) {
    search_->Wake();
  }
}

Status Replay::OpenCache() {
  const CatalogOptions& catalog = config_.catalog;
  if (!catalog.cache.empty()) {
    std::string notice;
    ARROW_ASSIGN_OR_RAISE(cache_, lake::FooterCache::Open(
                                      catalog.cache, lake::CanonicalBase(store_->uri()),
                                      [] { return std::chrono::system_clock::now(); }, &notice));
    if (!notice.empty()) {
      LogWarning("parquet receiver: catalog.cache: {}", notice);
    }
  }
  return work_list_.UseCache(cache_, catalog.unknown_schemas);
}

Status Replay::Attach(const engine::InstanceInfo& info) {
  std::call_once(attached_, [&] { attach_status_ = AttachLedger(info); });
  return attach_status_;
}

Status Replay::AttachLedger(const engine::InstanceInfo& info) {
  const std::string base = lake::CanonicalBase(store_->uri());
  const std::string selection = DescribeSent(config_);
  if (config_.checkpoint.has_value()) {
    const std::string owner = fmt::format("{}/{}: node '{}'", info.group, info.pipeline, info.node);
    ARROW_ASSIGN_OR_RAISE(checkpoint_,
                          CheckpointKeeper::Open(*config_.checkpoint, owner, {base, selection},
                                                 DescribeSettings(config_)));
    file_ledger_ = checkpoint_->ledger();
  } else {
    const ReplayName name = {info.group, info.pipeline, info.node, base, selection};
    file_ledger_ = LedgersOfProcess().Of(name);
    pacing_.UseFoundShift(LedgersOfProcess().ShiftOf(name));
  }
  file_ledger_->Restore(std::move(resumed_));
  work_list_.UseLedger(file_ledger_);
  return Status::OK();
}

Status Replay::SaveCheckpoint() const {
  return checkpoint_ == nullptr ? Status::OK() : checkpoint_->Save();
}

std::vector<lake::QuarantineEntry> Replay::QuarantinedBefore() const {
  return checkpoint_ == nullptr ? std::vector<lake::QuarantineEntry>()
                                : checkpoint_->ledger()->QuarantinedBefore();
}

Status Replay::ReadProgress() {
  if (config_.progress.resume.empty()) {
    return Status::OK();
  }
  auto read = ReadReceiptProgress(config_.progress.resume, store_->Describe(base_), config_);
  if (!read.ok()) {
    return MakeError(ErrorKind::kConfig,
                     fmt::format("progress.resume: {}", read.status().message()));
  }
  resumed_ = *std::move(read);
  for (const lake::DeliveredFile& file : resumed_) {
    num_resumed_ += file.is_whole ? file.num_rows : file.rows.num_rows();
  }
  return Status::OK();
}

std::string Replay::DescribeProgress() const {
  const bool is_asked = config_.progress.in_receipt || !config_.progress.resume.empty();
  if (!is_asked || file_ledger_ == nullptr) {
    return "";
  }
  int64_t num_left_out = 0;
  std::string progress = WriteReceiptProgress(config_, file_ledger_->Delivered(), &num_left_out);
  if (num_left_out > 0) {
    LogWarning(
        "parquet receiver: {} files with names that are not UTF-8 are not in the receipt: a replay "
        "that resumes sends them again",
        num_left_out);
  }
  return progress;
}

void Replay::Begin() {
  const std::lock_guard lock(mutex_);
  if (num_reading_++ == 0) {
    store_->Resume();
  }
}

void Replay::Cease() {
  const std::lock_guard lock(mutex_);
  if (--num_reading_ == 0) {
    store_->Stop();
  }
}

void Replay::LogNewProblems() {
  const lake::ReadReport report = work_list_.Report();
  const std::lock_guard lock(mutex_);
  std::set<std::string> logged;  // what is in no list any more need not be remembered
  for (const auto* list : {&report.problems, &report.latest}) {
    for (const lake::Problem& problem : *list) {
      if (!logged_.contains(problem.message)) {
        LogWarning("parquet receiver: {}: {}", Name(problem.kind), problem.message);
      }
      logged.insert(problem.message);
    }
  }
  for (const lake::Problem& notice : report.notices) {
    if (!logged_.contains(notice.message)) {
      LogInfo("parquet receiver: notice: {}", notice.message);
    }
    logged.insert(notice.message);
  }
  logged_ = std::move(logged);
  if (work_list_.has_listed() && !work_list_.has_found_files() &&
      !std::exchange(has_logged_empty_base_, true)) {
    LogWarning("parquet receiver: {}", DescribeNothing());
  }
}

std::string Replay::DescribeNothing() const {
  return config_.catalog.files.has_value()
             ? fmt::format(
                   "nothing found to replay: {} gives no file that is there and can be read",
                   lake::DescribeFileList(*config_.catalog.files))
             : DescribeEmptyBase(store_->uri(), config_.signal_types);
}

lake::ErrorCounts Replay::TakeNewErrors() {
  const lake::ReadReport report = work_list_.Report();
  const std::lock_guard lock(mutex_);
  lake::ErrorCounts added = report.errors;
  for (size_t kind = 0; kind < added.size(); ++kind) {
    // A file that was read after all takes its error back; a counter only rises.
    added[kind] = std::max<int64_t>(added[kind] - num_counted_[kind], 0);
    num_counted_[kind] += added[kind];
  }
  return added;
}

storage::StoreCounts Replay::TakeNewRequests() {
  const std::lock_guard lock(mutex_);
  const storage::StoreCounts all = store_->counts();
  return all - std::exchange(requests_counted_, all);
}

int64_t Replay::TakeNewSkippedFolders() {
  const int64_t all = work_list_.num_folders_skipped();
  const std::lock_guard lock(mutex_);
  return all - std::exchange(num_folders_counted_, all);
}

}  // namespace df::nodes::receivers::parquet
