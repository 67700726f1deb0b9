#include "otap/id_remap.h"

#include <string>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/checked_cast.h>

#include "base/error.h"
#include "otap/column_concat.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;

template <typename Id>
Result<ArrayPtr> RemapTo(const arrow::Array& ids, const std::shared_ptr<arrow::DataType>& type,
                         uint32_t shift, const IdNumbers* numbers) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateBuffer(ids.length() * static_cast<int64_t>(sizeof(Id))));
  ARROW_ASSIGN_OR_RAISE(auto validity, arrow::AllocateEmptyBitmap(ids.length()));
  Id* out = reinterpret_cast<Id*>(values->mutable_data());
  std::fill(out, out + ids.length(), Id{0});
  uint8_t* bits = validity->mutable_data();
  int64_t num_set = 0;
  VisitIds(ids, [&](int64_t row, uint32_t id) {
    const uint32_t number = numbers == nullptr ? id : numbers->Find(id);
    if (number != IdNumbers::kAbsent || numbers == nullptr) {
      out[row] = static_cast<Id>(number + shift);
      arrow::bit_util::SetBit(bits, row);
      ++num_set;
    }
  });
  const bool has_nulls = num_set != ids.length();
  return arrow::MakeArray(arrow::ArrayData::Make(
      type, ids.length(), {has_nulls ? std::move(validity) : nullptr, std::move(values)},
      ids.length() - num_set));
}

/// Puts a column where the model has it, or in place of the one of its name.
void Place(std::span<const Column> columns, std::string_view name, ArrayPtr array,
           arrow::FieldVector* fields, arrow::ArrayVector* arrays) {
  const Column* column = FindColumn(columns, name);
  auto field = arrow::field(std::string(name), array->type(), !column->required);
  size_t place = 0;
  while (place < fields->size() && FindColumn(columns, (*fields)[place]->name()) < column) {
    ++place;
  }
  if (place < fields->size() && (*fields)[place]->name() == name) {
    (*fields)[place] = std::move(field);
    (*arrays)[place] = std::move(array);
  } else {
    fields->insert(fields->begin() + static_cast<int64_t>(place), std::move(field));
    arrays->insert(arrays->begin() + static_cast<int64_t>(place), std::move(array));
  }
}

}  // namespace

IdNumbers::IdNumbers(int64_t count, uint32_t largest) {
  // A table takes 256 KiB for every u16 id; beyond that it may take 16 bytes an id.
  constexpr uint64_t kSmall = 1 << 16;
  constexpr uint64_t kPlacesPerId = 4;
  is_dense_ = largest < kSmall + kPlacesPerId * static_cast<uint64_t>(count);
  if (is_dense_) {
    dense_.assign(uint64_t{largest} + 1, kAbsent);
  }
}

IdNumbers NumberIds(const arrow::Array& ids) {
  IdNumbers numbers(ids.length(), LargestId(ids));
  VisitIds(ids, [&](int64_t, uint32_t id) { numbers.Add(id); });
  return numbers;
}

arrow::Result<ArrayPtr> IdRemap::Apply(const ArrayPtr& ids, int bits) const {
  if (is_identity()) {
    return ids;
  }
  return bits == 16 ? RemapTo<uint16_t>(*ids, arrow::uint16(), shift_, numbers_.get())
                    : RemapTo<uint32_t>(*ids, arrow::uint32(), shift_, numbers_.get());
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithColumn(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table, std::string_view name,
    ArrayPtr array) {
  arrow::FieldVector fields = table->schema()->fields();
  arrow::ArrayVector arrays = table->columns();
  Place(GetTable(kind).columns, name, std::move(array), &fields, &arrays);
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), table->num_rows(),
                                  std::move(arrays));
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithGroupIds(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& root, std::string_view group,
    ArrayPtr ids, bool is_always) {
  const Column& column = *FindColumn(GetTable(kind).columns, group);
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  std::shared_ptr<arrow::Buffer> validity;
  if (const auto found = FindArray(root, group)) {
    const auto& groups = checked_cast<const arrow::StructArray&>(*found);
    fields = groups.type()->fields();
    // What stands below a null row must not come to light when the row gets valid.
    ARROW_ASSIGN_OR_RAISE(arrays, groups.Flatten());
    if (!is_always) {
      ARROW_ASSIGN_OR_RAISE(validity, CopyValidity(groups));
    }
  }
  Place(column.children, "id", std::move(ids), &fields, &arrays);
  auto groups = std::make_shared<arrow::StructArray>(
      arrow::struct_(std::move(fields)), root->num_rows(), std::move(arrays), std::move(validity));
  return WithColumn(kind, root, group, std::move(groups));
}

}  // namespace df::otap
