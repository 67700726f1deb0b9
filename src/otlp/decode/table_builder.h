// A table whose rows are messages, with the tables below it.
#pragma once

#include <cstdint>
#include <string_view>

#include "otlp/decode/group_builder.h"
#include "otlp/decode/row_builder.h"

namespace df::otlp {

/// Shape: ids count the rows. Log records have one when they have attributes.
template <const MessageShape& kMessage, otap::TableKind kTable>
class TableBuilder {
  static constexpr const otap::TableInfo& kInfo = otap::registry::Table(kTable);
  static constexpr bool kIsRoot = kInfo.parent_id_bits == 0;
  static constexpr bool kAreIdsSparse = kTable == otap::TableKind::kLogs;
  using Id = IdOf<kTable>;
  using Parent = std::conditional_t<kInfo.parent_id_bits == 32, uint32_t, uint16_t>;

 public:
  /// Appends a message as the next row. Returns false when it is malformed.
  [[gnu::noinline]] bool Append(uint32_t parent, std::string_view message, ValueReader* reader) {
    const int64_t row = num_rows_++;
    const RowIn at = {row, kAreIdsSparse ? num_ids_ : static_cast<uint32_t>(row), reader};
    const int64_t attributes_before = kAreIdsSparse ? rows_.num_attributes() : 0;
    typename Rows::Local local;
    if (!rows_.Read(message, at, &local)) {
      return false;
    }
    if constexpr (!kIsRoot) {
      parents_.Set(row, static_cast<Parent>(parent));
    }
    if (kAreIdsSparse && rows_.num_attributes() != attributes_before) {
      ids_.Set(row, static_cast<Id>(num_ids_++));
    }
    return rows_.Store(at, local);
  }

  int64_t num_rows() const { return num_rows_; }
  /// Ids of a length that no id has, since the last Clear.
  int64_t invalid_ids() const { return rows_.invalid_ids(); }

  /// Sets the table and those below it. `groups`: of a root table. Errors: OutOfMemory.
  arrow::Status Finish(GroupBuilder* groups, otap::BatchBuilder* batch) {
    TableFrame frame(num_rows_);
    rows_.AddColumns(&frame, [&](std::string_view name) {
      if (name == "id") {
        frame.Add(name, kAreIdsSparse
                            ? ids_.Finish(arrow::uint16(), num_rows_)
                            : CountRows<Id>(arrow::CTypeTraits<Id>::type_singleton(), num_rows_));
      } else if (name == "parent_id") {
        frame.Add(name, parents_.Finish(arrow::CTypeTraits<Parent>::type_singleton(), num_rows_));
      } else if (name == "resource") {
        groups->AddColumns(&frame);  // with the two behind it
      }
    });
    ARROW_ASSIGN_OR_RAISE(auto table, frame.Build());
    ARROW_RETURN_NOT_OK(batch->Set(kTable, std::move(table)));
    return rows_.FinishTables(batch);
  }

  void Clear() {
    num_rows_ = 0;
    num_ids_ = 0;
    ids_.Clear();
    parents_.Clear();
    rows_.Clear();
  }

 private:
  using Rows = RowBuilder<kMessage, TableColumns<kTable>>;

  int64_t num_rows_ = 0;
  uint32_t num_ids_ = 0;
  OptionalBuilder<Id> ids_;
  NumberBuilder<Parent> parents_;
  Rows rows_;
};

}  // namespace df::otlp
