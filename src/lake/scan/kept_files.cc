#include "lake/scan/kept_files.h"

#include <algorithm>

#include <parquet/metadata.h>

namespace df::lake {
namespace {

/// Footers take some ten times of it in memory.
constexpr int64_t kMostFooterBytes = 4 << 20;

}  // namespace

Result<std::shared_ptr<TableFile>> KeptFiles::Get(
    const FileSummary& summary, const std::function<Result<std::shared_ptr<TableFile>>()>& open) {
  const auto kept = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return entry.summary == &summary; });
  if (kept != entries_.end()) {
    std::rotate(entries_.begin(), kept, kept + 1);
    return entries_.front().file;
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<TableFile> file, open());
  if (entries_.size() == kMost) {
    entries_.pop_back();
  }
  entries_.insert(entries_.begin(), {&summary, file});
  int64_t footer_bytes = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const TableFile* const kept_file = entries_[i].file.get();
    footer_bytes += kept_file == nullptr ? 0 : kept_file->footer().metadata->size();
    if (i > 0 && footer_bytes > kMostFooterBytes) {
      entries_.resize(i);
    }
  }
  return file;
}

void KeptFiles::Forget(const FileSummary& summary) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.summary == &summary; });
}

}  // namespace df::lake
