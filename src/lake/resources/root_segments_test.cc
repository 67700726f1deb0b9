// Rows are cut in the same places whether they come one by one or a row group at a time.
#include "lake/resources/root_segments.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <arrow/buffer_builder.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

/// A column from values, -1 = null.
IdColumn ColumnOf(const std::vector<int64_t>& values) {
  IdColumn column;
  arrow::TypedBufferBuilder<bool> validity;
  for (const int64_t value : values) {
    column.values.push_back(static_cast<uint32_t>(value < 0 ? 0 : value));
    column.num_valid += value < 0 ? 0 : 1;
    EXPECT_TRUE(validity.Append(value >= 0).ok());
  }
  if (column.num_valid < std::ssize(values)) {
    column.validity = validity.Finish().ValueOrDie();
  }
  return column;
}

/// Rows of one file: id, resource and scope of each; -1 = null.
struct Rows {
  std::vector<int64_t> ids;
  std::vector<int64_t> resources;
  std::vector<int64_t> scopes;

  RootIds Part(size_t first, size_t count) const {
    const auto part = [&](const std::vector<int64_t>& all) {
      const auto begin = all.begin() + static_cast<ptrdiff_t>(first);
      return ColumnOf({begin, begin + static_cast<ptrdiff_t>(count)});
    };
    return {.ids = part(ids), .resource_ids = part(resources), .scope_ids = part(scopes)};
  }
};

Rows RandomRows(std::mt19937* random, int64_t* id) {
  auto one_in = [random](uint32_t n) { return (*random)() % n == 0; };
  Rows rows;
  const uint32_t nulls = one_in(2) ? 9 : 1'000'000;  // one row in so many
  int64_t resource = 0;
  int64_t scope = 0;
  for (size_t count = (*random)() % 60; count > 0; --count) {
    *id += one_in(20) ? 2 : 1;
    *id -= one_in(100) ? 5 : 0;
    *id = std::max<int64_t>(*id, 0);
    if (one_in(15)) {  // a batch
      resource = scope = 0;
    } else if (one_in(6)) {
      resource += one_in(2) ? 1 : 0;
      ++scope;
    }
    rows.ids.push_back(one_in(nulls) ? -1 : *id);
    rows.resources.push_back(one_in(nulls) ? -1 : resource);
    rows.scopes.push_back(one_in(nulls) ? -1 : scope);
  }
  return rows;
}

std::vector<RootFileSource> SourcesOf(const std::vector<Rows>& files, size_t rows_per_group) {
  std::vector<RootFileSource> sources;
  for (size_t i = 0; i < files.size(); ++i) {
    const Rows& rows = files[i];
    const size_t num_rows = rows.ids.size();
    sources.push_back(
        {.num_row_groups = static_cast<int>((num_rows + rows_per_group - 1) / rows_per_group),
         .starts_batch = i % 2 == 0,
         .read = [&rows, num_rows, rows_per_group](int group) -> Result<RootIds> {
           const size_t first = static_cast<size_t>(group) * rows_per_group;
           return rows.Part(first, std::min(rows_per_group, num_rows - first));
         }});
  }
  return sources;
}

std::string ToText(const RootSegment& s) {
  const auto range = [](const IdRange& ids) { return fmt::format("{}..{}", ids.min, ids.max); };
  return fmt::format(
      "file {} row {} after {} reason {} ids {} to {} first row {} head {} {} tail {} {} {} rising "
      "{} doubtful {} first {} {} nested {} {} single {} lead {} behind {}",
      s.file, s.first_row, s.after_previous, static_cast<int>(s.reason),
      s.first_id.has_value() ? int64_t{*s.first_id} : -1, s.last_id, s.first_id_row,
      range(s.head_resources), range(s.head_scopes), s.tail_row, range(s.tail_resources),
      range(s.tail_scopes), s.has_rising_ids, s.is_doubtful, s.first.resource, s.first.scope,
      range(s.resources), range(s.scopes), s.is_single_group, s.lead_limit_id, s.behind_previous);
}

TEST(RootSegments, AreTheSameHoweverRowsCome) {
  size_t num_segments = 0;
  for (uint32_t seed = 0; seed < 3000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    int64_t id = random() % 50;
    std::vector<Rows> files(1 + random() % 3);
    for (Rows& rows : files) {
      rows = RandomRows(&random, &id);
    }
    // A row group of one row has no successors in it.
    const auto one_by_one = CutRoots(SourcesOf(files, 1)).ValueOrDie();
    const auto together = CutRoots(SourcesOf(files, 1 + random() % 40)).ValueOrDie();
    ASSERT_EQ(one_by_one.size(), together.size());
    num_segments += together.size();
    for (size_t i = 0; i < together.size(); ++i) {
      EXPECT_EQ(ToText(one_by_one[i]), ToText(together[i]));
    }
  }
  EXPECT_GT(num_segments, 10'000U);
}

}  // namespace
}  // namespace df::lake
