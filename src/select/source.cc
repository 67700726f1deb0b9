#include "select/source.h"

#include <array>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "otap/rows.h"
#include "select/attribute_source.h"

namespace df::select {
namespace {

using arrow::internal::checked_cast;

/// A column or a field of a struct column, plain or dictionary, and which rows have it.
class ColumnReader {
 public:
  /// `path` is "column" or "struct.field"; absent where the table has none.
  ColumnReader(const std::shared_ptr<arrow::RecordBatch>& table, std::string_view path) {
    const size_t dot = path.find('.');
    array_ = otap::FindArray(table, path.substr(0, dot));
    if (array_ != nullptr && dot != std::string_view::npos) {
      group_ = array_;
      array_ = checked_cast<const arrow::StructArray&>(*group_).GetFieldByName(
          std::string(path.substr(dot + 1)));
    }
    values_ = array_;
    if (array_ != nullptr && array_->type_id() == arrow::Type::DICTIONARY) {
      codes_ = &checked_cast<const arrow::DictionaryArray&>(*array_);
      values_ = codes_->dictionary();
    }
  }

  bool is_present() const { return array_ != nullptr; }
  const arrow::Array& values() const { return *values_; }
  int64_t num_codes() const { return codes_ == nullptr ? 0 : values_->length(); }

  /// The place of a row's value in `values`, or -1 for null.
  int64_t IndexOf(int64_t row) const {
    if (array_ == nullptr || array_->IsNull(row) || (group_ != nullptr && group_->IsNull(row))) {
      return -1;
    }
    const int64_t index = codes_ == nullptr ? row : codes_->GetValueIndex(row);
    return values_->IsNull(index) ? -1 : index;
  }
  int64_t CodeAt(int64_t row) const { return codes_ == nullptr ? -1 : IndexOf(row); }

 private:
  std::shared_ptr<arrow::Array> group_;
  std::shared_ptr<arrow::Array> array_;
  std::shared_ptr<arrow::Array> values_;
  const arrow::DictionaryArray* codes_ = nullptr;
};

/// Reads a number of any width; times and durations in nanoseconds.
int64_t IntegerAt(const arrow::Array& values, int64_t index) {
  switch (values.type_id()) {
    case arrow::Type::UINT8:
      return checked_cast<const arrow::UInt8Array&>(values).Value(index);
    case arrow::Type::UINT32:
      return checked_cast<const arrow::UInt32Array&>(values).Value(index);
    case arrow::Type::UINT64:
      return static_cast<int64_t>(checked_cast<const arrow::UInt64Array&>(values).Value(index));
    case arrow::Type::INT32:
      return checked_cast<const arrow::Int32Array&>(values).Value(index);
    case arrow::Type::INT64:
      return checked_cast<const arrow::Int64Array&>(values).Value(index);
    case arrow::Type::TIMESTAMP:
      return checked_cast<const arrow::TimestampArray&>(values).Value(index);
    case arrow::Type::DURATION:
      return checked_cast<const arrow::DurationArray&>(values).Value(index);
    default:
      return 0;
  }
}

Value ReadItem(const arrow::Array& values, int64_t index) {
  switch (values.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return {Text{Chars::Borrow(checked_cast<const arrow::BinaryArray&>(values).GetView(index))}};
    case arrow::Type::FIXED_SIZE_BINARY:
      return {Id{
          Chars::Borrow(checked_cast<const arrow::FixedSizeBinaryArray&>(values).GetView(index))}};
    case arrow::Type::DOUBLE:
      return {checked_cast<const arrow::DoubleArray&>(values).Value(index)};
    case arrow::Type::BOOL:
      return {checked_cast<const arrow::BooleanArray&>(values).Value(index)};
    default:
      return {IntegerAt(values, index)};
  }
}

/// What a field holds where nothing was set.
Value DefaultOf(otap::ColumnType type) {
  using otap::ColumnType;
  static constexpr std::array<char, 16> kZeros{};
  switch (type) {
    case ColumnType::kUtf8:
      return {Text{}};
    case ColumnType::kFixedBinary8:
      return {Id{Chars::Borrow({kZeros.data(), 8})}};
    case ColumnType::kFixedBinary16:
      return {Id{Chars::Borrow({kZeros.data(), 16})}};
    case ColumnType::kFloat64:
      return {0.0};
    case ColumnType::kBool:
      return {false};
    case ColumnType::kListUInt64:
    case ColumnType::kListFloat64:
      return {std::make_shared<const List>()};
    default:
      return {int64_t{0}};
  }
}

constexpr std::array<std::string_view, 6> kKinds = {"Unspecified", "Internal", "Server",
                                                    "Client",      "Producer", "Consumer"};
constexpr std::array<std::string_view, 6> kOldKinds = {
    "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};

Value KindOf(const Value& kind, Reading reading) {
  const int64_t number = *kind.As<int64_t>();
  const auto& names = reading == Reading::kKindText ? kKinds : kOldKinds;
  if (number < 0 || number >= static_cast<int64_t>(names.size())) {
    return {Text{}};
  }
  return {Text{Chars::Borrow(names[static_cast<size_t>(number)])}};
}

/// One column, made what the path asks for.
class ColumnSource final : public Source {
 public:
  ColumnSource(ColumnReader column, Value default_value, Reading reading)
      : column_(std::move(column)), reading_(reading), default_(Convert(default_value)) {}

  Value At(int64_t row) const override {
    const int64_t index = column_.IndexOf(row);
    return index < 0 ? default_ : Convert(ReadItem(column_.values(), index));
  }
  int64_t num_codes() const override { return column_.num_codes(); }
  int64_t CodeAt(int64_t row) const override { return column_.CodeAt(row); }

 private:
  Value Convert(Value value) const {
    switch (reading_) {
      case Reading::kTime:
        return {Time{*value.As<int64_t>()}};
      case Reading::kIdText:
        return MakeText(ToHex(value.As<Id>()->view()));
      case Reading::kKindText:
      case Reading::kOldKindText:
        return KindOf(value, reading_);
      default:
        return value;
    }
  }

  ColumnReader column_;
  Reading reading_;
  Value default_;
};

/// The end of a span.
class EndTime final : public Source {
 public:
  EndTime(ColumnReader start, ColumnReader duration, bool is_time)
      : start_(std::move(start)), duration_(std::move(duration)), is_time_(is_time) {}

  Value At(int64_t row) const override {
    const auto read = [row](const ColumnReader& column) {
      const int64_t index = column.IndexOf(row);
      return index < 0 ? uint64_t{0} : static_cast<uint64_t>(IntegerAt(column.values(), index));
    };
    const auto end = static_cast<int64_t>(read(start_) + read(duration_));  // may wrap, as in OTLP
    return is_time_ ? Value{Time{end}} : Value{end};
  }

 private:
  ColumnReader start_;
  ColumnReader duration_;
  bool is_time_;
};

/// Numbers of a list, or one of them.
class ListSource final : public Source {
 public:
  ListSource(ColumnReader column, std::vector<KeySyntax> keys)
      : column_(std::move(column)), keys_(std::move(keys)) {}

  Value At(int64_t row) const override {
    auto list = std::make_shared<List>();
    if (const int64_t index = column_.IndexOf(row); index >= 0) {
      const auto& lists = checked_cast<const arrow::ListArray&>(column_.values());
      for (int64_t i = lists.value_offset(index); i < lists.value_offset(index + 1); ++i) {
        list->push_back(ReadItem(*lists.values(), i));
      }
    }
    Value value{std::shared_ptr<const List>(std::move(list))};
    bool is_missing = false;
    for (const KeySyntax& key : keys_) {
      value = MemberOf(value, key, &is_missing);
    }
    return value;
  }

 private:
  ColumnReader column_;
  std::vector<KeySyntax> keys_;
};

/// A field that metrics of some types have.
class TypedSource final : public Source {
 public:
  TypedSource(std::unique_ptr<Source> field, std::unique_ptr<Source> type, uint32_t types)
      : field_(std::move(field)), type_(std::move(type)), types_(types) {}

  Value At(int64_t row) const override {
    const int64_t type = *type_->At(row).As<int64_t>();
    return type < 0 || type > 31 || (types_ >> type & 1) == 0 ? Value{} : field_->At(row);
  }

 private:
  std::unique_ptr<Source> field_;
  std::unique_ptr<Source> type_;
  uint32_t types_;
};

class Nil final : public Source {
 public:
  Value At(int64_t) const override { return {}; }
};

/// A field of what stands above the rows.
class SourceAbove final : public Source {
 public:
  SourceAbove(std::unique_ptr<Source> above, const std::vector<int32_t>* rows)
      : above_(std::move(above)), rows_(rows) {}

  Value At(int64_t row) const override {
    const int32_t up = (*rows_)[static_cast<size_t>(row)];
    return up < 0 ? Value{} : above_->At(up);
  }
  int64_t num_codes() const override { return above_->num_codes(); }
  int64_t CodeAt(int64_t row) const override {
    const int32_t up = (*rows_)[static_cast<size_t>(row)];
    return up < 0 ? -1 : above_->CodeAt(up);
  }

 private:
  std::unique_ptr<Source> above_;
  const std::vector<int32_t>* rows_;
};

/// Numbers of metric_type, one bit each.
constexpr uint32_t kSums = 1U << 2U;
constexpr uint32_t kWithTemporality = kSums | 1U << 3U | 1U << 4U;

const otap::Column* FindColumn(otap::TableKind table, std::string_view path) {
  const size_t dot = path.find('.');
  const otap::Column* column = otap::FindColumn(otap::GetTable(table).columns, path.substr(0, dot));
  return column == nullptr || dot == std::string_view::npos
             ? column
             : otap::FindColumn(column->children, path.substr(dot + 1));
}

otap::TableKind AttributesOf(otap::TableKind parent) {
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (info.parent == parent && info.is_attributes) {
      return info.kind;
    }
  }
  return parent;
}

}  // namespace

Items::Items(const otap::Batch& batch, otap::TableKind table)
    : batch_(batch), table_(table), rows_(batch.table(table)) {
  if (table == otap::RootTable(batch.signal())) {
    return;
  }
  std::vector<int32_t> by_id(size_t{1} << 16, -1);
  if (const auto ids = otap::FindArray(batch.root(), "id"); ids != nullptr) {
    otap::VisitIds(
        *ids, [&](int64_t row, uint32_t id) { by_id[id & 0xFFFF] = static_cast<int32_t>(row); });
  }
  metric_rows_.assign(static_cast<size_t>(rows_->num_rows()), -1);
  otap::VisitIds(*otap::FindArray(rows_, "parent_id"), [&](int64_t row, uint32_t id) {
    metric_rows_[static_cast<size_t>(row)] = by_id[id & 0xFFFF];
  });
}

std::unique_ptr<Source> Items::Bind(const Path& path) const {
  const otap::TableKind root = otap::RootTable(batch_.signal());
  if (table_ == root) {
    return BindRow(path, root);
  }
  if (path.info->place == Place::kItem) {
    return BindRow(path, table_);
  }
  return std::make_unique<SourceAbove>(BindRow(path, root), &metric_rows_);
}

std::unique_ptr<Source> Items::BindRow(const Path& path, otap::TableKind table) const {
  const PathInfo& info = *path.info;
  const auto& rows = batch_.table(table);
  if (info.reading == Reading::kAttributes) {
    if (info.place == Place::kResource || info.place == Place::kScope) {
      const auto attributes = info.place == Place::kResource ? otap::TableKind::kResourceAttrs
                                                             : otap::TableKind::kScopeAttrs;
      return MakeAttributeSource(otap::GroupIds(rows, info.column), batch_.table(attributes),
                                 path.keys);
    }
    return MakeAttributeSource(otap::FindArray(rows, "id"), batch_.table(AttributesOf(table)),
                               path.keys);
  }
  if (info.reading == Reading::kValue || info.reading == Reading::kValueText) {
    return MakeBodySource(otap::FindArray(rows, info.column), path.keys,
                          info.reading == Reading::kValueText);
  }
  ColumnReader column(rows, info.column);
  if (info.reading == Reading::kEndNanos || info.reading == Reading::kEndTime) {
    return std::make_unique<EndTime>(std::move(column),
                                     ColumnReader(rows, "duration_time_unix_nano"),
                                     info.reading == Reading::kEndTime);
  }
  const otap::Column* described = FindColumn(table, info.column);
  if (described == nullptr) {
    return std::make_unique<Nil>();
  }
  if (info.reading == Reading::kList) {
    return std::make_unique<ListSource>(std::move(column), path.keys);
  }
  auto source =
      std::make_unique<ColumnSource>(std::move(column), DefaultOf(described->type), info.reading);
  if (info.reading == Reading::kForTypes) {
    return std::make_unique<TypedSource>(
        std::move(source),
        std::make_unique<ColumnSource>(ColumnReader(rows, "metric_type"), Value{int64_t{0}},
                                       Reading::kPlain),
        described->type == otap::ColumnType::kBool ? kSums : kWithTemporality);
  }
  return source;
}

}  // namespace df::select
