// What a writer of a lake is told.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <arrow/util/type_fwd.h>

#include "base/units.h"
#include "lake/catalog/time_levels.h"
#include "otap/schema.h"

namespace df::lake {

/// How the pages of a table are compressed.
struct Compression {
  arrow::Compression::type codec;
  std::optional<int> level;  ///< nothing: the codec's own default

  bool operator==(const Compression&) const = default;
};

struct WriteOptions {
  Compression compression{arrow::Compression::ZSTD, 3};
  std::map<otap::TableKind, Compression> table_compression;  ///< in place of the above

  /// Folders of times between table and partition.
  TimeLevels time_levels = TimeLevels::kNone;

  /// Stands in the footer of every file: the same for all of one start of one instance of an
  /// exporter. Empty: the key is left out.
  std::string producer;

  /// Batches carry the marks of dead letters, and the footer of every file says so.
  bool holds_dead_letters = false;

  /// A row group is closed once the batches in it hold this many bytes in memory, or one of its
  /// tables this many rows.
  int64_t row_group_bytes = 32_MiB;
  int64_t row_group_rows = 1'000'000;

  const Compression& compression_of(otap::TableKind kind) const {
    const auto found = table_compression.find(kind);
    return found == table_compression.end() ? compression : found->second;
  }
};

}  // namespace df::lake
