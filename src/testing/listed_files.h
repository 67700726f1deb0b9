// What a listing holds, as texts.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "lake/catalog/catalog.h"

namespace df::testing {

/// Returns "table partition path" of each file.
inline std::vector<std::string> ListedFileNames(const lake::LakeListing& listing) {
  std::vector<std::string> files;
  for (const lake::PartitionListing& partition : listing.partitions) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const lake::FileEntry& entry : partition.tables[otap::TableIndex(table.kind)]) {
        files.push_back(fmt::format("{} {} {}", table.directory, partition.partition, entry.path));
      }
    }
  }
  return files;
}

inline std::vector<std::string> StatusMessages(const std::vector<Status>& statuses) {
  std::vector<std::string> messages;
  for (const Status& status : statuses) {
    messages.push_back(status.message());
  }
  return messages;
}

}  // namespace df::testing
