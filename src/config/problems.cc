#include "config/problems.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace df::config {

void Problems::Add(Mark mark, std::string message) {
  if (problems_.size() == kMaxShown) {
    ++num_not_shown_;
    return;
  }
  problems_.push_back({mark, std::move(message)});
}

void Problems::AddUnknown(Mark mark, std::string message, std::string_view name,
                          std::span<const std::string> known) {
  size_t cost = 0;
  for (const std::string& candidate : known) {
    cost += name.size() * candidate.size();
  }
  std::string nearest;
  if (problems_.size() < kMaxShown && cost <= nearest_budget_) {
    nearest_budget_ -= cost;
    nearest = NearestName(name, known);
  }
  if (!nearest.empty()) {
    message += fmt::format("; did you mean '{}'?", nearest);
  }
  Add(mark, std::move(message));
}

int Problems::AddSource(std::string name) {
  sources_.push_back(std::move(name));
  return static_cast<int>(sources_.size()) - 1;
}

void Problems::AddNotice(Mark mark, std::string message) {
  notices_.push_back({mark, std::move(message)});
}

std::vector<std::string> Problems::Lines() const {
  std::vector<std::string> lines = LinesOf(problems_);
  if (num_not_shown_ > 0) {
    const Mark last = problems_.back().mark;
    lines.push_back(fmt::format("{}:{}:{}: {} more problems are not shown",
                                sources_[static_cast<size_t>(last.source)], last.line, last.column,
                                num_not_shown_));
  }
  return lines;
}

std::vector<std::string> Problems::NoticeLines() const { return LinesOf(notices_); }

std::vector<std::string> Problems::LinesOf(std::vector<Problem> list) const {
  std::stable_sort(list.begin(), list.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.mark.source, a.mark) < std::tie(b.mark.source, b.mark);
  });
  std::vector<std::string> lines;
  lines.reserve(list.size());
  for (const Problem& problem : list) {
    lines.push_back(fmt::format("{}:{}:{}: {}", sources_[static_cast<size_t>(problem.mark.source)],
                                problem.mark.line, problem.mark.column, problem.message));
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
