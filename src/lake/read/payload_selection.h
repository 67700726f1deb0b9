// Leaves out of payloads what nobody wants.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "lake/read/assemble.h"
#include "lake/read/payload.h"
#include "lake/read/root_cursor.h"
#include "lake/report/read_report.h"
#include "select/selector.h"

namespace df::lake {

/// The selection of one partition and signal, and what it has left out. Calls: from one thread.
class PayloadSelection {
 public:
  /// `selector` may be null: everything is wanted then.
  PayloadSelection(std::shared_ptr<const select::Selector> selector, otap::Signal signal)
      : selector_(std::move(selector)),
        signal_(signal),
        is_selecting_(selector_ != nullptr && !selector_->TakesAll(signal)) {}

  bool is_selecting() const { return is_selecting_; }

  /// Tells whether the condition reads attributes of resources or scopes.
  bool ReadsGroupAttributes() const;

  /// Tells whether a row may be wanted, by what the root table alone says: if not, its children
  /// need not be looked for.
  bool MayWant(const RootRows& rows, const TableAssembler& assemble) const;

  /// Leaves the records out of a payload that nobody wants; no batch where none is left. Errors:
  /// those of Arrow.
  Status Take(Payload* payload);

  /// The payload that Take saw last has been counted as emitted: what was left out was not.
  void Commit(ReadReport* report);

  /// Names the items for which the condition had no answer.
  void Name(const std::string& partition, ReadReport* report) const;

 private:
  std::shared_ptr<const select::Selector> selector_;
  otap::Signal signal_;
  bool is_selecting_;
  std::array<int64_t, otap::kTableCount> selected_out_{};  ///< rows of the payload in hand
  int64_t num_without_answer_ = 0;
  std::string first_failure_;
};

}  // namespace df::lake
