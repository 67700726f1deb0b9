#include "otap/dead_letter.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "otap/any_value.h"
#include "otap/attribute_edit.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

/// Stands behind the prefix of keys that a batch had before it was marked.
constexpr std::string_view kOriginal = "original.";

constexpr std::array kResources = {AttributeOwner::kResource};

/// Keys of resources that begin with the prefix, short ones first.
std::vector<std::string> MarkedKeys(const Batch& batch) {
  const auto& table = batch.table(TableKind::kResourceAttrs);
  const auto column = FindArray(table, "key");
  if (column == nullptr) {
    return {};
  }
  const BytesColumn keys(column);
  std::set<std::string, std::less<>> found;
  const auto add = [&](std::string_view key) {
    if (key.starts_with(kDeadLetterPrefix) && !found.contains(key)) {
      found.emplace(key);
    }
  };
  // A dictionary may have entries that no row uses: editing these changes nothing.
  for (int64_t code = 0; code < keys.num_codes(); ++code) {
    add(keys.EntryAt(code));
  }
  for (int64_t row = 0; keys.num_codes() == 0 && row < table->num_rows(); ++row) {
    add(keys.At(row));
  }
  std::vector<std::string> sorted(found.begin(), found.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& left, const auto& right) { return left.size() < right.size(); });
  return sorted;
}

AttributeAction Rename(std::string from, std::string to) {
  AttributeAction action;
  action.kind = AttributeActionKind::kRename;
  action.key = std::move(from);
  action.new_key = std::move(to);
  return action;
}

}  // namespace

arrow::Result<BatchPtr> MarkDeadLetter(const BatchPtr& batch, const DeadLetter& letter) {
  std::vector<AttributeAction> actions;
  const std::vector<std::string> marked = MarkedKeys(*batch);
  // What has been renamed most often is the longest, and goes first: its new name is free.
  for (auto key = marked.rbegin(); key != marked.rend(); ++key) {
    actions.push_back(Rename(*key, std::string(kDeadLetterPrefix) + std::string(kOriginal) +
                                       key->substr(kDeadLetterPrefix.size())));
  }
  const auto add = [&](std::string_view name, AttributeValue value) {
    AttributeAction action;
    action.kind = AttributeActionKind::kUpsert;
    action.key = std::string(kDeadLetterPrefix) + std::string(name);
    action.value = std::move(value);
    actions.push_back(std::move(action));
  };
  add("reason", letter.reason);
  add("status", letter.status);
  add("refused_items", letter.refused_items);
  add("time", letter.time);
  add("source", letter.source);
  return EditAttributes(batch, kResources, actions, nullptr);
}

arrow::Result<BatchPtr> UnmarkDeadLetter(const BatchPtr& batch) {
  std::vector<AttributeAction> actions;
  for (std::string& key : MarkedKeys(*batch)) {
    const std::string_view rest = std::string_view(key).substr(kDeadLetterPrefix.size());
    if (rest.starts_with(kOriginal)) {
      std::string original =
          std::string(kDeadLetterPrefix) + std::string(rest.substr(kOriginal.size()));
      actions.push_back(Rename(std::move(key), std::move(original)));
    } else {
      AttributeAction action;
      action.key = std::move(key);
      actions.push_back(std::move(action));
    }
  }
  return actions.empty() ? batch : EditAttributes(batch, kResources, actions, nullptr);
}

}  // namespace df::otap
