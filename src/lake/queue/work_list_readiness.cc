// Which root files a work list holds back.
#include <algorithm>
#include <chrono>

#include "lake/catalog/readiness.h"
#include "lake/queue/work_list.h"

namespace df::lake {

/// What the files of a signal tell about each of its root files.
WorkList::SignalFacts WorkList::FactsOf(otap::Signal signal, const Preparation& preparation) const {
  SignalFacts facts;
  facts.readiness = {
      .now = clock_(), .newest_arrived = Time::min(), .grace = follow_.completeness_grace};
  const std::lock_guard lock(mutex_);
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (!table.has_signal(signal)) {
      continue;
    }
    for (const FileEntry& entry : preparation.listing.tables[otap::TableIndex(table.kind)]) {
      const auto known = known_.find(entry.path);
      if (known != known_.end()) {
        facts.readiness.newest_arrived =
            std::max(facts.readiness.newest_arrived, known->second.arrived);
      }
      facts.has_young_child =
          facts.has_young_child || (!table.is_root() && preparation.young.contains(entry.path));
    }
  }
  return facts;
}

bool WorkList::IsHeldBack(const FileSummary& root, const SetCensus& census, SignalFacts facts,
                          Preparation* preparation) {
  // Young files of other tables are not read, so the roots that may need them wait.
  const bool may_need_young = facts.has_young_child && !census.HasWhole(root);
  if (!is_following()) {
    return may_need_young;
  }
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(root.entry.path);
  if (known == known_.end() || known->second.is_settled) {
    return false;
  }
  const Time now = facts.readiness.now;
  if (preparation->has_pending_child || now < known->second.retry_at) {
    if (now < known->second.retry_at) {
      preparation->BecomesReady(known->second.retry_at);
    }
    return true;
  }
  if (may_need_young) {
    // A writer that never pauses for that long must not hold the root file back without end.
    Time& since = known->second.held_since;
    since = since == Time() ? now : since;
    const auto longest = kMostGraces * (follow_.completeness_grace + *read_.min_file_age);
    const Time until = since + std::chrono::duration_cast<Time::duration>(longest);
    if (now < until) {
      preparation->BecomesReady(until);
      return true;
    }
  }
  facts.readiness.root_arrived = known->second.arrived;
  const Time ready_at = ReadyAt(root, census, facts.readiness);
  if (now < ready_at) {
    preparation->BecomesReady(ready_at);
  }
  return now < ready_at;
}

}  // namespace df::lake
