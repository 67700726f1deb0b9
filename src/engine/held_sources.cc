#include "engine/held_sources.h"

#include <algorithm>
#include <utility>

namespace df::engine {

void HoldableSources::Add(const std::string& group, const std::string& pipeline,
                          const std::string& node, const std::shared_ptr<HoldableSource>& source) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, entries] : sources_) {
    std::erase_if(entries, [](const Entry& entry) { return entry.source.expired(); });
  }
  std::erase_if(sources_, [](const auto& of_pipeline) { return of_pipeline.second.empty(); });
  std::vector<Entry>& entries = sources_[{group, pipeline}];
  const bool is_known = std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.source.lock() == source;  // another instance has added it
  });
  if (!is_known) {
    entries.push_back({node, source});
  }
}

std::vector<NamedSource> HoldableSources::Of(const std::string& group,
                                             const std::string& pipeline) {
  const std::lock_guard lock(mutex_);
  std::vector<NamedSource> sources;
  if (const auto found = sources_.find({group, pipeline}); found != sources_.end()) {
    for (const Entry& entry : found->second) {
      if (auto source = entry.source.lock(); source != nullptr) {
        sources.push_back({entry.node, std::move(source)});
      }
    }
  }
  std::stable_sort(
      sources.begin(), sources.end(),
      [](const NamedSource& left, const NamedSource& right) { return left.node < right.node; });
  return sources;
}

HoldableSources& ProcessSources() {
  static HoldableSources sources;
  return sources;
}

}  // namespace df::engine
