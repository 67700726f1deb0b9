#include "lake/read/attribute_screen.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include <arrow/record_batch.h>

#include "lake/format/leaf.h"
#include "lake/read/leaf_scan.h"
#include "otap/any_value.h"
#include "otap/match.h"

namespace df::lake {
namespace {

bool IsPlain(otap::ValueType type) {
  switch (type) {
    case otap::ValueType::kEmpty:
    case otap::ValueType::kText:
    case otap::ValueType::kInteger:
    case otap::ValueType::kDouble:
    case otap::ValueType::kBool:
    case otap::ValueType::kBytes:
      return true;
    case otap::ValueType::kMap:
    case otap::ValueType::kSlice:
      return false;
  }
  return false;
}

/// Rows by id, ascending.
std::vector<std::pair<uint32_t, size_t>> RowsById(const IdColumn& ids, const otap::RowSet& rows) {
  std::vector<std::pair<uint32_t, size_t>> sorted;
  rows.ForEach([&](int64_t row) {
    if (ids.is_valid(row)) {
      sorted.emplace_back(ids.values[static_cast<size_t>(row)], static_cast<size_t>(row));
    }
  });
  if (!std::is_sorted(sorted.begin(), sorted.end())) {
    std::sort(sorted.begin(), sorted.end());
  }
  return sorted;
}

}  // namespace

AttributeScreen::AttributeScreen(otap::TableKind kind, const std::vector<FileSummaryPtr>& files,
                                 std::vector<select::AttributeNeed> any_of, ReadContext* context)
    : kind_(kind),
      any_of_(std::move(any_of)),
      context_(context),
      summaries_(files),
      held_(context->budget) {
  for (const FileSummaryPtr& file : files) {
    for (size_t i = 0; i < file->row_groups.size(); ++i) {
      if (file->row_groups[i].num_rows > 0) {
        auto group = std::make_unique<ChildRowGroup>();
        group->summary = file;
        group->index = static_cast<int>(i);
        num_rows_ += group->num_rows();
        groups_.push_back(std::move(group));
      }
    }
  }
  index_.Build(groups_);
}

void AttributeScreen::FetchAhead(Prefetcher* prefetcher, const IdRanges& ids) const {
  auto plan = std::make_shared<ScreenPlan>();
  plan->leaves.assign(LeavesOf(kind_).size(), false);
  plan->leaves_if_small = plan->leaves;
  plan->leaves[static_cast<size_t>(LeafIndex(kind_, "parent_id"))] = true;
  for (const char* leaf : {"key", "type"}) {
    plan->leaves_if_small[static_cast<size_t>(LeafIndex(kind_, leaf))] = true;
  }
  prefetcher->Add(
      summaries_,
      [&ids](const RowGroupSummary& group) {
        return group.parent_ids.has_value() && ids.Overlaps(*group.parent_ids);
      },
      std::move(plan));
}

void AttributeScreen::LeaveBefore(uint32_t id) {
  for (; context_->screens != nullptr && num_left_ < groups_.size() &&
         PossibleParents(*groups_[num_left_]).max < id;
       ++num_left_) {
    context_->screens->Leave(*groups_[num_left_]->summary, groups_[num_left_]->index);
  }
}

Result<std::vector<AttributeMatch>> AttributeScreen::Ask(const IdColumn& ids,
                                                         const otap::RowSet& rows) {
  num_rows_ += std::ssize(ids.values);
  if (has_given_up_) {
    return arrow::Status::CapacityError("the same attributes were looked at too often");
  }
  std::vector<AttributeMatch> answer(ids.values.size(), AttributeMatch::kUnseen);
  const auto asked = RowsById(ids, rows);
  if (asked.empty()) {
    return answer;
  }
  ++question_;
  const IdRange range{asked.front().first, asked.back().first};
  const auto [first, end] = index_.Find(range);
  for (size_t i = first; i < end; ++i) {
    const IdRange possible = PossibleParents(*groups_[i]);
    if (possible.max < range.min || possible.min > range.max) {
      continue;
    }
    ++num_visits_;
    ARROW_ASSIGN_OR_RAISE(const Parents* parents, ParentsOf(*groups_[i]));
    auto next = asked.begin();
    const auto& known = parents->ids;
    for (auto id = std::lower_bound(known.begin(), known.end(), range.min);
         id != known.end() && *id <= range.max; ++id) {
      ++num_visits_;
      next = std::lower_bound(next, asked.end(), std::pair(*id, size_t{0}));
      for (auto row = next; row != asked.end() && row->first == *id; ++row) {
        answer[row->second] = std::max(answer[row->second],
                                       parents->matches[static_cast<size_t>(id - known.begin())]);
      }
    }
    if (num_visits_ > kMostVisits * num_rows_) {
      has_given_up_ = true;
      parents_.clear();
      held_.Set(0);
      return arrow::Status::CapacityError("the same attributes were looked at too often");
    }
  }
  Forget();
  return answer;
}

Result<bool> AttributeScreen::MayHaveAny() {
  for (size_t i = 0; i < groups_.size() && !may_have_any_.has_value(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const Parents parents, Read(*groups_[i]));
    if (std::any_of(parents.matches.begin(), parents.matches.end(),
                    [](AttributeMatch match) { return match >= AttributeMatch::kWith; })) {
      may_have_any_ = true;
    }
  }
  may_have_any_ = may_have_any_.value_or(false);
  return *may_have_any_;
}

Result<const AttributeScreen::Parents*> AttributeScreen::ParentsOf(const ChildRowGroup& group) {
  auto known = parents_.find(&group);
  if (known == parents_.end()) {
    ARROW_ASSIGN_OR_RAISE(Parents parents, Read(group));
    const auto size = static_cast<int64_t>(parents.ids.size() * 5);
    if (!context_->budget->Fits(size)) {
      context_->make_room();
    }
    if (!context_->budget->Fits(size)) {
      return arrow::Status::CapacityError("parent ids beyond the memory limit");
    }
    held_.Set(held_.size_bytes() + size);
    known = parents_.emplace(&group, std::move(parents)).first;
  }
  known->second.asked_in = question_;
  return &known->second;
}

/// Frees what the last question did not ask.
void AttributeScreen::Forget() {
  std::erase_if(parents_, [this](const auto& known) {
    const bool is_old = known.second.asked_in != question_;
    if (is_old) {
      held_.Set(held_.size_bytes() - static_cast<int64_t>(known.second.ids.size() * 5));
    }
    return is_old;
  });
}

Result<AttributeScreen::Parents> AttributeScreen::Read(const ChildRowGroup& group) {
  const Location location{.partition = context_->partition,
                          .table = std::string(otap::GetTable(kind_).directory),
                          .file = group.summary->entry.path};
  const auto open = [&]() -> Result<std::shared_ptr<TableFile>> {
    auto ahead = context_->screens == nullptr ? nullptr : context_->screens->Find(*group.summary);
    return ahead != nullptr
               ? ahead
               : OpenSummarised(*context_->store, context_->base, *group.summary, location);
  };
  ARROW_ASSIGN_OR_RAISE(const auto file, files_.Get(*group.summary, open));
  ARROW_ASSIGN_OR_RAISE(const IdColumn ids,
                        file->ReadIds(group.index, LeafIndex(kind_, "parent_id")));
  num_visits_ += group.num_rows();
  std::vector<AttributeMatch> matches(ids.values.size(), AttributeMatch::kWithout);
  ARROW_RETURN_NOT_OK(ReadMatches(file.get(), group.index, &matches));
  if (context_->screens != nullptr) {
    context_->screens->Leave(*group.summary, group.index);
  }

  std::vector<size_t> order;
  for (size_t row = 0; row < ids.values.size(); ++row) {
    if (ids.is_valid(static_cast<int64_t>(row))) {
      order.push_back(row);
    }
  }
  const auto is_before = [&ids](size_t a, size_t b) { return ids.values[a] < ids.values[b]; };
  if (!std::is_sorted(order.begin(), order.end(), is_before)) {
    std::sort(order.begin(), order.end(), is_before);
  }
  Parents parents;
  for (const size_t row : order) {
    if (parents.ids.empty() || parents.ids.back() != ids.values[row]) {
      parents.ids.push_back(ids.values[row]);
      parents.matches.push_back(matches[row]);
    } else {
      parents.matches.back() = std::max(parents.matches.back(), matches[row]);
    }
  }
  return parents;
}

/// Reads keys, types and texts of a row group, as far as its dictionaries do not say that nothing
/// is there.
Status AttributeScreen::ReadMatches(TableFile* file, int row_group,
                                    std::vector<AttributeMatch>* matches) {
  const int key = LeafIndex(kind_, "key");
  const int text = LeafIndex(kind_, "str");
  bool has_keys = false;
  bool has_texts = false;
  for (const select::AttributeNeed& need : any_of_) {
    // A key or a text that is null stands for "".
    has_keys = has_keys || need.key.empty() || file->MayHaveText(row_group, key, need.key);
    has_texts =
        has_texts || (need.text.has_value() &&
                      (need.text->empty() || file->MayHaveText(row_group, text, *need.text)));
  }
  if (!has_keys) {
    return Status::OK();
  }
  std::vector<bool> wanted(LeavesOf(kind_).size(), false);
  wanted[static_cast<size_t>(key)] = true;
  wanted[static_cast<size_t>(LeafIndex(kind_, "type"))] = true;
  wanted[static_cast<size_t>(text)] = has_texts;
  wanted[static_cast<size_t>(LeafIndex(kind_, "int"))] =
      std::any_of(any_of_.begin(), any_of_.end(),
                  [](const select::AttributeNeed& need) { return need.integer.has_value(); });
  return VisitRows(file, row_group, wanted, context_, [&](int64_t first, DecodedRows rows) {
    const std::vector<RefusedRows> refused = std::move(rows.refused);
    ARROW_ASSIGN_OR_RAISE(const auto table, AssembleRows(kind_, std::move(rows)));
    MatchRows(*table, has_texts, matches->data() + first);
    for (const RefusedRows& run : refused) {
      std::fill_n(matches->begin() + first + run.first_row, run.num_rows, AttributeMatch::kBroken);
    }
    return Status::OK();
  });
}

void AttributeScreen::MatchRows(const arrow::RecordBatch& rows, bool has_texts,
                                AttributeMatch* matches) const {
  const auto values = otap::ValueColumns::Of(rows);
  for (const select::AttributeNeed& need : any_of_) {
    otap::RowsWithKey(rows, need.key).ForEach([&](int64_t row) {
      const otap::ValueType type = values.TypeAt(row);
      const bool is_other_text =
          need.text.has_value() && type == otap::ValueType::kText &&
          (!has_texts || values.text().At(row) != std::string_view(*need.text));
      const bool is_other_integer = need.integer.has_value() && type == otap::ValueType::kInteger &&
                                    values.IntegerAt(row) != *need.integer;
      if (!is_other_text && !is_other_integer) {
        matches[row] =
            std::max(matches[row], IsPlain(type) ? AttributeMatch::kWith : AttributeMatch::kBroken);
      }
    });
  }
}

}  // namespace df::lake
