#include "lake/catalog/absent_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace df::lake {

std::vector<std::string> DescribeAbsentTables(const LakeListing& listing,
                                              const std::vector<otap::Signal>& signals) {
  std::vector<std::string> lines;
  for (const otap::Signal signal : signals) {
    const size_t root = otap::TableIndex(otap::RootTable(signal));
    const std::string_view root_name = otap::AllTables()[root].directory;
    std::vector<std::string_view> absent;
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (table.is_root() || !table.has_signal(signal) ||
          table.kind == otap::TableKind::kLogAttrs) {
        continue;
      }
      int64_t num_with_roots = 0;
      int64_t num_without = 0;
      const std::string* first = nullptr;
      for (const PartitionListing& partition : listing.partitions) {
        if (partition.tables[root].empty()) {
          continue;
        }
        ++num_with_roots;
        if (partition.tables[otap::TableIndex(table.kind)].empty()) {
          first = first == nullptr ? &partition.partition : first;
          ++num_without;
        }
      }
      if (num_without == 0) {
        continue;
      }
      if (num_without == num_with_roots) {
        absent.push_back(table.directory);
      } else {
        lines.push_back(fmt::format("{} of {} partitions with {} have no file of {}, first {}",
                                    num_without, num_with_roots, root_name, table.directory,
                                    PrintableText(*first)));
      }
    }
    if (!absent.empty()) {
      lines.push_back(fmt::format("there is no file of {}: {} come out without such rows",
                                  fmt::join(absent, ", "), root_name));
    }
  }
  return lines;
}

}  // namespace df::lake
