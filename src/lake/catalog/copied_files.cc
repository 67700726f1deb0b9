#include "lake/catalog/copied_files.h"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "lake/catalog/content_hash.h"

namespace df::lake {
namespace {

using FooterKey = std::pair<std::string, int64_t>;  ///< digest, size of the file

std::map<FooterKey, int> CountFooters(const std::vector<FileSummaryPtr>& files) {
  std::map<FooterKey, int> counts;
  for (const FileSummaryPtr& file : files) {
    ++counts[{file->digest, file->entry.size_bytes}];
  }
  return counts;
}

}  // namespace

std::vector<CopiedFile> TakeOutCopies(storage::Store& store, const std::string& base,
                                      PartitionFiles* files) {
  std::vector<CopiedFile> copies;
  for (const otap::TableInfo& table : otap::AllTables()) {
    std::vector<FileSummaryPtr>& all = files->of(table.kind);
    if (table.is_root() || all.size() < 2) {
      continue;
    }
    const std::map<FooterKey, int> counts = CountFooters(all);
    if (counts.size() == all.size()) {
      continue;
    }
    std::vector<FileSummaryPtr> kept;
    std::map<std::string, FileSummaryPtr> first;  // by hash, of footers that come twice
    for (FileSummaryPtr& file : all) {
      const bool is_alone = counts.at({file->digest, file->entry.size_bytes}) == 1;
      const auto hash = is_alone || file->num_rows() == 0
                            ? arrow::Result<std::string>(std::string())
                            : HashBytes(store, FullPath(base, file->entry.path));
      if (!hash.ok() || hash->empty()) {
        kept.push_back(std::move(file));
        continue;
      }
      const auto [original, is_first] = first.emplace(*hash, file);
      if (is_first) {
        kept.push_back(std::move(file));
        continue;
      }
      copies.push_back(
          {file, MakeError(ErrorKind::kReconstruction,
                           fmt::format("the file has the bytes of {}: its {} rows are read once",
                                       original->second->entry.path, file->num_rows()),
                           {.partition = files->partition,
                            .table = std::string(table.directory),
                            .file = file->entry.path})});
    }
    all = std::move(kept);
  }
  return copies;
}

}  // namespace df::lake
