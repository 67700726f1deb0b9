// df_engine run: the pipelines of a document until they are done.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/load_document.h"

namespace CLI {
class App;
}

namespace df::app {

/// How a run tells what came of it.
enum class RunAnswer : uint8_t {
  kSummary,   ///< every node in turn, on stdout
  kDelivery,  ///< what was delivered, in a line on stderr: stdout is for data
  kProblems,  ///< what is missing or failed, on stderr, and nothing where all is well
};

/// What the command line says about a run.
struct RunFlags {
  DocumentFlags document;
  std::string name;  ///< stands for the document in messages; "": its source
  std::optional<int> num_cores;
  std::string core_ids;
  bool is_strict = false;
  bool allows_incomplete = false;
  bool validates_only = false;
  bool prints_config = false;
  bool prints_metrics = false;
  bool is_verbose = false;
  RunAnswer answer = RunAnswer::kSummary;
  /// Ends with kExitNothingFound where nothing of an archive was wanted.
  bool finds_nothing_when_none_is_sent = false;
  /// Tells on stderr how it goes. `has_end`: it ends by itself; `has_data_on_stdout`: on a terminal
  /// the records themselves show it.
  bool shows_progress = false;
  bool has_end = true;
  bool has_data_on_stdout = false;
  /// A signal before the end gives its exit code, as a shell says it.
  bool exits_by_signal = false;
  std::string receipt;
  std::string log_level;
  std::string log_format = "text";
  /// Instead of running a document: what is done with one that is valid, and (null: it is printed)
  /// with what is wrong with one. Return the exit code.
  std::function<int(const engine::CheckedEngine& engine)> on_valid;
  std::function<int(const Status& status)> on_invalid;
};

/// Adds DOCUMENT, which may be named by -c as well, and --set, for commands that run nothing.
/// Owner: borrows `flags`.
void AddDocumentFlags(CLI::App* command, DocumentFlags* flags);

/// Returns the number of nodes of all pipelines.
size_t CountNodes(const engine::CheckedEngine& engine);

/// Returns "NAME: valid, 1 pipeline, 2 nodes" as a line.
std::string DescribeValid(const std::string& name, const engine::CheckedEngine& engine);

/// Runs pipelines until they are done. Returns the exit code.
int RunDocument(RunFlags flags);

/// Runs the command whose name is argv[0], or no name at all. Returns the exit code.
int RunCommand(int argc, char** argv);

}  // namespace df::app
