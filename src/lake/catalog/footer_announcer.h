// Files whose footers are read next, told to their store in time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "storage/store.h"

namespace df::lake {

/// Announces the files of a partition by the dozen: their footers are read one after the other, and
/// a store that is far away answers many requests in the time of one.
class FooterAnnouncer {
 public:
  /// `store` and `listing` are borrowed. `is_opened` tells whether a file will be opened at all.
  FooterAnnouncer(storage::Store* store, std::string base, const PartitionListing& listing,
                  const std::function<bool(const FileEntry&)>& is_opened)
      : store_(store), base_(std::move(base)) {
    if (store_->is_local()) {
      return;
    }
    for (const auto& table : listing.tables) {
      for (const FileEntry& entry : table) {
        if (is_opened(entry)) {
          paths_.push_back(FullPath(base_, entry.path));
        }
      }
    }
  }

  /// This file is opened next; files are asked for in the order of the listing.
  void Next(const FileEntry& entry) {
    if (next_ >= paths_.size() || paths_[next_] != FullPath(base_, entry.path)) {
      return;
    }
    if (next_ % kAtOnce == 0) {
      const auto begin = paths_.begin() + static_cast<std::ptrdiff_t>(next_);
      const size_t count = std::min(kAtOnce, paths_.size() - next_);
      store_->Prepare({begin, begin + static_cast<std::ptrdiff_t>(count)});
    }
    ++next_;
  }

 private:
  static constexpr size_t kAtOnce = 64;

  storage::Store* store_;
  std::string base_;
  std::vector<std::string> paths_;
  size_t next_ = 0;
};

}  // namespace df::lake
