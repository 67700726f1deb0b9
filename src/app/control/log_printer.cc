#include "app/control/log_printer.h"

#include <chrono>
#include <string>

#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/control/operations.h"
#include "app/control/reply_fields.h"
#include "app/standard_output.h"
#include "base/log.h"
#include "base/text.h"

namespace df::app {
namespace {

using nlohmann::json;

/// Between two looks at the log.
constexpr std::chrono::milliseconds kInterval{500};
/// The server gives no more at a time.
constexpr int64_t kMostAtATime = 1000;

/// "2026-11-26T14:59:55.200Z warning refused a batch node=out"
std::string LineOf(const json& record) {
  LogRecord shown;
  shown.event = TextOf(record, "event");
  shown.message = TextOf(record, "message");
  for (const auto& [key, value] : PartsOf(record, "attributes").items()) {
    const std::string name = PrintableText(key);
    if (value.is_number_integer()) {
      shown.fields.emplace_back(name, value.get<int64_t>());
    } else if (value.is_number()) {
      shown.fields.emplace_back(name, value.get<double>());
    } else if (value.is_boolean()) {
      shown.fields.emplace_back(name, value.get<bool>());
    } else if (value.is_string()) {
      shown.fields.emplace_back(name, PrintableText(value.get<std::string>()));
    }
  }
  return fmt::format("{} {:<7} {}\n", TextOf(record, "time"), TextOf(record, "level"),
                     ToText(shown));
}

/// Where the log has been printed to.
struct Position {
  int64_t last_sequence = 0;
  int64_t num_missed = 0;  ///< records that were gone before they could be read
};

/// Prints what a question about the log gives.
Result<Position> PrintRecords(const AdminClient& client, const std::string& query, bool is_json,
                              AnswerWriter* writer) {
  ARROW_ASSIGN_OR_RAISE(const AdminReply reply, client.Get("/api/v1/telemetry/logs?" + query));
  for (const json& record : PartsOf(reply.json, "records")) {
    const std::string line =
        is_json ? record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"
                : LineOf(record);
    ARROW_RETURN_NOT_OK(writer->Add(line));
  }
  ARROW_RETURN_NOT_OK(writer->Flush());
  const json& records = PartsOf(reply.json, "records");
  Position position{.last_sequence = NumberOf(reply.json, "last_sequence"),
                    .num_missed = NumberOf(reply.json, "num_missed")};
  if (!records.empty()) {
    position.last_sequence = NumberOf(records.back(), "sequence");
  }
  return position;
}

void Remark(const std::string& text) {
  // When stderr cannot be written, there is no other place to say it.
  const Status ignored = PrintTo(stderr, text + "\n");
}

runtime::Task<> Sleep(runtime::EventLoop* loop, std::chrono::nanoseconds duration) {
  co_await loop->SleepFor(duration, nullptr);
  loop->Stop();
}

void Wait(std::chrono::nanoseconds duration) {
  runtime::EventLoop loop;
  runtime::Task<> sleep = Sleep(&loop, duration);
  sleep.Start();
  loop.Run();
}

/// Goes on until nobody reads any more, or something fails.
Status Follow(const AdminClient& client, int64_t after, bool is_json, AnswerWriter* writer) {
  while (!writer->has_no_reader()) {
    Wait(kInterval);
    ARROW_ASSIGN_OR_RAISE(
        const Position position,
        PrintRecords(client, fmt::format("after={}&limit={}", after, kMostAtATime), is_json,
                     writer));
    if (position.last_sequence < after) {
      Remark("the engine was started again");
      after = 0;
      continue;
    }
    if (position.num_missed > 0) {
      Remark(fmt::format("{} are no longer kept and were missed",
                         ShowCountOf(position.num_missed, "record")));
    }
    after = position.last_sequence;
  }
  return Status::OK();
}

}  // namespace

int PrintLog(const AdminClient& client, const LogPrinterOptions& options) {
  AnswerWriter writer;
  const Result<Position> position =
      PrintRecords(client, fmt::format("limit={}", options.count), options.is_json, &writer);
  if (!position.ok()) {
    return FailControl(position.status());
  }
  if (!options.follows) {
    return kExitClean;
  }
  const Status followed = Follow(client, position->last_sequence, options.is_json, &writer);
  return followed.ok() ? kExitClean : FailControl(followed);
}

}  // namespace df::app
