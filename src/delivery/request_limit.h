// How large a request to one server may be.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"
#include "delivery/size_refusal.h"

namespace df::delivery {

/// Below the 4 MiB that servers of gRPC take unless told otherwise.
inline constexpr int64_t kDefaultMaxRequestBytes = 3584_KiB;
/// What may be configured.
inline constexpr int64_t kLeastMaxRequestBytes = 1_KiB;
inline constexpr int64_t kMostMaxRequestBytes = 1_GiB;

/// Begins with what is configured and sinks with what the server refuses: to what it says that it
/// takes, else to half of what it refused. It never rises again: requests that are smaller than
/// need be cost little, and one that is too large costs sending it twice. A node that starts anew
/// begins anew.
class RequestLimit {
 public:
  /// A server that refuses this refuses everything: later requests are not cut smaller for it.
  static constexpr int64_t kLeastLearned = 16_KiB;

  explicit RequestLimit(int64_t configured_bytes)
      : configured_bytes_(configured_bytes), bytes_(configured_bytes) {}

  int64_t bytes() const { return bytes_; }
  bool is_learned() const { return bytes_ < configured_bytes_; }

  /// The server has refused a request of so many bytes; one that `can_be_cut` is sent in parts now.
  /// Returns how large these may be: always less than the request was.
  int64_t Refuse(const SizeRefusal& refusal, int64_t request_bytes, bool can_be_cut);

 private:
  int64_t configured_bytes_;
  int64_t bytes_;
};

}  // namespace df::delivery
