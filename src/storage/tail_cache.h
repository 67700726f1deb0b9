// The ends of files, which hold their footers: kept, since files are opened several times.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include <arrow/buffer.h>

namespace df::storage {

/// Keeps what was used last. Calls: from any thread.
class TailCache {
 public:
  explicit TailCache(int64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// Returns null where it has none.
  std::shared_ptr<arrow::Buffer> Find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) {
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->second;
  }

  /// Takes the place of what it has for the key.
  void Add(const std::string& key, std::shared_ptr<arrow::Buffer> tail) {
    const std::lock_guard lock(mutex_);
    if (tail->size() > capacity_bytes_) {
      return;
    }
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      num_bytes_ -= found->second->second->size();
      entries_.erase(found->second);
      by_key_.erase(found);
    }
    num_bytes_ += tail->size();
    entries_.emplace_front(key, std::move(tail));
    by_key_.emplace(key, entries_.begin());
    while (num_bytes_ > capacity_bytes_) {
      num_bytes_ -= entries_.back().second->size();
      by_key_.erase(entries_.back().first);
      entries_.pop_back();
    }
  }

 private:
  using Entries = std::list<std::pair<std::string, std::shared_ptr<arrow::Buffer>>>;

  const int64_t capacity_bytes_;
  std::mutex mutex_;
  int64_t num_bytes_ = 0;
  Entries entries_;  ///< used last first
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace df::storage
