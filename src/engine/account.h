// What a source knows, as numbers, of everything that it was asked to send.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "otap/schema.h"

namespace df::engine {

/// Returns what records of a signal are called: "log records", "spans", "metrics".
std::string_view RecordName(otap::Signal signal);

/// Counts by reason: stable codes, as "unreadable".
using Reasons = std::map<std::string, int64_t>;

/// One signal of a source. Two laws hold at every exit:
///   listed = sent + the sum of left_out
///   sent = delivered + refused + in_flight, of records and of items.
/// Dead letters are a part of the refused.
/// Units: records are log records, spans and metrics, each counted once however often it was sent;
/// items are log records, spans and data points, counted at each delivery, as a destination does.
struct SignalAccount {
  otap::Signal signal = otap::Signal::kLogs;
  int64_t listed = 0;  ///< records that are known to be there
  int64_t read = 0;
  int64_t sent = 0;
  int64_t delivered = 0;  ///< acknowledged
  int64_t refused = 0;
  int64_t dead_letters = 0;  ///< of the refused: their batches are durable among the dead letters
  int64_t in_flight = 0;     ///< sent, and without an outcome: they may have arrived
  int64_t selected_out = 0;  ///< of those left out: not of the selection, so nobody misses them
  Reasons left_out;
  int64_t items_sent = 0;
  int64_t items_delivered = 0;
  int64_t items_refused = 0;
  int64_t items_dead_letters = 0;  ///< of the refused
  int64_t items_in_flight = 0;
};

/// What was acknowledged, in a form in which it can be compared with what has arrived.
struct SignalDigest {
  otap::Signal signal = otap::Signal::kLogs;
  int64_t num_items = 0;  ///< log records, spans, data points and metrics that have none
  std::string sum;        ///< of the hashes of the items, as `verify` prints it
  /// Items that were acknowledged and are in no sum: which items of a batch were refused is not
  /// known where some were.
  int64_t num_without = 0;
};

/// One table of a source, as its reader counts: rows that are read again count again.
struct TableAccount {
  std::string table;
  int64_t rows_read = 0;
  int64_t rows_emitted = 0;
  Reasons dropped;
};

/// Records of one file that have not been delivered.
struct RecordRange {
  std::string partition;
  std::string file;
  int row_group = 0;
  int64_t first_row = 0;  ///< in the row group
  int64_t num_rows = 0;
  std::string reason;  ///< unreadable, not_read, read_not_sent, in_flight, refused, quarantined
};

/// A file whose records have not all been delivered.
struct UnfinishedFile {
  std::string partition;
  std::string file;
  int64_t size_bytes = 0;
  std::optional<int64_t> num_records;  ///< nothing: it was not opened
  int64_t num_delivered = 0;
  std::string reason;  ///< the first that holds of: waiting, those of RecordRange, dead_letter
};

/// Something named once, and how often it was met.
struct NamedCount {
  std::string kind;
  std::string message;
  int64_t count = 1;
};

/// Of one receiver, over all cores and all instances that were made again. Lists are bounded by
/// kMaxListed; beside each stands how many there are.
struct SourceAccount {
  static constexpr size_t kMaxListed = 1000;

  /// It was to send what is there and end, and there was nothing.
  bool has_found_nothing = false;
  /// Every file that was found is in `listed`; false: some were not opened, or could not be.
  bool has_listed_all = true;
  std::string base;
  int64_t num_files = 0;  ///< that hold records, not the tables below them
  int64_t num_bytes = 0;  ///< of these
  int64_t num_files_delivered = 0;
  std::vector<SignalAccount> signals;
  std::vector<SignalDigest> digests;  ///< none where nobody asked for them
  std::vector<TableAccount> tables;
  std::vector<UnfinishedFile> unfinished;
  int64_t num_unfinished = 0;
  std::vector<RecordRange> send_again;
  int64_t num_send_again = 0;
  int64_t num_repaired_columns = 0;
  int64_t num_ambiguous = 0;  ///< records whose resource and scope cannot be told
  int64_t num_duplicate_ids = 0;
  std::vector<NamedCount> problems;
  std::vector<NamedCount> notices;
  /// A JSON object: what a later run needs to go on from here; "" where nobody asked for it.
  std::string progress;
  std::vector<std::string> broken_sums;  ///< that the source has found itself
};

/// Returns a line for each of the laws above that does not hold, and for each that the source says
/// so of: a defect of the program.
std::vector<std::string> BrokenSums(const SourceAccount& account);

}  // namespace df::engine
