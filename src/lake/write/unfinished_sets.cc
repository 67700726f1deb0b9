#include "lake/write/unfinished_sets.h"

#include <system_error>

#include <arrow/io/file.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include "base/durable_file.h"
#include "lake/catalog/file_summary.h"
#include "lake/format/footer.h"
#include "otap/schema.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

/// Returns the set of a file, "" when it says none or cannot be read.
std::string SetOf(const fs::path& path) {
  const auto file = arrow::io::ReadableFile::Open(path.string());
  if (!file.ok()) {
    return "";
  }
  const auto footer = ReadFooter(file->get(), {.file = path.string()});
  if (!footer.ok() || footer->metadata->key_value_metadata() == nullptr) {
    return "";
  }
  return footer->metadata->key_value_metadata()->Get(kFileSetKey).ValueOr("");
}

}  // namespace

Result<int64_t> UnfinishedSets::RemoveSetOf(const fs::path& staged) {
  const std::string set = SetOf(base_ / staged);
  if (set.empty() || !done_.insert(set).second) {
    return 0;
  }
  const fs::path partition = staged.parent_path().lexically_relative(*staged.begin());
  int64_t num_removed = 0;
  for (const otap::TableInfo& table : otap::AllTables()) {
    const fs::path folder = (base_ / table.directory / partition).lexically_normal();
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      const fs::path& path = entries->path();
      std::error_code ignored;
      if (path.extension() == ".parquet" && entries->is_regular_file(ignored) &&
          SetOf(path) == set) {
        num_removed += fs::remove(path, ignored) ? 1 : 0;
      }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return FileError(folder, "cannot list", error.value());
    }
  }
  return num_removed;
}

}  // namespace df::lake
