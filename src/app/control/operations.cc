#include "app/control/operations.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/control/reply_fields.h"
#include "app/control/status_text.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "base/units.h"

namespace df::app {
namespace {

/// What the server takes at most.
constexpr size_t kMaxDocumentBytes = 4_MiB;

/// How long the server may read a document before it waits for what that begins.
constexpr std::chrono::minutes kMaxRead{1};

void PrintLine(const std::string& text) {
  // When stderr cannot be written, the exit code has to do.
  const Status ignored = PrintTo(stderr, text + "\n");
}

Result<std::string> ReadDocumentFile(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::string name = is_stdin ? "stdin" : PrintableText(path);
  const auto close = [is_stdin](std::FILE* file) {
    if (!is_stdin) {
      std::fclose(file);
    }
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      is_stdin ? stdin : std::fopen(path.c_str(), "rbe"), close);
  if (file == nullptr) {
    return Status::Invalid(fmt::format("{}: {}", name, std::strerror(errno)));
  }
  std::string text;
  std::array<char, 16384> piece;
  while (const size_t size = std::fread(piece.data(), 1, piece.size(), file.get())) {
    text.append(piece.data(), size);
    if (text.size() > kMaxDocumentBytes) {
      return Status::Invalid(fmt::format("{}: has more than {}", name,
                                         FormatSize(static_cast<int64_t>(kMaxDocumentBytes))));
    }
  }
  if (std::ferror(file.get()) != 0) {
    return Status::Invalid(fmt::format("{}: {}", name, std::strerror(errno)));
  }
  return text;
}

std::string WaitQuery(const OperationOptions& options) {
  return options.waits
             ? fmt::format(
                   "?wait=true&timeout={}ms",
                   std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout).count())
             : "";
}

/// Returns what to ask; the pipeline is known then. Errors: as FindPipeline and ReadDocumentFile.
Result<AdminRequest> RequestOf(const OperationOptions& options, const PipelineName& pipeline) {
  AdminRequest request{.method = "POST"};
  request.target = pipeline.Path();
  if (options.action == "put") {
    request.method = "PUT";
    request.content_type = "application/yaml";
    ARROW_ASSIGN_OR_RAISE(request.body, ReadDocumentFile(options.file));
  } else if (options.action == "delete") {
    request.method = "DELETE";
  } else {
    request.target += "/" + options.action;
  }
  request.target += WaitQuery(options);
  request.wait = options.waits ? options.timeout : std::chrono::seconds(0);
  return request;
}

Result<PipelineName> NameOf(const AdminClient& client, const std::string& name,
                            const OperationOptions& options) {
  if (options.action != "put") {
    return LookUpPipeline(client, name);
  }
  ARROW_ASSIGN_OR_RAISE(const AdminReply status, client.Get("/api/v1/status"));
  return FindOrNamePipeline(name, PipelinesOf(status.json));
}

/// Says how an operation has ended that was accepted. Returns the exit code.
int TellEnd(const AdminReply& reply, const std::string& pipeline, bool is_json) {
  const bool is_refusal = reply.is_refusal();
  const nlohmann::json& operation = is_refusal ? PartsOf(reply.json, "operation") : reply.json;
  const std::string text = fmt::format("{}: {}", pipeline, OperationText(operation));
  if (is_json) {
    const int code = PrintAnswer(reply.body);
    if (code != kExitClean) {
      return code;
    }
  } else if (!is_refusal) {
    return PrintAnswer(text + "\n");
  }
  if (is_refusal) {
    PrintLine("df_engine ctl: " + text);
  }
  if (reply.status == 504) {
    PrintLine(fmt::format("it goes on; its end: df_engine ctl status {}", pipeline));
    return kExitIncomplete;
  }
  return is_refusal ? kExitFailed : kExitClean;
}

/// Says why something was refused. Returns the exit code.
int FailRequest(const AdminReply& reply, const std::string& document) {
  const Status refusal = RefusalOf(reply, document);
  if (reply.status == 422) {
    PrintLine(refusal.message());  // as `validate` prints them
    return kExitUsage;
  }
  return FailControl(refusal);
}

}  // namespace

Result<PipelineName> LookUpPipeline(const AdminClient& client, const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(const AdminReply status, client.Get("/api/v1/status"));
  return FindPipeline(name, PipelinesOf(status.json));
}

int FailControl(const Status& status) {
  const int code = FailCommand("df_engine ctl", status);
  return status.IsKeyError() ? kExitNothingFound : code;
}

int RunOperation(const AdminClient& client, const std::string& name,
                 const OperationOptions& options) {
  const Result<PipelineName> pipeline = NameOf(client, name, options);
  if (!pipeline.ok()) {
    return FailControl(pipeline.status());
  }
  const Result<AdminRequest> request = RequestOf(options, *pipeline);
  if (!request.ok()) {
    return FailControl(request.status());
  }
  const Result<AdminReply> reply = client.AskAndWait(*request);
  if (!reply.ok()) {
    return FailControl(reply.status());
  }
  if (!reply->is_refusal() || reply->json.contains("operation")) {
    return TellEnd(*reply, PrintableText(pipeline->ToString()), options.is_json);
  }
  return FailRequest(*reply, options.file == "-" ? "stdin" : options.file);
}

int RunPause(const AdminClient& client, const std::string& name, const std::string& step,
             const OperationOptions& options) {
  const Result<PipelineName> pipeline = LookUpPipeline(client, name);
  if (!pipeline.ok()) {
    return FailControl(pipeline.status());
  }
  AdminRequest request{.method = "POST"};
  request.target = pipeline->Path() + "/" + options.action;
  if (!step.empty()) {
    const bool is_number = step.find_first_not_of("0123456789") == std::string::npos;
    const auto duration = ParseDuration(step);
    if (!is_number && !duration.ok()) {
      return FailControl(Status::Invalid(fmt::format(
          "found '{}', expected a number of batches or a duration like 10s", PrintableText(step))));
    }
    request.target += is_number ? fmt::format("?batches={}", step)
                                : fmt::format("?time={}", FormatDuration(*duration));
  }
  const Result<AdminReply> reply = client.AskAndWait(request);
  if (!reply.ok() || reply->is_refusal()) {
    return FailControl(reply.ok() ? RefusalOf(*reply, "") : reply.status());
  }
  return PrintAnswer(options.is_json ? reply->body : PipelineStatusText(reply->json));
}

int RunReload(const AdminClient& client, const OperationOptions& options) {
  const Result<AdminReply> reply = client.AskAndWait(
      {.method = "POST",
       .target = "/api/v1/reload" + WaitQuery(options),
       .wait = kMaxRead + (options.waits ? options.timeout : std::chrono::nanoseconds(0))});
  if (!reply.ok()) {
    return FailControl(reply.status());
  }
  if (!reply->json.contains("changes")) {
    return FailRequest(*reply, "document");
  }
  std::string text;
  for (const nlohmann::json& change : PartsOf(reply->json, "changes")) {
    const std::string refusal = TextOf(change, "refusal");
    text += fmt::format("{}/{}: {}\n", TextOf(change, "group"), TextOf(change, "pipeline"),
                        refusal.empty() ? OperationText(PartsOf(change, "operation")) : refusal);
  }
  for (const nlohmann::json& notice : PartsOf(reply->json, "notices")) {
    if (notice.is_string()) {
      PrintLine(PrintableText(notice.get<std::string>()));
    }
  }
  const int code = PrintAnswer(options.is_json ? reply->body
                               : text.empty()  ? "nothing has changed\n"
                                               : text);
  return code != kExitClean     ? code
         : reply->status == 504 ? kExitIncomplete
         : !reply->is_refusal() ? kExitClean
                                : kExitFailed;
}

int RunShutdown(const AdminClient& client, const OperationOptions& options) {
  const Result<AdminReply> reply =
      client.AskAndWait({.method = "POST",
                         .target = "/api/v1/shutdown" + WaitQuery(options),
                         .wait = options.waits ? options.timeout : std::chrono::nanoseconds(0)});
  if (!reply.ok()) {
    return FailControl(reply.status());
  }
  if (!reply->json.contains("state")) {
    return FailControl(RefusalOf(*reply, ""));
  }
  std::string text = fmt::format("the engine: {}\n", TextOf(reply->json, "state"));
  for (const nlohmann::json& pipeline : PartsOf(reply->json, "pipelines")) {
    text += fmt::format("{}/{}: {}\n", TextOf(pipeline, "group"), TextOf(pipeline, "pipeline"),
                        TextOf(pipeline, "phase"));
  }
  const int code = PrintAnswer(options.is_json ? reply->body : text);
  if (code == kExitClean && reply->status == 504) {
    PrintLine("df_engine ctl: the engine still drains, and goes on");
    return kExitIncomplete;
  }
  return code;
}

}  // namespace df::app
