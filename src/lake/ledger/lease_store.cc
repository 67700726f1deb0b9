#include "lake/ledger/lease_store.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "otap/schema.h"

namespace df::lake {
namespace {

constexpr const char* kLeaseTables =
    "CREATE TABLE IF NOT EXISTS lease_owners (owner INTEGER PRIMARY KEY, process INTEGER NOT NULL,"
    " boot TEXT NOT NULL, renewed_nano INTEGER NOT NULL, ttl_nano INTEGER NOT NULL,"
    " settings TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS leases (unit TEXT PRIMARY KEY, owner INTEGER NOT NULL,"
    " token INTEGER NOT NULL, path TEXT NOT NULL, boot TEXT NOT NULL, since_nano INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS leases_by_owner ON leases (owner);"
    "CREATE TABLE IF NOT EXISTS lease_counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL);";

}  // namespace

std::string LeaseStore::UnitOf(const FileId& id) {
  std::string digest;
  for (const char byte : id.digest) {
    digest += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return fmt::format("{}/{}/{}", otap::GetTable(id.table).directory, id.size_bytes, digest);
}

Status LeaseStore::Prepare() { return database_->Run(kLeaseTables); }

Result<int64_t> LeaseStore::NextNumber(const char* counter) {
  ARROW_ASSIGN_OR_RAISE(
      Query next, database_->Prepare("INSERT INTO lease_counters VALUES (?, 1) ON CONFLICT (name) "
                                     "DO UPDATE SET last = last + 1"));
  ARROW_RETURN_NOT_OK(next.Bind(0, std::string_view(counter)).Run());
  ARROW_ASSIGN_OR_RAISE(Query read,
                        database_->Prepare("SELECT last FROM lease_counters WHERE name = ?"));
  ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Bind(0, std::string_view(counter)).Next());
  return is_there ? Result<int64_t>(read.Integer(0))
                  : Status::IOError("the counter of leases is not there");
}

Status LeaseStore::Join(int64_t process, std::chrono::nanoseconds ttl, std::string settings) {
  ARROW_ASSIGN_OR_RAISE(const std::vector<LeaseHolder> holders, Holders());
  for (const LeaseHolder& holder : holders) {
    if (!holder.is_expired && holder.settings != settings) {
      return Status::Invalid(
          fmt::format("process {} shares it and sends {}; this one sends {}: expected the same",
                      holder.process, PrintableText(holder.settings), PrintableText(settings)));
    }
    if (holder.is_expired && holder.leases.empty()) {
      ARROW_ASSIGN_OR_RAISE(Query remove,
                            database_->Prepare("DELETE FROM lease_owners WHERE owner = ?"));
      ARROW_RETURN_NOT_OK(remove.Bind(0, holder.owner).Run());
    }
  }
  process_ = process;
  ttl_ = ttl;
  settings_ = std::move(settings);
  ARROW_ASSIGN_OR_RAISE(owner_, NextNumber("owner"));
  return WriteTerm(clock_());
}

Status LeaseStore::WriteTerm(const MachineTime& now) {
  ARROW_ASSIGN_OR_RAISE(
      Query write,
      database_->Prepare("INSERT OR REPLACE INTO lease_owners VALUES (?, ?, ?, ?, ?, ?)"));
  ARROW_RETURN_NOT_OK(write.Bind(0, owner_)
                          .Bind(1, process_)
                          .Bind(2, std::string_view(now.boot))
                          .Bind(3, now.since_boot.count())
                          .Bind(4, ttl_.count())
                          .Bind(5, std::string_view(settings_))
                          .Run());
  next_term_end_ = now.since_boot + ttl_;
  return Status::OK();
}

Result<std::vector<std::string>> LeaseStore::Renew() {
  std::map<std::string, int64_t> found;
  {
    ARROW_ASSIGN_OR_RAISE(Query read,
                          database_->Prepare("SELECT unit, token FROM leases WHERE owner = ?"));
    read.Bind(0, owner_);
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
      if (!is_there) {
        break;
      }
      found.emplace(read.Text(0), read.Integer(1));
    }
  }
  ARROW_RETURN_NOT_OK(WriteTerm(clock_()));
  std::vector<std::string> lost;
  for (const auto& [unit, token] : tokens_) {
    const auto still = found.find(unit);
    if (still == found.end() || still->second != token) {
      lost.push_back(unit);
    }
  }
  Forget(lost);
  return lost;
}

Result<std::optional<int64_t>> LeaseStore::AcquireOne(const LeaseUnit& unit,
                                                      const MachineTime& now) {
  {
    ARROW_ASSIGN_OR_RAISE(
        Query read,
        database_->Prepare(
            "SELECT leases.owner, token, lease_owners.boot, renewed_nano + ttl_nano FROM leases "
            "LEFT JOIN lease_owners ON lease_owners.owner = leases.owner "
            "WHERE unit = ?"));
    ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Bind(0, std::string_view(unit.key)).Next());
    if (is_there && read.Integer(0) == owner_) {
      const auto held = tokens_.find(unit.key);
      if (held != tokens_.end() && held->second == read.Integer(1)) {
        return held->second;
      }
    } else if (is_there && read.Text(2) == now.boot && now.since_boot.count() < read.Integer(3)) {
      return std::nullopt;
    }
  }
  ARROW_ASSIGN_OR_RAISE(const int64_t token, NextNumber("token"));
  ARROW_ASSIGN_OR_RAISE(
      Query take, database_->Prepare("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)"));
  ARROW_RETURN_NOT_OK(take.Bind(0, std::string_view(unit.key))
                          .Bind(1, owner_)
                          .Bind(2, token)
                          .Bind(3, std::string_view(unit.path))
                          .Bind(4, std::string_view(now.boot))
                          .Bind(5, now.since_boot.count())
                          .Run());
  return token;
}

Result<std::vector<std::optional<int64_t>>> LeaseStore::Acquire(std::span<const LeaseUnit> units) {
  const MachineTime now = clock_();
  if (now.since_boot >= term_end_) {
    // What is taken must be seen as held by the others, and what was lost is named by Renew.
    return std::vector<std::optional<int64_t>>(units.size());
  }
  std::vector<std::optional<int64_t>> tokens;
  for (const LeaseUnit& unit : units) {
    ARROW_ASSIGN_OR_RAISE(const std::optional<int64_t> token, AcquireOne(unit, now));
    tokens.push_back(token);
    if (token.has_value()) {
      tokens_[unit.key] = *token;
    }
  }
  return tokens;
}

void LeaseStore::Forget(std::span<const std::string> units) {
  for (const std::string& unit : units) {
    tokens_.erase(unit);
  }
}

Result<bool> LeaseStore::Holds(const std::string& unit) const {
  const auto held = tokens_.find(unit);
  if (held == tokens_.end()) {
    return false;
  }
  ARROW_ASSIGN_OR_RAISE(
      Query read,
      database_->Prepare("SELECT 1 FROM leases WHERE unit = ? AND owner = ? AND token = ?"));
  ARROW_ASSIGN_OR_RAISE(
      const bool is_held,
      read.Bind(0, std::string_view(unit)).Bind(1, owner_).Bind(2, held->second).Next());
  return is_held;
}

Status LeaseStore::Release(const std::string& unit) {
  const auto held = tokens_.find(unit);
  if (held == tokens_.end()) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(
      Query remove,
      database_->Prepare("DELETE FROM leases WHERE unit = ? AND owner = ? AND token = ?"));
  return remove.Bind(0, std::string_view(unit)).Bind(1, owner_).Bind(2, held->second).Run();
}

Status LeaseStore::Leave() {
  for (const char* const statement :
       {"DELETE FROM leases WHERE owner = ?", "DELETE FROM lease_owners WHERE owner = ?"}) {
    ARROW_ASSIGN_OR_RAISE(Query remove, database_->Prepare(statement));
    ARROW_RETURN_NOT_OK(remove.Bind(0, owner_).Run());
  }
  tokens_.clear();
  return Status::OK();
}

Status LeaseStore::Clear() {
  return database_->Run("DELETE FROM leases; DELETE FROM lease_owners;");
}

Status LeaseStore::ReadLeases(const MachineTime& now, LeaseHolder* holder) const {
  ARROW_ASSIGN_OR_RAISE(Query read,
                        database_->Prepare("SELECT path, token, boot, since_nano FROM leases WHERE "
                                           "owner = ? ORDER BY token"));
  read.Bind(0, holder->owner);
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
    if (!is_there) {
      return Status::OK();
    }
    holder->leases.push_back({.path = std::string(read.Text(0)), .token = read.Integer(1)});
    if (read.Text(2) == now.boot) {
      holder->leases.back().held_for = now.since_boot - std::chrono::nanoseconds(read.Integer(3));
    }
  }
}

Result<std::vector<LeaseHolder>> LeaseStore::Holders() const {
  ARROW_ASSIGN_OR_RAISE(
      Query read,
      database_->Prepare("SELECT owner, process, boot, renewed_nano, ttl_nano, settings FROM "
                         "lease_owners ORDER BY owner"));
  const MachineTime now = clock_();
  std::vector<LeaseHolder> holders;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
    if (!is_there) {
      return holders;
    }
    LeaseHolder holder{.owner = read.Integer(0),
                       .process = read.Integer(1),
                       .ttl = std::chrono::nanoseconds(read.Integer(4)),
                       .renewed_ago = std::nullopt,
                       .settings = std::string(read.Text(5)),
                       .leases = {}};
    if (read.Text(2) == now.boot) {
      holder.renewed_ago = now.since_boot - std::chrono::nanoseconds(read.Integer(3));
    }
    holder.is_expired = !holder.renewed_ago.has_value() || *holder.renewed_ago >= holder.ttl;
    ARROW_RETURN_NOT_OK(ReadLeases(now, &holder));
    holders.push_back(std::move(holder));
  }
}

}  // namespace df::lake
