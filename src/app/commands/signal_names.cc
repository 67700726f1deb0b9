#include "app/commands/signal_names.h"

#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace df::app {

std::string_view ItemsName(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return "logs";
    case otap::Signal::kTraces:
      return "spans";
    case otap::Signal::kMetrics:
      break;
  }
  return "points";
}

Result<otap::Signal> FindSignalName(const std::string& name) {
  std::vector<std::string> names;
  for (const otap::Signal signal : otap::kAllSignals) {
    if (name == ItemsName(signal) || name == otap::Name(signal)) {
      return signal;
    }
    names.emplace_back(ItemsName(signal));
  }
  const std::string nearest = NearestName(name, names);
  return Status::Invalid(fmt::format("found '{}', expected logs, spans or points{}",
                                     PrintableText(name),
                                     nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

}  // namespace df::app
