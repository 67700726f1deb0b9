// An exporter that keeps what it gets, and that a test can hold up or make fail.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "engine/node.h"
#include "engine/node_registry.h"

namespace df::testing {

/// What the exporter does. Calls: the thread of the loop.
struct ExporterScript : engine::NodeShared {
  std::vector<otap::BatchPtr> taken;          ///< in order of arrival
  std::deque<engine::Outcome> next_outcomes;  ///< of the next batches; after that every one acks
  bool is_corked = false;                     ///< a corked exporter takes a batch and sits on it
  bool holds = false;                         ///< keeps what it takes in `held` for the test
  std::deque<engine::Pdata> held;             ///< in order of arrival; also stand in `taken`
  bool lets_fall = false;                     ///< destroys tokens without outcome
  Status start_status;                        ///< what Start returns
  Status next_status;                         ///< what the next Export returns, its batch let fall
  int64_t num_timer_calls = 0;
  bool has_finished = false;
  std::optional<runtime::Wakeup> uncorked;

  void Uncork();
  /// Completes a held batch and lets it go; `index` counts in `held`.
  void Answer(size_t index, const engine::Outcome& outcome);
};

/// urn:otel:exporter:test_corkable; key `tick` (duration, none): a timer of that period.
const engine::NodeDescriptor& CorkableExporterDescriptor();

}  // namespace df::testing
