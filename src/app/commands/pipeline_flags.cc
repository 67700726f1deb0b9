#include "app/commands/pipeline_flags.h"

#include <CLI/CLI.hpp>

#include "app/commands/signal_names.h"

namespace df::app {

Result<std::vector<otap::Signal>> ParseSignals(const std::vector<std::string>& names) {
  std::vector<otap::Signal> signals;
  for (const std::string& name : names) {
    const auto signal = FindSignalName(name);
    if (!signal.ok()) {
      return Status::Invalid("--signal: " + signal.status().message());
    }
    signals.push_back(*signal);
  }
  return signals;
}

RunFlags RunFlagsOf(const PipelineFlags& flags, const Destination& destination) {
  RunFlags run;
  run.name = flags.command;
  run.answer = flags.archive.is_quiet ? RunAnswer::kProblems : RunAnswer::kDelivery;
  run.receipt = flags.archive.is_json && flags.receipt.empty() ? "/dev/stdout" : flags.receipt;
  run.log_level = flags.log_level.empty() ? "warning" : flags.log_level;
  run.allows_incomplete = flags.allows_incomplete;
  run.shows_progress = !flags.archive.is_quiet;
  run.has_end = !flags.follows;
  run.has_data_on_stdout = destination.is_stdout;
  if (destination.needs_one_core) {
    run.num_cores = 1;
  } else if (flags.archive.num_threads > 0) {
    run.num_cores = flags.archive.num_threads;
  }
  return run;
}

void AddRunFlags(CLI::App* command, PipelineFlags* flags) {
  command
      ->add_option("--receipt", flags->receipt,
                   "Write what was found, delivered and left out into a file, as JSON "
                   "(docs/receipt.md)")
      ->type_name("FILE");
  command->add_flag("--allow-incomplete", flags->allows_incomplete,
                    "Exit with 0 in place of 4; what is missing is named all the same");
  command
      ->add_option("--log-level", flags->log_level,
                   "debug, info, warning or error; default warning")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL");
}

void AddServerFlags(CLI::App* command, DestinationFlags* flags) {
  const std::string group = "Servers";
  command->add_option("--header", flags->headers, "Sent with every request; may be given again")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE")
      ->group(group);
  command->add_option("--compression", flags->compression, "none, gzip, zstd or deflate")
      ->check(CLI::IsMember({"none", "gzip", "zstd", "deflate"}).description(""))
      ->type_name("CODEC")
      ->group(group);
  command->add_option("--tls-ca", flags->tls_ca, "Authorities that are believed, as PEM")
      ->type_name("FILE")
      ->group(group);
  command->add_option("--tls-cert", flags->tls_cert, "Certificate of this client, as PEM")
      ->type_name("FILE")
      ->group(group);
  command->add_option("--tls-key", flags->tls_key, "Its key, as PEM")
      ->type_name("FILE")
      ->group(group);
  command
      ->add_option("--tls-server-name", flags->tls_server_name,
                   "Name that the certificate of the server must have")
      ->type_name("NAME")
      ->group(group);
}

const char* const kToHelp =
    "grpc://HOST:PORT, http://HOST:PORT (also grpcs, https), otap://HOST:PORT, file:PATH (.jsonl "
    "or .binpb), '-' (OTLP JSON on stdout), 'null', or a folder or URI for star-schema Parquet";

}  // namespace df::app
