// Root rows of which it cannot be told which resource or scope attributes are theirs.
#pragma once

#include <cstdint>
#include <string_view>

#include "lake/report/read_report.h"
#include "otap/schema.h"

namespace df::lake {

/// Counts them over the payloads of a reader.
class AmbiguousRows {
 public:
  explicit AmbiguousRows(otap::TableKind root) : root_(root) {}

  /// They went out without these attributes.
  void AddEmitted(int64_t rows) { num_emitted_ += rows; }

  /// A condition on what they lack left them out.
  void AddLeftOut(int64_t rows) { num_left_out_ += rows; }

  /// Names those that there are: a line for each kind.
  void Name(const std::string& partition, ReadReport* report) const;

 private:
  otap::TableKind root_;
  int64_t num_emitted_ = 0;
  int64_t num_left_out_ = 0;
};

}  // namespace df::lake
