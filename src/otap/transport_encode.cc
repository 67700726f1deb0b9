#include "otap/transport_encode.h"

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>

#include "otap/column_concat.h"
#include "otap/id_encoding.h"
#include "otap/id_remap.h"
#include "otap/orphans.h"
#include "otap/row_order.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

std::shared_ptr<arrow::Field> Marked(const arrow::Field& field, const ArrayPtr& array,
                                     const char* encoding) {
  return field.WithType(array->type())
      ->WithMetadata(arrow::key_value_metadata({"encoding"}, {encoding}));
}

arrow::Result<TablePtr> Replace(const TablePtr& table, const std::string& name,
                                const ArrayPtr& array, const char* encoding) {
  const int position = table->schema()->GetFieldIndex(name);
  return table->SetColumn(position, Marked(*table->schema()->field(position), array, encoding),
                          array);
}

/// Takes differences, modulo the width of the ids. `number(id)` is the id that goes out; a null
/// stays null, and the next row goes on from the last valid one.
template <typename ArrayType, typename Number>
arrow::Result<ArrayPtr> TakeDifferences(const ArrayType& ids, const Number& number,
                                        const std::vector<bool>* runs) {
  using T = typename ArrayType::value_type;
  arrow::NumericBuilder<typename ArrayType::TypeClass> builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(ids.length()));
  T before = 0;
  for (int64_t row = 0; row < ids.length(); ++row) {
    if (ids.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    const auto next = static_cast<T>(number(ids.Value(row)));
    const bool is_difference = runs == nullptr || (*runs)[static_cast<size_t>(row)];
    builder.UnsafeAppend(static_cast<T>(next - (is_difference ? before : T{0})));
    before = next;
  }
  return builder.Finish();
}

template <typename Number>
arrow::Result<ArrayPtr> Differences(const arrow::Array& ids, const Number& number,
                                    const std::vector<bool>* runs) {
  switch (ids.type_id()) {
    case arrow::Type::UINT16:
      return TakeDifferences(checked_cast<const arrow::UInt16Array&>(ids), number, runs);
    case arrow::Type::UINT32:
      return TakeDifferences(checked_cast<const arrow::UInt32Array&>(ids), number, runs);
    default:
      return arrow::Status::Invalid(ids.type()->ToString(), " is no type of an id");
  }
}

/// Encodes one batch, parents before their children.
class Encoder {
 public:
  explicit Encoder(const Batch& batch)
      : batch_(batch), builder_(batch.signal(), IdEncoding::kTransport) {}

  arrow::Result<BatchPtr> Encode() {
    ARROW_RETURN_NOT_OK(EncodeTable(GetTable(RootTable(batch_.signal()))));
    for (const TableInfo& info : AllTables()) {
      if (!info.is_root()) {
        ARROW_RETURN_NOT_OK(EncodeTable(info));
      }
    }
    return builder_.Build();
  }

 private:
  arrow::Status EncodeTable(const TableInfo& info) {
    TablePtr table = batch_.table(info.kind);
    if (table == nullptr) {
      return arrow::Status::OK();
    }
    if (info.parent_id_bits != 0) {
      const ArrayPtr parents = table->GetColumnByName("parent_id");
      ARROW_ASSIGN_OR_RAISE(const ArrayPtr renumbered,
                            ParentNumbers(info).Apply(parents, info.parent_id_bits));
      ARROW_ASSIGN_OR_RAISE(const ArrayPtr native, DecodeDictionary(renumbered));
      ARROW_ASSIGN_OR_RAISE(table, Replace(table, "parent_id", native, "plain"));
    }
    ARROW_ASSIGN_OR_RAISE(table, SortForTransport(info.kind, table));
    if (const ArrayPtr ids = FindArray(table, "id"); ids != nullptr && info.id_bits != 0) {
      IdRemap& remap = ids_[TableIndex(info.kind)];
      remap = IdRemap::Renumber(*ids, 0);
      ARROW_ASSIGN_OR_RAISE(const ArrayPtr numbers, remap.Apply(ids, info.id_bits));
      ARROW_ASSIGN_OR_RAISE(const ArrayPtr encoded,
                            Differences(*numbers, std::identity(), nullptr));
      ARROW_ASSIGN_OR_RAISE(table, Replace(table, "id", encoded, "delta"));
    }
    if (info.is_root()) {
      for (size_t i = 0; i < kGroupTables.size(); ++i) {
        ARROW_ASSIGN_OR_RAISE(table, EncodeGroup(table, i));
      }
    } else {
      ARROW_ASSIGN_OR_RAISE(const std::vector<bool> runs, ParentRuns(info.kind, *table));
      ARROW_ASSIGN_OR_RAISE(
          const ArrayPtr encoded,
          Differences(*table->GetColumnByName("parent_id"), std::identity(), &runs));
      const bool is_delta = info.parent_encoding == ParentEncoding::kDelta;
      ARROW_ASSIGN_OR_RAISE(
          table, Replace(table, "parent_id", encoded, is_delta ? "delta" : "quasidelta"));
    }
    return builder_.Set(info.kind, std::move(table));
  }

  const IdRemap& ParentNumbers(const TableInfo& info) const {
    if (info.parent.has_value()) {
      return ids_[TableIndex(*info.parent)];
    }
    return groups_[info.kind == kGroupTables[0].attributes ? 0 : 1];
  }

  /// Encodes resource.id or scope.id. Numbers count by first row, so that an id that comes back
  /// later keeps its number: the difference is then negative, modulo the width.
  arrow::Result<TablePtr> EncodeGroup(const TablePtr& table, size_t group) {
    const std::string name(kGroupTables[group].group);
    const ArrayPtr column = FindArray(table, name);
    if (column == nullptr) {
      return table;
    }
    const auto& rows = checked_cast<const arrow::StructArray&>(*column);
    const int position = rows.struct_type()->GetFieldIndex("id");
    if (position < 0) {
      return table;
    }
    arrow::ArrayVector children;
    for (int i = 0; i < rows.num_fields(); ++i) {
      children.push_back(rows.field(i));
    }
    arrow::FieldVector fields = rows.type()->fields();
    ArrayPtr& ids = children[static_cast<size_t>(position)];
    groups_[group] = IdRemap::Renumber(*ids, 0);
    ARROW_ASSIGN_OR_RAISE(const ArrayPtr numbers, groups_[group].Apply(ids, 16));
    ARROW_ASSIGN_OR_RAISE(ids, Differences(*numbers, std::identity(), nullptr));
    auto& field = fields[static_cast<size_t>(position)];
    field = Marked(*field, ids, "delta");
    ARROW_ASSIGN_OR_RAISE(auto validity, CopyValidity(rows));
    const auto array = std::make_shared<arrow::StructArray>(
        arrow::struct_(std::move(fields)), rows.length(), std::move(children), std::move(validity));
    const int at = table->schema()->GetFieldIndex(name);
    return table->SetColumn(at, table->schema()->field(at)->WithType(array->type()), array);
  }

  const Batch& batch_;
  BatchBuilder builder_;
  std::array<IdRemap, kTableCount> ids_;
  std::array<IdRemap, kGroupTables.size()> groups_;
};

}  // namespace

arrow::Result<BatchPtr> EncodeTransport(const BatchPtr& batch, int64_t* orphans_dropped) {
  if (batch->id_encoding() != IdEncoding::kPlain) {
    return arrow::Status::Invalid("found a batch with transport ids, expected plain ids");
  }
  ARROW_ASSIGN_OR_RAISE(const BatchPtr whole, DropOrphans(batch, orphans_dropped));
  return Encoder(*whole).Encode();
}

}  // namespace df::otap
