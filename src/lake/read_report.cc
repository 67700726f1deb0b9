#include "lake/read_report.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace df::lake {

namespace {

/// What two problems with the same cause share: the message, and of what is wrong with a schema
/// not the file, but the table.
std::string_view CauseOf(const Problem& problem) {
  std::string_view message = problem.message;
  const size_t where = message.rfind(" [");
  if (problem.kind == ErrorKind::kSchemaReconstruction && where != std::string_view::npos) {
    message = message.substr(0, where);
  }
  return message;
}

std::string_view TableOf(const Problem& problem) {
  constexpr std::string_view kTable = "table=";
  std::string_view message = problem.message;
  const size_t where = message.find(kTable, message.rfind(" ["));
  if (where == std::string_view::npos) {
    return "";
  }
  message.remove_prefix(where + kTable.size());
  return message.substr(0, message.find_first_of(" ]"));
}

/// Counts a problem that is in the list, or puts it there. Returns whether there was room.
bool AddTo(std::vector<Problem>* list, size_t max_size, const Problem& added) {
  const auto known = std::find_if(list->begin(), list->end(), [&](const Problem& problem) {
    return problem.kind == added.kind && CauseOf(problem) == CauseOf(added) &&
           TableOf(problem) == TableOf(added);
  });
  if (known != list->end()) {
    known->count += added.count;
  } else if (list->size() < max_size) {
    list->push_back(added);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void ReadReport::Add(const Status& error, int64_t count) {
  const ErrorKind kind = KindOf(error);
  errors[static_cast<size_t>(kind)] += count;
  Keep({kind, error.message(), count});
}

/// Keeps the first problems and the latest: a follower that has run for a year still names what
/// goes wrong today.
void ReadReport::Keep(const Problem& problem) {
  if (AddTo(&problems, kMaxProblems, problem) || AddTo(&latest, kMaxLatest, problem)) {
    return;
  }
  num_forgotten += latest.front().count;
  latest.erase(latest.begin());
  latest.push_back(problem);
}

void ReadReport::AddUnlisted(const Status& error) {
  Add(error);
  ++files_failed;
  ++files_unlisted;
}

void ReadReport::AddNotice(const Status& notice) {
  AddTo(&notices, kMaxProblems, {KindOf(notice), notice.message(), 1});
}

void ReadReport::Merge(const ReadReport& other) {
  for (size_t i = 0; i < tables.size(); ++i) {
    TableCounts& mine = tables[i];
    const TableCounts& theirs = other.tables[i];
    mine.rows_listed += theirs.rows_listed;
    mine.rows_read += theirs.rows_read;
    mine.rows_emitted += theirs.rows_emitted;
    for (size_t reason = 0; reason < mine.rows_dropped.size(); ++reason) {
      mine.rows_dropped[reason] += theirs.rows_dropped[reason];
    }
    mine.rows_left += theirs.rows_left;
    mine.duplicate_ids += theirs.duplicate_ids;
    mine.replaced_texts += theirs.replaced_texts;
    mine.bytes_decoded += theirs.bytes_decoded;
    mine.files_opened += theirs.files_opened;
  }
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] += other.errors[i];
  }
  for (const std::vector<Problem>* list : {&other.problems, &other.latest}) {
    for (const Problem& problem : *list) {
      Keep(problem);
    }
  }
  num_forgotten += other.num_forgotten;
  for (const Problem& notice : other.notices) {
    AddTo(&notices, kMaxProblems, notice);
  }
  payloads += other.payloads;
  items += other.items;
  partitions += other.partitions;
  partitions_stopped += other.partitions_stopped;
  files_replayed += other.files_replayed;
  files_failed += other.files_failed;
  files_unlisted += other.files_unlisted;
  repaired_columns += other.repaired_columns;
  late_rows += other.late_rows;
  rows_without_resource += other.rows_without_resource;
  slices_decoded_again += other.slices_decoded_again;
  peak_bytes = std::max(peak_bytes, other.peak_bytes);
}

int64_t TableCounts::num_dropped() const {
  return std::accumulate(rows_dropped.begin(), rows_dropped.end(), int64_t{0});
}

Status ReadReport::CheckConservation() const {
  for (const otap::TableInfo& info : otap::AllTables()) {
    const TableCounts& counts = table(info.kind);
    const bool has_negative = counts.rows_emitted < 0 || counts.rows_left < 0 ||
                              std::any_of(
                                  counts.rows_dropped.begin(), counts.rows_dropped.end(),
                                  [](int64_t rows) { return rows < 0; });
    if (has_negative || counts.rows_read != counts.rows_emitted + counts.num_dropped() ||
        counts.rows_listed != counts.rows_read + counts.rows_left) {
      return Status::Invalid(
          fmt::format("table {}: {} rows listed, {} read, {} emitted, {} dropped, {} left",
                      info.directory, counts.rows_listed, counts.rows_read, counts.rows_emitted,
                      counts.num_dropped(), counts.rows_left));
    }
  }
  return Status::OK();
}

int64_t ReadReport::num_errors() const {
  int64_t sum = 0;
  for (const int64_t count : errors) {
    sum += count;
  }
  return sum;
}

}  // namespace df::lake
