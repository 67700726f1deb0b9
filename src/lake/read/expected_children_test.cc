// The stretch that is named is the one that looking at every row finds.
#include "lake/read/expected_children.h"

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

using otap::TableKind;

struct Row {
  uint32_t id = 0;
  bool is_null = false;
  bool has_child = false;
};

/// Payloads whose rows nearly all have children, but for stretches; some ids are null or come
/// twice.
std::vector<std::vector<Row>> RandomPayloads(std::mt19937* random) {
  std::vector<std::vector<Row>> payloads(1 + (*random)() % 4);
  uint32_t id = (*random)() % 100;
  uint32_t bare = 0;  // rows of the stretch that are still to come
  for (std::vector<Row>& rows : payloads) {
    rows.resize((*random)() % 400);
    for (Row& row : rows) {
      if (bare == 0 && (*random)() % 150 == 0) {
        bare = (*random)() % 60;
      }
      row = {.id = id, .is_null = (*random)() % 50 == 0, .has_child = bare == 0};
      id += (*random)() % 60 == 0 ? 0 : 1 + (*random)() % 3;
      bare -= bare > 0 ? 1 : 0;
    }
  }
  return payloads;
}

struct Stretch {
  int64_t num_rows = 0;
  IdRange ids = kEmptyIdRange;
};

/// Looks at one row after the other.
Stretch LongestOf(const std::vector<std::vector<Row>>& payloads, int64_t* num_with,
                  int64_t* num_without) {
  Stretch longest;
  Stretch current;
  for (const std::vector<Row>& rows : payloads) {
    std::vector<uint32_t> seen;
    for (const Row& row : rows) {
      if (row.is_null || (!seen.empty() && seen.back() == row.id)) {
        continue;
      }
      seen.push_back(row.id);
      if (row.has_child) {
        ++*num_with;
        current = {};
        continue;
      }
      ++*num_without;
      ++current.num_rows;
      Extend(&current.ids, row.id);
      longest = current.num_rows > longest.num_rows ? current : longest;
    }
  }
  return longest;
}

/// Whether nine of ten other rows have children, and chance alone gives no such stretch.
bool IsWorthALine(int64_t stretch, int64_t num_with, int64_t num_without) {
  const auto others = static_cast<double>(num_with + num_without - stretch);
  const double share = static_cast<double>(num_with + 1) / (others + 2);
  return num_with > 0 && stretch >= 16 && share >= 0.9 &&
         others * std::pow(1 - share, static_cast<double>(stretch)) <= 1e-6;
}

TEST(ExpectedChildren, NamesTheLongestStretchWithoutChildren) {
  int num_named = 0;
  for (uint32_t seed = 0; seed < 3000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const std::vector<std::vector<Row>> payloads = RandomPayloads(&random);
    ExpectedChildren expected(TableKind::kSpans);
    for (const std::vector<Row>& rows : payloads) {
      IdColumn ids;
      for (const Row& row : rows) {
        ids.values.push_back(row.id);
      }
      const auto is_valid = [&](int64_t row) { return !rows[static_cast<size_t>(row)].is_null; };
      const IdMap map = IdMap::Make(ids.values.data(), std::ssize(rows), is_valid);
      std::vector<uint32_t> parents;
      for (size_t row = 0; row < rows.size(); ++row) {
        if (map.by_row()[row] >= 0 && rows[row].has_child) {
          parents.insert(parents.end(), 1 + random() % 3, static_cast<uint32_t>(map.by_row()[row]));
        }
      }
      RootRows root;
      root.num_rows = std::ssize(rows);
      root.ids = &ids;
      expected.Begin(root, map);
      EXPECT_EQ(expected.Mark(TableKind::kSpanAttrs, parents), 0);
      expected.Commit();
    }
    ReadReport report;
    expected.Name("", {}, &report);
    EXPECT_EQ(report.num_errors(), 0);
    int64_t num_with = 0;
    int64_t num_without = 0;
    const Stretch longest = LongestOf(payloads, &num_with, &num_without);
    if (!IsWorthALine(longest.num_rows, num_with, num_without)) {
      EXPECT_TRUE(report.notices.empty());
      continue;
    }
    ASSERT_EQ(report.notices.size(), 1U);
    ++num_named;
    const std::string wanted =
        fmt::format("found no row of span_attrs for {} rows of spans in succession ({}), while {} ",
                    longest.num_rows, ToText(longest.ids), num_with);
    EXPECT_EQ(report.notices[0].message.substr(0, wanted.size()), wanted);
  }
  EXPECT_GT(num_named, 500);
}

}  // namespace
}  // namespace df::lake
