#include "app/commands/receive_command.h"

#include <charconv>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/pipeline_flags.h"
#include "app/commands/pipeline_text.h"
#include "base/text.h"
#include "config/environment.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

/// "4317" or "0.0.0.0:4317" as an address; "" as itself. Errors: Invalid for what is no port.
Result<std::string> AddressOf(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  int number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!text.empty() && (read.ec != std::errc() || read.ptr != port.data() + port.size() ||
                        number < 0 || number > 65'535)) {
    return Status::Invalid(
        fmt::format("--listen: found '{}', expected a port or HOST:PORT, like "
                    "4317,4318 or 0.0.0.0:4317",
                    PrintableText(text)));
  }
  return text.empty() || colon != std::string::npos ? text : "127.0.0.1:" + text;
}

/// The protocols of the receiver. Errors: as AddressOf.
Result<Json> ProtocolsOf(const std::string& listen) {
  const size_t comma = listen.find(',');
  Json protocols = Json::object();
  ARROW_ASSIGN_OR_RAISE(const std::string grpc, AddressOf(listen.substr(0, comma)));
  if (!grpc.empty()) {
    protocols["grpc"] = {{"listening_addr", config::EscapeReferences(grpc)},
                         {"wait_for_result", true}};
  }
  ARROW_ASSIGN_OR_RAISE(const std::string http,
                        AddressOf(comma == std::string::npos ? "" : listen.substr(comma + 1)));
  if (!http.empty()) {
    protocols["http"] = {{"listening_addr", config::EscapeReferences(http)},
                         {"wait_for_result", true}};
  }
  if (protocols.empty()) {
    return Status::Invalid("--listen: found no port, expected one like 4317,4318");
  }
  return protocols;
}

}  // namespace

int ReceiveCommand(int argc, char** argv) {
  PipelineFlags flags{.command = "df_engine receive"};
  CLI::App command("Receives OTLP over gRPC and HTTP and writes star-schema Parquet.",
                   flags.command);
  std::string listen = "4317,4318";
  command.add_option("--to", flags.destination.to, "The folder or URI of the archive")
      ->required()
      ->type_name("PLACE");
  command
      .add_option("--listen", listen,
                  "Ports or addresses of gRPC and of HTTP; of this machine only unless an address "
                  "says otherwise")
      ->type_name("GRPC,HTTP")
      ->capture_default_str();
  command.add_option("--threads", flags.archive.num_threads, "Cores to use; default: all")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  command.add_flag("-q,--quiet", flags.archive.is_quiet, "Print errors only");
  AddRunFlags(&command, &flags);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto destination = ParseDestination(flags.destination);
  if (!destination.ok()) {
    return FailCommand(flags.command, destination.status());
  }
  if (destination->folder.empty()) {
    return FailCommand(flags.command,
                       Status::Invalid(fmt::format("--to: found '{}', expected a folder or URI",
                                                   PrintableText(flags.destination.to))));
  }
  auto protocols = ProtocolsOf(listen);
  if (!protocols.ok()) {
    return FailCommand(flags.command, protocols.status());
  }
  Json lake = {{"base_uri", config::EscapeReferences(destination->folder)},
               {"time_levels", "hour"},
               {"seal_after", "1h"}};
  // Only a local disk can stage small files until they are merged.
  lake["writer_options"] = destination->is_network ? Json{{"flush_when_older_than", "10s"}}
                                                   : Json{{"flush_when_older_than", "2s"},
                                                          {"roll_when_older_than", "10m"},
                                                          {"target_bytes_per_file", "128MiB"}};
  RunFlags run = RunFlagsOf(flags, *destination);
  run.shows_progress = false;  // it has no end, and its log says what happens
  run.log_level = !flags.log_level.empty() ? flags.log_level
                  : flags.archive.is_quiet ? "error"
                                           : "info";
  run.answer = flags.archive.is_quiet ? RunAnswer::kProblems : RunAnswer::kSummary;
  const Json config = {{"protocols", *std::move(protocols)}};
  run.document.source =
      PipelineSource({"receiver:otlp", config.dump()}, {"exporter:parquet", lake.dump()}, false);
  return RunDocument(std::move(run));
}

}  // namespace df::app
