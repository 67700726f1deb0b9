#include "otap/attribute_edit.h"

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/attribute_rows.h"
#include "otap/match.h"
#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

using testing::Between;
using testing::Cell;
using testing::CellColumn;
using testing::CellTable;
using testing::Chance;
using testing::RandomBatch;
using testing::RandomBatchOptions;
using testing::RandomEngine;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

/// One attribute as a row of cells, by name of the column.
struct Entry {
  uint64_t parent = 0;
  std::string key;
  std::map<std::string, Cell> value;  ///< type and value columns
};

/// A batch as plain rows, slow and obvious.
class NaiveBatch {
 public:
  explicit NaiveBatch(const Batch& batch) : signal_(batch.signal()) {
    for (const TableInfo& info : AllTables()) {
      if (batch.table(info.kind) != nullptr) {
        tables_[info.kind] = testing::ReadCells(*batch.table(info.kind)).ValueOrDie();
      }
    }
  }

  std::vector<Entry> Entries(TableKind kind) {
    std::vector<Entry> entries;
    CellTable& table = tables_[kind];
    for (size_t row = 0; row < static_cast<size_t>(table.num_rows); ++row) {
      Entry entry;
      for (const CellColumn& column : table.columns) {
        if (column.name == "parent_id") {
          entry.parent = std::get<uint64_t>(column.cells[row]);
        } else if (column.name == "key") {
          entry.key = std::get<std::string>(column.cells[row]);
        } else {
          entry.value[column.name] = column.cells[row];
        }
      }
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  static bool IsBoolean(const Entry& entry) {
    const auto type = entry.value.find("type");
    return type != entry.value.end() && type->second == Cell(uint64_t{4});
  }

  void SetEntries(TableKind kind, const std::vector<Entry>& entries) {
    CellTable table;
    table.num_rows = static_cast<int64_t>(entries.size());
    const bool has_bool = FindCells(tables_[kind].columns, "bool") != nullptr;
    for (const Column& info : GetTable(kind).columns) {
      CellColumn column;
      column.name = std::string(info.name);
      column.type = NativeType(info);
      bool is_used = info.required || (has_bool && info.name == "bool");
      for (const Entry& entry : entries) {
        const auto found = entry.value.find(column.name);
        const bool is_given = found != entry.value.end() && !IsNull(found->second);
        is_used = is_used || is_given;
        // Without the column they are false, and stay so when another brings it.
        const bool is_false = !has_bool && info.name == "bool" && IsBoolean(entry);
        column.cells.push_back(info.name == "parent_id"     ? Cell(entry.parent)
                               : info.name == "key"         ? Cell(entry.key)
                               : is_false && !is_given      ? Cell(false)
                               : found == entry.value.end() ? Cell()
                                                            : found->second);
      }
      if (is_used) {
        table.columns.push_back(std::move(column));
      }
    }
    tables_[kind] = std::move(table);
  }

  /// Gives ids to all that may own attributes, and returns them.
  std::set<uint64_t> Owners(TableKind attributes) {
    const TableInfo& info = GetTable(attributes);
    const TableKind parent = info.parent.value_or(RootTable(signal_));
    if (!tables_.contains(parent)) {
      return {};
    }
    CellTable& table = tables_[parent];
    std::vector<CellColumn>* columns = &table.columns;
    if (!info.parent.has_value()) {
      const char* group = attributes == TableKind::kResourceAttrs ? "resource" : "scope";
      CellColumn& column = Require(table.columns, GetTable(parent).columns, group, table.num_rows);
      for (size_t row = 0; row < static_cast<size_t>(table.num_rows); ++row) {
        if (IsNull(column.cells[row])) {
          column.cells[row] = true;
          for (CellColumn& child : column.children) {
            child.cells[row] = Cell();
          }
        }
      }
      columns = &column.children;
    }
    const Column& parent_column = *FindColumn(info.columns, "parent_id");
    CellColumn& ids = Require(*columns, {}, "id", table.num_rows);
    ids.type = NativeType(parent_column);
    std::set<uint64_t> owners;
    for (size_t row = 0; row < ids.cells.size(); ++row) {
      if (IsNull(ids.cells[row])) {
        ids.cells[row] = info.parent.has_value() ? uint64_t{40'000 + row} : uint64_t{50'000};
      }
      owners.insert(std::get<uint64_t>(ids.cells[row]));
    }
    return owners;
  }

  BatchPtr Build() {
    BatchBuilder builder(signal_);
    for (const auto& [kind, table] : tables_) {
      EXPECT_TRUE(builder.Set(kind, testing::BuildRecords(table).ValueOrDie()).ok());
    }
    return builder.Build();
  }

 private:
  /// Finds a column, or makes one of nulls in front (ids) or where the model has it (groups).
  static CellColumn& Require(std::vector<CellColumn>& columns, std::span<const Column> model,
                             const std::string& name, int64_t num_rows) {
    if (CellColumn* found = FindCells(columns, name)) {
      return *found;
    }
    CellColumn column;
    column.name = name;
    column.type = arrow::struct_({});
    column.cells.resize(static_cast<size_t>(num_rows));
    size_t place = 0;
    while (!model.empty() && place < columns.size() &&
           FindColumn(model, columns[place].name) < FindColumn(model, name)) {
      ++place;
    }
    return *columns.insert(columns.begin() + static_cast<int64_t>(place), std::move(column));
  }

  Signal signal_;
  std::map<TableKind, CellTable> tables_;
};

std::map<std::string, Cell> ValueCells(const AttributeValue& value) {
  std::map<std::string, Cell> cells;
  cells["type"] = static_cast<uint64_t>(TypeOf(value));
  constexpr std::array kNames = {"str", "int", "double", "bool"};
  std::visit([&](const auto& held) { cells[kNames[value.index()]] = held; }, value);
  return cells;
}

/// The bytes that are hashed, read off the cells.
std::string BytesOf(const Entry& entry) {
  constexpr std::array kNames = {"", "str", "int", "double", "bool", "ser", "ser", "bytes"};
  const uint64_t type = std::get<uint64_t>(entry.value.at("type"));
  const auto found = entry.value.find(kNames[type]);
  const Cell cell = found == entry.value.end() ? Cell() : found->second;
  if (type == 2) {
    return std::to_string(IsNull(cell) ? 0 : std::get<int64_t>(cell));
  }
  if (type == 3) {
    return fmt::format("{}", IsNull(cell) ? 0.0 : std::get<double>(cell));
  }
  if (type == 4) {
    const bool is_absent = found == entry.value.end();
    return is_absent ? "false" : IsNull(cell) ? "" : std::get<bool>(cell) ? "true" : "false";
  }
  return IsNull(cell) ? "" : std::get<std::string>(cell);
}

void NaiveEdit(TableKind kind, const AttributeAction& action, NaiveBatch* batch,
               AttributeCounts* counts) {
  std::vector<Entry> entries = batch->Entries(kind);
  std::set<uint64_t> have;
  int64_t count = 0;
  for (const Entry& entry : entries) {
    if (entry.key == action.key) {
      have.insert(entry.parent);
    }
  }
  using enum AttributeActionKind;
  if (action.kind == kDelete || action.kind == kRename) {
    std::erase_if(entries, [&](const Entry& entry) {
      const bool goes = action.kind == kDelete
                            ? entry.key == action.key
                            : entry.key == action.new_key && have.contains(entry.parent);
      count += action.kind == kDelete && goes ? 1 : 0;
      return goes;
    });
  }
  for (Entry& entry : entries) {
    if (entry.key != action.key) {
      continue;
    }
    if (action.kind == kRename) {
      entry.key = action.new_key;
      ++count;
    } else if (action.kind == kUpdate || action.kind == kUpsert) {
      entry.value = ValueCells(action.value);
      ++count;
    } else if (action.kind == kHash && std::get<uint64_t>(entry.value.at("type")) != 0) {
      entry.value = ValueCells(HashText(action.salt, BytesOf(entry)).ValueOrDie());
      ++count;
    }
  }
  if (action.kind == kInsert || action.kind == kUpsert) {
    for (const uint64_t owner : batch->Owners(kind)) {
      if (!have.contains(owner)) {
        entries.push_back({owner, action.key, ValueCells(action.value)});
        ++count;
      }
    }
  }
  (*counts)[static_cast<size_t>(action.kind)] += count;
  batch->SetEntries(kind, entries);
}

/// A key of the batch, mostly.
std::string DrawKey(RandomEngine& rng, const Batch& batch) {
  std::vector<std::string> keys = {"fresh"};
  for (const TableInfo& info : AllTables()) {
    if (info.is_attributes && batch.table(info.kind) != nullptr) {
      const BytesColumn column(batch.table(info.kind)->GetColumnByName("key"));
      const int64_t row = Between(rng, 0, batch.table(info.kind)->num_rows() - 1);
      keys.emplace_back(column.At(row));
    }
  }
  return keys[static_cast<size_t>(Between(rng, 0, static_cast<int64_t>(keys.size()) - 1))];
}

AttributeAction DrawAction(RandomEngine& rng, const Batch& batch) {
  AttributeAction action;
  action.kind = static_cast<AttributeActionKind>(Between(rng, 0, kNumAttributeActions - 1));
  action.key = DrawKey(rng, batch);
  action.new_key = DrawKey(rng, batch);
  if (action.new_key == action.key) {
    action.new_key += " renamed";
  }
  const std::array<AttributeValue, 4> values = {std::string("text"), int64_t{-7}, 2.5, true};
  action.value = values[static_cast<size_t>(Between(rng, 0, 3))];
  action.salt = Chance(rng, 0.5) ? "salt" : "";
  return action;
}

class AttributeEdit : public ::testing::TestWithParam<Signal> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_P(AttributeEdit, DoesWhatANaiveEditDoes) {
  constexpr std::array kOwners = {AttributeOwner::kSignal,    AttributeOwner::kResource,
                                  AttributeOwner::kScope,     AttributeOwner::kMetric,
                                  AttributeOwner::kSpanEvent, AttributeOwner::kSpanLink,
                                  AttributeOwner::kExemplar};
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    RandomBatchOptions options;
    options.root_rows = static_cast<int>(Between(rng, 1, 30));
    options.null_ids_for_bare_children = Chance(rng, 0.5);
    options.values.distinct_texts = static_cast<int>(Between(rng, 2, 24));
    options.missing_column = Chance(rng, 0.3) ? 0.5 : 0.1;
    const BatchPtr batch = RandomBatch(GetParam(), options, rng);
    std::vector<AttributeOwner> owners;
    for (const AttributeOwner owner : kOwners) {
      if (Chance(rng, 0.5)) {
        owners.push_back(owner);
      }
    }
    std::vector<AttributeAction> actions;
    std::string described;
    for (int64_t i = Between(rng, 1, 3); i > 0; --i) {
      actions.push_back(DrawAction(rng, *batch));
      described += fmt::format("{} '{}' '{}'; ", Name(actions.back().kind), actions.back().key,
                               actions.back().new_key);
    }
    SCOPED_TRACE(described);
    NaiveBatch naive(*batch);
    AttributeCounts expected_counts{};
    for (const TableInfo& info : AllTables()) {
      const auto owner = OwnerOf(info);
      if (!owner.has_value() || !info.has_signal(GetParam()) ||
          std::find(owners.begin(), owners.end(), *owner) == owners.end()) {
        continue;
      }
      for (const AttributeAction& action : actions) {
        NaiveEdit(info.kind, action, &naive, &expected_counts);
      }
    }
    AttributeCounts counts{};
    const auto edited = EditAttributes(batch, owners, actions, &counts);
    ASSERT_TRUE(edited.ok()) << edited.status();
    const arrow::Status valid = Validate(**edited);
    ASSERT_TRUE(valid.ok()) << valid;
    EXPECT_EQ(testing::DescribeDifference(testing::CanonicalRecords({naive.Build()}),
                                          testing::CanonicalRecords({*edited})),
              "");
    EXPECT_EQ(counts, expected_counts);
    const auto uncounted = EditAttributes(batch, owners, actions, nullptr).ValueOrDie();
    EXPECT_EQ(testing::CanonicalRecords({uncounted}), testing::CanonicalRecords({*edited}));
  }
}

TEST_P(AttributeEdit, ParentsWithAttributeAreThoseThatANaiveSearchFinds) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    const BatchPtr batch = RandomBatch(GetParam(), {}, rng);
    NaiveBatch naive(*batch);
    for (const TableInfo& info : AllTables()) {
      if (!info.is_attributes || batch->table(info.kind) == nullptr) {
        continue;
      }
      const std::vector<Entry> entries = naive.Entries(info.kind);
      const Entry& wanted =
          entries[static_cast<size_t>(Between(rng, 0, static_cast<int64_t>(entries.size()) - 1))];
      const uint64_t type = std::get<uint64_t>(wanted.value.at("type"));
      if (type < 1 || type > 2) {
        continue;
      }
      const std::string text = BytesOf(wanted);
      const AttributeValue value =
          type == 1 ? AttributeValue(text) : AttributeValue(int64_t{std::stoll(text)});
      std::set<uint64_t> expected;
      for (const Entry& entry : entries) {
        if (entry.key == wanted.key && std::get<uint64_t>(entry.value.at("type")) == type &&
            BytesOf(entry) == text) {
          expected.insert(entry.parent);
        }
      }
      const IdSet found =
          ParentsWithAttribute(batch->table(info.kind), {wanted.key, ValueMatcher(value)});
      for (const Entry& entry : entries) {
        EXPECT_EQ(found.Contains(static_cast<uint32_t>(entry.parent)),
                  expected.contains(entry.parent));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Signals, AttributeEdit, ::testing::ValuesIn(kAllSignals),
                         [](const auto& param) { return std::string(Name(param.param)); });

TEST(HashText, IsSha256OfSaltAndBytes) {
  EXPECT_EQ(HashText("", "abc").ValueOrDie(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashText("a", "bc").ValueOrDie(), HashText("ab", "c").ValueOrDie());
}

TEST(Rename, ToANewKeySharesAllButTheDictionary) {
  const auto rows = MakeAttributeRows(TableKind::kLogAttrs, std::vector<uint32_t>{0, 1, 2}, "old",
                                      std::string("value"))
                        .ValueOrDie();
  AttributeAction action;
  action.kind = AttributeActionKind::kRename;
  action.key = "old";
  action.new_key = "new";
  const auto renamed =
      EditAttributeTable(TableKind::kLogAttrs, rows, {}, action, nullptr).ValueOrDie();
  const auto& before = static_cast<const arrow::DictionaryArray&>(*rows->GetColumnByName("key"));
  const auto& after = static_cast<const arrow::DictionaryArray&>(*renamed->GetColumnByName("key"));
  EXPECT_EQ(before.indices()->data()->buffers[1], after.indices()->data()->buffers[1]);
  EXPECT_EQ(after.dictionary()->ToString(), "[\n  \"new\"\n]");
  EXPECT_EQ(rows->column_data(3), renamed->column_data(3));
}

TEST(Pattern, SaysWhereItIsWrong) {
  EXPECT_THAT(Pattern::Compile("ab(c").status().message(), ::testing::HasSubstr("missing )"));
  EXPECT_THAT(Pattern::Compile("ab[z-a]").status().message(),
              ::testing::HasSubstr("at character 4"));
}

// Waited for ever while functions of the RE2 inside Arrow were called in place of ours.
TEST(Pattern, MayEndAtTheEndOfTheTextOnly) {
  const Pattern pattern = Pattern::Compile("/3$").ValueOrDie();
  EXPECT_TRUE(pattern.Matches("/value/of/an/attribute/3"));
  EXPECT_FALSE(pattern.Matches("/value/3/of/an/attribute"));
}

TEST(ValueMatcher, PatternReadsNumbersAsText) {
  const auto rows =
      MakeAttributeRows(TableKind::kLogAttrs, std::vector<uint32_t>{4, 9}, "status", int64_t{503})
          .ValueOrDie();
  const ValueMatcher five(Pattern::Compile("^5..$").ValueOrDie());
  EXPECT_TRUE(ParentsWithAttribute(rows, {"status", five}).Contains(9));
  EXPECT_FALSE(ParentsWithAttribute(rows, {"other", five}).Contains(9));
  EXPECT_FALSE(
      ParentsWithAttribute(rows, {"status", ValueMatcher(AttributeValue(503.0))}).Contains(9));
}

}  // namespace
}  // namespace df::otap
