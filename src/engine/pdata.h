// One message on the forward path.
#pragma once

#include <utility>

#include "engine/completion.h"
#include "engine/memory_account.h"
#include "otap/batch.h"
#include "runtime/clock.h"

namespace df::engine {

/// A batch, the duty to say what became of it, and the bytes that it takes. Move-only. A node that
/// keeps a batch for later keeps the whole message, so that its bytes stay counted.
struct Pdata {
  Pdata() = default;
  // Not an aggregate: gcc 12 destroys a braced aggregate in a co_await expression twice.
  Pdata(otap::BatchPtr sent_batch, CompletionToken sent_token)
      : batch(std::move(sent_batch)), token(std::move(sent_token)) {}

  otap::BatchPtr batch;
  CompletionToken token;
  MemoryCharge charge;            ///< made by the first Send
  runtime::SteadyTime queued_at;  ///< when it was put into the queue, where that is measured
};

}  // namespace df::engine
