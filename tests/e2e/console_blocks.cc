#include "console_blocks.h"

#include <sstream>

namespace df::e2e {
namespace {

/// Calls `text` with each line outside of blocks and the fences, `command` with each command and
/// its output.
template <typename OnText, typename OnCommand>
void Walk(const std::string& document, OnText text, OnCommand command) {
  std::istringstream lines(document);
  ConsoleCommand current;
  bool is_inside = false;
  int number = 0;
  const auto end = [&] {
    if (!current.command.empty()) {
      command(current);
    }
    current = {};
  };
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with("```")) {
      end();
      is_inside = line == "```console";
      text(line);
    } else if (is_inside && line.starts_with("$ ")) {
      end();
      current = {number, line.substr(2), ""};
    } else if (is_inside && !current.command.empty()) {
      current.output += line + "\n";
    } else {
      text(line);
    }
  }
  end();
}

}  // namespace

std::vector<ConsoleCommand> ReadConsoleBlocks(const std::string& document) {
  std::vector<ConsoleCommand> commands;
  Walk(
      document, [](const std::string&) {},
      [&](const ConsoleCommand& command) { commands.push_back(command); });
  return commands;
}

std::string WithOutputs(const std::string& document, const std::vector<std::string>& outputs) {
  std::string changed;
  size_t next = 0;
  Walk(
      document, [&](const std::string& line) { changed += line + "\n"; },
      [&](const ConsoleCommand& command) {
        changed += "$ " + command.command + "\n" + outputs.at(next++);
      });
  return changed;
}

}  // namespace df::e2e
