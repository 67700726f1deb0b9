// Which partition the rows of a file are of, where no folder says it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "storage/store.h"

namespace df::lake {

/// Columns of which each value is one numbering of ids: those of our exporter and upstream's, and
/// of the exporter of Delta tables.
inline constexpr std::string_view kPartitionColumns[] = {"_part_id", "_otel_join_namespace"};

bool IsPartitionColumn(std::string_view name);

/// Names of partition columns with the values that a catalog gives for a file, in its order.
using PartitionValues = std::vector<std::pair<std::string, std::string>>;

/// Names partitions as the folders of a lake do: "_part_id=6f1c". Ids of two of them are never
/// joined, so a file whose rows may be of several is refused. The values of a column in a file are
/// taken from the statistics of its footer, which is read once for each version of the file.
class PartitionNames {
 public:
  /// `is_single`: rows of tables without such a column are all of one partition.
  PartitionNames(storage::Store* store, std::string base, bool is_single)
      : store_(store), base_(std::move(base)), is_single_(is_single) {}

  struct Answer {
    std::string partition;
    std::string refusal;  ///< not empty: which it is cannot be told, and why
  };

  /// `columns` are the partition columns that the table has, `known` what the catalog says of the
  /// file. Errors: those of reading the file.
  Result<Answer> NameOf(const std::string& path, const storage::DirectoryEntry& entry,
                        const std::vector<std::string>& columns, const PartitionValues& known);

  /// Forgets the files that were not asked for since the last call.
  void Forget();

 private:
  struct Known {
    int64_t size_bytes = 0;
    int64_t modified_nanos = 0;
    std::vector<std::pair<std::string, std::optional<std::string>>> values;  ///< by column
    bool is_asked = false;
  };

  Result<std::optional<std::string>> OnlyValue(const std::string& path,
                                               const storage::DirectoryEntry& entry,
                                               const std::string& column);

  storage::Store* store_;
  std::string base_;
  bool is_single_;
  std::unordered_map<std::string, Known> files_;  ///< by path
};

/// Returns the value that all rows of a file have in a column of texts, by the statistics of its
/// row groups; nothing where they do not say so. Errors: those of ReadFooter.
Result<std::optional<std::string>> OnlyValueOf(storage::Store& store, const std::string& full_path,
                                               const std::string& column);

}  // namespace df::lake
