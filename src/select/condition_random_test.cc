// Random conditions beside an evaluator that goes row by row through plain cells.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "otap/rows.h"
#include "select/condition.h"
#include "testing/cell.h"
#include "testing/random_batch.h"

namespace df::select {
namespace {

using otap::TableKind;
using testing::Cell;
using testing::RandomEngine;

enum class Truth : uint8_t { kNo, kYes, kNone };

/// A condition as text, and what it is for a row.
struct Drawn {
  std::string text;
  std::function<Truth(int64_t row)> ask;
};

Truth Of(bool is_true) { return is_true ? Truth::kYes : Truth::kNo; }

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return quoted + "\"";
}

constexpr std::array<const char*, 6> kSigns = {"==", "!=", "<", "<=", ">", ">="};

template <typename T>
bool Holds(const T& left, size_t sign, const T& right) {
  switch (sign) {
    case 0:
      return left == right;
    case 1:
      return left != right;
    case 2:
      return left < right;
    case 3:
      return left <= right;
    case 4:
      return left > right;
    default:
      return left >= right;
  }
}

/// A batch as plain rows, asked about the rows of one table of items.
class PlainRows {
 public:
  PlainRows(const otap::Batch& batch, TableKind items)
      : root_(otap::RootTable(batch.signal())), items_(items) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      if (batch.table(info.kind) != nullptr) {
        tables_[info.kind] = testing::ReadCells(*batch.table(info.kind)).ValueOrDie();
      }
      if (info.parent == items && info.is_attributes) {
        attributes_ = info.kind;
      }
    }
  }

  /// One row of an attribute table, or nothing.
  struct Attribute {
    const PlainRows* rows = nullptr;
    TableKind table{};
    int64_t row = -1;

    uint64_t type() const {
      const Cell cell = row < 0 ? Cell() : rows->At(table, "type", row);
      return testing::IsNull(cell) ? 0 : std::get<uint64_t>(cell);
    }
    std::string text() const { return Text(rows->At(table, "str", row)); }
    int64_t integer() const { return Integer(rows->At(table, "int", row)); }
    double real() const {
      const Cell cell = rows->At(table, "double", row);
      return testing::IsNull(cell) ? 0 : std::get<double>(cell);
    }
    bool is_nil() const {
      // A boolean whose column is missing is false; one that is null is empty.
      const bool is_empty_boolean =
          type() == 4 && rows->Has(table, "bool") && testing::IsNull(rows->At(table, "bool", row));
      return type() == 0 || is_empty_boolean ||
             (type() == 7 && Text(rows->At(table, "bytes", row)).empty());
    }
  };

  Attribute Own(int64_t row, const std::string& key) const {
    return Find(attributes_, At(items_, "id", row), key);
  }
  Attribute OfResource(int64_t row, const std::string& key) const {
    const int64_t root = RootRow(row);
    return root < 0 ? Attribute{}
                    : Find(TableKind::kResourceAttrs, Child("resource", "id", root), key);
  }

  /// The row of the root table that a row stands below.
  int64_t RootRow(int64_t row) const {
    if (items_ == root_) {
      return row;
    }
    const Cell parent = At(items_, "parent_id", row);
    for (int64_t root = 0; root < tables_.at(root_).num_rows; ++root) {
      if (At(root_, "id", root) == parent) {
        return root;
      }
    }
    return -1;
  }

  Cell At(TableKind kind, const std::string& column, int64_t row) const {
    const auto table = tables_.find(kind);
    const auto* found =
        table == tables_.end() ? nullptr : testing::FindCells(table->second.columns, column);
    return found == nullptr ? Cell() : found->cells[static_cast<size_t>(row)];
  }
  bool Has(TableKind kind, const std::string& column) const {
    const auto table = tables_.find(kind);
    return table != tables_.end() && testing::FindCells(table->second.columns, column) != nullptr;
  }
  Cell Child(const std::string& group, const std::string& column, int64_t row) const {
    const auto* found = testing::FindCells(tables_.at(root_).columns, group);
    if (found == nullptr || testing::IsNull(found->cells[static_cast<size_t>(row)])) {
      return {};
    }
    const auto* child = testing::FindCells(found->children, column);
    return child == nullptr ? Cell() : child->cells[static_cast<size_t>(row)];
  }

  static std::string Text(const Cell& cell) {
    return testing::IsNull(cell) ? "" : std::get<std::string>(cell);
  }
  static int64_t Integer(const Cell& cell) {
    if (const auto* number = std::get_if<uint64_t>(&cell)) {
      return static_cast<int64_t>(*number);
    }
    return testing::IsNull(cell) ? 0 : std::get<int64_t>(cell);
  }

  TableKind root() const { return root_; }
  TableKind items() const { return items_; }
  TableKind attributes() const { return attributes_; }
  int64_t num_rows(TableKind kind) const {
    const auto table = tables_.find(kind);
    return table == tables_.end() ? 0 : table->second.num_rows;
  }

 private:
  Attribute Find(TableKind kind, const Cell& id, const std::string& key) const {
    for (int64_t row = 0; !testing::IsNull(id) && row < num_rows(kind); ++row) {
      if (At(kind, "parent_id", row) == id && Text(At(kind, "key", row)) == key) {
        return {this, kind, row};
      }
    }
    return {};
  }

  TableKind root_;
  TableKind items_;
  TableKind attributes_{};
  std::map<TableKind, testing::CellTable> tables_;
};

/// Draws conditions whose names and values are, as often as not, those of the batch.
class Draw {
 public:
  Draw(const PlainRows& rows, RandomEngine& random) : rows_(rows), random_(random) {}

  Drawn Condition(int depth) {
    const uint64_t kind = depth == 0 ? 0 : random_() % 5;
    if (kind <= 1) {
      return Test();
    }
    if (kind == 2) {
      auto part = std::make_shared<Drawn>(Condition(depth - 1));
      return {fmt::format("not ({})", part->text), [part](int64_t row) {
                const Truth found = part->ask(row);
                return found == Truth::kNone ? found : Of(found == Truth::kNo);
              }};
    }
    const bool is_or = kind == 3;
    auto left = std::make_shared<Drawn>(Condition(depth - 1));
    auto right = std::make_shared<Drawn>(Condition(depth - 1));
    return {fmt::format("({}) {} ({})", left->text, is_or ? "or" : "and", right->text),
            [=](int64_t row) {
              const Truth found = left->ask(row);
              const Truth settled = is_or ? Truth::kYes : Truth::kNo;
              return found == settled || found == Truth::kNone ? found : right->ask(row);
            }};
  }

 private:
  Drawn Test() {
    switch (random_() % 9) {
      case 0:
        return OnAttribute(false, false);
      case 1:
        return OnAttribute(false, true);
      case 2:
        return OnAttribute(true, random_() % 2 == 0);
      case 3: {
        const std::string key = Key(rows_.attributes());
        return {fmt::format("attributes[{}] == nil", Quote(key)),
                [this, key](int64_t row) { return Of(rows_.Own(row, key).is_nil()); }};
      }
      case 4: {
        const std::string key = Key(rows_.attributes());
        return {fmt::format("IsString(attributes[{}])", Quote(key)),
                [this, key](int64_t row) { return Of(rows_.Own(row, key).type() == 1); }};
      }
      case 5: {
        const std::string key = Key(rows_.attributes());
        const std::string prefix = SomeText(rows_.attributes(), "str").substr(0, 1);
        return {fmt::format("HasPrefix(attributes[{}], {})", Quote(key), Quote(Valid(prefix))),
                [this, key, prefix = Valid(prefix)](int64_t row) {
                  const auto found = rows_.Own(row, key);
                  return found.type() != 1 ? Truth::kNone : Of(found.text().starts_with(prefix));
                }};
      }
      case 6:
        return OnNumber();
      case 7:
        return OnText();
      default:
        return OnTime();
    }
  }

  Drawn OnAttribute(bool is_resource, bool is_number) {
    const TableKind table = is_resource ? TableKind::kResourceAttrs : rows_.attributes();
    const std::string key = Key(table);
    const size_t sign = random_() % kSigns.size();
    const int64_t number = static_cast<int64_t>(random_() % 2000) - 1000;
    const std::string text = SomeText(table, "str");
    auto ask = [=, this](int64_t row) {
      const auto found = is_resource ? rows_.OfResource(row, key) : rows_.Own(row, key);
      if (is_number && found.type() == 2) {
        return Of(Holds(found.integer(), sign, number));
      }
      if (is_number && found.type() == 3) {
        return Of(Holds(found.real(), sign, static_cast<double>(number)));
      }
      return Of(!is_number && found.type() == 1 ? Holds(found.text(), sign, text) : sign == 1);
    };
    return {fmt::format("{}attributes[{}] {} {}", is_resource ? "resource." : "", Quote(key),
                        kSigns[sign], is_number ? std::to_string(number) : Quote(text)),
            ask};
  }

  Drawn OnNumber() {
    const auto [name, column] =
        rows_.root() == TableKind::kLogs    ? std::pair("severity_number", "severity_number")
        : rows_.root() == TableKind::kSpans ? std::pair("kind", "kind")
                                            : std::pair("metric.type", "metric_type");
    const size_t sign = random_() % kSigns.size();
    const auto number = static_cast<int64_t>(random_() % 24);
    return {fmt::format("{} {} {}", name, kSigns[sign], number),
            [=, this, column = std::string(column)](int64_t row) {
              const Cell cell = rows_.At(rows_.root(), column, rows_.RootRow(row));
              return Of(Holds(PlainRows::Integer(cell), sign, number));
            }};
  }

  Drawn OnText() {
    const auto [name, column] =
        rows_.root() == TableKind::kLogs    ? std::pair("severity_text", "severity_text")
        : rows_.root() == TableKind::kSpans ? std::pair("name", "name")
                                            : std::pair("metric.name", "name");
    const size_t sign = random_() % kSigns.size();
    const std::string text = SomeText(rows_.root(), column);
    return {fmt::format("{} {} {}", name, kSigns[sign], Quote(text)),
            [=, this, column = std::string(column)](int64_t row) {
              const Cell cell = rows_.At(rows_.root(), column, rows_.RootRow(row));
              return Of(Holds(PlainRows::Text(cell), sign, text));
            }};
  }

  Drawn OnTime() {
    const std::string column =
        rows_.items() == TableKind::kSpans ? "start_time_unix_nano" : "time_unix_nano";
    const auto row =
        static_cast<int64_t>(random_() % static_cast<uint64_t>(rows_.num_rows(rows_.items())));
    const int64_t time = PlainRows::Integer(rows_.At(rows_.items(), column, row));
    const size_t sign = random_() % kSigns.size();
    return {
        fmt::format("{} {} {}", column, kSigns[sign], std::max<int64_t>(time, 0)),
        [=, this, time = std::max<int64_t>(time, 0)](int64_t asked) {
          return Of(Holds(PlainRows::Integer(rows_.At(rows_.items(), column, asked)), sign, time));
        }};
  }

  std::string Key(TableKind table) { return SomeText(table, "key"); }

  /// A text of a column, or one that no row has.
  std::string SomeText(TableKind table, const std::string& column) {
    const int64_t num_rows = rows_.num_rows(table);
    if (num_rows == 0 || random_() % 8 == 0) {
      return "no such text";
    }
    return PlainRows::Text(
        rows_.At(table, column, static_cast<int64_t>(random_() % static_cast<uint64_t>(num_rows))));
  }

  /// Half a character is no text.
  static std::string Valid(const std::string& text) {
    return !text.empty() && static_cast<uint8_t>(text[0]) >= 0x80 ? "" : text;
  }

  const PlainRows& rows_;
  RandomEngine& random_;
};

TEST(Condition, AnswersLikeARowByRowSearch) {
  constexpr uint64_t kFirstSeed = 1;
  int num_asked = 0;
  std::array<int64_t, 3> num_found{};
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + 500; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    RandomEngine random(seed);
    testing::RandomBatchOptions shape;
    shape.root_rows = 20;
    shape.values.distinct_texts = 5;
    const auto signal = static_cast<otap::Signal>(random() % 3);
    const otap::BatchPtr batch = testing::RandomBatch(signal, shape, random);
    for (const otap::TableInfo& info : otap::AllTables()) {
      const bool is_items =
          signal == otap::Signal::kMetrics
              ? info.parent == TableKind::kUnivariateMetrics && !info.is_attributes
              : info.kind == otap::RootTable(signal);
      if (!is_items || batch->table(info.kind) == nullptr) {
        continue;
      }
      const PlainRows rows(*batch, info.kind);
      Draw draw(rows, random);
      for (int i = 0; i < 12; ++i) {
        const Drawn drawn = draw.Condition(3);
        const auto condition = Condition::Compile(drawn.text, signal);
        ASSERT_TRUE(condition.ok()) << drawn.text << "\n" << condition.status();
        const int64_t num_rows = batch->table(info.kind)->num_rows();
        const Answer answer = condition->Ask(*batch, info.kind, otap::RowSet(num_rows, true));
        for (int64_t row = 0; row < num_rows; ++row) {
          const Truth expected = drawn.ask(row);
          ASSERT_FALSE(answer.failed.Has(row) && answer.yes.Has(row)) << drawn.text;
          const Truth found = answer.failed.Has(row) ? Truth::kNone : Of(answer.yes.Has(row));
          ASSERT_EQ(found, expected) << info.directory << " row " << row << ": " << drawn.text;
          ++num_found[static_cast<size_t>(found)];
        }
        ++num_asked;
      }
    }
  }
  EXPECT_GE(num_asked, 10'000);
  for (const int64_t count : num_found) {
    EXPECT_GT(count, 10'000) << "conditions that are always the same show nothing";
  }
}

}  // namespace
}  // namespace df::select
