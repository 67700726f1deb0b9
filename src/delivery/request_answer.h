// What an answer of an OTLP server means for the request.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "delivery/size_refusal.h"
#include "otlp/export_response.h"

namespace df::delivery {

/// What became of one request.
struct RequestAnswer {
  bool is_taken = false;
  /// Of one that was not taken: it never will be, and why.
  bool is_permanent = false;
  std::string reason;
  /// Of one that was not taken: for its size.
  std::optional<SizeRefusal> size_refusal;
  /// Of one that was not taken: broken off without a word, as some do where it is too large.
  bool may_be_size = false;
  /// Of one that was taken: what the server has refused of it; an error where that is unreadable.
  Result<otlp::PartialSuccess> partial = otlp::PartialSuccess();
  /// How long the server wants to be left alone.
  std::optional<std::chrono::nanoseconds> pause;
};

}  // namespace df::delivery
