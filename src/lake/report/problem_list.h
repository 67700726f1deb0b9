// Problems, each named once and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "base/error.h"

namespace df::lake {

/// One thing that went wrong, named once.
struct Problem {
  ErrorKind kind = ErrorKind::kIo;
  std::string message;
  int64_t count = 1;
};

/// Problems in the order in which they came, no two with the same cause: the same message, or, of
/// what is wrong with a schema, the same reason for the same table. Adding costs the same however
/// many there are.
class ProblemList {
 public:
  using value_type = Problem;
  using const_iterator = std::deque<Problem>::const_iterator;

  /// Keeps at most so many.
  explicit ProblemList(size_t max_size) : max_size_(max_size) {}

  /// Counts a problem that is in the list, or puts it there. Returns whether there was room.
  bool Add(const Problem& added);
  /// Takes out the problem that came first; the list is not empty.
  Problem TakeFirst();

  const_iterator begin() const { return problems_.begin(); }
  const_iterator end() const { return problems_.end(); }
  size_t size() const { return problems_.size(); }
  bool empty() const { return problems_.empty(); }
  const Problem& front() const { return problems_.front(); }
  const Problem& back() const { return problems_.back(); }
  const Problem& operator[](size_t index) const { return problems_[index]; }

 private:
  size_t max_size_;
  std::deque<Problem> problems_;
  size_t num_taken_ = 0;  ///< problems taken out: the number of the first one that is there
  std::unordered_multimap<size_t, size_t> numbers_;  ///< by hash of the cause
};

}  // namespace df::lake
