#include "config/problems.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace df::config {

void Problems::Add(Mark mark, std::string message) {
  problems_.push_back({mark, std::move(message)});
}

void Problems::AddUnknown(Mark mark, std::string message, std::string_view name,
                          std::span<const std::string> known) {
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) {
    message += fmt::format("; did you mean '{}'?", nearest);
  }
  Add(mark, std::move(message));
}

std::vector<std::string> Problems::Lines() const {
  std::vector<Problem> sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Problem& a, const Problem& b) { return a.mark < b.mark; });
  std::vector<std::string> lines;
  lines.reserve(sorted.size());
  for (const Problem& problem : sorted) {
    lines.push_back(fmt::format("{}:{}:{}: {}", document_, problem.mark.line, problem.mark.column,
                                problem.message));
  }
  return lines;
}

Status Problems::ToStatus() const {
  if (problems_.empty()) {
    return Status::OK();
  }
  return MakeError(ErrorKind::kConfig, fmt::format("{}", fmt::join(Lines(), "\n")));
}

}  // namespace df::config
