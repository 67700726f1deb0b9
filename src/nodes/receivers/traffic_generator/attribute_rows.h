// Rows of a table of attributes.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>

#include "nodes/receivers/traffic_generator/column.h"
#include "nodes/receivers/traffic_generator/pools.h"
#include "otap/any_value.h"

namespace df::nodes::receivers::traffic_generator {

/// `Parent` is the width of the parent ids. Owner: borrows the pools.
template <typename Parent>
class AttributeRows {
 public:
  explicit AttributeRows(const Pools* pools) : pools_(pools) {}

  /// Adds the first `count` attributes to an item: texts, whole numbers, numbers and truths by
  /// turns, and odd ones among them where corner shapes are wanted.
  void AppendAll(Parent parent, int64_t count, Random* random) {
    for (int64_t i = 0; i < count; ++i) {
      if (pools_->IsCorner(random)) {
        AppendCorner(parent, random);
        continue;
      }
      const auto key = static_cast<uint16_t>(i);
      const uint32_t rank = pools_->values.Draw(random);
      switch (i % 4) {
        case 1:
          Begin(parent, key, otap::ValueType::kInteger);
          integers_.Append(rank);
          break;
        case 3:
          if (i % 8 == 3) {
            Begin(parent, key, otap::ValueType::kDouble);
            doubles_.Append(static_cast<double>(rank) / 8);
          } else {
            Begin(parent, key, otap::ValueType::kBool);
            bools_.Append(rank % 2 == 0);
          }
          break;
        default:
          AppendText(parent, key, static_cast<uint16_t>(rank));
          continue;
      }
      End();
    }
  }

  /// Adds a text by its places in the dictionaries.
  void AppendText(Parent parent, uint16_t key, uint16_t text) {
    Begin(parent, key, otap::ValueType::kText);
    texts_.Append(text);
    End();
  }

  int64_t num_rows() const { return parents_.num_rows(); }

  /// Returns the table; null without rows.
  std::shared_ptr<arrow::RecordBatch> Finish() {
    return Finish(pools_->attribute_keys.texts, pools_->attribute_texts.texts);
  }
  std::shared_ptr<arrow::RecordBatch> Finish(const std::shared_ptr<arrow::Array>& keys,
                                             const std::shared_ptr<arrow::Array>& texts) {
    if (num_rows() == 0) {
      return nullptr;
    }
    Table table;
    table.Add("parent_id", parents_.Finish(arrow::CTypeTraits<Parent>::type_singleton()), false);
    table.Add("key", keys_.FinishIndices(keys), false);
    table.Add("type", types_.Finish(arrow::uint8()), false);
    if (!texts_.is_all_null()) {
      table.Add("str", texts_.FinishIndices(texts));
    }
    table.AddIfAny("int", &integers_, arrow::int64());
    table.AddIfAny("double", &doubles_, arrow::float64());
    table.AddIfAny("bool", &bools_);
    if (!bytes_.is_all_null()) {
      table.Add("bytes", bytes_.FinishIndices(pools_->corner_bytes));
    }
    if (!cbor_.is_all_null()) {
      table.Add("ser", cbor_.FinishIndices(pools_->corner_cbor));
    }
    return table.Finish();
  }

 private:
  void Begin(Parent parent, uint16_t key, otap::ValueType type) {
    parents_.Append(parent);
    keys_.Append(key);
    types_.Append(static_cast<uint8_t>(type));
  }

  /// Fills up the columns that the row has left out.
  void End() {
    const int64_t rows = parents_.num_rows();
    const auto fill = [rows](auto* column) {
      if (column->num_rows() < rows) {
        column->AppendNull();
      }
    };
    fill(&texts_);
    fill(&integers_);
    fill(&doubles_);
    fill(&bools_);
    fill(&bytes_);
    fill(&cbor_);
  }

  void AppendCorner(Parent parent, Random* random) {
    const TextPool& keys = pools_->attribute_keys;
    const auto key = static_cast<uint16_t>(random->Below(keys.num_texts + keys.num_corners));
    constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const TextPool& texts = pools_->attribute_texts;
    const bool coin = random->OneIn(2);
    switch (random->Below(7)) {
      case 0:
        Begin(parent, key, otap::ValueType::kEmpty);
        break;
      case 1:
        Begin(parent, key, otap::ValueType::kText);
        texts_.Append(static_cast<uint16_t>(texts.num_texts + random->Below(texts.num_corners)));
        break;
      case 2:
        Begin(parent, key, otap::ValueType::kInteger);
        integers_.Append(coin ? kMin : 0);
        break;
      case 3:
        Begin(parent, key, otap::ValueType::kDouble);
        doubles_.Append(coin ? kNan : -0.0);
        break;
      case 4:
        Begin(parent, key, otap::ValueType::kBool);
        bools_.Append(coin);
        break;
      case 5:
        Begin(parent, key, otap::ValueType::kBytes);
        bytes_.Append(coin ? 0 : 1);
        break;
      default:
        Begin(parent, key, coin ? otap::ValueType::kSlice : otap::ValueType::kMap);
        cbor_.Append(coin ? 0 : 1);
    }
    End();
  }

  const Pools* pools_;
  Column<Parent> parents_;
  Column<uint16_t> keys_;
  Column<uint8_t> types_;
  Column<uint16_t> texts_;
  Column<int64_t> integers_;
  Column<double> doubles_;
  BoolColumn bools_;
  Column<uint16_t> bytes_;
  Column<uint16_t> cbor_;
};

}  // namespace df::nodes::receivers::traffic_generator
