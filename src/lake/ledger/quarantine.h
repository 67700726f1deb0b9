// What is not sent any more until an operator decides otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/ledger/row_ranges.h"
#include "otap/schema.h"

namespace df::lake {

/// Why something is in quarantine.
enum class QuarantineCause : uint8_t {
  kUnreadable,  ///< it is damaged
  kRefused,     ///< a destination has refused it permanently
};

/// Returns "unreadable" or "refused".
std::string_view Name(QuarantineCause cause);

/// Rows of a file, or a file, that failed in a way that does not pass.
struct QuarantineEntry {
  int64_t number = 0;  ///< names it among those of its ledger, from 1 on
  QuarantineCause cause = QuarantineCause::kUnreadable;
  otap::TableKind table = otap::TableKind::kLogs;
  std::string path;  ///< below the base, as it was when the entry was made
  int64_t size_bytes = 0;
  int64_t modified_nanos = 0;
  int64_t file = 0;  ///< number of the file in the ledger; 0: its footer could not be read
  RowRanges rows;    ///< none: how many there are is not known
  std::string reason;
  int64_t since_unix_nano = 0;  ///< when it was saved first; 0: it is not saved yet
  bool is_dropped = false;      ///< an operator has given it up: nobody misses it any more
};

/// Writes an entry as JSON without its number. Errors: Invalid where the path is not UTF-8.
Result<std::string> WriteQuarantineEntry(const QuarantineEntry& entry);

/// Reads what WriteQuarantineEntry has written. Errors: Invalid naming the key.
Result<QuarantineEntry> ReadQuarantineEntry(std::string_view json);

}  // namespace df::lake
