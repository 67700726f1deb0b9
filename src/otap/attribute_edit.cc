#include "otap/attribute_edit.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/api_scalar.h>

#include "base/error.h"
#include "otap/attribute_rows.h"
#include "otap/column_concat.h"
#include "otap/id_remap.h"
#include "otap/match.h"
#include "otap/owner_ids.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

/// Returns the table with `replaced` taken out and `added` behind it.
Result<TablePtr> Replace(TableKind kind, const TablePtr& table, RowSet replaced, TablePtr added) {
  replaced.Invert();
  ARROW_ASSIGN_OR_RAISE(TablePtr kept, SelectRows(table, replaced));
  if (kept == nullptr) {
    return added;
  }
  const std::array<TablePtr, 2> parts = {std::move(kept), std::move(added)};
  return ConcatTables(kind, parts);
}

/// Entries of the dictionary of keys that are `key`.
std::vector<int64_t> CodesOf(const BytesColumn& keys, std::string_view key) {
  std::vector<int64_t> codes;
  for (int64_t code = 0; code < keys.num_codes(); ++code) {
    if (keys.EntryAt(code) == key) {
      codes.push_back(code);
    }
  }
  return codes;
}

Result<ArrayPtr> ReplaceEntries(const arrow::DictionaryArray& keys, std::string_view from,
                                const std::string& to) {
  const auto& entries = checked_cast<const arrow::StringArray&>(*keys.dictionary());
  arrow::StringBuilder renamed;
  for (int64_t code = 0; code < entries.length(); ++code) {
    if (entries.IsNull(code)) {
      ARROW_RETURN_NOT_OK(renamed.AppendNull());
    } else {
      ARROW_RETURN_NOT_OK(
          renamed.Append(entries.GetView(code) == from ? to : entries.GetView(code)));
    }
  }
  ARROW_ASSIGN_OR_RAISE(ArrayPtr replaced, renamed.Finish());
  // Not FromArrays: that would look at every row to see whether its code is in the dictionary.
  return std::make_shared<arrow::DictionaryArray>(keys.type(), keys.indices(), std::move(replaced));
}

/// Lets rows of some codes have another, so that no two entries of a dictionary are equal.
template <typename Code>
Result<ArrayPtr> RedirectCodes(const arrow::DictionaryArray& keys, const std::vector<int64_t>& from,
                               int64_t to) {
  const arrow::Array& codes = *keys.indices();
  const Code* in = codes.data()->GetValues<Code>(1);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateBuffer(codes.length() * static_cast<int64_t>(sizeof(Code))));
  Code* out = reinterpret_cast<Code*>(values->mutable_data());
  for (int64_t row = 0; row < codes.length(); ++row) {
    const bool is_from = std::find(from.begin(), from.end(), in[row]) != from.end();
    out[row] = is_from ? static_cast<Code>(to) : in[row];
  }
  ARROW_ASSIGN_OR_RAISE(auto validity, CopyValidity(codes));
  ArrayPtr redirected = arrow::MakeArray(arrow::ArrayData::Make(
      codes.type(), codes.length(), {std::move(validity), std::move(values)}));
  return std::make_shared<arrow::DictionaryArray>(keys.type(), std::move(redirected),
                                                  keys.dictionary());
}

Result<ArrayPtr> RenamedKeys(const ArrayPtr& column, const AttributeAction& action) {
  if (column->type_id() != arrow::Type::DICTIONARY) {
    const RowSet renamed =
        MatchTexts(column, column->length(), TextMatcher(std::vector<std::string>{action.key}));
    const auto mask = std::make_shared<arrow::BooleanArray>(
        column->length(),
        std::make_shared<arrow::Buffer>(renamed.bitmap(), (column->length() + 7) / 8));
    ARROW_ASSIGN_OR_RAISE(arrow::Datum keys,
                          arrow::compute::IfElse(
                              mask, std::make_shared<arrow::StringScalar>(action.new_key), column));
    return keys.make_array();
  }
  const auto& keys = checked_cast<const arrow::DictionaryArray&>(*column);
  const std::vector<int64_t> to = CodesOf(BytesColumn(column), action.new_key);
  if (to.empty()) {
    return ReplaceEntries(keys, action.key, action.new_key);
  }
  const std::vector<int64_t> from = CodesOf(BytesColumn(column), action.key);
  return keys.indices()->type_id() == arrow::Type::UINT8
             ? RedirectCodes<uint8_t>(keys, from, to.front())
             : RedirectCodes<uint16_t>(keys, from, to.front());
}

Result<TablePtr> Rename(TableKind kind, const TablePtr& table, const AttributeAction& action,
                        int64_t* count) {
  const BytesColumn keys(FindArray(table, "key"));
  const bool has_dictionary = keys.num_codes() > 0;
  if (action.key == action.new_key || (has_dictionary && CodesOf(keys, action.key).empty())) {
    return table;
  }
  TablePtr kept = table;
  const bool may_collide = !has_dictionary || !CodesOf(keys, action.new_key).empty();
  if (may_collide || count != nullptr) {
    const RowSet renamed = RowsWithKey(*table, action.key);
    const int64_t num_renamed = renamed.Count();
    if (num_renamed == 0) {
      return table;
    }
    if (count != nullptr) {
      *count += num_renamed;
    }
    if (may_collide) {
      const auto parents = FindArray(table, "parent_id");
      RowSet replaced = RowsWithKey(*table, action.new_key);
      replaced.Intersect(RowsWithIds(*parents, CollectIds(parents.get(), renamed)));
      replaced.Invert();
      ARROW_ASSIGN_OR_RAISE(kept, SelectRows(table, replaced));
    }
  }
  ARROW_ASSIGN_OR_RAISE(ArrayPtr renamed_keys, RenamedKeys(FindArray(kept, "key"), action));
  return WithColumn(kind, kept, "key", std::move(renamed_keys));
}

Result<TablePtr> Hash(TableKind kind, const TablePtr& table, const AttributeAction& action,
                      int64_t* count) {
  const ValueColumns values = ValueColumns::Of(*table);
  RowSet hashed = RowsWithKey(*table, action.key);
  std::vector<std::string> texts;
  std::unordered_map<int64_t, size_t> place_of_code;
  Status status;
  const RowSet keyed = hashed;
  keyed.ForEach([&](int64_t row) {
    const ValueType type = values.TypeAt(row);
    if (type == ValueType::kEmpty || !status.ok()) {
      hashed.Clear(row);
      return;
    }
    const bool is_coded =
        type == ValueType::kText && values.text().num_codes() > 0 && !values.text().IsNull(row);
    if (is_coded) {
      const auto found = place_of_code.find(values.text().CodeAt(row));
      if (found != place_of_code.end()) {
        texts.push_back(std::string(texts[found->second]));
        return;
      }
      place_of_code[values.text().CodeAt(row)] = texts.size();
    }
    Result<std::string> text = HashText(action.salt, HashedBytes(values, row));
    status = text.status();
    texts.push_back(text.ok() ? std::move(text).ValueUnsafe() : "");
  });
  ARROW_RETURN_NOT_OK(status);
  if (texts.empty()) {
    return table;
  }
  if (count != nullptr) {
    *count += static_cast<int64_t>(texts.size());
  }
  ARROW_ASSIGN_OR_RAISE(TablePtr added,
                        MakeTextRows(kind, ParentsOf(*table, hashed), action.key, texts));
  return Replace(kind, table, std::move(hashed), std::move(added));
}

/// Update, insert and upsert: the attributes that get the value, and those that come new.
Result<TablePtr> SetValue(TableKind kind, const TablePtr& table, std::span<const uint32_t> owners,
                          const AttributeAction& action, int64_t* count) {
  const int64_t num_rows = table == nullptr ? 0 : table->num_rows();
  const RowSet present = table == nullptr ? RowSet(0) : RowsWithKey(*table, action.key);
  RowSet replaced(num_rows);
  std::vector<uint32_t> parents;
  if (action.kind != AttributeActionKind::kInsert && table != nullptr) {
    replaced = present;
    parents = ParentsOf(*table, present);
  }
  if (action.kind != AttributeActionKind::kUpdate) {
    const auto parent_ids = FindArray(table, "parent_id");
    const IdSet have = parent_ids == nullptr ? IdSet() : CollectIds(parent_ids.get(), present);
    std::copy_if(owners.begin(), owners.end(), std::back_inserter(parents),
                 [&](uint32_t owner) { return !have.Contains(owner); });
  }
  if (parents.empty()) {
    return table;
  }
  if (count != nullptr) {
    *count += static_cast<int64_t>(parents.size());
  }
  ARROW_ASSIGN_OR_RAISE(TablePtr added, MakeAttributeRows(kind, parents, action.key, action.value));
  return table == nullptr ? added : Replace(kind, table, std::move(replaced), std::move(added));
}

bool NeedsOwners(const AttributeAction& action) {
  return action.kind == AttributeActionKind::kInsert || action.kind == AttributeActionKind::kUpsert;
}

/// The tables of a batch while its attributes are changed.
class Editor {
 public:
  explicit Editor(const BatchPtr& batch) : tables_(batch->signal()) {
    for (const TableInfo& info : AllTables()) {
      tables_.table(info.kind) = batch->table(info.kind);
    }
  }

  Status Edit(TableKind kind, std::span<const AttributeAction> actions, AttributeCounts* counts) {
    std::vector<uint32_t> owners;
    if (std::any_of(actions.begin(), actions.end(), NeedsOwners)) {
      ARROW_ASSIGN_OR_RAISE(owners, GiveOwnersIds(kind, &tables_));
    }
    for (const AttributeAction& action : actions) {
      TablePtr& table = tables_.table(kind);
      ARROW_ASSIGN_OR_RAISE(table, EditAttributeTable(kind, table, owners, action, counts));
    }
    return Status::OK();
  }

  Result<BatchPtr> Build(const BatchPtr& batch) {
    bool is_changed = false;
    BatchBuilder builder(batch->signal());
    for (const TableInfo& info : AllTables()) {
      is_changed = is_changed || tables_.table(info.kind) != batch->table(info.kind);
      if (tables_.table(info.kind) != nullptr) {
        ARROW_RETURN_NOT_OK(builder.Set(info.kind, tables_.table(info.kind)));
      }
    }
    return is_changed ? builder.Build() : batch;
  }

 private:
  OpenBatch tables_;
};

}  // namespace

std::optional<AttributeOwner> OwnerOf(const TableInfo& info) {
  if (!info.is_attributes) {
    return std::nullopt;
  }
  if (!info.parent.has_value()) {
    return info.kind == TableKind::kResourceAttrs ? AttributeOwner::kResource
                                                  : AttributeOwner::kScope;
  }
  const TableInfo& parent = GetTable(*info.parent);
  if (parent.is_root()) {
    return parent.has_signal(Signal::kMetrics) ? AttributeOwner::kMetric : AttributeOwner::kSignal;
  }
  if (parent.has_signal(Signal::kMetrics)) {
    return parent.parent == TableKind::kUnivariateMetrics ? AttributeOwner::kSignal
                                                          : AttributeOwner::kExemplar;
  }
  return parent.kind == TableKind::kSpanEvents ? AttributeOwner::kSpanEvent
                                               : AttributeOwner::kSpanLink;
}

std::string_view Name(AttributeActionKind kind) {
  constexpr std::array<std::string_view, kNumAttributeActions> kNames = {
      "insert", "update", "upsert", "rename", "delete", "hash"};
  return kNames[static_cast<size_t>(kind)];
}

arrow::Result<TablePtr> EditAttributeTable(TableKind kind, const TablePtr& table,
                                           std::span<const uint32_t> owners,
                                           const AttributeAction& action, AttributeCounts* counts) {
  int64_t* count = counts == nullptr ? nullptr : &(*counts)[static_cast<size_t>(action.kind)];
  if (table == nullptr && !NeedsOwners(action)) {
    return nullptr;
  }
  switch (action.kind) {
    case AttributeActionKind::kInsert:
    case AttributeActionKind::kUpdate:
    case AttributeActionKind::kUpsert:
      return SetValue(kind, table, owners, action, count);
    case AttributeActionKind::kRename:
      return Rename(kind, table, action, count);
    case AttributeActionKind::kHash:
      return Hash(kind, table, action, count);
    case AttributeActionKind::kDelete: {
      RowSet rows = RowsWithKey(*table, action.key);
      if (count != nullptr) {
        *count += rows.Count();
      }
      rows.Invert();
      return SelectRows(table, rows);
    }
  }
  return table;
}

arrow::Result<BatchPtr> EditAttributes(const BatchPtr& batch,
                                       std::span<const AttributeOwner> owners,
                                       std::span<const AttributeAction> actions,
                                       AttributeCounts* counts) {
  Editor editor(batch);
  for (const TableInfo& info : AllTables()) {
    const std::optional<AttributeOwner> owner = OwnerOf(info);
    if (owner.has_value() && info.has_signal(batch->signal()) &&
        std::find(owners.begin(), owners.end(), *owner) != owners.end()) {
      ARROW_RETURN_NOT_OK(editor.Edit(info.kind, actions, counts));
    }
  }
  return editor.Build(batch);
}

}  // namespace df::otap
