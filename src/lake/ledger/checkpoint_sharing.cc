// How processes keep apart that open one checkpoint.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/logging.h"
#include "base/text.h"
#include "lake/ledger/checkpoint.h"
#include "lake/ledger/progress.h"

namespace df::lake {
namespace {

constexpr mode_t kOfTheUserOnly = 0600;
constexpr std::string_view kSharedMark = "shared";
/// Bits of a number that an owner counts with; those above name the owner.
constexpr int kNumberBits = 32;

std::string NameOf(int64_t process) {
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::string name;
  return std::getline(file, name) ? fmt::format("process {} ({})", process, PrintableText(name))
                                  : fmt::format("process {}", process);
}

/// Names those who share a checkpoint, as far as its database can be read.
std::string DescribeSharers(const std::string& path) {
  bool is_damaged = false;
  auto database = Database::Open(path, /*is_read_only=*/true, &is_damaged);
  std::string names;
  if (database.ok()) {
    const auto holders = LeaseStore(database->get(), ReadMachineTime).Holders();
    for (const LeaseHolder& holder : holders.ok() ? *holders : std::vector<LeaseHolder>()) {
      names += (names.empty() ? "" : ", ") + NameOf(holder.process);
    }
  }
  return names.empty() ? "other processes share this checkpoint"
                       : fmt::format("other processes share this checkpoint: {}", names);
}

/// Says who has the lock, as far as its file and the system tell.
std::string DescribeHolder(int lock, const std::string& database) {
  std::array<char, 20> text{};
  const ssize_t size = std::max<ssize_t>(pread(lock, text.data(), text.size(), 0), 0);
  if (std::string_view(text.data(), static_cast<size_t>(size)).starts_with(kSharedMark)) {
    return DescribeSharers(database);
  }
  int64_t process = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, process);
  if (error != std::errc() || process <= 0) {
    return "another process has this checkpoint";
  }
  const std::string name = NameOf(process);
  return name.ends_with(")") ? name + " has this checkpoint"
                             : fmt::format("another process ({}) has this checkpoint", process);
}

/// Leaves in the file who has it. That is for people only: the lock is what counts.
void WriteHolder(int lock, const std::string& text) {
  if (ftruncate(lock, 0) == 0 && pwrite(lock, text.data(), text.size(), 0) < 0) {
    LogDebug("a lock does not say who has it: {}", std::strerror(errno));
  }
}

/// Between machines SQLite cannot tell who writes, nor do their clocks agree.
Status CheckIsLocal(int file, const std::string& path) {
  struct statfs facts{};
  if (fstatfs(file, &facts) != 0) {
    return FileError(path, "cannot tell the file system of", errno);
  }
  constexpr auto kNetworks =
      std::to_array<uint32_t>({NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                               AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, CODA_SUPER_MAGIC, V9FS_MAGIC});
  const auto type = static_cast<uint32_t>(facts.f_type);
  return std::find(kNetworks.begin(), kNetworks.end(), type) == kNetworks.end()
             ? Status::OK()
             : Status::Invalid(fmt::format(
                   "checkpoint '{}': found a network file system (type {:#x}); expected a local "
                   "one, since only processes of one machine can share a checkpoint",
                   PrintableText(path), type));
}

/// Names a file that cannot be opened, and of which no footer is known.
std::string UnitOfSetAside(const QuarantineEntry& entry) {
  return fmt::format("{}/{}/{}", entry.size_bytes, entry.modified_nanos, entry.path);
}

}  // namespace

Result<int> Checkpoint::LockFile(const std::string& path, const std::string& database,
                                 Access access) {
  const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOfTheUserOnly);
  if (lock < 0) {
    return FileError(path, "cannot open", errno);
  }
  if (const Status local = access == Access::kShared ? CheckIsLocal(lock, path) : Status::OK();
      !local.ok()) {
    close(lock);
    return local;
  }
  if (flock(lock, (access == Access::kAlone ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    const int error = errno;
    const std::string holder = DescribeHolder(lock, database);
    close(lock);
    return error == EWOULDBLOCK
               ? MakeError(ErrorKind::kIo,
                           holder + (access == Access::kShared ? ", and does not share it" : ""),
                           {.file = path}, /*retryable=*/true)
               : FileError(path, "cannot lock", error);
  }
  if (access == Access::kAlone) {
    WriteHolder(lock, fmt::format("{}\n", getpid()));
  } else if (access == Access::kShared) {
    WriteHolder(lock, fmt::format("{}\n", kSharedMark));
  }
  return lock;
}

Checkpoint::~Checkpoint() {
  if (leases_ != nullptr && database_ != nullptr) {
    if (const Status left = InOneTransaction([this] { return leases_->Leave(); }); !left.ok()) {
      LogWarning("checkpoint '{}': others wait until the leases of this process expire: {}",
                 PrintableText(path_), left.message());
    }
  }
  leases_.reset();
  database_.reset();
  if (access_ == Access::kAlone && ftruncate(lock_, 0) != 0) {
    LogDebug("a lock still says who had it: {}", std::strerror(errno));
  }
  close(lock_);
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::OpenShared(const std::string& directory,
                                                           const std::string& name,
                                                           const CheckpointSubject& subject,
                                                           CheckpointSharing sharing,
                                                           WallClock clock) {
  ARROW_ASSIGN_OR_RAISE(auto checkpoint,
                        OpenLocked(directory, name, Access::kShared, std::move(clock)));
  ARROW_RETURN_NOT_OK(checkpoint->JoinOthers(subject, sharing));
  return checkpoint;
}

Status Checkpoint::JoinOthers(const CheckpointSubject& subject, const CheckpointSharing& sharing) {
  auto leases = std::make_unique<LeaseStore>(database_.get(), sharing.clock);
  ARROW_RETURN_NOT_OK(InOneTransaction([&]() -> Status {
    ARROW_RETURN_NOT_OK(CheckSubject(subject));
    ARROW_RETURN_NOT_OK(WriteMissingUnits());
    const Status joined = leases->Join(getpid(), sharing.ttl, sharing.settings);
    return joined.IsInvalid() ? Status::Invalid(fmt::format("checkpoint '{}': {}",
                                                            PrintableText(path_), joined.message()))
                              : joined;
  }));
  leases->Commit();
  leases_ = std::move(leases);
  return Status::OK();
}

/// Who has the checkpoint alone keeps no units.
Status Checkpoint::WriteMissingUnits() {
  ARROW_ASSIGN_OR_RAISE(Query files, database_->Prepare("SELECT COUNT(*) FROM file_units"));
  ARROW_ASSIGN_OR_RAISE(const bool is_counted, files.Next());
  if (is_counted && files.Integer(0) > 0) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const std::vector<DeliveredFile> delivered, Load());
  ARROW_ASSIGN_OR_RAISE(Query add,
                        database_->Prepare("INSERT OR REPLACE INTO file_units VALUES (?, ?)"));
  std::map<int64_t, std::string> units;
  for (const DeliveredFile& file : delivered) {
    const std::string& unit = units[file.number] = LeaseStore::UnitOf(file.id);
    ARROW_RETURN_NOT_OK(add.Bind(0, file.number).Bind(1, std::string_view(unit)).Run());
  }
  ARROW_ASSIGN_OR_RAISE(
      Query add_entry, database_->Prepare("INSERT OR REPLACE INTO quarantine_units VALUES (?, ?)"));
  ARROW_ASSIGN_OR_RAISE(const std::vector<QuarantineEntry> entries, LoadQuarantine());
  for (const QuarantineEntry& entry : entries) {
    const auto known = units.find(entry.file);
    const std::string unit = known == units.end() ? UnitOfSetAside(entry) : known->second;
    ARROW_RETURN_NOT_OK(add_entry.Bind(0, entry.number).Bind(1, std::string_view(unit)).Run());
  }
  return Status::OK();
}

int64_t Checkpoint::first_number() const { return leases_->owner() << kNumberBits; }

Status Checkpoint::LearnOne(const std::string& unit, LearntProgress* learnt) const {
  ARROW_ASSIGN_OR_RAISE(
      Query files, database_->Prepare("SELECT files.number, state FROM file_units JOIN files ON "
                                      "files.number = file_units.number WHERE unit = ?"));
  files.Bind(0, std::string_view(unit));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, files.Next());
    if (!is_there) {
      break;
    }
    ARROW_ASSIGN_OR_RAISE(DeliveredFile file, ReadEntry(files.Integer(0), files.Text(1)));
    learnt->files.push_back(std::move(file));
  }
  ARROW_ASSIGN_OR_RAISE(
      Query entries,
      database_->Prepare("SELECT quarantine.number, entry FROM quarantine_units JOIN quarantine ON "
                         "quarantine.number = quarantine_units.number WHERE unit = ?"));
  entries.Bind(0, std::string_view(unit));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, entries.Next());
    if (!is_there) {
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(QuarantineEntry entry,
                          ReadQuarantined(entries.Integer(0), entries.Text(1)));
    learnt->quarantine.push_back(std::move(entry));
  }
}

Result<LearntProgress> Checkpoint::Learn(std::span<const LeaseUnit> units) const {
  LearntProgress learnt;
  for (const LeaseUnit& unit : units) {
    ARROW_RETURN_NOT_OK(LearnOne(unit.key, &learnt));
  }
  return learnt;
}

Result<std::vector<bool>> Checkpoint::Acquire(std::span<const LeaseUnit> units,
                                              LearntProgress* learnt) {
  std::vector<std::string> fresh;
  for (const LeaseUnit& unit : units) {
    if (!leases_->BelievesToHold(unit.key)) {
      fresh.push_back(unit.key);
    }
  }
  std::vector<bool> is_held;
  const Status acquired = InOneTransaction([&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(const auto tokens, leases_->Acquire(units));
    for (size_t i = 0; i < units.size(); ++i) {
      is_held.push_back(tokens[i].has_value());
      if (tokens[i].has_value()) {
        ARROW_RETURN_NOT_OK(LearnOne(units[i].key, learnt));
      }
    }
    return Status::OK();
  });
  if (!acquired.ok()) {
    leases_->Forget(fresh);
    return acquired;
  }
  return is_held;
}

Result<std::vector<std::string>> Checkpoint::Renew() {
  std::vector<std::string> lost;
  ARROW_RETURN_NOT_OK(InOneTransaction([&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(lost, leases_->Renew());
    return Status::OK();
  }));
  leases_->Commit();
  leases_->Forget(lost);
  return lost;
}

/// Whether progress of a unit may be saved: by its token, in the transaction that saves it.
Result<bool> Checkpoint::MayWrite(const std::string& unit, std::set<std::string>* lost) {
  ARROW_ASSIGN_OR_RAISE(const bool is_held, leases_->Holds(unit));
  if (!is_held && leases_->BelievesToHold(unit)) {
    lost->insert(unit);
  }
  return is_held;
}

Result<bool> Checkpoint::MayQuarantine(const QuarantineEntry& entry, std::set<std::string>* lost) {
  std::string unit = UnitOfSetAside(entry);
  if (entry.file != 0) {
    ARROW_ASSIGN_OR_RAISE(Query find,
                          database_->Prepare("SELECT unit FROM file_units WHERE number = ?"));
    ARROW_ASSIGN_OR_RAISE(const bool is_there, find.Bind(0, entry.file).Next());
    unit = is_there ? std::string(find.Text(0)) : "";
    ARROW_ASSIGN_OR_RAISE(const bool may_write, MayWrite(unit, lost));
    if (!may_write) {
      return false;
    }
  } else {
    // Each process finds for itself that a file cannot be opened; one entry says so.
    ARROW_ASSIGN_OR_RAISE(
        Query others,
        database_->Prepare("SELECT 1 FROM quarantine_units WHERE unit = ? AND number <> ?"));
    ARROW_ASSIGN_OR_RAISE(const bool is_known,
                          others.Bind(0, std::string_view(unit)).Bind(1, entry.number).Next());
    if (is_known) {
      return false;
    }
  }
  ARROW_ASSIGN_OR_RAISE(
      Query add, database_->Prepare("INSERT OR REPLACE INTO quarantine_units VALUES (?, ?)"));
  ARROW_RETURN_NOT_OK(add.Bind(0, entry.number).Bind(1, std::string_view(unit)).Run());
  return true;
}

/// Copies the changes that this process may save.
Status Checkpoint::KeepOwn(const FileLedger::Changes& changes, std::set<std::string>* lost,
                           FileLedger::Changes* own) {
  ARROW_ASSIGN_OR_RAISE(Query add,
                        database_->Prepare("INSERT OR REPLACE INTO file_units VALUES (?, ?)"));
  for (const DeliveredFile& file : changes.delivered) {
    const std::string unit = LeaseStore::UnitOf(file.id);
    ARROW_ASSIGN_OR_RAISE(const bool may_write, MayWrite(unit, lost));
    if (may_write) {
      ARROW_RETURN_NOT_OK(add.Bind(0, file.number).Bind(1, std::string_view(unit)).Run());
      own->delivered.push_back(file);
    }
  }
  for (const QuarantineEntry& entry : changes.quarantined) {
    ARROW_ASSIGN_OR_RAISE(const bool may_write, MayQuarantine(entry, lost));
    if (may_write) {
      own->quarantined.push_back(entry);
    }
  }
  // What is gone for one is gone for all, but another may be at it still.
  ARROW_ASSIGN_OR_RAISE(
      Query others,
      database_->Prepare("SELECT 1 FROM file_units JOIN leases ON leases.unit = file_units.unit "
                         "WHERE number = ? AND owner <> ?"));
  ARROW_ASSIGN_OR_RAISE(Query remove,
                        database_->Prepare("DELETE FROM file_units WHERE number = ?"));
  for (const int64_t number : changes.forgotten) {
    ARROW_ASSIGN_OR_RAISE(const bool is_of_others,
                          others.Bind(0, number).Bind(1, leases_->owner()).Next());
    others.End();
    if (!is_of_others) {
      ARROW_RETURN_NOT_OK(remove.Bind(0, number).Run());
      own->forgotten.push_back(number);
    }
  }
  own->released = changes.released;
  return Status::OK();
}

Status Checkpoint::WriteShared(const FileLedger::Changes& changes,
                               const std::vector<std::string>& released,
                               std::set<std::string>* lost) {
  FileLedger::Changes own;
  ARROW_RETURN_NOT_OK(KeepOwn(changes, lost, &own));
  if (!own.empty()) {
    ARROW_RETURN_NOT_OK(Write(own));
  }
  ARROW_ASSIGN_OR_RAISE(Query remove,
                        database_->Prepare("DELETE FROM quarantine_units WHERE number = ?"));
  for (const int64_t number : own.released) {
    ARROW_RETURN_NOT_OK(remove.Bind(0, number).Run());
  }
  for (const std::string& unit : released) {
    ARROW_RETURN_NOT_OK(leases_->Release(unit));
  }
  return Status::OK();
}

Result<std::vector<std::string>> Checkpoint::SaveShared(const FileLedger::Changes& changes,
                                                        const std::vector<std::string>& released) {
  std::set<std::string> lost;
  ARROW_RETURN_NOT_OK(InOneTransaction([&] { return WriteShared(changes, released, &lost); }));
  std::vector<std::string> units(lost.begin(), lost.end());
  leases_->Forget(units);
  leases_->Forget(released);
  return units;
}

Result<std::vector<LeaseHolder>> Checkpoint::Holders() const {
  return LeaseStore(database_.get(), ReadMachineTime).Holders();
}

}  // namespace df::lake
