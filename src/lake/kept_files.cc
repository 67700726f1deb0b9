#include "lake/kept_files.h"

#include <algorithm>

namespace df::lake {

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
  return file;
}

void KeptFiles::Forget(const FileSummary& summary) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.summary == &summary; });
}

}  // namespace df::lake
