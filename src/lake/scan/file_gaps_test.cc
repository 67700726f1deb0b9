// Rows between the files of a table, counted one by one.
#include "lake/scan/file_gaps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "lake/format/id_ranges.h"

namespace df::lake {
namespace {

FileSummaryPtr FileOf(std::optional<IdRange> parents) {
  auto file = std::make_shared<FileSummary>();
  file->kind = otap::TableKind::kSpanAttrs;
  file->row_groups.push_back({.num_rows = 1, .parent_ids = parents});
  return file;
}

TEST(FileGaps, FindsTheLargestPlaceWhereverPayloadsAreCut) {
  int num_found = 0;
  for (uint32_t seed = 0; seed < 2000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<FileSummaryPtr> files;
    std::vector<IdRange> ranges;
    for (uint32_t at = random() % 50; ranges.size() < 1 + random() % 8;) {
      const uint32_t last = at + random() % 60;
      ranges.push_back({at, last});
      at = last - std::min<uint32_t>(last, random() % 5) + 1 + random() % 30;  // some overlap
    }
    std::shuffle(ranges.begin(), ranges.end(), random);
    for (const IdRange& range : ranges) {
      files.push_back(FileOf(range));
    }
    FileGaps gaps(files);
    std::map<uint32_t, FileGaps::Gap> places;  // by the end of the file in front
    int64_t num_rows = 0;
    int64_t num_with = 0;
    const FileSummaryPtr root = FileOf(std::nullopt);
    for (uint32_t id = 0; id < 500;) {
      std::vector<uint32_t> ids(random() % 40);
      int64_t num_with_here = 0;
      for (uint32_t& next : ids) {
        id += 1 + random() % 3;
        next = id;
        uint32_t before = 0;
        bool is_covered = false;
        for (const IdRange& range : ranges) {
          is_covered = is_covered || (range.min <= id && id <= range.max);
          before = range.max < id ? std::max(before, range.max + 1) : before;
        }
        num_with_here += is_covered && random() % 10 != 0 ? 1 : 0;
        if (!is_covered) {
          ++places[before].num_rows;
          Extend(&places[before].ids, id);
        }
      }
      if (random() % 4 == 0) {
        std::shuffle(ids.begin(), ids.end(), random);
      }
      id += ids.empty() ? 1 : 0;
      num_rows += std::ssize(ids);
      num_with += num_with_here;
      gaps.Add(root, ids, num_with_here);
    }
    FileGaps::Gap largest;
    for (const auto& [before, place] : places) {
      largest = place.num_rows > largest.num_rows ? place : largest;
    }
    const auto found = gaps.Find();
    const auto others = static_cast<double>(num_rows - largest.num_rows);
    const double share = (static_cast<double>(num_with) + 1) / (others + 2);
    const double chance = std::pow(1 - share, static_cast<double>(largest.num_rows));
    if (num_with == 0 || largest.num_rows == 0 || chance > 1e-5) {
      EXPECT_FALSE(found.has_value());
      continue;
    }
    if (chance * 9 > 1e-5) {
      continue;  // depends on the number of places
    }
    ASSERT_TRUE(found.has_value());
    ++num_found;
    EXPECT_EQ(found->num_rows, largest.num_rows);
    EXPECT_EQ(found->num_with, num_with);
    EXPECT_EQ(found->num_others, num_rows - largest.num_rows);
  }
  EXPECT_GT(num_found, 500);
}

TEST(FileGaps, SaysNothingWithoutStatisticsOrWhereTheyAreWrong) {
  const FileSummaryPtr root = FileOf(std::nullopt);
  std::vector<uint32_t> ids(100);
  for (uint32_t i = 0; i < 100; ++i) {
    ids[i] = i;
  }
  const auto find = [&](const std::vector<FileSummaryPtr>& files) {
    FileGaps gaps(files);
    gaps.Add(root, ids, 50);
    return gaps.Find();
  };
  const FileSummaryPtr first = FileOf(IdRange{0, 24});
  const FileSummaryPtr last = FileOf(IdRange{75, 99});
  const auto found = find({last, first});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(ToText(found->ids), "ids 25 to 74");
  EXPECT_FALSE(find({first, last, FileOf(std::nullopt)}).has_value());
  first->parent_statistics = FileSummary::Trust::kWrong;
  EXPECT_FALSE(find({first, last}).has_value());
}

TEST(FileGaps, ARootFileWithoutChildrenIsTheOnlyOne) {
  std::vector<FileSummaryPtr> roots;
  std::vector<FileSummaryPtr> files;
  for (uint32_t i = 0; i < 5; ++i) {
    roots.push_back(FileOf(std::nullopt));
    if (i != 2 && i != 4) {
      files.push_back(FileOf(IdRange{i * 10 + 2, i * 10 + 5}));
    }
  }
  FileGaps gaps(files);
  for (uint32_t i = 0; i < 4; ++i) {
    const std::vector<uint32_t> ids = {i * 10 + 2, i * 10 + 5, i * 10 + 7};
    gaps.Add(roots[i], ids, i == 2 ? 0 : 2);
  }
  const auto bare = gaps.FindBareFile(3);
  ASSERT_TRUE(bare.has_value());
  EXPECT_EQ(bare->root, roots[2]);
  EXPECT_EQ(bare->num_rows, 3);
  EXPECT_EQ(bare->num_others, 3);
  EXPECT_FALSE(gaps.FindBareFile(4).has_value()) << "chance leaves three rows bare";
  gaps.Add(roots[4], std::vector<uint32_t>{42, 45}, 0);
  EXPECT_FALSE(gaps.FindBareFile(3).has_value()) << "there are two";
}

}  // namespace
}  // namespace df::lake
