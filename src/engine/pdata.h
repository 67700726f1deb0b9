// One message on the forward path.
#pragma once

#include <utility>

#include "engine/completion.h"
#include "otap/batch.h"

namespace df::engine {

/// A batch and the duty to say what became of it. Move-only.
struct Pdata {
  Pdata() = default;
  // Not an aggregate: gcc 12 destroys a braced aggregate in a co_await expression twice.
  Pdata(otap::BatchPtr sent_batch, CompletionToken sent_token)
      : batch(std::move(sent_batch)), token(std::move(sent_token)) {}

  otap::BatchPtr batch;
  CompletionToken token;
};

}  // namespace df::engine
