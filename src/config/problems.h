// What is wrong in a document, all of it, each with its place.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace df::config {

/// A place; line and column count from 1.
struct Mark {
  int line = 1;
  int column = 1;
  int source = 0;  ///< of Problems: 0 is the document
  auto operator<=>(const Mark&) const = default;
};

struct Problem {
  Mark mark;
  std::string message;
};

/// Collects the problems of one document, and notices: what is accepted and has no effect.
class Problems {
 public:
  /// `document` names the source in messages: a path as the user gave it.
  explicit Problems(std::string document) : sources_({std::move(document)}) {}

  /// Adds a source besides the document, a flag for example, and returns its number for marks.
  int AddSource(std::string name);

  /// Adds a problem. `message` says the key path, what was found and what was expected. Those
  /// after the first kMaxShown are counted only.
  void Add(Mark mark, std::string message);

  /// Adds a problem about a name; the nearest of `known` is offered when there is one, and when
  /// finding it costs little.
  void AddUnknown(Mark mark, std::string message, std::string_view name,
                  std::span<const std::string> known);

  /// Adds a notice. `message` says the key path, and why it has no effect.
  void AddNotice(Mark mark, std::string message);

  static constexpr size_t kMaxShown = 1000;

  const std::vector<Problem>& problems() const { return problems_; }
  bool empty() const { return problems_.empty(); }
  size_t size() const { return problems_.size(); }
  const std::string& document() const { return sources_[0]; }

  /// Returns "document:line:column: message" of each, in the order of the document.
  std::vector<std::string> Lines() const;
  /// The same of the notices.
  std::vector<std::string> NoticeLines() const;

  /// Returns OK, or an error of kind config with all lines.
  Status ToStatus() const;

 private:
  std::vector<std::string> LinesOf(std::vector<Problem> list) const;

  std::vector<std::string> sources_;
  std::vector<Problem> problems_;
  size_t num_not_shown_ = 0;
  size_t nearest_budget_ = 20'000'000;  ///< comparisons of letters, over all problems
  std::vector<Problem> notices_;
};

}  // namespace df::config
