#include "lake/lists/rewrite_watch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lake/catalog/file_summary.h"

namespace df::lake {

void RewriteWatch::Look(LakeListing* listing) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (!table.is_root()) {
      continue;
    }
    Partitions now;
    for (const PartitionListing& partition : listing->partitions) {
      for (const FileEntry& file : partition.tables[otap::TableIndex(table.kind)]) {
        now[partition.partition].insert(file.path);
      }
    }
    if (now.empty()) {
      continue;  // a table that is refused for now keeps what is known of it
    }
    Partitions& before = known_[table.kind];
    if (Status replaced = Compare(table.kind, before, now); !replaced.ok()) {
      listing->problems.push_back(std::move(replaced));
    }
    before = std::move(now);
  }
}

Status RewriteWatch::Compare(otap::TableKind table, const Partitions& before,
                             const Partitions& now) {
  int64_t num_gone = 0;
  int64_t num_new = 0;
  Location first{.partition = "", .table = std::string(otap::GetTable(table).directory)};
  for (const auto& [partition, files] : now) {
    const auto known = before.find(partition);
    if (known == before.end()) {
      continue;
    }
    const auto is_missing_in = [](const std::set<std::string>& other) {
      return [&other](const std::string& path) { return !other.contains(path); };
    };
    const auto gone =
        std::count_if(known->second.begin(), known->second.end(), is_missing_in(files));
    const auto added = std::find_if(files.begin(), files.end(), is_missing_in(known->second));
    if (gone == 0 || added == files.end()) {
      continue;  // files that only go, or only come, repeat nothing
    }
    if (num_gone == 0) {
      first.partition = partition;
      first.file = *added;
    }
    num_gone += gone;
    num_new += std::count_if(added, files.end(), is_missing_in(known->second));
  }
  return num_gone == 0
             ? Status::OK()
             : MakeError(ErrorKind::kFileDiscovery,
                         fmt::format("the catalog has replaced {} files that were listed before by "
                                     "{} others: rows that were written anew are sent once more",
                                     num_gone, num_new),
                         first);
}

}  // namespace df::lake
