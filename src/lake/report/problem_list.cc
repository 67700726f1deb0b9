#include "lake/report/problem_list.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

namespace df::lake {

namespace {

/// What two problems have in common when they are named as one.
struct Cause {
  ErrorKind kind;
  std::string_view message;  ///< of what is wrong with a schema, without the file
  std::string_view table;

  bool operator==(const Cause&) const = default;
};

Cause CauseOf(const Problem& problem) {
  constexpr std::string_view kTable = "table=";
  std::string_view message = problem.message;
  const size_t where = message.rfind(" [");
  Cause cause{.kind = problem.kind, .message = message, .table = ""};
  if (where != std::string_view::npos) {
    if (problem.kind == ErrorKind::kSchemaReconstruction) {
      cause.message = message.substr(0, where);
    }
    if (const size_t table = message.find(kTable, where); table != std::string_view::npos) {
      message.remove_prefix(table + kTable.size());
      cause.table = message.substr(0, message.find_first_of(" ]"));
    }
  }
  return cause;
}

size_t Hash(const Cause& cause) {
  constexpr std::hash<std::string_view> kHash;
  return (kHash(cause.message) * 31 + kHash(cause.table)) * 31 + static_cast<size_t>(cause.kind);
}

}  // namespace

bool ProblemList::Add(const Problem& added) {
  const Cause cause = CauseOf(added);
  const size_t hash = Hash(cause);
  const auto [first, last] = numbers_.equal_range(hash);
  const auto known = std::find_if(first, last, [&](const auto& entry) {
    return CauseOf(problems_[entry.second - num_taken_]) == cause;
  });
  if (known != last) {
    problems_[known->second - num_taken_].count += added.count;
    return true;
  }
  if (problems_.size() >= max_size_) {
    return false;
  }
  numbers_.emplace(hash, num_taken_ + problems_.size());
  problems_.push_back(added);
  return true;
}

Problem ProblemList::TakeFirst() {
  const auto [first, last] = numbers_.equal_range(Hash(CauseOf(problems_.front())));
  numbers_.erase(
      std::find_if(first, last, [&](const auto& entry) { return entry.second == num_taken_; }));
  Problem taken = std::move(problems_.front());
  problems_.pop_front();
  ++num_taken_;
  return taken;
}

}  // namespace df::lake
