// What is wrong in a document, all of it, each with its place.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace df::config {

/// A place in a document; both count from 1.
struct Mark {
  int line = 1;
  int column = 1;
  auto operator<=>(const Mark&) const = default;
};

struct Problem {
  Mark mark;
  std::string message;
};

/// Collects the problems of one document.
class Problems {
 public:
  /// `document` names the source in messages: a path as the user gave it.
  explicit Problems(std::string document) : document_(std::move(document)) {}

  /// Adds a problem. `message` says the key path, what was found and what was expected.
  void Add(Mark mark, std::string message);

  /// Adds a problem about a name; the nearest of `known` is offered when there is one.
  void AddUnknown(Mark mark, std::string message, std::string_view name,
                  std::span<const std::string> known);

  bool empty() const { return problems_.empty(); }
  size_t size() const { return problems_.size(); }
  const std::string& document() const { return document_; }

  /// Returns "document:line:column: message" of each, in the order of the document.
  std::vector<std::string> Lines() const;

  /// Returns OK, or an error of kind config with all lines.
  Status ToStatus() const;

 private:
  std::string document_;
  std::vector<Problem> problems_;
};

}  // namespace df::config
