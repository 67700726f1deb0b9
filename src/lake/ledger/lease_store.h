// Which process may send which files, in a checkpoint that several processes share.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lake/catalog/database.h"
#include "lake/ledger/file_ledger.h"
#include "lake/ledger/lease_clock.h"

namespace df::lake {

/// What can be leased, with the path of one of its files, for people.
struct LeaseUnit {
  std::string key;  ///< as UnitOf
  std::string path;
};

/// A lease, as others see it.
struct LeaseFacts {
  std::string path;
  int64_t token = 0;
  std::chrono::nanoseconds held_for{0};  ///< 0 where it was taken before the machine was started
};

/// One of the processes that share a checkpoint.
struct LeaseHolder {
  int64_t owner = 0;  ///< names it among all that ever shared the checkpoint
  int64_t process = 0;
  std::chrono::nanoseconds ttl{0};
  /// Since it last renewed; nothing where that was before the machine was started.
  std::optional<std::chrono::nanoseconds> renewed_ago;
  std::string settings;
  std::vector<LeaseFacts> leases;  ///< by token
  bool is_expired = false;         ///< others may take over what it holds
};

/// The leases in the database of a checkpoint. A lease is the right to send the files of one unit
/// and to save what was delivered of them. It has a fencing token, larger than that of every lease
/// before, and ends with its owner: each owner renews all of its leases at once, and when it has
/// not done so for its time to live, others take over one unit after the other. Who was taken over
/// from holds a token that is not valid any more, and learns that whenever it saves or renews.
/// `database` is borrowed. Calls: from one thread at a time; where it says so inside a transaction
/// of the caller (BEGIN IMMEDIATE), which holds the others off.
class LeaseStore {
 public:
  LeaseStore(Database* database, MachineClock clock)
      : database_(database), clock_(std::move(clock)) {}

  /// Makes the tables where they are missing. Errors: io.
  Status Prepare();

  /// Says that the transaction of Join or Renew has ended well: the new term counts from then on.
  void Commit() { term_end_ = next_term_end_; }

  /// Takes part from now on, once Commit was called. `settings` must be equal for all that take
  /// part at a time: it says what each would send. In a transaction. Errors: io; Invalid where
  /// another process of other settings takes part, naming both.
  Status Join(int64_t process, std::chrono::nanoseconds ttl, std::string settings);

  /// Extends all leases of this owner. Returns the units that another process has taken over since;
  /// they are not held any more. In a transaction; the term is that of before until Commit. Errors:
  /// io.
  Result<std::vector<std::string>> Renew();

  /// Takes a lease of each unit that is free, or whose owner has expired. Returns the tokens, in
  /// the order of `units`; nothing for those that another process has. What is held keeps its
  /// token. An owner whose term is over takes nothing before it has renewed. In a transaction; call
  /// Forget with what was taken when that fails. Errors: io.
  Result<std::vector<std::optional<int64_t>>> Acquire(std::span<const LeaseUnit> units);

  /// These units are not held any more, or were not acquired after all.
  void Forget(std::span<const std::string> units);

  /// Whether this owner believes to hold the unit.
  bool BelievesToHold(const std::string& unit) const { return tokens_.contains(unit); }

  /// Whether this owner holds the unit still, by its token. In a transaction. Errors: io.
  Result<bool> Holds(const std::string& unit) const;

  /// Ends the lease of a unit; call Forget when the transaction has ended well. In a transaction.
  /// Errors: io.
  Status Release(const std::string& unit);

  /// Takes no part any more; nothing is held. In a transaction. Errors: io.
  Status Leave();

  /// Removes everything that says who holds what, which nobody does who does not run. In a
  /// transaction. Errors: io.
  Status Clear();

  /// Reads who takes part, by number. Errors: io.
  Result<std::vector<LeaseHolder>> Holders() const;

  /// Until when, by the clock, what is held may be sent: others do not take over before. Nothing
  /// before Join.
  std::chrono::nanoseconds term_end() const { return term_end_; }
  int64_t owner() const { return owner_; }

  /// What makes files one unit: table, size and digest of the footer, as FileId.
  static std::string UnitOf(const FileId& id);

 private:
  Status ReadLeases(const MachineTime& now, LeaseHolder* holder) const;
  Result<int64_t> NextNumber(const char* counter);
  Result<std::optional<int64_t>> AcquireOne(const LeaseUnit& unit, const MachineTime& now);
  Status WriteTerm(const MachineTime& now);

  Database* database_;
  MachineClock clock_;
  int64_t owner_ = 0;
  int64_t process_ = 0;
  std::chrono::nanoseconds ttl_{0};
  std::string settings_;
  std::chrono::nanoseconds term_end_{0};
  std::chrono::nanoseconds next_term_end_{0};
  std::map<std::string, int64_t> tokens_;  ///< of what is held
};

}  // namespace df::lake
