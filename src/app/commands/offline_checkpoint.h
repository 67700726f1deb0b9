// Checkpoints in the hands of an operator: found by their place, and changed on the record.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "lake/ledger/checkpoint.h"

namespace df::app {

/// DIR/NAME of the command line.
struct CheckpointPlace {
  std::string directory;
  std::string name;
  /// Tells whether the database is there.
  bool is_there() const;
  /// Returns "DIR/NAME", printable.
  std::string Show() const;
};

/// Errors: Invalid where NAME cannot be that of a checkpoint.
Result<CheckpointPlace> ParseCheckpointPlace(std::string_view text);

/// A checkpoint that nobody else changes, or at most processes that share it, and what it holds.
struct OpenedCheckpoint {
  std::unique_ptr<lake::Checkpoint> checkpoint;
  lake::CheckpointState state;
};

/// Opens a checkpoint that is there. Errors: KeyError where it is missing; as Checkpoint::OpenAny
/// and Read.
Result<OpenedCheckpoint> OpenOffline(const CheckpointPlace& place);

/// Opens a checkpoint that is there to look at it, also while processes share it. Errors: KeyError
/// where it is missing; as Checkpoint::OpenToRead and Read.
Result<OpenedCheckpoint> OpenToRead(const CheckpointPlace& place);

/// Opens a checkpoint, a new one otherwise. Errors: as Checkpoint::OpenAny and Read.
Result<OpenedCheckpoint> OpenOrMakeOffline(const CheckpointPlace& place);

/// Records and files that a checkpoint says were delivered.
struct CheckpointCounts {
  int64_t rows = 0;
  int64_t files = 0;
};
CheckpointCounts CountDelivered(const lake::CheckpointState& state);

/// Returns an audit record of something that is about to be done to a checkpoint: when, what, by
/// which user, and records and files before and after.
nlohmann::ordered_json AuditRecord(std::string_view action, const CheckpointCounts& before,
                                   const CheckpointCounts& after);

/// Writes the record, and then does it: nothing is changed that the audit does not tell of. What
/// fails is recorded as failed. Errors: those of the audit, with nothing done; those of `change`.
Status ChangeOnRecord(const lake::Checkpoint& checkpoint, const nlohmann::ordered_json& record,
                      const std::function<Status()>& change);

/// Writes a time as RFC 3339 in UTC: "2026-11-30T21:55:48.120Z".
std::string ShowTime(int64_t unix_nano);

/// Asks on the terminal whether to go on, unless `is_sure`. Errors: Invalid where nobody can be
/// asked; Cancelled where the answer is no.
Status Confirm(std::string_view question, bool is_sure);

}  // namespace df::app
