// One message on the forward path.
#pragma once

#include "engine/completion.h"
#include "otap/batch.h"

namespace df::engine {

/// A batch and the duty to say what became of it. Move-only.
struct Pdata {
  otap::BatchPtr batch;
  CompletionToken token;
};

}  // namespace df::engine
