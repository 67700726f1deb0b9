// What the program can be asked to do.
#pragma once

namespace df::app {

/// How the process ends. Of several the first that holds counts, in this order: usage (nothing was
/// started), failed, forced, incomplete, nothing found, clean. A second signal is always forced.
inline constexpr int kExitClean = 0;         ///< everything asked for was read and delivered
inline constexpr int kExitFailed = 1;        ///< a pipeline has failed for good
inline constexpr int kExitUsage = 2;         ///< the command line or the document is wrong
inline constexpr int kExitForced = 3;        ///< ended before everything had its outcome
inline constexpr int kExitIncomplete = 4;    ///< something is unread, undelivered, refused, missing
inline constexpr int kExitNothingFound = 5;  ///< a replay that ends found no file to replay

/// Runs a pipeline until it is done: `df_engine --pipeline FILE ...`. Returns the exit code.
int RunCommand(int argc, char** argv);

}  // namespace df::app
