// Files that stay open for the next row group.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/format/table_file.h"

namespace df::lake {

/// Keeps the files that were used last, so that row groups of one file share its handle and its
/// footer, which is parsed once. Memory: kMost footers; fewer
/// where footers are large, but the file used last.
class KeptFiles {
 public:
  static constexpr size_t kMost = 4;

  /// Returns the file of a summary: the one that is kept, or what `open` gives. Errors: of `open`.
  Result<std::shared_ptr<TableFile>> Get(
      const FileSummary& summary, const std::function<Result<std::shared_ptr<TableFile>>()>& open);

  /// Lets go of a file: the next one who asks opens it anew.
  void Forget(const FileSummary& summary);

 private:
  struct Entry {
    const FileSummary* summary;
    std::shared_ptr<TableFile> file;
  };
  std::vector<Entry> entries_;  ///< used last first
};

}  // namespace df::lake
