// What a replay says of itself when it ends.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/account.h"
#include "nodes/receivers/parquet/quarantine_report.h"
#include "nodes/receivers/parquet/replay.h"

namespace df::nodes::receivers::parquet {
namespace {

std::vector<engine::NamedCount> Named(const lake::ProblemList& problems) {
  std::vector<engine::NamedCount> named;
  for (const lake::Problem& problem : problems) {
    named.push_back({std::string(Name(problem.kind)), problem.message, problem.count});
  }
  return named;
}

/// What else is to be said of a tree: nothing is wrong because of it.
std::vector<engine::NamedCount> NoticesOf(const Replay& replay, const lake::ReadReport& report) {
  std::vector<engine::NamedCount> notices;
  for (const std::string& absent : replay.work_list().AbsentTables()) {
    notices.push_back({std::string(Name(ErrorKind::kMissingFile)), absent, 1});
  }
  if (report.files_unlisted > 0) {
    notices.push_back(
        {std::string(Name(ErrorKind::kIo)),
         fmt::format("{} files could not be opened: the number of their rows is not known "
                     "and is in no sum",
                     report.files_unlisted),
         1});
  }
  if (const lake::FooterCache* cache = replay.work_list().cache();
      cache != nullptr && !cache->failure().ok()) {
    notices.push_back({std::string(Name(ErrorKind::kIo)),
                       fmt::format("the cache of footers is not used any more, nothing else is "
                                   "wrong: {}",
                                   cache->failure().message()),
                       1});
  }
  const std::vector<engine::NamedCount> found = Named(report.notices);
  notices.insert(notices.end(), found.begin(), found.end());
  return notices;
}

std::vector<engine::TableAccount> TablesOf(const lake::ReadReport& report) {
  std::vector<engine::TableAccount> tables;
  for (const otap::TableInfo& table : otap::AllTables()) {
    const lake::TableCounts& counts = report.table(table.kind);
    engine::TableAccount told{.table = std::string(table.directory),
                              .rows_read = counts.rows_read,
                              .rows_emitted = counts.rows_emitted,
                              .dropped = {}};
    for (size_t reason = 0; reason < counts.rows_dropped.size(); ++reason) {
      if (counts.rows_dropped[reason] > 0) {
        told.dropped[std::string(lake::kDropReasonNames[reason])] = counts.rows_dropped[reason];
      }
    }
    if (told.rows_read > 0 || !told.dropped.empty()) {
      tables.push_back(std::move(told));
    }
  }
  return tables;
}

/// Files of partitions that were found and not taken.
void AddWaiting(const Replay& replay, engine::SourceAccount* account) {
  replay.work_list().VisitWaiting([&](const lake::PartitionListing& listing) {
    for (const otap::Signal signal : replay.config().signal_types) {
      for (const lake::FileEntry& entry :
           listing.tables[otap::TableIndex(otap::RootTable(signal))]) {
        account->has_listed_all = false;
        ++account->num_files;
        account->num_bytes += entry.size_bytes;
        if (++account->num_unfinished <= static_cast<int64_t>(engine::SourceAccount::kMaxListed)) {
          account->unfinished.push_back({.partition = listing.partition,
                                         .file = entry.path,
                                         .size_bytes = entry.size_bytes,
                                         .num_records = std::nullopt,
                                         .num_delivered = 0,
                                         .reason = "waiting"});
        }
      }
    }
  });
}

/// Saves it for the last time, so that who reads the report knows what is saved. Returns what a
/// later process sends again for want of it.
std::vector<engine::NamedCount> EndCheckpoint(const Replay& replay) {
  std::vector<engine::NamedCount> problems;
  const auto add = [&problems](std::string message) {
    problems.push_back({std::string(Name(ErrorKind::kIo)), std::move(message), 1});
  };
  if (replay.checkpoint() == nullptr) {
    return problems;
  }
  if (const Status saved = replay.SaveCheckpoint(); !saved.ok()) {
    add(
        fmt::format("the checkpoint lacks something that was delivered, which is sent again by a "
                    "later process: {}",
                    saved.message()));
  }
  if (const int64_t lost = replay.checkpoint()->num_leases_lost(); lost > 0) {
    problems.push_back(
        {std::string(Name(ErrorKind::kIo)), replay.checkpoint()->DescribeLost(), lost});
  }
  if (const int64_t left_out = replay.checkpoint()->num_left_out(); left_out > 0) {
    add(
        fmt::format("the checkpoint cannot name {} files whose names are not UTF-8: they are sent "
                    "again by a later process",
                    left_out));
  }
  return problems;
}

std::shared_ptr<const engine::SourceAccount> AccountOf(
    const Replay& replay, const lake::ReadReport& report,
    const std::vector<engine::NamedCount>& of_checkpoint) {
  auto account = std::make_shared<engine::SourceAccount>();
  account->base = replay.store()->Describe(replay.base());
  account->has_found_nothing = replay.work_list().has_listed() &&
                               !replay.work_list().has_found_files() &&
                               !replay.config().polling_interval.interval.has_value();
  account->has_listed_all = replay.work_list().has_listed() &&
                            replay.work_list().num_held_back() == 0 && report.files_failed == 0;
  replay.ledger().Describe(account.get());
  AddWaiting(replay, account.get());
  account->tables = TablesOf(report);
  account->num_repaired_columns = report.repaired_columns;
  account->num_ambiguous = report.rows_without_resource;
  for (const lake::TableCounts& counts : report.tables) {
    account->num_duplicate_ids += counts.duplicate_ids;
  }
  account->problems = Named(report.problems);
  for (engine::NamedCount& latest : Named(report.latest)) {
    account->problems.push_back(std::move(latest));
  }
  account->problems.insert(account->problems.end(), of_checkpoint.begin(), of_checkpoint.end());
  AddQuarantined(replay.QuarantinedBefore(), account.get());
  account->notices = NoticesOf(replay, report);
  replay.pacing().AddTo(account.get());
  account->progress = replay.DescribeProgress();
  if (const Status sums = report.CheckConservation(); !sums.ok()) {
    account->broken_sums.push_back(sums.message());
  }
  return account;
}

/// What was delivered, and of each signal that was not delivered whole why not.
void DescribeDelivery(const engine::SourceAccount& account, engine::NodeReport* report) {
  std::string delivered;
  std::vector<std::string> short_of;
  int64_t num_points = 0;
  for (const engine::SignalAccount& signal : account.signals) {
    if (signal.signal == otap::Signal::kMetrics) {
      num_points = signal.items_delivered;
    }
    if (signal.listed == 0) {
      continue;
    }
    delivered +=
        fmt::format("{}{} of {}{} {}", delivered.empty() ? "delivered " : ", ", signal.delivered,
                    account.has_listed_all ? "" : "at least ", signal.listed - signal.selected_out,
                    engine::RecordName(signal.signal));
    std::string text;
    const auto add = [&](int64_t count, std::string_view what) {
      if (count > 0) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, what);
      }
    };
    add(signal.refused, "refused");
    add(signal.in_flight, "sent without an outcome");
    for (const auto& [reason, count] : signal.left_out) {
      if (reason == "selected_out") {
        continue;
      }
      add(count, reason);
      // What cannot be read is counted as such already, refusals by their batches, and what is in
      // quarantine by its entries; what was dropped from it nobody misses.
      const bool is_counted =
          reason == "unreadable" || reason == "quarantined" || reason == "dropped";
      report->num_problems += is_counted ? 0 : count;
    }
    report->num_problems += signal.in_flight;
    if (!text.empty()) {
      short_of.push_back(fmt::format("not delivered: {}: {}", otap::Name(signal.signal), text));
    }
  }
  const auto count = [&](otap::Signal signal) {
    return account.signals[static_cast<size_t>(signal)].delivered;
  };
  report->lines.push_back(
      fmt::format("replayed {} log records, {} spans, {} metrics with {} data points",
                  count(otap::Signal::kLogs), count(otap::Signal::kTraces),
                  count(otap::Signal::kMetrics), num_points));
  if (!delivered.empty()) {
    report->lines.push_back(delivered);
  }
  report->lines.insert(report->lines.end(), short_of.begin(), short_of.end());
}

/// How many footers were not read since a cache has them.
void DescribeCache(const lake::FooterCache* cache, engine::NodeReport* lines) {
  if (cache == nullptr) {
    return;
  }
  const lake::FooterCache::Counts counts = cache->counts();
  lines->lines.push_back(
      fmt::format("took {} footers from the cache, read {}", counts.found, counts.missing));
}

/// What a store that is no folder was asked for.
void DescribeRequests(const storage::Store& store, engine::NodeReport* lines) {
  if (store.is_local()) {
    return;
  }
  const storage::StoreCounts counts = store.counts();
  lines->lines.push_back(fmt::format(
      "asked the store for {} listings, {} versions of files and {} ranges with {} bytes; made {} "
      "requests again, of which {} because it asked for less, and gave up {}",
      counts.requests_of(storage::Operation::kList), counts.requests_of(storage::Operation::kOpen),
      counts.requests_of(storage::Operation::kRead), counts.bytes_fetched, counts.retries,
      counts.throttled, counts.failed));
}

/// What a selection has left out, and how much of that was not even read.
void DescribeSelection(const Replay& replay, const lake::ReadReport& report,
                       engine::NodeReport* lines) {
  if (!replay.config().selection.has_value()) {
    return;
  }
  std::string selected;
  for (const engine::SignalAccount& signal : lines->source->signals) {
    if (signal.listed > 0) {
      selected += fmt::format("{}{} of {} {}", selected.empty() ? "selected " : ", ",
                              signal.listed - signal.selected_out, signal.listed,
                              engine::RecordName(signal.signal));
    }
  }
  if (replay.search() != nullptr) {
    for (std::string& line : replay.search()->Describe()) {
      lines->lines.push_back(std::move(line));
    }
  }
  lines->lines.push_back(selected.empty() ? "selected nothing: no record was listed" : selected);
  lines->lines.push_back(fmt::format(
      "left out without listing: {} folders of times; without reading: {} partitions by path, {} "
      "main files and {} row groups by statistics; without looking for children: {} stretches of "
      "rows",
      replay.work_list().num_folders_skipped(), replay.work_list().num_unwanted(),
      report.files_skipped, report.row_groups_skipped, report.payloads_skipped));
  for (size_t cause = 0; cause < report.skips.size(); ++cause) {
    const lake::SkipCounts& skipped = report.skips[cause];
    if (skipped != lake::SkipCounts{}) {
      lines->lines.push_back(
          fmt::format("not read by {}: {} main files, {} row groups, {} pages, {} rows, {} bytes",
                      lake::kSkipCauseNames[cause], skipped.files, skipped.row_groups,
                      skipped.pages, skipped.rows, skipped.bytes));
    }
  }
}

void DescribeReading(const lake::ReadReport& report, engine::NodeReport* lines) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    const lake::TableCounts& counts = report.table(table.kind);
    for (size_t reason = 0; reason < counts.rows_dropped.size(); ++reason) {
      // What has no answer is told with the delivery.
      const bool is_wish = reason == static_cast<size_t>(lake::DropReason::kSelectedOut) ||
                           reason == static_cast<size_t>(lake::DropReason::kUnanswered);
      if (counts.rows_dropped[reason] > 0 && !is_wish) {
        lines->lines.push_back(fmt::format("dropped {} rows of {}: {}", counts.rows_dropped[reason],
                                           table.directory, lake::kDropReasonNames[reason]));
        lines->num_problems += counts.rows_dropped[reason];
      }
    }
  }
  if (report.repaired_columns > 0) {
    lines->lines.push_back(fmt::format("repaired {} id columns of the known upstream defect",
                                       report.repaired_columns));
  }
  if (report.slices_decoded_again > 0) {
    lines->lines.push_back(
        fmt::format("decoded {} slices again: the order of rows does not fit memory_limit",
                    report.slices_decoded_again));
  }
}

/// What the work list has that nobody has taken, or taken back.
void DescribeLeft(const Replay& replay, engine::NodeReport* lines) {
  const auto add = [lines](int64_t count, std::string line) {
    if (count > 0) {
      lines->lines.push_back(std::move(line));
      lines->num_problems += count;
    }
  };
  const lake::WorkList& list = replay.work_list();
  const bool is_once = !replay.config().polling_interval.interval.has_value();
  add(is_once && !list.has_listed() ? 1 : 0, "the tree was not listed: nothing of it was read");
  add(list.num_held_back(),
      fmt::format("held back {} files: too young, or child files may be missing",
                  list.num_held_back()));
  add(list.num_waiting(), fmt::format("stopped before {} partitions", list.num_waiting()));
  const int64_t stopped = list.num_returned() - list.num_lost();
  add(stopped, fmt::format("stopped in the middle of {} partitions", stopped));
  add(list.num_lost(),
      fmt::format("not delivered whole: {} partitions that a failed node had begun",
                  list.num_lost()));
}

}  // namespace

engine::NodeReport DescribeReplay(const Replay& replay) {
  const lake::ReadReport report = replay.work_list().Report();
  engine::NodeReport lines;
  const std::vector<engine::NamedCount> of_checkpoint = EndCheckpoint(replay);
  lines.source = AccountOf(replay, report, of_checkpoint);
  DescribeDelivery(*lines.source, &lines);
  lines.lines.push_back(fmt::format("from {} files in {} partitions, as {} batches",
                                    report.files_replayed, report.partitions, report.payloads));
  if (const int64_t before = replay.work_list().num_delivered_before(); before > 0) {
    const bool is_of_checkpoint =
        replay.checkpoint() != nullptr &&
        (replay.checkpoint()->num_loaded() > 0 || replay.checkpoint()->is_shared());
    lines.lines.push_back(
        fmt::format("left out {} files that {} before{}", before,
                    replay.num_resumed() > 0 || is_of_checkpoint ? "were delivered"
                                                                 : "this process had delivered",
                    replay.num_resumed() > 0 ? ", as the receipt of an earlier run says"
                    : is_of_checkpoint       ? ", as the checkpoint says"
                                             : ", as the same node"));
  }
  lines.num_problems += replay.pacing().num_kept();
  DescribeQuarantine(replay.config(), replay.QuarantinedBefore(), &lines);
  for (const engine::NamedCount& problem : of_checkpoint) {
    lines.lines.push_back(problem.message);
    lines.num_problems += problem.count;
  }
  DescribeCache(replay.work_list().cache(), &lines);
  DescribeRequests(*replay.store(), &lines);
  DescribeSelection(replay, report, &lines);
  DescribeReading(report, &lines);
  DescribeLeft(replay, &lines);
  if (replay.work_list().has_listed() && !replay.work_list().has_found_files()) {
    lines.lines.push_back(replay.DescribeNothing());
  }
  for (const engine::NamedCount& notice : lines.source->notices) {
    lines.lines.push_back(fmt::format("notice: {}", notice.message));
  }
  for (const auto* list : {&report.problems, &report.latest}) {
    for (const lake::Problem& problem : *list) {
      lines.lines.push_back(
          fmt::format("not replayed: {}: {}{}", Name(problem.kind), problem.message,
                      problem.count > 1 ? fmt::format(" (x{})", problem.count) : ""));
    }
  }
  if (report.num_forgotten > 0) {
    lines.lines.push_back(
        fmt::format("not replayed: {} more problems, counted by kind in df.receiver.errors",
                    report.num_forgotten));
  }
  lines.num_problems += report.num_errors();
  return lines;
}

}  // namespace df::nodes::receivers::parquet
