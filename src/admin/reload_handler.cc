#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "admin/handlers.h"
#include "admin/status_json.h"

namespace df::admin {
namespace {

using controller::ControlPlane;
using controller::OperationStatus;
using controller::ReloadChange;
using controller::ReloadOutcome;

/// How long a large document may take to be read and checked.
constexpr std::chrono::minutes kMaxRead{1};

/// A document that is being read, and then what that has begun.
struct Reload {
  std::mutex mutex;
  std::optional<Result<ReloadOutcome>> read;  // by mutex; written by the engine
  std::optional<ReloadOutcome> outcome;       // of the handler's thread, as what follows
  std::chrono::steady_clock::time_point end;  // of the wait
};

/// A reply that says how everything goes that the document has begun.
Reply ReloadReply(int status, std::string_view state, const ReloadOutcome& outcome) {
  Json json = {{"state", state}, {"changes", Json::array()}, {"notices", outcome.notices}};
  for (const ReloadChange& change : outcome.changes) {
    Json entry = {{"group", change.key.group},
                  {"pipeline", change.key.pipeline},
                  {"operation", nullptr},
                  {"refusal", ""}};
    if (change.operation.ok()) {
      entry["operation"] = ToJson(*change.operation);
    } else {
      entry["refusal"] = change.operation.status().message();
    }
    json["changes"].push_back(std::move(entry));
  }
  return JsonReply(status, json);
}

bool GoesOn(const ReloadChange& change) {
  return change.operation.ok() && !HasEnded(*change.operation);
}

bool IsGood(const ReloadChange& change) {
  return change.operation.ok() &&
         (GoesOn(change) || change.operation->state == OperationStatus::State::kSucceeded);
}

/// Brings what goes on up to date. Returns whether anything still does.
bool Follow(const ControlPlane& control, ReloadOutcome* outcome) {
  bool goes_on = false;
  for (ReloadChange& change : outcome->changes) {
    if (GoesOn(change)) {
      change.operation = control.Operation(change.key, change.operation->id);
      goes_on = goes_on || GoesOn(change);
    }
  }
  return goes_on;
}

Reply RefusalReply(const Status& status) {
  if (status.IsNotImplemented()) {
    return ProblemReply(409, "not_reloadable", status.message());
  }
  return StatusReply(status);
}

}  // namespace

Answer PostReload(const Call& call, EngineView& engine) {
  const auto reload = std::make_shared<Reload>();
  engine.control->Reload(fmt::format("admin server, asked from {}", call.peer),
                         [reload](const Result<ReloadOutcome>& read) {
                           const std::lock_guard lock(reload->mutex);
                           reload->read = read;
                         });
  const bool waits = call.Flag("wait");
  const auto timeout = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      waits ? call.Duration("timeout") : std::chrono::nanoseconds(0));
  Answer answer;
  answer.wait = kMaxRead + timeout;
  answer.reply = ProblemReply(504, "timeout", "the document is still being read");
  answer.poll = [reload, waits, timeout, control = engine.control]() -> std::optional<Reply> {
    if (!reload->outcome) {
      const std::lock_guard lock(reload->mutex);
      if (!reload->read) {
        return std::nullopt;
      }
      if (!reload->read->ok()) {
        return RefusalReply(reload->read->status());
      }
      reload->outcome = **reload->read;
      reload->end = std::chrono::steady_clock::now() + timeout;
    }
    ReloadOutcome& outcome = *reload->outcome;
    const bool goes_on = Follow(*control, &outcome);
    const bool is_late = std::chrono::steady_clock::now() >= reload->end;
    if (goes_on && waits && !is_late) {
      return std::nullopt;
    }
    const bool is_good = std::all_of(outcome.changes.begin(), outcome.changes.end(), IsGood);
    if (!is_good) {
      return ReloadReply(500, "failed", outcome);
    }
    return !goes_on ? ReloadReply(200, "succeeded", outcome)
                    : ReloadReply(waits ? 504 : 202, "running", outcome);
  };
  return answer;
}

}  // namespace df::admin
