#include <array>
#include <csignal>
#include <string_view>

#include "app/command.h"

namespace {

struct SubCommand {
  std::string_view name;
  int (*run)(int argc, char** argv);  // argv[0] is the name of the sub-command
};

constexpr std::array kSubCommands = std::to_array<SubCommand>({
    {"run", df::app::RunCommand},
});

}  // namespace

int main(int argc, char** argv) {
  // A peer that closes its socket is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  if (argc > 1) {
    for (const SubCommand& command : kSubCommands) {
      if (command.name == argv[1]) {
        return command.run(argc - 1, argv + 1);
      }
    }
  }
  return df::app::RunCommand(argc, argv);
}
