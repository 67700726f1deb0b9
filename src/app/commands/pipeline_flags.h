// Flags of the commands that run a pipeline of one source and one destination.
#pragma once

#include <string>
#include <vector>

#include "app/commands/archive_flags.h"
#include "app/commands/destination.h"
#include "app/commands/pace_flags.h"
#include "app/commands/run_command.h"
#include "base/error.h"
#include "otap/schema.h"

namespace CLI {
class App;
}

namespace df::app {

/// As they are written, of replay, convert, receive and generate; each has some of them.
struct PipelineFlags {
  std::string command;
  ArchiveFlags archive;
  SelectionFlags selection;
  std::vector<std::string> signals;
  PaceFlags pace;
  DestinationFlags destination;
  bool follows = false;
  bool shows_plan = false;
  bool allows_incomplete = false;
  bool has_digest = false;
  std::string receipt;
  std::string resume;
  std::string checkpoint;     ///< a folder and the name in it
  bool shares = false;        ///< the checkpoint, with other processes
  bool resends_late = false;  ///< records that children have come to since
  std::string dead_letters;
  std::string on_error;  ///< of dead letters that cannot be written; "" for the default
  bool keeps_dead_letter_marks = false;
  std::string log_level;
};

/// Adds --receipt, --allow-incomplete and --log-level. Owner: borrows `flags`.
void AddRunFlags(CLI::App* command, PipelineFlags* flags);

/// Adds --header, --compression and --tls-*. Owner: borrows `flags`.
void AddServerFlags(CLI::App* command, DestinationFlags* flags);

/// What --to takes.
extern const char* const kToHelp;

/// Reads --signal. Errors: Invalid with what was found.
Result<std::vector<otap::Signal>> ParseSignals(const std::vector<std::string>& names);

/// What all of them are told alike.
RunFlags RunFlagsOf(const PipelineFlags& flags, const Destination& destination);

}  // namespace df::app
