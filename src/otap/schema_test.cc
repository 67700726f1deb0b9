#include "otap/schema.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace df::otap {
namespace {

TEST(Schema, EveryTableIsFoundByNumberAndDirectory) {
  std::set<std::string_view> directories;
  for (const TableInfo& table : AllTables()) {
    EXPECT_EQ(FindTable(table.directory), &table);
    EXPECT_EQ(FindTable(static_cast<int>(table.kind)), &table);
    EXPECT_EQ(&GetTable(table.kind), &table);
    directories.insert(table.directory);
  }
  EXPECT_EQ(directories.size(), kTableCount);
  EXPECT_EQ(FindTable("foo_attrs"), nullptr);
  EXPECT_EQ(FindTable(0), nullptr);
  EXPECT_EQ(FindTable(27), nullptr);
  EXPECT_EQ(FindTable(46), nullptr);
  EXPECT_EQ(FindTable(-1), nullptr);
}

TEST(Schema, IdWidthsAgreeWithTheColumns) {
  for (const TableInfo& table : AllTables()) {
    SCOPED_TRACE(std::string(table.directory));
    const Column* id = FindColumn(table.columns, "id");
    const Column* parent = FindColumn(table.columns, "parent_id");
    EXPECT_EQ(table.id_bits == 0, id == nullptr);
    EXPECT_EQ(table.parent_id_bits == 0, parent == nullptr);
    if (id != nullptr) {
      EXPECT_EQ(id->type, table.id_bits == 16 ? ColumnType::kUInt16 : ColumnType::kUInt32);
    }
    if (parent != nullptr) {
      EXPECT_EQ(parent->type,
                table.parent_id_bits == 16 ? ColumnType::kUInt16 : ColumnType::kUInt32);
    }
    if (table.parent.has_value()) {
      EXPECT_EQ(GetTable(*table.parent).id_bits, table.parent_id_bits);
      EXPECT_EQ(GetTable(*table.parent).signals, table.signals);
    }
  }
}

TEST(Schema, SignalsHaveTheirTables) {
  std::array<int, 3> count{};
  for (const TableInfo& table : AllTables()) {
    for (const Signal signal : kAllSignals) {
      count[static_cast<size_t>(signal)] += table.has_signal(signal) ? 1 : 0;
    }
  }
  EXPECT_EQ(count, (std::array<int, 3>{4, 8, 19}));
}

}  // namespace
}  // namespace df::otap
