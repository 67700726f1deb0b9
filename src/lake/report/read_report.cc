#include "lake/report/read_report.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace df::lake {

void ReadReport::Add(const Status& error, int64_t count) {
  const ErrorKind kind = KindOf(error);
  errors[static_cast<size_t>(kind)] += count;
  Keep({kind, error.message(), count});
}

/// Keeps the first problems and the latest: a follower that has run for a year still names what
/// goes wrong today.
void ReadReport::Keep(const Problem& problem) {
  if (problems.Add(problem) || latest.Add(problem)) {
    return;
  }
  num_forgotten += latest.TakeFirst().count;
  latest.Add(problem);
}

void ReadReport::AddUnlisted(const Status& error) {
  Add(error);
  ++files_failed;
  ++files_unlisted;
}

void ReadReport::AddNotice(const Status& notice) {
  notices.Add({KindOf(notice), notice.message(), 1});
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
  for (const ProblemList* list : {&other.problems, &other.latest}) {
    for (const Problem& problem : *list) {
      Keep(problem);
    }
  }
  num_forgotten += other.num_forgotten;
  for (const Problem& notice : other.notices) {
    notices.Add(notice);
  }
  payloads += other.payloads;
  items += other.items;
  partitions += other.partitions;
  partitions_stopped += other.partitions_stopped;
  files_replayed += other.files_replayed;
  files_skipped += other.files_skipped;
  row_groups_skipped += other.row_groups_skipped;
  payloads_skipped += other.payloads_skipped;
  for (size_t cause = 0; cause < skips.size(); ++cause) {
    skips[cause].Add(other.skips[cause]);
  }
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
