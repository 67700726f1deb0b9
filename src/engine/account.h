// What a source knows, as numbers, of everything that it was asked to send.
#pragma once

namespace df::engine {

/// Of one receiver, over all cores and all instances that were made again.
struct SourceAccount {
  /// It was to send what is there and end, and there was nothing.
  bool has_found_nothing = false;
};

}  // namespace df::engine
