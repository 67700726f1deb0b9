#include "app/commands/run_command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <arrow/compute/initialize.h>

#include "admin/admin_server.h"
#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/delivery_text.h"
#include "app/live_document.h"
#include "app/load_document.h"
#include "app/pipeline_plans.h"
#include "app/print_config.h"
#include "app/receipt.h"
#include "app/run_progress.h"
#include "app/service_manager.h"
#include "app/standard_output.h"
#include "app/summary.h"
#include "app/version.h"
#include "base/logging.h"
#include "base/state_directory.h"
#include "controller/controller.h"
#include "nodes/registry.h"
#include "otap/batch.h"
#include "otlp/encode.h"
#include "runtime/cores.h"
#include "telemetry/process_metrics.h"

namespace df::app {
namespace {

std::string Footer() {
  std::string text = "Nodes:\n";
  for (const engine::NodeDescriptor* descriptor : nodes::AllDescriptors()) {
    text += fmt::format("  {:<34} {}\n", descriptor->urn, descriptor->summary);
  }
  text +=
      "\nExit codes: 0 everything was read and delivered, 1 failed, 2 usage or configuration, "
      "3 ended by force,\n4 incomplete: something was not read or not delivered, 5 nothing found "
      "to "
      "replay.\n"
      "SIGINT or SIGTERM drains the pipelines; another one, half a second later or more, ends\n"
      "the process at once. SIGHUP reads the document again and rolls out what has changed.";
  return text;
}

/// `what` begins the sentence of the help.
void AddSetFlag(CLI::App* app, DocumentFlags* flags, const std::string& what) {
  app->add_option("--set", flags->overrides,
                  what + ": a dotted path and a YAML value; may be given again")
      ->allow_extra_args(false)
      ->type_name("PATH=VALUE");
}

void AddFlags(CLI::App* app, RunFlags* flags) {
  app->add_option("-c,--config,-p,--pipeline", flags->document.source,
                  "The configuration (YAML or JSON): a path, file:PATH, yaml:TEXT or env:VARIABLE")
      ->required()
      ->type_name("SOURCE");
  AddSetFlag(app, &flags->document, "Change the configuration");
  CLI::Option* num_cores =
      app->add_option("--num-cores", flags->num_cores,
                      "Cores per pipeline without its own allocation (default 0: all available)")
          ->type_name("N")
          ->check(CLI::Range(0, 4096).description(""));
  app->add_option("--core-id-range", flags->core_ids,
                  "The same by ids and inclusive ranges, like 0-3,6")
      ->excludes(num_cores)
      ->type_name("IDS");
  app->add_option("--http-admin-bind", flags->document.http_admin_bind,
                  "Serve the admin interface on this address, like 127.0.0.1:8080")
      ->type_name("HOST:PORT");
  CLI::Option* strict = app->add_flag("--strict", flags->is_strict,
                                      "Exit with 4 if any data was skipped or not delivered; "
                                      "this is the default");
  app->add_flag("--allow-incomplete", flags->allows_incomplete,
                "Exit with 0 in place of 4; what is missing is named all the same")
      ->excludes(strict);
  app->add_flag("--validate-and-exit", flags->validates_only,
                "Check the configuration and exit; starts and opens nothing");
  app->add_flag("--print-config", flags->prints_config,
                "Print the configuration with every default and exit");
  app->add_flag("--metrics", flags->prints_metrics, "Print every metric at the end");
  app->add_option("--receipt", flags->receipt,
                  "Write at the end what was found, delivered and left out, as JSON")
      ->type_name("FILE");
  app->add_option("--log-level", flags->log_level,
                  "debug, info, warning or error; default: from the configuration")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL");
  app->add_option("--log-format", flags->log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->type_name("FORMAT")
      ->capture_default_str();
  CLI::Option* verbose =
      app->add_flag("-v,--verbose", flags->is_verbose,
                    "With --version: the commit, and the versions of the libraries");
  verbose->needs(app->set_version_flag("--version", [flags] {
    return flags->is_verbose ? VersionDetails() : "df_engine " + Version();
  }));
  app->footer(Footer);
}

std::string NameOf(const RunFlags& flags) {
  return flags.name.empty() ? flags.document.source : flags.name;
}

Status ChooseCores(RunFlags* flags, const std::vector<int>& allowed) {
  if (!flags->core_ids.empty()) {
    ARROW_ASSIGN_OR_RAISE(const std::vector<int> cores, runtime::ParseCoreIds(flags->core_ids));
    for (const int core : cores) {
      if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) {
        return Status::Invalid(
            fmt::format("--core-id-range: core {} cannot be used, expected some of {}", core,
                        fmt::join(allowed, ",")));
      }
    }
    flags->document.core_allocation = AllocationOfIds(cores);
  } else if (flags->num_cores.has_value()) {
    if (static_cast<size_t>(*flags->num_cores) > allowed.size()) {
      return Status::Invalid(fmt::format("--num-cores: found {}, but the process may use {} cores",
                                         *flags->num_cores, allowed.size()));
    }
    flags->document.core_allocation = AllocationOfCount(*flags->num_cores);
  }
  return Status::OK();
}

int Fail(const Status& status, int exit_code) {
  // When stderr cannot be written, the exit code has to do.
  const Status ignored = PrintTo(stderr, status.message() + "\n");
  return exit_code;
}

[[noreturn]] void EndByForce(const std::string& why) {
  LogError("ended by force: {}", why);
  ProcessLog().Flush();
  std::fflush(nullptr);
  std::_Exit(kExitForced);
}

void SetUpLog(const RunFlags& flags, const config::EngineTelemetrySettings& settings) {
  const std::string& level = flags.log_level.empty() ? settings.log_level : flags.log_level;
  SetLogLevel(FindLogLevel(level).value_or(LogLevel::kInfo));
  ProcessLog().SetFormat(flags.log_format == "json" ? Log::Format::kJson : Log::Format::kText);
}

controller::ControllerOptions OptionsOf(const engine::CheckedEngine& engine,
                                        LiveDocument* document) {
  controller::ControllerOptions options;
  options.stays_up = engine.settings.http_admin.has_value();
  options.seed = static_cast<uint64_t>(runtime::SystemClock().WallNow().time_since_epoch().count());
  options.collect_interval = engine.settings.telemetry.reporting_interval;
  options.on_force = EndByForce;
  options.check = [document](const controller::PipelineKey& key, std::string_view text,
                             std::span<const controller::PipelinePlanPtr> others) {
    return document->Check(key, text, others);
  };
  options.print = [document](std::span<const controller::PipelinePlanPtr> plans) {
    return document->Print(plans);
  };
  options.reload = [document] { return document->Reload(); };
  const ServiceManager manager = ServiceManager::FromEnvironment();
  options.on_ready = [manager] { manager.Notify("READY=1\nSTATUS=Running"); };
  options.on_ending = [manager] { manager.Notify("STOPPING=1\nSTATUS=Draining"); };
  return options;
}

Result<std::string> EncodeTapped(const otap::BatchPtr& batch) {
  ARROW_ASSIGN_OR_RAISE(const otap::BatchPtr with_tables, otap::WithTables(batch));
  return otlp::EncodeJson(*with_tables);
}

/// What the run has to say for itself: the receipt, where one was asked for.
struct Receipt {
  std::optional<ReceiptFile> file;
  ReceiptFacts facts;

  /// Writes it. Returns the exit code: a receipt that cannot be written is a failure.
  int Write(const controller::RunResult& result, int exit_code) {
    if (!file.has_value()) {
      return exit_code;
    }
    facts.ended = runtime::SystemClock().WallNow();
    facts.exit_code = exit_code;
    const Status status = file->Write(FormatReceipt(result, facts));
    if (status.ok()) {
      return exit_code;
    }
    return Fail(status, exit_code == kExitForced ? kExitForced : kExitFailed);
  }
};

Status PrintResult(const RunFlags& flags, const controller::RunResult& result) {
  switch (flags.answer) {
    case RunAnswer::kSummary: {
      const std::string metrics = flags.prints_metrics ? result.metrics + "\n" : "";
      return PrintTo(stdout, FormatSummary(NameOf(flags), result) + metrics);
    }
    case RunAnswer::kDelivery:
    case RunAnswer::kProblems:
      return PrintTo(stderr,
                     FormatDelivery(NameOf(flags), result, flags.answer == RunAnswer::kProblems));
  }
  return Status::OK();
}

int RunEngine(const RunFlags& flags, const engine::CheckedEngine& engine,
              const engine::NodeRegistry& registry, const std::vector<int>& allowed_cores,
              Receipt receipt) {
  const Status status = arrow::compute::Initialize();
  if (!status.ok()) {
    return Fail(status, kExitFailed);
  }
  if (const std::string& state_dir = engine.settings.state_dir; !state_dir.empty()) {
    if (const Status made = MakeStateDirectory(&SystemFileCalls(), state_dir); !made.ok()) {
      return Fail(made.WithMessage("engine.state_dir: ", made.message()),
                  KindOf(made) == ErrorKind::kConfig ? kExitUsage : kExitFailed);
    }
  }
  LiveDocument document(flags.document, allowed_cores, &registry, config::ProcessEnvironment(),
                        engine);
  auto running =
      controller::Controller::Make(MakePlans(engine.pipelines), OptionsOf(engine, &document));
  if (!running.ok()) {
    const std::string name = flags.name.empty() ? "" : flags.name + ": ";
    const bool is_config = KindOf(running.status()) == ErrorKind::kConfig;
    return Fail(running.status().WithMessage(name, running.status().message()),
                is_config ? kExitUsage : kExitFailed);
  }
  const telemetry::ProcessMetrics process_metrics(&(*running)->metrics());
  std::unique_ptr<admin::AdminServer> admin;
  if (engine.settings.http_admin.has_value()) {
    auto started = admin::AdminServer::Start(*engine.settings.http_admin, running->get(),
                                             {.version = Version(),
                                              .resource = engine.settings.telemetry.resource,
                                              .encode_tapped = EncodeTapped});
    if (!started.ok()) {
      return Fail(started.status(), kExitFailed);
    }
    admin = std::move(started).ValueUnsafe();
    LogInfo("admin interface on {}", admin->address());
  }
  std::optional<RunProgress> progress;
  if (flags.shows_progress) {
    progress.emplace(&(*running)->metrics(),
                     RunProgress::Options{.name = NameOf(flags),
                                          .has_end = flags.has_end,
                                          .draws = CanDrawProgress(flags.has_data_on_stdout)});
  }
  const controller::RunResult result = (*running)->Run();
  progress.reset();
  if (admin != nullptr) {
    admin->Stop();
  }
  if (const Status printed = PrintResult(flags, result); !printed.ok()) {
    // What was delivered stays delivered: the exit code and the receipt say it.
    LogError("the summary is lost: {}", printed.message());
  }
  int exit_code = ExitCode(result, flags.allows_incomplete);
  if (flags.exits_by_signal && result.signal.has_value() && exit_code == kExitIncomplete) {
    exit_code = kExitOfSignal + *result.signal;  // stopped before its end, as a shell says it
  } else if (flags.finds_nothing_when_none_is_sent && exit_code == kExitClean &&
             HasSentNothing(result)) {
    exit_code = kExitNothingFound;
  }
  return receipt.Write(result, exit_code);
}

}  // namespace

void AddDocumentFlags(CLI::App* command, DocumentFlags* flags) {
  command
      ->add_option("-c,--config,-p,--pipeline,DOCUMENT", flags->source,
                   "The document (YAML or JSON): a path, file:PATH, yaml:TEXT or env:VARIABLE")
      ->required()
      ->type_name("SOURCE");
  AddSetFlag(command, flags, "Change the document");
}

size_t CountNodes(const engine::CheckedEngine& engine) {
  size_t num_nodes = 0;
  for (const engine::CheckedPipeline& pipeline : engine.pipelines) {
    num_nodes += pipeline.nodes.size();
  }
  return num_nodes;
}

std::string DescribeValid(const std::string& name, const engine::CheckedEngine& engine) {
  return fmt::format("{}: valid, {}, {}\n", name,
                     ShowCountOf(static_cast<int64_t>(engine.pipelines.size()), "pipeline"),
                     ShowCountOf(static_cast<int64_t>(CountNodes(engine)), "node"));
}

int RunDocument(RunFlags flags) {
  const engine::NodeRegistry registry(nodes::AllDescriptors());
  const std::vector<int> allowed_cores = runtime::AllowedCores();
  const Status cores = ChooseCores(&flags, allowed_cores);
  if (!cores.ok()) {
    return Fail(cores, kExitUsage);
  }
  config::DocumentText text;
  const auto engine = LoadDocument(flags.document, registry, {.allowed_cores = allowed_cores},
                                   config::ProcessEnvironment(), &text);
  if (!engine.ok()) {
    return flags.on_invalid ? flags.on_invalid(engine.status()) : Fail(engine.status(), kExitUsage);
  }
  for (const std::string& notice : engine->notices) {
    const Status ignored = PrintTo(stderr, notice + "\n");
  }
  if (flags.on_valid) {
    return flags.on_valid(*engine);
  }
  if (flags.prints_config) {
    return PrintConfig(*engine, registry);
  }
  if (flags.validates_only) {
    return PrintAnswer(DescribeValid(NameOf(flags), *engine));
  }
  SetUpLog(flags, engine->settings.telemetry);
  Receipt receipt;
  if (!flags.receipt.empty()) {
    auto file = ReceiptFile::Make(flags.receipt);
    if (!file.ok()) {
      return Fail(file.status(), kExitUsage);
    }
    receipt.file = std::move(file).ValueUnsafe();
    receipt.facts = {.version = Version(),
                     .document = flags.name.empty() ? text.name : flags.name,
                     .document_sha256 = Sha256(text.text),
                     .is_changed_by_flags = !flags.document.overrides.empty() ||
                                            flags.document.core_allocation.has_value() ||
                                            !flags.document.http_admin_bind.empty(),
                     .started = runtime::SystemClock().WallNow()};
  }
  return RunEngine(flags, *engine, registry, allowed_cores, std::move(receipt));
}

int RunCommand(int argc, char** argv) {
  CLI::App app("Runs the pipelines of a document.", "df_engine run");
  RunFlags flags;
  AddFlags(&app, &flags);
  if (const auto code = ParseCommandLine(&app, argc, argv)) {
    return *code;
  }
  return RunDocument(std::move(flags));
}

}  // namespace df::app
