// The keys of a document that say which records are wanted.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "config/field_table.h"
#include "otap/schema.h"
#include "select/selector.h"
#include "select/time_range.h"

namespace df::select {

/// `time` of `select`.
struct TimeSettings {
  std::optional<TimePoint> from;
  std::optional<TimePoint> to;
};

/// `where` of `select`: one text for all signals, or one a signal.
struct WhereSettings {
  std::optional<std::string> all;
  std::array<std::optional<std::string>, otap::kAllSignals.size()> by_signal;
};

/// `partitions` of `select`: patterns of the path below the folder of a table.
struct PartitionSettings {
  std::vector<std::string> include;
  std::vector<std::string> exclude;

  /// Tells whether a partition is wanted. In a pattern '*' stands for any characters, '?' for one,
  /// '[..]' for one of some.
  bool Wants(const std::string& partition) const;
};

/// `select` as it is written.
struct SelectSettings {
  TimeSettings time;
  PartitionSettings partitions;
  WhereSettings where;
  std::vector<std::string> trace_ids;
  std::string trace_ids_file;
};

/// Keys of `select`.
const config::FieldTable<SelectSettings>& SelectFields();

/// Reads 32 hexadecimal digits, not all of them 0, as 16 bytes; nothing for anything else.
std::optional<std::string> ParseTraceId(std::string_view text);

/// Adds the ids of a file, one a line. Errors: Invalid with what was found, and its line.
Status ReadTraceIdsFile(const std::string& path, std::unordered_set<std::string>* ids);

/// A selection whose times may still depend on when it begins.
struct Selection {
  SelectSettings settings;
  Wishes wishes;  ///< but for the time

  /// Returns what selects, for a replay that begins now.
  Selector Begin(int64_t now_nanos) const;

  /// Tells whether a condition has trace.any.
  bool AsksOfTraces() const;

  /// Returns a text that is the same for selections that want the same, whenever they begin.
  std::string Fingerprint() const;
};

/// Checks and compiles what was read. `section` is that of `select`; problems are added at its
/// keys, and nothing is returned then.
std::optional<Selection> ReadSelection(const config::Section& section,
                                       const SelectSettings& settings,
                                       std::span<const otap::Signal> signals);

}  // namespace df::select
