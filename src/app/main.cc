#include <array>
#include <cstdio>
#include <string_view>

#include "app/command.h"
#include "app/files_command.h"
#include "app/schema_command.h"
#include "nodes/registry.h"
#include "runtime/signals.h"
#include "storage/object_stores.h"

namespace {

int PrintSchema(int argc, char**) {
  if (argc > 1) {
    std::fputs("usage: df_engine schema\n", stderr);
    return df::app::kExitUsage;
  }
  return df::app::SchemaCommand(df::engine::NodeRegistry(df::nodes::AllDescriptors()));
}

int PrintSchemas(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: df_engine schemas DIR (of catalog.cache)\n", stderr);
    return df::app::kExitUsage;
  }
  return df::app::SchemasCommand(argv[1]);
}

int PrintFiles(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: df_engine files BASE (a path or URI)\n", stderr);
    return df::app::kExitUsage;
  }
  return df::app::FilesCommand(argv[1]);
}

struct SubCommand {
  std::string_view name;
  int (*run)(int argc, char** argv);  // argv[0] is the name of the sub-command
};

constexpr std::array kSubCommands = std::to_array<SubCommand>({
    {"run", df::app::RunCommand},
    {"schema", PrintSchema},
    {"schemas", PrintSchemas},
    {"files", PrintFiles},
});

int Run(int argc, char** argv) {
  if (argc > 1) {
    for (const SubCommand& command : kSubCommands) {
      if (command.name == argv[1]) {
        return command.run(argc - 1, argv + 1);
      }
    }
  }
  return df::app::RunCommand(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  df::runtime::HoldSignals();
  const int exit_code = Run(argc, argv);
  df::storage::FinalizeStores();
  return exit_code;
}
