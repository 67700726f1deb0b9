#include "lake/parent_runs.h"

#include <tuple>
#include <utility>

namespace df::lake {

void ParentRunBuilder::StartFile(bool follows) {
  ++next_file_;
  row_group_ = -1;
  is_border_ = true;
  starts_chain_ = !follows || runs_.empty();
  starts_batch_ = follows && !runs_.empty();
}

void ParentRunBuilder::StartRowGroup() {
  ++row_group_;
  row_ = 0;
}

void ParentRunBuilder::AddNull() { ++row_; }

void ParentRunBuilder::Add(uint32_t parent, uint8_t type, std::string_view key) {
  const bool parent_falls = !is_border_ && parent < parent_;
  const bool key_falls =
      !is_border_ && std::tie(type, key) < std::tuple<uint8_t, std::string_view>(type_, key_);
  bool starts_batch = starts_batch_;
  if (is_border_ || (parent_falls && key_falls)) {
    starts_batch = starts_batch || !is_border_;
    is_by_parent_ = is_by_key_ = true;
  } else {
    is_by_parent_ = is_by_parent_ && !parent_falls;
    is_by_key_ = is_by_key_ && !key_falls;
    is_ordered_ = is_ordered_ && (is_by_parent_ || is_by_key_);
  }
  Place* last = places_.empty() ? nullptr : &places_.back();
  const bool goes_on = last != nullptr && !starts_batch && !starts_chain_ && parent == parent_ &&
                       last->file + 1 == next_file_ && last->row_group == row_group_ &&
                       last->first_row + last->num_rows == row_;
  if (goes_on) {
    ++last->num_rows;
  } else {
    runs_.push_back({parent, starts_chain_, starts_batch});
    places_.push_back({next_file_ - 1, row_group_, row_, 1});
  }
  is_border_ = starts_chain_ = starts_batch_ = false;
  parent_ = parent;
  type_ = type;
  key_ = key;
  ++row_;
}

std::vector<ParentRun> ParentRunBuilder::Take() {
  for (ParentRun& run : runs_) {
    run.starts_chain = run.starts_chain || !is_ordered_;
  }
  return std::move(runs_);
}

}  // namespace df::lake
