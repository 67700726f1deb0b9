#include "app/commands/top_command.h"

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/control/admin_client.h"
#include "app/control/admin_flags.h"
#include "app/control/metrics_look.h"
#include "app/control/terminal_screen.h"
#include "app/control/top_text.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "config/environment.h"
#include "runtime/signals.h"

namespace df::app {
namespace {

constexpr const char* kCommand = "df_engine top";

/// Elsewhere than on a terminal nobody's line ends.
constexpr size_t kWidestLine = 200;

struct TopFlags {
  AdminFlags access;
  bool is_once = false;
  bool is_json = false;
  std::string interval = "2s";
};

Result<std::chrono::nanoseconds> ReadInterval(const std::string& text) {
  constexpr std::chrono::milliseconds kShortest{100};
  constexpr std::chrono::hours kLongest{1};
  const auto interval = ParseDuration(text);
  if (!interval.ok()) {
    return Status::Invalid("--interval: " + interval.status().message());
  }
  if (*interval < kShortest || *interval > kLongest) {
    return Status::Invalid(
        fmt::format("--interval: found '{}', expected from 100ms to 1h", PrintableText(text)));
  }
  return interval;
}

/// Watches an engine, on one loop that signals end.
class Watch {
 public:
  Watch(const AdminClient& client, const TopFlags& flags, std::chrono::nanoseconds interval)
      : client_(client), flags_(flags), interval_(interval) {}

  /// Goes on until stopped, or until something fails. Errors: as AdminClient.
  Status Run() {
    const runtime::SignalListener signals(&loop_, [this](int signal) {
      if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
        loop_.Stop();
      }
    });
    if (!flags_.is_once && !flags_.is_json && TerminalScreen::IsThere()) {
      screen_.emplace();
    }
    runtime::Task<> task = Follow();
    task.Start();
    loop_.Run();
    screen_.reset();
    return status_;
  }

 private:
  runtime::Task<> Follow() {
    std::optional<MetricsLook> before;
    while (true) {
      // A name of its own: gcc 12 destroys a temporary in a co_await twice.
      AdminRequest request{.target = "/api/v1/metrics?format=json"};
      const Result<AdminReply> reply = co_await client_.Ask(&loop_, std::move(request));
      status_ = Take(reply, &before);
      if (!status_.ok() || is_done_) {
        break;
      }
      co_await loop_.SleepFor(interval_, nullptr);
    }
    loop_.Stop();
  }

  /// Shows what has happened since the look before, and keeps the new one.
  Status Take(const Result<AdminReply>& reply, std::optional<MetricsLook>* before) {
    ARROW_RETURN_NOT_OK(reply);
    if (reply->is_refusal()) {
      return RefusalOf(*reply, "");
    }
    ARROW_ASSIGN_OR_RAISE(MetricsLook after, ReadMetrics(reply->json));
    if (before->has_value()) {
      ARROW_RETURN_NOT_OK(Show(**before, after));
      is_done_ = flags_.is_once || writer_.has_no_reader();
    }
    *before = std::move(after);
    return Status::OK();
  }

  Status Show(const MetricsLook& before, const MetricsLook& after) {
    const std::vector<TopPipeline> pipelines = RatesBetween(before, after);
    if (screen_.has_value()) {
      return screen_->Draw(client_.address() + "   Ctrl-C ends\n\n" +
                           TopText(pipelines, TerminalScreen::Width()));
    }
    ARROW_RETURN_NOT_OK(writer_.Add(flags_.is_json ? TopJson(pipelines, before, after)
                                                   : TopText(pipelines, kWidestLine)));
    return writer_.Flush();
  }

  const AdminClient& client_;
  const TopFlags& flags_;
  const std::chrono::nanoseconds interval_;
  runtime::EventLoop loop_;
  std::optional<TerminalScreen> screen_;
  AnswerWriter writer_;
  Status status_;
  bool is_done_ = false;
};

}  // namespace

int TopCommand(int argc, char** argv) {
  CLI::App command("Shows what a running engine does: rates of pipelines and nodes.", kCommand);
  TopFlags flags;
  AddAdminFlags(&command, &flags.access);
  command.add_flag("--once", flags.is_once, "One table, after one interval");
  command.add_flag("--json", flags.is_json, "Print an object for each interval, on a line");
  command.add_option("--interval", flags.interval, "Between two looks at the metrics, 100ms to 1h")
      ->type_name("DURATION")
      ->capture_default_str();
  command.footer(
      "ITEMS of a pipeline: what its receivers have sent and its exporters have taken. BYTES: "
      "what\n"
      "came and went over the network or into files, of nodes that count it. REFUSED, QUEUED: in\n"
      "batches. FAILING: how long an exporter has delivered nothing.");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto interval = ReadInterval(flags.interval);
  if (!interval.ok()) {
    return FailCommand(kCommand, interval.status());
  }
  auto access = ReadAdminFlags(flags.access, config::ProcessEnvironment());
  if (!access.ok()) {
    return FailCommand(kCommand, access.status());
  }
  const AdminClient client(*std::move(access));
  const Status status = Watch(client, flags, *interval).Run();
  return status.ok() ? kExitClean : FailCommand(kCommand, status);
}

}  // namespace df::app
