// Writes each field of a message from its column: one class for each form that a field may have.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "otlp/schema/columns.h"
#include "otlp/value_walk.h"

namespace df::otlp {

template <const MessageShape& kMessage, typename Place>
class RowWalk;
template <const MessageShape& kMessage, otap::TableKind kTable>
class TableWalk;

/// The row that is written.
struct RowAt {
  int64_t row;
  EncodeStats* stats;
  bool has_id = false;  ///< rows below it may refer to it
  uint32_t id = 0;
  bool is_chosen = false;  ///< a field of the oneof is written
};

/// Binds the columns of one field, and writes it. Shape: what says no more than its absence is left
/// out. `F` is a FieldIn.
template <typename F, Form kForm = F::kForm>
class FieldWalk;

template <typename F>
class FieldWalk<F, Form::kNone> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource&) {}
  template <typename Writer>
  void Write(RowAt&, Writer*) const {}
};

template <typename F>
class FieldWalk<F, Form::kNumber> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource& source) {
    source.Bind(F::kColumn.name, &column_);
  }

  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if constexpr (F::kShape.presence == Presence::kImplicit && !std::is_same_v<Number, bool>) {
      const Number value = column_.ValueOr(at.row, 0);
      if (value != 0 || IsNegativeZero(value)) {
        Put(value, writer);
      }
    } else if constexpr (F::kShape.presence == Presence::kImplicit) {
      if (column_.Has(at.row) && column_.Value(at.row)) {
        Put(true, writer);
      }
    } else if (!at.is_chosen && column_.Has(at.row)) {
      at.is_chosen = F::kShape.presence == Presence::kOneof;
      Put(column_.Value(at.row), writer);
    }
  }

 private:
  using Number = NumberOf<F::kColumn.type>;

  /// It compares equal to the default and is another value.
  static bool IsNegativeZero(Number value) {
    if constexpr (std::is_floating_point_v<Number>) {
      return std::signbit(value);
    } else {
      return false;
    }
  }

  template <typename Writer>
  [[gnu::always_inline]] static void Put(Number value, Writer* writer) {
    constexpr Field kField = F::kField;
    if constexpr (F::kShape.kind == WireKind::kUInt) {
      writer->UInt32(kField, value);
    } else if constexpr (F::kShape.kind == WireKind::kInt) {
      writer->Enum(kField, value);
    } else if constexpr (F::kShape.kind == WireKind::kSInt) {
      writer->SInt32(kField, value);
    } else if constexpr (F::kShape.kind == WireKind::kBool) {
      writer->Bool(kField, value);
    } else if constexpr (F::kShape.kind == WireKind::kFixed32) {
      writer->Fixed32(kField, value);
    } else if constexpr (F::kShape.kind == WireKind::kFixed64) {
      writer->Fixed64(kField,
                      static_cast<uint64_t>(value));  // OTLP has times unsigned
    } else if constexpr (F::kShape.kind == WireKind::kSFixed64) {
      writer->SFixed64(kField, value);
    } else {
      writer->Double(kField, value);
    }
  }

  std::conditional_t<std::is_same_v<Number, bool>, BoolColumn, NumberColumn<Number>> column_;
};

template <typename F>
class FieldWalk<F, Form::kText> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource& source) {
    source.Bind(F::kColumn.name, &column_);
  }
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if (const std::string_view text = column_.ValueOrEmpty(at.row); !text.empty()) {
      writer->String(F::kField, text);
    }
  }

 private:
  BytesColumn column_;
};

template <typename F>
class FieldWalk<F, Form::kId> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource& source) {
    source.Bind(F::kColumn.name, &column_);
  }
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if (!column_.Has(at.row)) {
      return;
    }
    const std::string_view id = column_.Value(at.row);
    if (!F::kShape.are_zeros_none || id.find_first_not_of('\0') != std::string_view::npos) {
      writer->Id(F::kField, id);
    }
  }

 private:
  FixedBytesColumn column_;
};

template <typename F>
class FieldWalk<F, Form::kEnd> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource& source) {
    source.Bind(F::Before::kColumn.name, &start_);
    source.Bind(F::kColumn.name, &duration_);
  }
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    // Modular: negative durations and starts past 2262 are real, and come back to the same end.
    const uint64_t end = static_cast<uint64_t>(start_.ValueOr(at.row, 0)) +
                         static_cast<uint64_t>(duration_.ValueOr(at.row, 0));
    if (end != 0) {
      writer->Fixed64(F::kField, end);
    }
  }

 private:
  NumberColumn<int64_t> start_;
  NumberColumn<int64_t> duration_;
};

template <typename F>
class FieldWalk<F, Form::kNumbers> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource& source) {
    source.Bind(F::kColumn.name, &column_);
  }
  template <typename Writer>
  void Write(RowAt& at, Writer* writer) const {
    const auto numbers = column_.Value(at.row);
    if (numbers.empty()) {
      return;
    }
    if constexpr (F::kShape.kind == WireKind::kDouble) {
      writer->PackedDouble(F::kField, numbers);
    } else if constexpr (F::kShape.kind == WireKind::kUInt) {
      writer->PackedVarint64(F::kField, numbers);
    } else {
      writer->PackedFixed64(F::kField, numbers);
    }
  }

 private:
  ListColumn<NumberOf<F::kColumn.type>> column_;
};

/// Written even when empty, unless the struct is null.
template <typename F>
class FieldWalk<F, Form::kStruct> {
 public:
  FieldWalk(const WalkContext& context, const ColumnSource& source)
      : fields_(context, source.Struct(F::kColumn.name, &rows_)) {}
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if (rows_.Has(at.row)) {
      writer->Message(F::kField, F::kShape.expect,
                      [this, row = at.row, writer] { fields_.Write(row, writer); });
    }
  }

 private:
  StructRows rows_;
  RowWalk<*F::kShape.message, StructColumns<typename F::Place, F::kPosition>> fields_;
};

template <typename F>
class FieldWalk<F, Form::kStructs> {
 public:
  FieldWalk(const WalkContext& context, const ColumnSource& source)
      : items_(context, source.Items(F::kColumn.name)) {
    source.Bind(F::kColumn.name, &lists_);
  }
  template <typename Writer>
  void Write(RowAt& at, Writer* writer) const {
    const ListRows::Range items = lists_.Items(at.row);
    if (items.empty()) {
      return;
    }
    writer->List(F::kField, [&] {
      for (int64_t i = items.begin; i < items.end; ++i) {
        writer->Item(F::kField, F::kShape.expect, [&] { items_.Write(i, writer); });
      }
    });
  }

 private:
  ListRows lists_;
  RowWalk<*F::kShape.message, StructColumns<typename F::Place, F::kPosition>> items_;
};

template <typename F>
class FieldWalk<F, Form::kValue> {
 public:
  FieldWalk(const WalkContext&, const ColumnSource& source)
      : values_(source.Struct(F::kColumn.name, &rows_)) {}
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if (rows_.Has(at.row)) {
      writer->Message(F::kField, F::kShape.expect, [this, row = at.row, stats = at.stats, writer] {
        WriteValue(values_, row, kBodyLevel, stats, writer);
      });
    }
  }

 private:
  StructRows rows_;
  ValueColumns values_;
};

template <typename F>
class FieldWalk<F, Form::kAttributes> {
 public:
  FieldWalk(const WalkContext& context, const ColumnSource&)
      : table_(context, AttributesOf(F::Place::kTable)) {}
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if (at.has_id) {
      WriteAttributes(F::kField, table_, at.id, at.stats, writer);
    }
  }

 private:
  AttributeTable table_;
};

template <typename F>
class FieldWalk<F, Form::kRows> {
 public:
  FieldWalk(const WalkContext& context, const ColumnSource&) : table_(context) {}
  template <typename Writer>
  [[gnu::always_inline]] void Write(RowAt& at, Writer* writer) const {
    if (at.has_id) {
      table_.WriteAll(F::kField, at.id, writer);
    }
  }

 private:
  TableWalk<*F::kShape.message, *F::kShape.rows> table_;
};

}  // namespace df::otlp
