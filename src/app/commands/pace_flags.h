// Flags that say how fast records go out, and with which times.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace CLI {
class App;
}

namespace df::app {

/// As they are written; "" where they are not.
struct PaceFlags {
  std::string speed;
  std::string rate_limit;
  std::string shift;
  std::string shift_to;

  bool is_given() const {
    return !speed.empty() || !rate_limit.empty() || !shift.empty() || !shift_to.empty();
  }
};

/// Adds --speed, --rate-limit, --shift and --shift-to. Owner: borrows `flags`.
void AddPaceFlags(CLI::App* command, PaceFlags* flags);

/// Returns what a receiver of Parquet is told, as the keys `pace` and `time`. `now_nanos` is what
/// times at a prompt are relative to. Errors: Invalid with what was found and what is expected.
Result<nlohmann::ordered_json> ReadPaceFlags(const PaceFlags& flags, int64_t now_nanos);

}  // namespace df::app
