// Reads each field of a message and keeps its column: one class for each form that a field may
// have.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "otap/batch.h"
#include "otlp/decode/attribute_builder.h"
#include "otlp/decode/column_builder.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/decode/text_builder.h"
#include "otlp/decode/value_reader.h"
#include "otlp/schema/columns.h"

namespace df::otlp {

template <const MessageShape& kMessage, typename Place>
class RowBuilder;
template <const MessageShape& kMessage, otap::TableKind kTable>
class TableBuilder;

/// The row that a message becomes.
struct RowIn {
  int64_t row;
  uint32_t id;  ///< what rows below it refer to
  ValueReader* reader;
};

/// Reads one field of messages and keeps its column. `F` is a FieldIn. Shape: a message is read
/// into a Local first, for a later field of the same number replaces an earlier one; then that is
/// stored. Fields that are not in a Local go into the column at once.
template <typename F, Form kForm = F::kForm>
class FieldBuilder;

/// What most fields have: one tag, no bytes that could be a wrong id, no tables below.
template <typename F>
class FieldBuilderBase {
 public:
  struct Local {};

  static constexpr bool Takes(uint32_t tag) { return tag == TagOf(F::kShape); }
  template <typename Locals>
  bool Store(const RowIn&, const Locals&) {
    return true;
  }
  int64_t invalid_ids() const { return 0; }
  int64_t num_attributes() const { return 0; }
  arrow::Status FinishTables(otap::BatchBuilder*) { return arrow::Status::OK(); }

 protected:
  static std::shared_ptr<arrow::DataType> Type() { return otap::NativeType(F::kColumn); }
  template <typename Locals>
  [[gnu::always_inline]] static auto& Of(Locals& locals) {
    return std::get<F::kIndex>(locals.fields);
  }
};

template <typename F>
class FieldBuilder<F, Form::kNone> : public FieldBuilderBase<F> {
 public:
  static constexpr bool Takes(uint32_t) { return false; }
  template <typename Locals>
  bool Read(uint32_t, ProtoReader*, const RowIn&, Locals*) {
    return true;
  }
  void Clear() {}
};

template <typename F>
class FieldBuilder<F, Form::kNumber> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;
  using Number = NumberOf<F::kColumn.type>;
  using Wire = std::conditional_t<F::kShape.kind == WireKind::kFixed64, uint64_t, Number>;

  static constexpr bool kIsOptional =
      F::kShape.presence == Presence::kExplicit || F::kShape.presence == Presence::kOneof;
  /// A number in every row: known readers look for the children of a struct even where all say
  /// nothing (format reference 2.10).
  static constexpr bool kIsAlways =
      F::kColumn.required || F::Place::kIsStruct || F::kColumn.type == otap::ColumnType::kTimestamp;
  /// Enums and flags: zero is null. Of other numbers zero is zero.
  static constexpr bool kIsNullIfZero =
      !F::kColumn.required &&
      ((F::kShape.kind == WireKind::kInt && std::is_same_v<Number, int32_t>) ||
       F::kShape.kind == WireKind::kFixed32);
  /// Stored as it is read: nothing tells a zero that stands there from none.
  static constexpr bool kIsDirect =
      F::kShape.presence == Presence::kExplicit ||
      (F::kShape.presence == Presence::kImplicit && !kIsAlways && sizeof(Number) == 8);

 public:
  using Local = std::conditional_t<kIsDirect, typename Base::Local, Wire>;

  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn& at, Locals* locals) {
    if constexpr (kIsDirect) {
      Wire value{};
      const bool ok = ReadNumber<F::kShape.kind>(in, &value);
      values_.Set(at.row, static_cast<Number>(value));
      return ok;
    } else {
      if constexpr (F::kShape.presence == Presence::kOneof) {
        locals->choice = F::kShape.number;
      }
      return ReadNumber<F::kShape.kind>(in, &Base::Of(*locals));
    }
  }
  template <typename Locals>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Locals& locals) {
    if constexpr (kIsDirect) {
      return true;
    } else if constexpr (kIsOptional) {
      if (locals.choice == F::kShape.number) {
        values_.Set(at.row, static_cast<Number>(Base::Of(locals)));
      }
    } else if constexpr (kIsAlways) {
      values_.Set(at.row, static_cast<Number>(Base::Of(locals)));
    } else if (const auto value = static_cast<Number>(Base::Of(locals)); value != Number{}) {
      values_.Set(at.row, value);
    }
    return true;
  }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    if constexpr (std::is_same_v<Number, bool>) {
      return values_.FinishIfSet(num_rows);
    } else if constexpr (kIsNullIfZero) {
      return values_.FinishNonZero(Base::Type(), num_rows);
    } else if constexpr (kIsAlways || kIsOptional) {
      return values_.Finish(Base::Type(), num_rows);
    } else {
      return values_.FinishIfSet(Base::Type(), num_rows);
    }
  }
  void Clear() { values_.Clear(); }

 private:
  std::conditional_t<
      std::is_same_v<Number, bool>, BoolBuilder,
      std::conditional_t<kIsOptional, OptionalBuilder<Number>, NumberBuilder<Number>>>
      values_;
};

template <typename F>
class FieldBuilder<F, Form::kText> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;

 public:
  using Local = std::string_view;

  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn&, Locals* locals) {
    return ReadText(in, &Base::Of(*locals));
  }
  template <typename Locals>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Locals& locals) {
    const std::string_view text = Base::Of(locals);
    return F::kColumn.required ? values_.Set(at.row, text) : values_.SetUnlessEmpty(at.row, text);
  }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) { return values_.Finish(num_rows); }
  void Clear() { values_.Clear(); }

 private:
  static_assert(F::kColumn.dictionary != otap::DictionaryRule::kNone);
  TextBuilder values_{TextBuilder::Kind::kText, F::kColumn.dictionary};
};

template <typename F>
class FieldBuilder<F, Form::kId> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;

 public:
  using Local = std::string_view;

  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn&, Locals* locals) {
    return in->ReadBytes(&Base::Of(*locals));
  }
  template <typename Locals>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Locals& locals) {
    invalid_ids_ += values_.Set(at.row, Base::Of(locals)) ? 0 : 1;
    return true;
  }
  int64_t invalid_ids() const { return invalid_ids_; }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    return F::kColumn.required ? values_.FinishRequired(num_rows)
                               : values_.FinishOptional(num_rows);
  }
  void Clear() {
    values_.Clear();
    invalid_ids_ = 0;
  }

 private:
  IdBuilder<F::kColumn.type == otap::ColumnType::kFixedBinary16 ? 16 : 8> values_;
  int64_t invalid_ids_ = 0;
};

template <typename F>
class FieldBuilder<F, Form::kEnd> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;

 public:
  using Local = uint64_t;

  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn&, Locals* locals) {
    return in->ReadFixed64(&Base::Of(*locals));
  }
  template <typename Locals>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Locals& locals) {
    // Modular, as the encoder adds it: ends before their starts are real.
    durations_.Set(at.row, static_cast<int64_t>(Base::Of(locals) -
                                                std::get<F::Before::kIndex>(locals.fields)));
    return true;
  }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    return durations_.Finish(Base::Type(), num_rows);
  }
  void Clear() { durations_.Clear(); }

 private:
  NumberBuilder<int64_t> durations_;
};

/// A list, packed or not.
template <typename F>
class FieldBuilder<F, Form::kNumbers> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;
  using Number = NumberOf<F::kColumn.type>;
  static constexpr bool kIsVarint = F::kShape.kind == WireKind::kUInt;
  static constexpr uint32_t kPackedTag = BytesTag(F::kField);

 public:
  static constexpr bool Takes(uint32_t tag) {
    return tag == kPackedTag || tag == (kIsVarint ? VarintTag(F::kField) : Fixed64Tag(F::kField));
  }
  template <typename Locals>
  bool Read(uint32_t tag, ProtoReader* in, const RowIn&, Locals*) {
    if (tag != kPackedTag) {
      return ReadItem(in);
    }
    std::string_view bytes;
    if (!in->ReadBytes(&bytes)) {
      return false;
    }
    if constexpr (kIsVarint) {
      ProtoReader items(bytes);
      bool ok = true;
      while (ok && !items.at_end()) {
        ok = ReadItem(&items);
      }
      return ok;
    } else {
      items_.AppendPacked(bytes.substr(0, bytes.size() / sizeof(Number) * sizeof(Number)));
      return bytes.size() % sizeof(Number) == 0;
    }
  }
  template <typename Locals>
  bool Store(const RowIn& at, const Locals&) {
    items_.CloseRow(at.row);
    return true;
  }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    return items_.Finish(otap::NativeType({"item", kItemType}), num_rows, F::Place::kIsStruct);
  }
  void Clear() { items_.Clear(); }

 private:
  static constexpr otap::ColumnType kItemType =
      std::is_same_v<Number, double> ? otap::ColumnType::kFloat64 : otap::ColumnType::kUInt64;

  bool ReadItem(ProtoReader* in) {
    uint64_t bits = 0;
    const bool ok = kIsVarint ? in->ReadVarint(&bits) : in->ReadFixed64(&bits);
    items_.AppendPacked({reinterpret_cast<const char*>(&bits), sizeof(bits)});
    return ok;
  }

  ListBuilder<Number> items_;
};

/// One message, whose parts are merged: null where it is absent.
template <typename F>
class FieldBuilder<F, Form::kStruct> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;
  using Fields = RowBuilder<*F::kShape.message, StructColumns<typename F::Place, F::kPosition>>;

 public:
  struct Local {
    bool is_present = false;
    typename Fields::Local fields;
  };

  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn& at, Locals* locals) {
    Local& local = Base::Of(*locals);
    local.is_present = true;
    std::string_view bytes;
    return in->ReadBytes(&bytes) && fields_.Read(bytes, at, &local.fields);
  }
  template <typename Locals>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Locals& locals) {
    const Local& local = Base::Of(locals);
    if (!local.is_present) {
      return true;
    }
    present_.Set(at.row, 1);
    return fields_.Store(at, local.fields);
  }
  int64_t invalid_ids() const { return fields_.invalid_ids(); }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    if (present_.empty()) {
      return nullptr;
    }
    TableFrame frame(num_rows);
    fields_.AddColumns(&frame);
    ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows, [&](int64_t row) {
                            return present_.At(row) != 0;
                          }));
    return frame.BuildStruct(std::move(validity));
  }
  void Clear() {
    present_.Clear();
    fields_.Clear();
  }

 private:
  NumberBuilder<uint8_t> present_;
  Fields fields_;
};

/// A list of messages that have no table of their own.
template <typename F>
class FieldBuilder<F, Form::kStructs> : public FieldBuilderBase<F> {
  using Items = RowBuilder<*F::kShape.message, StructColumns<typename F::Place, F::kPosition>>;

 public:
  template <typename Locals>
  bool Read(uint32_t, ProtoReader* in, const RowIn& at, Locals*) {
    std::string_view bytes;
    typename Items::Local item;
    const RowIn item_at = {num_items_++, 0, at.reader};
    return in->ReadBytes(&bytes) && items_.Read(bytes, item_at, &item) &&
           items_.Store(item_at, item);
  }
  template <typename Locals>
  bool Store(const RowIn& at, const Locals&) {
    ends_.SetEnd(at.row, static_cast<size_t>(num_items_));
    return true;
  }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    if (num_items_ == 0) {
      return nullptr;
    }
    TableFrame frame(num_items_);
    items_.AddColumns(&frame);
    ARROW_ASSIGN_OR_RAISE(ArrayDataPtr structs, frame.BuildStruct({}));
    return ends_.Finish(num_rows, std::move(structs));
  }
  void Clear() {
    num_items_ = 0;
    ends_.Clear();
    items_.Clear();
  }

 private:
  int64_t num_items_ = 0;
  ListEnds ends_;
  Items items_;
};

template <typename F>
class FieldBuilder<F, Form::kValue> : public FieldBuilderBase<F> {
  using Base = FieldBuilderBase<F>;

 public:
  struct Local {
    bool is_present = false;
    MessageParts parts;
  };

  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn&, Locals* locals) {
    Local& local = Base::Of(*locals);
    local.is_present = true;
    std::string_view bytes;
    const bool ok = in->ReadBytes(&bytes);
    local.parts.Add(bytes);
    return ok;
  }
  template <typename Locals>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Locals& locals) {
    const Local& local = Base::Of(locals);
    ParsedValue value;
    if (!local.is_present) {
      return true;
    }
    present_.Set(at.row, 1);
    return at.reader->Read(local.parts, kBodyLevel, &value) && values_.Set(at.row, value);
  }
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows) {
    if (present_.empty()) {
      return nullptr;
    }
    TableFrame frame(num_rows);
    values_.AddColumns(&frame);
    ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows, [&](int64_t row) {
                            return present_.At(row) != 0;
                          }));
    return frame.BuildStruct(std::move(validity));
  }
  void Clear() {
    present_.Clear();
    values_.Clear();
  }

 private:
  NumberBuilder<uint8_t> present_;
  ValueBuilder values_;
};

template <typename F>
class FieldBuilder<F, Form::kAttributes> : public FieldBuilderBase<F> {
 public:
  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn& at, Locals*) {
    std::string_view bytes;
    return in->ReadBytes(&bytes) && table_.Append(at.id, bytes, at.reader);
  }
  int64_t num_attributes() const { return table_.num_rows(); }
  arrow::Status FinishTables(otap::BatchBuilder* batch) {
    ARROW_ASSIGN_OR_RAISE(auto rows, table_.Finish());
    return batch->Set(table_.kind(), std::move(rows));
  }
  void Clear() { table_.Clear(); }

 private:
  AttributeBuilder table_{AttributesOf(F::Place::kTable)};
};

template <typename F>
class FieldBuilder<F, Form::kRows> : public FieldBuilderBase<F> {
 public:
  template <typename Locals>
  [[gnu::always_inline]] bool Read(uint32_t, ProtoReader* in, const RowIn& at, Locals*) {
    std::string_view bytes;
    return in->ReadBytes(&bytes) && table_.Append(at.id, bytes, at.reader);
  }
  int64_t invalid_ids() const { return table_.invalid_ids(); }
  arrow::Status FinishTables(otap::BatchBuilder* batch) { return table_.Finish(nullptr, batch); }
  void Clear() { table_.Clear(); }

 private:
  TableBuilder<*F::kShape.message, *F::kShape.rows> table_;
};

}  // namespace df::otlp
