#include "nodes/receivers/otlp_file/file_sums.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/account.h"
#include "nodes/receivers/otlp_file/request_reader.h"
#include "otlp/request_file.h"

namespace df::nodes::receivers::otlp_file {
namespace {

/// Problems that are named one by one.
constexpr size_t kMostProblems = 100;

bool IsJson(const OtlpFileConfig& config, const std::string& path) {
  return config.format == FileFormat::kByName ? IsJsonName(path)
                                              : config.format == FileFormat::kJson;
}

}  // namespace

Result<std::shared_ptr<FileSums>> FileSums::Make(const OtlpFileConfig& config) {
  auto paths = otlp::ExpandPath(config.path);
  if (!paths.ok()) {
    return MakeError(ErrorKind::kConfig,
                     fmt::format("path: found no file at '{}'", PrintableText(config.path)));
  }
  std::vector<OpenFilePtr> files;
  for (const std::string& path : *paths) {
    if (!IsJson(config, path) && config.signal_types.size() != 1 &&
        !SignalOfName(path).has_value()) {
      return MakeError(ErrorKind::kConfig,
                       fmt::format("path: '{}' is protobuf, and its name does not say of what; "
                                   "expected logs, traces or metrics in the name, or one of them "
                                   "in signal_types",
                                   PrintableText(path)));
    }
    std::error_code error;
    auto file = std::make_shared<OpenFile>();
    file->path = path;
    const auto size = std::filesystem::file_size(path, error);
    file->size_bytes = error ? 0 : static_cast<int64_t>(size);
    files.push_back(std::move(file));
  }
  return std::shared_ptr<FileSums>(new FileSums(config.path, std::move(files)));
}

OpenFilePtr FileSums::Take() {
  const std::lock_guard lock(mutex_);
  return next_ < files_.size() ? files_[next_++] : nullptr;
}

void FileSums::OnRead(const FileBatch& batch) {
  const std::lock_guard lock(mutex_);
  sums_[static_cast<size_t>(batch.signal)].read += batch.num_records;
  ++batch.file->num_open;
}

void FileSums::OnSent(const FileBatch& batch) {
  const std::lock_guard lock(mutex_);
  Sums& sums = sums_[static_cast<size_t>(batch.signal)];
  sums.sent += batch.num_records;
  sums.items_sent += batch.num_items;
}

void FileSums::OnOutcome(const FileBatch& batch, bool is_refused, int64_t num_items_refused,
                         int64_t num_dead_letters) {
  const std::lock_guard lock(mutex_);
  Sums& sums = sums_[static_cast<size_t>(batch.signal)];
  // Which records of a batch were refused is not known where some were: all count as refused.
  (is_refused ? sums.refused : sums.delivered) += batch.num_records;
  sums.dead_letters += num_dead_letters > 0 ? batch.num_records : 0;
  sums.items_refused += num_items_refused;
  sums.items_dead_letters += num_dead_letters;
  sums.items_delivered += batch.num_items - num_items_refused;
  batch.file->is_refused = batch.file->is_refused || is_refused;
  --batch.file->num_open;
}

bool FileSums::OnProblem(const OpenFilePtr& file, const std::string& message) {
  const std::lock_guard lock(mutex_);
  file->is_whole = false;
  ++num_problems_;
  if (problems_.size() >= kMostProblems) {
    return false;
  }
  problems_.push_back({.kind = std::string(Name(ErrorKind::kIo)),
                       .message = fmt::format("{}: {}", PrintableText(file->path), message)});
  return true;
}

void FileSums::OnEnd(const OpenFilePtr& file) {
  const std::lock_guard lock(mutex_);
  file->is_read = true;
}

void FileSums::OnLosses(const engine::NodeReport& losses) {
  const std::lock_guard lock(mutex_);
  losses_.lines.insert(losses_.lines.end(), losses.lines.begin(), losses.lines.end());
  losses_.num_problems += losses.num_problems;
}

engine::NodeReport FileSums::Describe() const {
  const std::lock_guard lock(mutex_);
  auto account = std::make_shared<engine::SourceAccount>();
  account->base = path_;
  account->problems = problems_;
  for (const OpenFilePtr& file : files_) {
    ++account->num_files;
    account->num_bytes += file->size_bytes;
    const bool is_delivered =
        file->is_read && file->is_whole && !file->is_refused && file->num_open == 0;
    account->num_files_delivered += is_delivered ? 1 : 0;
    account->has_listed_all = account->has_listed_all && file->is_read && file->is_whole;
    if (!is_delivered &&
        ++account->num_unfinished <= static_cast<int64_t>(engine::SourceAccount::kMaxListed)) {
      account->unfinished.push_back({.partition = "",
                                     .file = file->path,
                                     .size_bytes = file->size_bytes,
                                     .num_records = std::nullopt,
                                     .num_delivered = 0,
                                     .reason = !file->is_read     ? "not_read"
                                               : !file->is_whole  ? "unreadable"
                                               : file->is_refused ? "refused"
                                                                  : "in_flight"});
    }
  }
  engine::NodeReport report;
  std::string delivered;
  for (const otap::Signal signal : otap::kAllSignals) {
    const Sums& sums = sums_[static_cast<size_t>(signal)];
    engine::SignalAccount told{.signal = signal};
    told.listed = told.read = sums.read;
    told.sent = sums.sent;
    told.delivered = sums.delivered;
    told.refused = sums.refused;
    told.dead_letters = sums.dead_letters;
    told.in_flight = sums.sent - sums.delivered - sums.refused;
    if (sums.read > sums.sent) {
      told.left_out["read_not_sent"] = sums.read - sums.sent;
    }
    told.items_sent = sums.items_sent;
    told.items_delivered = sums.items_delivered;
    told.items_refused = sums.items_refused;
    told.items_dead_letters = sums.items_dead_letters;
    told.items_in_flight = sums.items_sent - sums.items_delivered - sums.items_refused;
    report.num_problems += told.in_flight + sums.read - sums.sent;
    if (sums.read > 0) {
      delivered += fmt::format("{}{} of {} {}", delivered.empty() ? "delivered " : ", ",
                               sums.delivered, sums.read, engine::RecordName(signal));
    }
    account->signals.push_back(std::move(told));
  }
  report.lines.push_back(delivered.empty() ? "found no records" : delivered);
  report.lines.push_back(fmt::format("{} of {} files delivered whole", account->num_files_delivered,
                                     account->num_files));
  const auto num_read = std::count_if(files_.begin(), files_.end(),
                                      [](const OpenFilePtr& file) { return file->is_read; });
  if (const int64_t num_unread = std::ssize(files_) - num_read; num_unread > 0) {
    report.lines.push_back(fmt::format("stopped before the end of {} files", num_unread));
    report.num_problems += num_unread;
  }
  for (const engine::NamedCount& problem : problems_) {
    report.lines.push_back("not read: " + problem.message);
  }
  if (const int64_t more = num_problems_ - static_cast<int64_t>(problems_.size()); more > 0) {
    report.lines.push_back(fmt::format("not read: {} more requests", more));
  }
  report.lines.insert(report.lines.end(), losses_.lines.begin(), losses_.lines.end());
  for (const std::string& line : losses_.lines) {
    (losses_.num_problems > 0 ? account->problems : account->notices).push_back({"decode", line});
  }
  report.num_problems += num_problems_ + losses_.num_problems;
  account->has_found_nothing = delivered.empty() && report.num_problems == 0;
  report.source = std::move(account);
  return report;
}

}  // namespace df::nodes::receivers::otlp_file
