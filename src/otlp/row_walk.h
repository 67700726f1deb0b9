// Writes messages from the rows of a table or struct, field by field as messages.h has them.
#pragma once

#include <cstdint>
#include <tuple>
#include <utility>

#include "otlp/field_walk.h"

namespace df::otlp {

/// The fields of a message whose columns are those of `Place`: a table or a struct.
template <const MessageShape& kMessage, typename Place>
class RowWalk {
 public:
  RowWalk(const WalkContext& context, const ColumnSource& source)
      : RowWalk(context, source, Indices()) {}

  template <typename Writer>
  [[gnu::always_inline]] void Write(int64_t row, Writer* writer) const {
    RowAt at = At(row);
    WriteFields(&at, writer, Indices());
  }

  RowAt At(int64_t row) const {
    const bool has_id = !Place::kIsStruct && ids_.Has(row);
    return {row, stats_, has_id, has_id ? static_cast<uint32_t>(ids_.Value(row)) : 0};
  }

 private:
  using Ids = NumberColumn<IdOf<Place::kTable>>;

  using Indices = std::make_index_sequence<kMessage.fields.size()>;
  template <size_t... kIndex>
  static auto Fields(std::index_sequence<kIndex...>)
      -> std::tuple<FieldWalk<FieldIn<Place, kMessage, kIndex>>...>;
  using FieldTuple = decltype(Fields(Indices()));

  template <typename Writer, size_t... kIndex>
  [[gnu::always_inline]] void WriteFields(RowAt* at, Writer* writer,
                                          std::index_sequence<kIndex...>) const {
    (std::get<kIndex>(fields_).Write(*at, writer), ...);
  }

  template <size_t... kIndex>
  RowWalk(const WalkContext& context, const ColumnSource& source, std::index_sequence<kIndex...>)
      : stats_(context.stats),
        fields_(std::tuple_element_t<kIndex, FieldTuple>(context, source)...) {
    if constexpr (!Place::kIsStruct) {
      source.Bind("id", &ids_);
    }
  }

  EncodeStats* stats_;
  Ids ids_;
  FieldTuple fields_;
};

/// The messages that are the rows of a child table.
template <const MessageShape& kMessage, otap::TableKind kTable>
class TableWalk {
 public:
  explicit TableWalk(const WalkContext& context)
      : table_(context, kTable), rows_(context, table_.source) {}

  /// Writes the messages of one parent as a repeated field; nothing when there are none. Returns
  /// how many there are.
  template <typename Writer>
  uint32_t WriteAll(Field field, uint32_t parent, Writer* writer) const {
    const ChildIndex::Rows rows = table_.rows.Of(parent);
    if (!rows.empty()) {
      writer->List(field, [&] {
        for (uint32_t i = 0; i < rows.size(); ++i) {
          writer->Item(field, Expect::kTiny, [&] { rows_.Write(rows[i], writer); });
        }
      });
    }
    return rows.size();
  }

 private:
  ChildTable table_;
  RowWalk<kMessage, TableColumns<kTable>> rows_;
};

/// Log records and spans.
template <const MessageShape& kMessage, otap::TableKind kTable>
class RecordWalk {
 public:
  RecordWalk(const WalkContext& context, const ColumnSource& root)
      : stats_(context.stats), rows_(context, root) {}

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    ++stats_->items;
    rows_.Write(row, writer);
  }

 private:
  EncodeStats* stats_;
  RowWalk<kMessage, TableColumns<kTable>> rows_;
};

}  // namespace df::otlp
