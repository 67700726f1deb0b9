// Commands and their output in documents: ```console blocks.
#pragma once

#include <string>
#include <vector>

namespace df::e2e {

/// A command of a block and what stands behind it until the next one.
struct ConsoleCommand {
  int line = 0;  ///< of the command in the document, from 1
  std::string command;
  std::string output;
};

/// Returns the commands of all ```console blocks, in their order. A command is a line that begins
/// with "$ ".
std::vector<ConsoleCommand> ReadConsoleBlocks(const std::string& document);

/// Returns the document with other outputs, one for each command of ReadConsoleBlocks.
std::string WithOutputs(const std::string& document, const std::vector<std::string>& outputs);

}  // namespace df::e2e
