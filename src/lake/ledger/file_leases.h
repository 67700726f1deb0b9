// The right to send a file where several processes share the work.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "lake/ledger/lease_store.h"

namespace df::lake {

/// A lease of this process, as long as one of its owners lives and it is not lost. Calls: from any
/// thread.
class Lease {
 public:
  /// `is_in_term` tells whether others are still held off, by the clock of this process.
  Lease(std::string unit, std::function<bool()> is_in_term)
      : unit_(std::move(unit)), is_in_term_(std::move(is_in_term)) {}

  /// Whether something of its files may be sent now.
  bool MaySend() const { return !is_lost_ && is_in_term_(); }
  /// Another process has taken it over, or may have.
  void Lose() { is_lost_ = true; }
  const std::string& unit() const { return unit_; }

 private:
  const std::string unit_;
  const std::function<bool()> is_in_term_;
  std::atomic<bool> is_lost_ = false;
};
using LeasePtr = std::shared_ptr<Lease>;

/// The leases of this process, by unit. Calls: from any thread.
class HeldLeases {
 public:
  /// Returns the lease of a unit; null where this process has none that is not lost.
  LeasePtr Find(const std::string& unit) const;
  /// Returns the lease that is there, or a new one.
  LeasePtr Add(const std::string& unit, const std::function<bool()>& is_in_term);
  /// Takes out a lease that another process has taken over.
  void Lose(const std::string& unit);
  /// Returns the units that nobody uses any more.
  std::vector<std::string> Unused() const;
  void Remove(const std::vector<std::string>& units);
  /// Leases that are used, or were not ended yet.
  int64_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<Lease>> leases_;
};

/// Whom a work list asks before it sends a file. Calls: from any thread; blocks on the file system.
class LeaseProvider {
 public:
  virtual ~LeaseProvider() = default;

  /// Tells the ledger what others have saved of the files of some units. Errors: io.
  virtual Status Learn(const std::vector<LeaseUnit>& units) = 0;

  /// Takes the leases that can be had, of all or as many as are free, and tells the ledger what is
  /// saved of their files. Others may take those that nobody uses any more: the ones returned are
  /// to be kept until the files are claimed. Errors: io; nothing is taken then.
  virtual Result<std::vector<LeasePtr>> Acquire(const std::vector<LeaseUnit>& units) = 0;

  virtual const HeldLeases& held() const = 0;
};

}  // namespace df::lake
