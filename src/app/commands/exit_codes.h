// How the program ends.
#pragma once

namespace df::app {

/// How the process ends. Of several the first that holds counts, in this order: usage (nothing was
/// started), failed, forced, incomplete, nothing found, clean. A second signal is always forced.
inline constexpr int kExitClean = 0;         ///< everything asked for was read and delivered
inline constexpr int kExitFailed = 1;        ///< a pipeline has failed for good
inline constexpr int kExitUsage = 2;         ///< the command line or the document is wrong
inline constexpr int kExitForced = 3;        ///< ended before everything had its outcome
inline constexpr int kExitIncomplete = 4;    ///< something is unread, undelivered, refused, missing
inline constexpr int kExitNothingFound = 5;  ///< nothing is there, or nothing of it is wanted
/// And the number of the signal: a command was stopped before all was delivered.
inline constexpr int kExitOfSignal = 128;

}  // namespace df::app
