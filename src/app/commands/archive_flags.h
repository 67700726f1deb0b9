// What every command that reads an archive is told, and how it says what it has found.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands/archive.h"
#include "app/commands/selection_flags.h"
#include "base/error.h"

namespace CLI {
class App;
}

namespace df::app {

struct ArchiveFlags {
  std::string path;
  bool may_be_empty = false;  ///< telemetry may come to it
  std::string cache;
  bool has_no_cache = false;
  std::string memory_limit;
  int num_threads = 0;  ///< 0: every core the process may use
  bool is_quiet = false;
  bool is_json = false;
  std::string color = "auto";
};

/// Adds PATH and the flags. Owner: borrows `flags`.
void AddArchiveFlags(CLI::App* command, ArchiveFlags* flags);

/// Adds --color, for commands that print colours. Owner: borrows `flags`.
void AddColorFlag(CLI::App* command, ArchiveFlags* flags);

/// Opens what PATH names, for some of its signals; none of `signals`: all of them. Notices go to
/// stderr. Errors: as ResolvePath, ReadSelectionFlags and Archive::Open.
Result<std::unique_ptr<Archive>> OpenArchive(const ArchiveFlags& flags,
                                             const SelectionFlags& selection,
                                             std::vector<otap::Signal> signals,
                                             bool holds_base = true);

/// Parses a command line. Returns nothing when the command may go on, else the exit code of what
/// was asked for (help) or is wrong, which has been printed.
std::optional<int> ParseCommandLine(CLI::App* command, int argc, char** argv);

/// Prints what went wrong. Returns the exit code.
int FailCommand(const std::string& command, const Status& status);

/// Prints what is missing or unread, and unless it is to be quiet what is worth knowing. Returns
/// whether anything is missing.
bool PrintProblems(const std::string& command, const Archive& archive, bool is_quiet);

/// Prints a line about how a command went to stderr, unless it is to be quiet.
void PrintRemark(const ArchiveFlags& flags, const std::string& text);

bool HasColor(const ArchiveFlags& flags);

/// Returns "48,000".
std::string ShowCount(int64_t number);

/// Returns "1 file" or "48,000 files" of "file", "2 entries" of "entry".
std::string ShowCountOf(int64_t number, std::string_view noun);

/// Returns nanoseconds since 1970.
int64_t NowNanos();

}  // namespace df::app
