// Reads messages into the rows of a table or struct, field by field as messages.h has them.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

#include "otlp/decode/field_builder.h"

namespace df::otlp {

/// The fields of a message whose columns are those of `Place`: a table or a struct.
template <const MessageShape& kMessage, typename Place>
class RowBuilder {
  using Indices = std::make_index_sequence<kMessage.fields.size()>;
  template <size_t... kIndex>
  static auto Fields(std::index_sequence<kIndex...>)
      -> std::tuple<FieldBuilder<FieldIn<Place, kMessage, kIndex>>...>;
  template <size_t... kIndex>
  static auto Locals(std::index_sequence<kIndex...>)
      -> std::tuple<typename FieldBuilder<FieldIn<Place, kMessage, kIndex>>::Local...>;

 public:
  struct Local {
    decltype(Locals(Indices())) fields;
    uint32_t choice = 0;  ///< the number of the member of the oneof that stands last
  };

  /// Reads the value behind a tag. Returns false when it is malformed.
  [[gnu::always_inline]] bool ReadField(uint32_t tag, ProtoReader* in, const RowIn& at,
                                        Local* local) {
    return ReadField(tag, in, at, local, Indices());
  }

  /// Reads a message, or one more part of it.
  [[gnu::always_inline]] bool Read(std::string_view message, const RowIn& at, Local* local) {
    ProtoReader in(message);
    while (!in.at_end()) {
      uint32_t tag = 0;
      if (!in.ReadTag(&tag) || !ReadField(tag, &in, at, local)) {
        return false;
      }
    }
    return true;
  }

  /// Stores what was read. Returns false when it is malformed.
  [[gnu::always_inline]] bool Store(const RowIn& at, const Local& local) {
    return Store(at, local, Indices());
  }

  int64_t invalid_ids() const {
    return std::apply([](const auto&... field) { return (field.invalid_ids() + ...); }, fields_);
  }
  int64_t num_attributes() const {
    return std::apply([](const auto&... field) { return (field.num_attributes() + ...); }, fields_);
  }

  /// Adds the columns in the order of the model; calls `others` with the names of those that no
  /// field fills.
  template <typename Others>
  void AddColumns(TableFrame* frame, const Others& others) {
    AddColumns(frame, others, std::make_index_sequence<Place::kColumns.size()>());
  }
  void AddColumns(TableFrame* frame) {
    AddColumns(frame, [](std::string_view) {});
  }
  /// Sets the tables below.
  arrow::Status FinishTables(otap::BatchBuilder* batch) {
    arrow::Status status;
    std::apply([&](auto&... field) { ((status &= field.FinishTables(batch)), ...); }, fields_);
    return status;
  }
  void Clear() {
    std::apply([](auto&... field) { (field.Clear(), ...); }, fields_);
  }

 private:
  /// The compiler makes a switch of it.
  template <size_t... kIndex>
  [[gnu::always_inline]] bool ReadField(uint32_t tag, ProtoReader* in, const RowIn& at,
                                        Local* local, std::index_sequence<kIndex...>) {
    bool ok = false;
    const bool is_known = ((std::get<kIndex>(fields_).Takes(tag) &&
                            ((ok = std::get<kIndex>(fields_).Read(tag, in, at, local)), true)) ||
                           ...);
    return is_known ? ok : at.reader->SkipUnknown(kMessage, tag, in);
  }
  template <size_t... kIndex>
  [[gnu::always_inline]] bool Store(const RowIn& at, const Local& local,
                                    std::index_sequence<kIndex...>) {
    return (std::get<kIndex>(fields_).Store(at, local) && ...);
  }

  /// The field of a column, or the number of fields.
  template <size_t... kIndex>
  static constexpr size_t FieldOf(size_t position, std::index_sequence<kIndex...>) {
    size_t found = sizeof...(kIndex);
    ((found = FieldIn<Place, kMessage, kIndex>::kForm != Form::kAttributes &&
                      FieldIn<Place, kMessage, kIndex>::kForm != Form::kRows &&
                      FieldIn<Place, kMessage, kIndex>::kPosition == position
                  ? kIndex
                  : found),
     ...);
    return found;
  }

  template <typename Others, size_t... kPosition>
  void AddColumns(TableFrame* frame, const Others& others, std::index_sequence<kPosition...>) {
    (AddColumn<kPosition>(frame, others), ...);
  }
  template <size_t kPosition, typename Others>
  void AddColumn(TableFrame* frame, const Others& others) {
    constexpr size_t kIndex = FieldOf(kPosition, Indices());
    if constexpr (kIndex < kMessage.fields.size()) {
      frame->Add(Place::kColumns[kPosition].name,
                 std::get<kIndex>(fields_).Finish(frame->num_rows()));
    } else {
      others(Place::kColumns[kPosition].name);
    }
  }

  decltype(Fields(Indices())) fields_;
};

}  // namespace df::otlp
