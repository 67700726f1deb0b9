#include "lake/queue/times_wanted.h"

#include "select/selector.h"

namespace df::lake {

std::function<bool(const EventTimeRange&)> TimesWanted(const ReadOptions& options) {
  if (options.selector == nullptr || options.selector->wishes().time.is_everything()) {
    return {};
  }
  return [time = options.selector->wishes().time](const EventTimeRange& range) {
    return time.MayHave(range.least, range.most);
  };
}

}  // namespace df::lake
