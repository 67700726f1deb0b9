// The commands of the program by name.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace df::app {

struct Verb {
  std::string_view name;
  std::string_view group;             ///< under which the overview lists it
  std::string_view summary;           ///< half a sentence
  int (*run)(int argc, char** argv);  ///< argv[0] is the name of the verb; returns the exit code
};

/// Every command, in the order of the overview.
std::span<const Verb> AllVerbs();

/// What `df_engine VERB --help` prints.
std::string HelpOf(const Verb& verb);

/// What is printed without any argument: ten lines with three examples.
std::string Usage();

/// What --help prints: every command in a line, exit codes.
std::string Overview();

/// Runs what the arguments ask for; argv[0] is the program. Without a verb, arguments that begin
/// with '-' are those of `run`. Returns the exit code.
int RunVerb(int argc, char** argv);

}  // namespace df::app
