// Records that have passed a node of a running engine, as lines.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/commands/records.h"
#include "base/error.h"
#include "otap/schema.h"
#include "select/condition.h"

namespace df::app {

struct TappedOptions {
  std::string where;                ///< a condition in OTTL; empty: every record
  int64_t every = 1;                ///< one of so many records that fit is shown
  std::optional<int64_t> count;     ///< so many are shown
  std::vector<std::string> redact;  ///< keys of attributes whose values are not shown
  RecordStyle style;
};

/// Takes the answers of /api/v1/.../tap one after the other. Calls: one thread.
class TappedRecords {
 public:
  /// Errors: Invalid for a condition that no signal understands.
  static Result<TappedRecords> Make(TappedOptions options);

  /// Returns the lines of the records that one answer has and that are wanted. Errors: Invalid for
  /// something else than an answer.
  Result<std::string> Take(const nlohmann::json& answer);

  /// Whether as many have been shown as are wanted.
  bool is_done() const { return options_.count.has_value() && num_shown_ >= *options_.count; }
  /// Items that the engine has dropped from the tap, so far.
  int64_t num_dropped() const { return num_dropped_; }

 private:
  explicit TappedRecords(TappedOptions options) : options_(std::move(options)) {}
  Result<std::string> Show(otap::Signal signal, const nlohmann::json& request);
  Status ShowBatch(const otap::Batch& whole, const otap::Batch& shown, std::string* lines);

  TappedOptions options_;
  std::array<std::optional<select::Condition>, otap::kAllSignals.size()> conditions_;
  std::array<std::optional<RecordFields>, otap::kAllSignals.size()> fields_;
  int64_t num_fitting_ = 0;
  int64_t num_shown_ = 0;
  int64_t num_dropped_ = 0;
};

/// Replaces the value of every attribute with one of these keys, of records, resources, scopes,
/// events, links and points, and of maps in values.
void Redact(const std::vector<std::string>& keys, nlohmann::json* request);

}  // namespace df::app
