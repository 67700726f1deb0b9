#include "select/attribute_source.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "otap/any_value.h"
#include "otap/match.h"
#include "otap/rows.h"

namespace df::select {
namespace {

using arrow::internal::checked_cast;
using otap::ValueColumns;
using otap::ValueType;

Value ReadValue(const ValueColumns& values, int64_t row) {
  switch (values.TypeAt(row)) {
    case ValueType::kEmpty:
      return {};
    case ValueType::kText:
      return {Text{Chars::Borrow(values.text().At(row))}};
    case ValueType::kInteger:
      return {values.IntegerAt(row)};
    case ValueType::kDouble:
      return {values.DoubleAt(row)};
    case ValueType::kBool: {
      const std::optional<bool> truth = values.BoolAt(row);
      return truth.has_value() ? Value{*truth} : Value{};  // empty, as in what is sent
    }
    case ValueType::kMap:
    case ValueType::kSlice:
      return ReadCbor(values.serialised().At(row));
    case ValueType::kBytes:
      return {Bytes{Chars::Borrow(values.bytes().At(row))}};
  }
  return Fail(fmt::format("found the value type {}, expected 0 to 7",
                          static_cast<int>(values.TypeAt(row))));
}

/// Follows keys into a value; nil where a map has no such member.
Value Descend(Value value, std::span<const KeySyntax> keys) {
  bool is_missing = false;
  for (const KeySyntax& key : keys) {
    value = MemberOf(value, key, &is_missing);
    if (value.As<Failure>() != nullptr || is_missing) {
      break;
    }
  }
  return value;
}

/// The code of a text in its dictionary; -1 for values of other types, and without a dictionary.
int64_t TextCode(const ValueColumns& values, int64_t row) {
  return values.text().num_codes() == 0 || values.TypeAt(row) != ValueType::kText ||
                 values.text().IsNull(row)
             ? -1
             : values.text().CodeAt(row);
}

/// Rows of an attribute table by the id that they belong to.
class OwnerRows {
 public:
  explicit OwnerRows(int64_t num_rows) : next_(static_cast<size_t>(num_rows), -1) {}

  /// Rows are added last first, so that each chain begins with the first.
  void AddInFront(uint32_t id, int64_t row) {
    const auto [found, is_new] = first_.try_emplace(id, static_cast<int32_t>(row));
    if (!is_new) {
      next_[static_cast<size_t>(row)] = std::exchange(found->second, static_cast<int32_t>(row));
    }
  }
  int32_t First(uint32_t id) const {
    const auto found = first_.find(id);
    return found == first_.end() ? -1 : found->second;
  }
  int32_t Next(int32_t row) const { return next_[static_cast<size_t>(row)]; }

 private:
  std::unordered_map<uint32_t, int32_t> first_;
  std::vector<int32_t> next_;
};

/// The value of one key.
class KeyedAttributes final : public Source {
 public:
  KeyedAttributes(const std::shared_ptr<arrow::Array>& ids, const arrow::RecordBatch& attributes,
                  const std::vector<KeySyntax>& keys)
      : values_(ValueColumns::Of(attributes)),
        rest_(keys.begin() + 1, keys.end()),
        rows_(static_cast<size_t>(ids->length()), -1) {
    const otap::RowSet with_key =
        otap::RowsWithKey(attributes, std::get<std::string>(keys.front()));
    const auto parents = attributes.GetColumnByName("parent_id");
    // Ids of batches are small as a rule; those of requests from elsewhere need not be.
    const uint32_t largest = otap::LargestId(*ids);
    std::vector<int32_t> dense;
    std::unordered_map<uint32_t, int32_t> sparse;
    const bool is_dense = largest < static_cast<uint64_t>(ids->length()) * 8 + 65'536;
    dense.assign(is_dense ? static_cast<size_t>(largest) + 1 : 0, -1);
    otap::VisitIds(*parents, [&](int64_t row, uint32_t id) {
      if (!with_key.Has(row) || id > largest) {
        return;
      }
      if (!is_dense) {
        sparse.try_emplace(id, static_cast<int32_t>(row));
      } else if (dense[id] < 0) {
        dense[id] = static_cast<int32_t>(row);
      }
    });
    otap::VisitIds(*ids, [&](int64_t row, uint32_t id) {
      const auto found = is_dense ? sparse.end() : sparse.find(id);
      rows_[static_cast<size_t>(row)] = is_dense                ? dense[id]
                                        : found == sparse.end() ? -1
                                                                : found->second;
    });
  }

  Value At(int64_t row) const override {
    const int32_t found = rows_[static_cast<size_t>(row)];
    return found < 0 ? Value{} : Descend(ReadValue(values_, found), rest_);
  }
  int64_t num_codes() const override { return values_.text().num_codes(); }
  int64_t CodeAt(int64_t row) const override {
    const int32_t found = rows_[static_cast<size_t>(row)];
    return found < 0 ? -1 : TextCode(values_, found);
  }

 private:
  ValueColumns values_;
  std::vector<KeySyntax> rest_;
  std::vector<int32_t> rows_;  ///< by item: its row in the attribute table, or -1
};

/// All attributes as a map.
class AllAttributes final : public Source {
 public:
  AllAttributes(std::shared_ptr<arrow::Array> ids, const arrow::RecordBatch& attributes)
      : ids_(std::move(ids)),
        keys_(attributes.GetColumnByName("key")),
        values_(ValueColumns::Of(attributes)),
        owners_(attributes.num_rows()),
        ids_by_row_(static_cast<size_t>(ids_->length())) {
    std::vector<std::pair<int64_t, uint32_t>> rows;
    otap::VisitIds(*attributes.GetColumnByName("parent_id"),
                   [&](int64_t row, uint32_t id) { rows.emplace_back(row, id); });
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
      owners_.AddInFront(row->second, row->first);
    }
    otap::VisitIds(*ids_,
                   [&](int64_t row, uint32_t id) { ids_by_row_[static_cast<size_t>(row)] = id; });
  }

  Value At(int64_t row) const override {
    auto map = std::make_shared<Map>();
    if (const auto id = ids_by_row_[static_cast<size_t>(row)]; id.has_value()) {
      for (int32_t found = owners_.First(*id); found >= 0; found = owners_.Next(found)) {
        map->emplace_back(std::string(keys_.At(found)), ReadValue(values_, found));
      }
    }
    return {std::shared_ptr<const Map>(std::move(map))};
  }

 private:
  std::shared_ptr<arrow::Array> ids_;
  otap::BytesColumn keys_;
  ValueColumns values_;
  OwnerRows owners_;
  std::vector<std::optional<uint32_t>> ids_by_row_;
};

class Constant final : public Source {
 public:
  explicit Constant(Value value) : value_(std::move(value)) {}
  Value At(int64_t) const override { return value_; }

 private:
  Value value_;
};

class Body final : public Source {
 public:
  Body(const std::shared_ptr<arrow::Array>& body, std::vector<KeySyntax> keys, bool is_text)
      : body_(body),
        values_(ValueColumns::Of(checked_cast<const arrow::StructArray&>(*body))),
        keys_(std::move(keys)),
        is_text_(is_text) {}

  Value At(int64_t row) const override {
    Value value = body_->IsNull(row) ? Value{} : ReadValue(values_, row);
    if (!keys_.empty() && value.map() == nullptr && value.list() == nullptr &&
        value.As<Failure>() == nullptr) {
      return Fail(fmt::format("a body that is {} has no members", KindName(value)));
    }
    value = Descend(std::move(value), keys_);
    return is_text_ ? BodyText(value) : value;
  }
  int64_t num_codes() const override { return values_.text().num_codes(); }
  int64_t CodeAt(int64_t row) const override {
    return body_->IsNull(row) ? -1 : TextCode(values_, row);
  }

 private:
  std::shared_ptr<arrow::Array> body_;
  ValueColumns values_;
  std::vector<KeySyntax> keys_;
  bool is_text_;
};

}  // namespace

std::unique_ptr<Source> MakeAttributeSource(std::shared_ptr<arrow::Array> ids,
                                            const std::shared_ptr<arrow::RecordBatch>& attributes,
                                            const std::vector<KeySyntax>& keys) {
  if (ids == nullptr || attributes == nullptr) {
    return std::make_unique<Constant>(keys.empty() ? Value{std::make_shared<const Map>()}
                                                   : Value{});
  }
  if (keys.empty()) {
    return std::make_unique<AllAttributes>(std::move(ids), *attributes);
  }
  return std::make_unique<KeyedAttributes>(ids, *attributes, keys);
}

std::unique_ptr<Source> MakeBodySource(const std::shared_ptr<arrow::Array>& body,
                                       const std::vector<KeySyntax>& keys, bool is_text) {
  if (body == nullptr) {
    return std::make_unique<Constant>(!keys.empty() ? Fail("a body that is nil has no members")
                                      : is_text     ? BodyText({})
                                                    : Value{});
  }
  return std::make_unique<Body>(body, keys, is_text);
}

}  // namespace df::select
