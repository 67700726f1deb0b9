// What a replay has delivered, kept in a file from process to process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lake/catalog/database.h"
#include "lake/ledger/file_ledger.h"
#include "lake/ledger/lease_store.h"

namespace df::lake {

/// What a checkpoint is of: with another base or selection it says nothing.
struct CheckpointSubject {
  std::string base;       ///< as CanonicalBase
  std::string selection;  ///< its fingerprint; "" for everything
};

/// All that a checkpoint holds.
struct CheckpointState {
  CheckpointSubject subject;               ///< its base is "" where no replay has begun it yet
  std::optional<int64_t> saved_unix_nano;  ///< the last save; nothing: none is known
  std::vector<DeliveredFile> files;
  std::vector<QuarantineEntry> quarantine;  ///< by number
};

/// The child files that were seen before what is saved was sent.
struct SeenChildren {
  std::vector<SeenChild> children;
  int64_t first_number = 0;  ///< of the files of which that is known
};

/// How a process shares a checkpoint with others of its machine.
struct CheckpointSharing {
  std::chrono::nanoseconds ttl{0};  ///< others take over from a process that is silent for so long
  std::string settings;             ///< what it sends, beside the subject: equal for all
  MachineClock clock = ReadMachineTime;
};

/// What the others have saved of files.
struct LearntProgress {
  std::vector<DeliveredFile> files;
  std::vector<QuarantineEntry> quarantine;
};

/// A SQLite database, <directory>/<name>.sqlite, and <name>.lock beside it, which is locked as long
/// as this lives. Calls: from one thread at a time, blocking on the file system.
class Checkpoint {
 public:
  static constexpr int64_t kVersion = 1;  ///< of the format

  using WallClock = std::function<std::chrono::system_clock::time_point()>;

  /// Letters, digits, '.', '_' and '-', at most 100, not beginning with '.'.
  static bool IsName(std::string_view name);

  /// Opens a checkpoint, a new one where there is none. Folders are made, for the user alone.
  /// `clock` tells when something is saved. Errors: io, a passing one where another process has it,
  /// naming that; Invalid where it is of another subject, of a newer version, or damaged: it stays
  /// as it is.
  static Result<std::unique_ptr<Checkpoint>> Open(
      const std::string& directory, const std::string& name, const CheckpointSubject& subject,
      WallClock clock = [] { return std::chrono::system_clock::now(); });

  /// Opens a checkpoint that others may have open in the same way, and takes part in its leases.
  /// Errors: as Open; Invalid where others that share it send something else, or the folder is on a
  /// network, where SQLite cannot keep processes apart.
  static Result<std::unique_ptr<Checkpoint>> OpenShared(
      const std::string& directory, const std::string& name, const CheckpointSubject& subject,
      CheckpointSharing sharing, WallClock clock = [] { return std::chrono::system_clock::now(); });

  /// Opens a checkpoint to look at it, also while processes share it. Errors: as Open.
  static Result<std::unique_ptr<Checkpoint>> OpenToRead(const std::string& directory,
                                                        const std::string& name);

  /// Opens a checkpoint whatever it is of, to look at it or to change it while no replay runs; a
  /// new one otherwise. Errors: as Open.
  static Result<std::unique_ptr<Checkpoint>> OpenAny(const std::string& directory,
                                                     const std::string& name);

  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  /// Reads what was saved. Errors: io; Invalid where an entry cannot be read, naming it.
  Result<std::vector<DeliveredFile>> Load() const;

  /// Reads which child files were seen. Errors: io.
  Result<SeenChildren> LoadChildren() const;

  /// Reads what is in quarantine, by number. Errors: as Load.
  Result<std::vector<QuarantineEntry>> LoadQuarantine() const;

  /// Takes entries out of quarantine: what they are of is tried again. Errors: io.
  Status RemoveFromQuarantine(const std::vector<int64_t>& numbers);

  /// Writes entries of the quarantine anew. Errors: io; Invalid where a path is not UTF-8.
  Status ChangeQuarantine(const std::vector<QuarantineEntry>& entries);

  /// Reads everything. Errors: as Load.
  Result<CheckpointState> Read() const;

  /// Saves changes, all or none: when it returns OK they are durable. Files are told by their
  /// numbers. Files whose names are not UTF-8 are left out, and counted in num_left_out(): they are
  /// sent again. Errors: io; the same changes may be saved again.
  Status Save(const FileLedger::Changes& changes);

  // Of a shared one only:

  /// Reads what is saved of the files of some units. Errors: as Load.
  Result<LearntProgress> Learn(std::span<const LeaseUnit> units) const;

  /// Takes the leases that can be had, and reads what is saved of their files. Returns for each
  /// unit whether it is held. Errors: as Load; nothing is taken then.
  Result<std::vector<bool>> Acquire(std::span<const LeaseUnit> units, LearntProgress* learnt);

  /// Extends all leases. Returns the units that others have taken over. Errors: io; then they end
  /// when they would have.
  Result<std::vector<std::string>> Renew();

  /// Saves changes of files of which it holds the leases, and leaves out the others; then ends the
  /// leases of `released`. All or none. Returns the units whose leases others have taken over: of
  /// these nothing was saved. Errors: as Save.
  Result<std::vector<std::string>> SaveShared(const FileLedger::Changes& changes,
                                              const std::vector<std::string>& released);

  /// Until when what is held may be sent, by the clock of sharing.
  std::chrono::nanoseconds term_end() const { return leases_->term_end(); }
  /// Numbers that this process gives to files and entries are above it, and nobody else's are.
  int64_t first_number() const;

  /// Who shares it. Errors: io.
  Result<std::vector<LeaseHolder>> Holders() const;

  /// Puts `state` in the place of all that it holds, or nothing of it. Files are numbered from 1 on
  /// in their order, which is what `file` of a quarantine entry means here. Errors: io; Invalid
  /// where a name is not UTF-8.
  Status Replace(const CheckpointState& state);

  /// Removes the database. Nothing but AppendToAudit may be called then. Errors: io.
  Status Remove();

  /// Adds a line to <name>.audit.jsonl beside the database, which says who has changed it by hand;
  /// when it returns OK the line is durable. Errors: io.
  Status AppendToAudit(std::string_view line) const;

  int64_t num_left_out() const { return std::ssize(left_out_); }
  const std::string& path() const { return path_; }

 private:
  enum class Access : uint8_t { kAlone, kShared, kReading };
  Checkpoint(std::string path, int lock, Access access, WallClock clock)
      : path_(std::move(path)), lock_(lock), access_(access), clock_(std::move(clock)) {}
  static Result<std::unique_ptr<Checkpoint>> OpenLocked(const std::string& directory,
                                                        const std::string& name, Access access,
                                                        WallClock clock);
  static Result<int> LockFile(const std::string& path, const std::string& database, Access access);
  Status JoinOthers(const CheckpointSubject& subject, const CheckpointSharing& sharing);
  Status WriteMissingUnits();
  Status LearnOne(const std::string& unit, LearntProgress* learnt) const;
  Status WriteShared(const FileLedger::Changes& changes, const std::vector<std::string>& released,
                     std::set<std::string>* lost);
  Result<bool> MayWrite(const std::string& unit, std::set<std::string>* lost);
  Status KeepOwn(const FileLedger::Changes& changes, std::set<std::string>* lost,
                 FileLedger::Changes* own);
  Result<bool> MayQuarantine(const QuarantineEntry& entry, std::set<std::string>* lost);
  Status Prepare();
  Status CheckVersion() const;
  Result<DeliveredFile> ReadEntry(int64_t number, std::string_view state) const;
  Result<QuarantineEntry> ReadQuarantined(int64_t number, std::string_view text) const;
  Status CheckSubject(const CheckpointSubject& subject) const;
  Status InOneTransaction(const std::function<Status()>& change);
  Status Write(const FileLedger::Changes& changes);
  Status WriteState(const CheckpointState& state);
  Status WriteSaved(int64_t unix_nano);
  Status WriteChildren(const FileLedger::Changes& changes);
  Status ForgetChildren();
  Status BeginChildren();
  Status WriteQuarantine(const std::vector<QuarantineEntry>& entries, bool leaves_out);
  int64_t NowUnixNano() const;

  std::string path_;
  int lock_;
  Access access_;
  WallClock clock_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<LeaseStore> leases_;  ///< null unless it is shared
  std::set<int64_t> left_out_;          ///< numbers of files
};

}  // namespace df::lake
