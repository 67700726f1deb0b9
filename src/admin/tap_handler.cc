#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "admin/handlers.h"
#include "admin/status_json.h"
#include "base/logging.h"
#include "engine/tap.h"

namespace df::admin {
namespace {

using engine::TapLook;

/// Of batches in memory that one reply has, about; their JSON is some times as long.
constexpr int64_t kMaxReplyBytes = 1 << 20;
/// Of its text: what does not fit is left out and counted.
constexpr size_t kMaxReplyText = 64 << 20;
/// To write what has come, however long it was waited for.
constexpr std::chrono::seconds kMaxWriting{30};

/// Writes what a look has found. Batches that cannot be written, or
/// are too large then, count as dropped.
Reply TappedReply(TapLook look, const TapEncoder& encode) {
  std::string requests;
  for (const otap::BatchPtr& batch : look.batches) {
    const Result<std::string> request = encode(batch);
    if (!request.ok() || requests.size() + request->size() > kMaxReplyText) {
      ++look.num_dropped_batches;
      look.num_dropped_items += batch->num_items();
      continue;
    }
    requests += fmt::format("{}{{\"signal\":\"{}\",\"request\":{}}}", requests.empty() ? "" : ",",
                            otap::Name(batch->signal()), *request);
  }
  return {.content_type = std::string(kJson),
          .body = fmt::format(
              "{{\"is_new\":{},\"dropped_batches\":{},\"dropped_items\":{},\"requests\":[{}]}}\n",
              look.is_new, look.num_dropped_batches, look.num_dropped_items, requests)};
}

Reply RefusalReply(const Status& status) {
  return status.IsKeyError() ? ProblemReply(404, "not_found", status.message())
                             : ProblemReply(409, "conflict", status.message());
}

/// One request, until there is something to answer with.
struct Tapping {
  engine::TapKey key;
  uint64_t session = 0;
  TapLook found;  ///< what was found before there was a batch
  std::future<Reply> writing;
  std::chrono::steady_clock::time_point end;
};

/// Looks again. Returns the reply once it is written.
std::optional<Reply> Continue(Tapping* tapping, const EngineView& engine, const std::string& peer) {
  if (tapping->writing.valid()) {
    return tapping->writing.wait_for(std::chrono::seconds(0)) == std::future_status::ready
               ? std::optional(tapping->writing.get())
               : std::nullopt;
  }
  Result<TapLook> look = engine.taps->Look(tapping->session, tapping->key, kMaxReplyBytes);
  if (!look.ok()) {
    return RefusalReply(look.status());
  }
  if (look->is_new) {
    LogInfo("admin server: a tap of {} was opened from {}", tapping->key.ToString(), peer);
  }
  look->is_new |= tapping->found.is_new;
  look->num_dropped_batches += tapping->found.num_dropped_batches;
  look->num_dropped_items += tapping->found.num_dropped_items;
  tapping->found = *std::move(look);
  if (!tapping->found.batches.empty()) {
    // Probes wait for nobody's records: a thread of its own writes them.
    tapping->writing = std::async(std::launch::async, TappedReply, std::move(tapping->found),
                                  engine.encode_tapped);
    return std::nullopt;
  }
  return std::chrono::steady_clock::now() >= tapping->end
             ? std::optional(TappedReply(tapping->found, engine.encode_tapped))
             : std::nullopt;
}

}  // namespace

Answer GetTapped(const Call& call, EngineView& engine) {
  const auto tapping = std::make_shared<Tapping>();
  tapping->key = {call.PathParameter("group"), call.PathParameter("pipeline"),
                  call.PathParameter("node")};
  tapping->session = static_cast<uint64_t>(call.Number("session"));
  const std::chrono::nanoseconds wait = call.Duration("wait");
  tapping->end = std::chrono::steady_clock::now() +
                 std::chrono::duration_cast<std::chrono::steady_clock::duration>(wait);
  Answer answer;
  answer.wait = wait + kMaxWriting;
  answer.reply = TappedReply({}, engine.encode_tapped);
  answer.poll = [tapping, &engine, peer = call.peer] {
    return Continue(tapping.get(), engine, peer);
  };
  return answer;
}

}  // namespace df::admin
