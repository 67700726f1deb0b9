#include "app/commands/trace_command.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/commands/records.h"
#include "app/commands/trace_tree.h"
#include "app/commands/value_json.h"
#include "app/standard_output.h"

namespace df::app {
namespace {

constexpr std::string_view kName = "df_engine trace";
constexpr size_t kMostRecords = 1'000'000;
constexpr size_t kBarWidth = 32;

struct Flags {
  ArchiveFlags archive;
  std::string id;
  std::optional<std::string> from;
  std::optional<std::string> until;
  bool has_logs = false;
  bool is_verbose = false;
};

std::string Plain(const select::Value& value) {
  std::string text;
  AppendPlain(value, &text);
  return text;
}

std::string WithoutZeros(std::string id) {
  return id.find_first_not_of('0') == std::string::npos ? "" : id;
}

std::string WithoutEnd(std::string line) {
  while (line.ends_with('\n')) {
    line.pop_back();
  }
  return line;
}

/// Collects the records of one trace. Calls: from any thread.
class Collector {
 public:
  static Result<std::unique_ptr<Collector>> Make(const Flags& flags) {
    auto spans = RecordFields::Make(otap::Signal::kTraces);
    auto logs = RecordFields::Make(otap::Signal::kLogs);
    ARROW_RETURN_NOT_OK(spans.status());
    ARROW_RETURN_NOT_OK(logs.status());
    return std::unique_ptr<Collector>(new Collector(flags, *std::move(spans), *std::move(logs)));
  }

  Status Add(const otap::Batch& batch) {
    const otap::TableKind table = otap::RootTable(batch.signal());
    const bool is_log = batch.signal() == otap::Signal::kLogs;
    const RecordFields& fields = is_log ? logs_ : spans_;
    RecordTexts lines(fields, batch, table, {.has_color = HasColor(flags_.archive)});
    RecordTexts objects(fields, batch, table, {.form = RecordForm::kJson});
    const std::lock_guard lock(mutex_);
    for (int64_t row = 0; row < batch.num_root_rows(); ++row) {
      if (is_log) {
        trace_.logs.push_back(LogAt(row, &lines, &objects));
      } else {
        trace_.spans.push_back(SpanAt(row, &lines, &objects));
      }
    }
    return trace_.logs.size() + trace_.spans.size() <= kMostRecords
               ? Status::OK()
               : Status::CapacityError(
                     fmt::format("the trace has more than {} records", kMostRecords));
  }

  Trace Take() {
    std::sort(trace_.logs.begin(), trace_.logs.end(), [](const TraceLog& a, const TraceLog& b) {
      return std::tie(a.time, a.json) < std::tie(b.time, b.json);
    });
    std::sort(trace_.spans.begin(), trace_.spans.end(), [](const TraceSpan& a, const TraceSpan& b) {
      return std::tie(a.start, a.span_id, a.json) < std::tie(b.start, b.span_id, b.json);
    });
    return std::move(trace_);
  }

 private:
  Collector(const Flags& flags, RecordFields spans, RecordFields logs)
      : flags_(flags), spans_(std::move(spans)), logs_(std::move(logs)) {}

  static TraceLog LogAt(int64_t row, RecordTexts* lines, RecordTexts* objects) {
    return {.span_id = WithoutZeros(Plain(lines->Read(record_fields::kLogSpanId, row))),
            .time = lines->TimeAt(row),
            .line = WithoutEnd(lines->At(row)),
            .json = WithoutEnd(objects->At(row))};
  }

  TraceSpan SpanAt(int64_t row, RecordTexts* lines, RecordTexts* objects) const {
    const auto read = [&](size_t field) { return Plain(lines->Read(field, row)); };
    TraceSpan span{.span_id = WithoutZeros(read(record_fields::kSpanId)),
                   .parent_id = WithoutZeros(read(record_fields::kSpanParentId)),
                   .start = lines->TimeAt(row),
                   .name = read(record_fields::kSpanName),
                   .service = read(record_fields::kService),
                   .json = WithoutEnd(objects->At(row))};
    const select::Value end = lines->Read(record_fields::kSpanEndNanos, row);
    if (const auto* nanos = end.As<int64_t>(); nanos != nullptr) {
      span.end = *nanos;
    }
    if (read(record_fields::kSpanStatusCode) == "2") {
      const std::string message = read(record_fields::kSpanStatusMessage);
      span.error = message.empty() ? "ERROR" : "ERROR: " + message;
    }
    if (flags_.is_verbose) {
      span.detail = lines->AttributesAt(row);
    }
    return span;
  }

  const Flags& flags_;
  RecordFields spans_;
  RecordFields logs_;
  std::mutex mutex_;
  Trace trace_;
};

std::string JsonOf(const Trace& trace, bool has_logs) {
  std::string json = "{\"trace_id\":";
  AppendJson(select::MakeText(trace.id), &json);
  json += ",\"spans\":[";
  for (size_t i = 0; i < trace.spans.size(); ++i) {
    json += (i == 0 ? "" : ",") + trace.spans[i].json;
  }
  json += "]";
  if (has_logs) {
    json += ",\"logs\":[";
    for (size_t i = 0; i < trace.logs.size(); ++i) {
      json += (i == 0 ? "" : ",") + trace.logs[i].json;
    }
    json += "]";
  }
  return json + "}\n";
}

int PrintTrace(const Flags& flags) {
  const std::string name(kName);
  SelectionFlags selection{.from = flags.from, .until = flags.until, .traces = {flags.id}};
  std::vector<otap::Signal> signals = {otap::Signal::kTraces};
  if (flags.has_logs) {
    signals.push_back(otap::Signal::kLogs);
  }
  auto archive = OpenArchive(flags.archive, selection, signals);
  if (!archive.ok()) {
    return FailCommand(name, archive.status());
  }
  auto collector = Collector::Make(flags);
  if (!collector.ok()) {
    return FailCommand(name, collector.status());
  }
  const Status read = (*archive)->Read(
      {}, [&](const lake::Payload& payload, size_t) { return (*collector)->Add(*payload.batch); });
  if (!read.ok()) {
    return FailCommand(name, read);
  }
  Trace trace = (*collector)->Take();
  trace.id = flags.id;
  const bool is_found = !trace.spans.empty() || !trace.logs.empty();
  int code = kExitClean;
  if (flags.archive.is_json) {
    code = is_found ? PrintAnswer(JsonOf(trace, flags.has_logs)) : kExitClean;
  } else if (is_found) {
    code = PrintAnswer(DrawTrace(trace, kBarWidth, HasColor(flags.archive)));
  }
  const bool is_incomplete = PrintProblems(name, **archive, flags.archive.is_quiet);
  if (!is_found) {
    PrintRemark(flags.archive, fmt::format("{}: no span{} of this trace", name,
                                           flags.has_logs ? " or log record" : ""));
  }
  return code != kExitClean ? code
         : is_incomplete    ? kExitIncomplete
         : !is_found        ? kExitNothingFound
                            : kExitClean;
}

}  // namespace

int TraceCommand(int argc, char** argv) {
  CLI::App command("Prints the spans of a trace as a tree.", std::string(kName));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  AddColorFlag(&command, &flags.archive);
  command.add_option("ID", flags.id, "The trace id: 32 hexadecimal digits")
      ->required()
      ->type_name("");
  command.add_flag("--with-logs", flags.has_logs, "Also its log records, below their spans");
  command.add_flag("-v,--verbose", flags.is_verbose, "Also the attributes of spans");
  command.add_option("--from", flags.from, "First time that is looked at, as for logs")
      ->type_name("TIME");
  command.add_option("--until", flags.until, "First time that is not looked at any more")
      ->type_name("TIME");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return PrintTrace(flags);
}

}  // namespace df::app
