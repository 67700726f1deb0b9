// Flags that say which records are wanted, the same for every command that reads an archive.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "otap/schema.h"
#include "select/selector.h"

namespace CLI {
class App;
}

namespace df::app {

/// As they are written; what is not given asks nothing, and all that is given must hold.
struct SelectionFlags {
  std::optional<std::string> from;
  std::optional<std::string> until;
  std::vector<std::string> services;  ///< one of them
  bool wants_errors = false;
  std::optional<std::string> min_severity;
  std::vector<std::string> where;
  std::string grep;
  std::vector<std::string> traces;
  std::optional<std::string> trace_ids_file;
};

/// Tells whether anything is asked.
bool HasConditions(const SelectionFlags& flags);

/// Adds the flags to a command. Owner: borrows `flags`.
void AddSelectionFlags(CLI::App* command, SelectionFlags* flags);

/// What the flags say, checked.
struct FlaggedSelection {
  select::TimeRange time;
  /// By signal: the condition that all of them make together.
  std::array<std::optional<std::string>, otap::kAllSignals.size()> where;
  std::vector<std::string> trace_ids;  ///< as they were written
  std::string trace_ids_file;
  select::Wishes wishes;
};

/// Checks the flags for some signals. Errors: Invalid naming the flag, what was found and what is
/// expected.
Result<FlaggedSelection> ReadSelectionFlags(const SelectionFlags& flags,
                                            std::span<const otap::Signal> signals,
                                            int64_t now_nanos);

/// Returns a text in the quotes of a condition.
std::string QuotedForCondition(std::string_view text);

}  // namespace df::app
