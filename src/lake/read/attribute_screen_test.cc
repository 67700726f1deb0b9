// Conditions on attributes give what they give in memory, and little is read for few.
#include "lake/read/attribute_screen.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lake/catalog/catalog.h"
#include "lake/read/partition_reader.h"
#include "otap/any_value.h"
#include "otap/rows.h"
#include "select/selector.h"
#include "testing/counted_reads.h"
#include "testing/far_tree.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::LakeLayout;
using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::TemporaryFolder;

std::shared_ptr<const select::Selector> SelectorOf(const std::string& text, otap::Signal signal) {
  select::Wishes wishes;
  wishes.where[static_cast<size_t>(signal)] = select::Condition::Compile(text, signal).ValueOrDie();
  for (const otap::Signal other : otap::kAllSignals) {
    if (other != signal) {
      wishes.where[static_cast<size_t>(other)] =
          select::Condition::Compile("true", other).ValueOrDie();
    }
  }
  return std::make_shared<const select::Selector>(std::move(wishes));
}

std::vector<otap::BatchPtr> SelectInMemory(const std::vector<otap::BatchPtr>& batches,
                                           const select::Selector& selector, int64_t* num_failed) {
  std::vector<otap::BatchPtr> selected;
  for (const otap::BatchPtr& batch : batches) {
    auto kept = selector.Select(batch).ValueOrDie();
    *num_failed += kept.num_roots_failed;
    if (kept.batch != nullptr && kept.batch->root() != nullptr) {
      selected.push_back(std::move(kept.batch));
    }
  }
  return selected;
}

/// Keys that a parent has twice: which comes first depends on how its rows are dealt out to files.
std::set<std::string> RepeatedKeys(const std::vector<otap::BatchPtr>& batches,
                                   otap::TableKind table) {
  std::set<std::string> repeated;
  for (const otap::BatchPtr& batch : batches) {
    if (batch->table(table) == nullptr) {
      continue;
    }
    const otap::BytesColumn keys(batch->table(table)->GetColumnByName("key"));
    std::set<std::pair<uint32_t, std::string>> seen;
    otap::VisitIds(*batch->table(table)->GetColumnByName("parent_id"),
                   [&](int64_t row, uint32_t parent) {
                     const std::string key(keys.At(row));
                     if (!seen.emplace(parent, key).second) {
                       repeated.insert(key);
                     }
                   });
  }
  return repeated;
}

/// A condition on an attribute of a table, or on one that is not there.
std::string DrawComparison(const std::vector<otap::BatchPtr>& batches, otap::TableKind table,
                           const std::string& path, RandomEngine& random) {
  std::vector<std::pair<std::string, std::string>>
      literals;  // key, and value as a condition has it
  const std::set<std::string> repeated = RepeatedKeys(batches, table);
  for (const otap::BatchPtr& batch : batches) {
    if (batch->table(table) == nullptr) {
      continue;
    }
    const otap::BytesColumn keys(batch->table(table)->GetColumnByName("key"));
    const auto values = otap::ValueColumns::Of(*batch->table(table));
    for (int64_t row = 0; row < batch->table(table)->num_rows(); ++row) {
      std::string literal = "\"other\"";
      if (values.TypeAt(row) == otap::ValueType::kText) {
        literal = fmt::format("\"{}\"", values.text().At(row));
      } else if (values.TypeAt(row) == otap::ValueType::kInteger) {
        literal = fmt::format("{}", values.IntegerAt(row));
      } else if (values.TypeAt(row) == otap::ValueType::kBool) {
        literal = values.BoolAt(row).value_or(false) ? "true" : "false";
      }
      const auto is_odd = [](char c) {
        return c == '"' || c == '\\' || (c & 0x80) != 0 || c < ' ';
      };
      const std::string key(keys.At(row));
      if (!repeated.contains(key) && std::none_of(key.begin(), key.end(), is_odd) &&
          std::none_of(literal.begin() + 1, literal.end() - 1, is_odd)) {
        literals.emplace_back(key, std::move(literal));
      }
    }
  }
  if (literals.empty() || random() % 8 == 0) {
    return fmt::format("{}[\"absent\"] == \"?\"", path);
  }
  const auto& [key, literal] = literals[random() % literals.size()];
  switch (random() % 5) {
    case 0:
      return fmt::format("{}[\"{}\"] != nil", path, key);
    case 1:
      return fmt::format("{} <= {}[\"{}\"]", literal, path, key);
    default:
      return fmt::format("{}[\"{}\"] == {}", path, key, literal);
  }
}

/// Of a signal: a condition with parts of the root table, of attributes, and of both.
std::string DrawCondition(const std::vector<otap::BatchPtr>& batches, otap::Signal signal,
                          RandomEngine& random) {
  const auto comparison = [&] {
    switch (random() % 4) {
      case 0:
        return DrawComparison(batches, otap::TableKind::kResourceAttrs, "resource.attributes",
                              random);
      case 1:
        return DrawComparison(batches, otap::TableKind::kScopeAttrs, "scope.attributes", random);
      default:
        break;
    }
    const auto table = signal == otap::Signal::kLogs     ? otap::TableKind::kLogAttrs
                       : signal == otap::Signal::kTraces ? otap::TableKind::kSpanAttrs
                                                         : otap::TableKind::kNumberDpAttrs;
    return DrawComparison(batches, table, "attributes", random);
  };
  const std::string root = signal == otap::Signal::kLogs     ? "severity_number < 15"
                           : signal == otap::Signal::kTraces ? "kind < 4"
                                                             : "metric.type > 0";
  // Has no answer for some bodies.
  const std::string fragile =
      signal == otap::Signal::kLogs ? "body[\"k\"] != 1" : "Len(attributes) < 9";
  switch (random() % 8) {
    case 0:
      return fmt::format("{} and {}", root, comparison());
    case 1:
      return fmt::format("{} and {}", comparison(), comparison());
    case 2:
      return fmt::format("{} or {}", comparison(), comparison());
    case 3:
      return fmt::format("({} or {}) and {}", comparison(), comparison(), comparison());
    case 4:
      return fmt::format("{} and {}", fragile, comparison());
    case 5:
      return fmt::format("{} and {}", comparison(), fragile);
    case 6:
      return fmt::format("{} or not ({})", root, comparison());
    default:
      return comparison();
  }
}

class AttributeScreenSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(AttributeScreenSeeds, GiveWhatTheyGiveInMemory) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  const auto layout = GetParam() % 2 == 0 ? LakeLayout::kOwn : LakeLayout::kUpstream;
  RandomEngine random(GetParam() + 31);
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  if (layout == LakeLayout::kUpstream) {
    shape = df::testing::JoinableUpstreamShape();
  }
  shape.root_rows = 60;
  const auto sent = df::testing::RandomBatches(6, std::nullopt, shape, random);
  const auto options = layout == LakeLayout::kUpstream
                           ? df::testing::JoinableUpstreamOptions(random)
                           : df::testing::RandomLakeOptions(layout, random);
  const df::testing::FarTree tree(sent, options);
  const auto store = tree.Open(
      {.request_bytes = 2'000, .hole_bytes = 100, .tail_bytes = 256, .cache_bytes = 1024});
  const ReadReport whole = df::testing::ReplayTree(tree.folder(), {}).report;
  ASSERT_EQ(whole.rows_without_resource, 0);
  ASSERT_EQ(whole.num_errors(), 0);
  for (int i = 0; i < 8; ++i) {
    const otap::Signal signal = otap::kAllSignals[random() % otap::kAllSignals.size()];
    const std::string text = DrawCondition(sent, signal, random);
    SCOPED_TRACE(text);
    ReadOptions read;
    read.batch_size = std::vector<int64_t>{1, 7, 8192}[random() % 3];
    read.selector = SelectorOf(text, signal);
    const Replayed replayed = df::testing::ReplayTree(tree.folder(), read);
    int64_t num_failed = 0;
    df::testing::ExpectSameRecords(SelectInMemory(sent, *read.selector, &num_failed), replayed);
    const Replayed far = df::testing::ReplayTree("b", read, store.get());
    df::testing::ExpectSameRecords(replayed.batches, far);
    EXPECT_EQ(store->ahead_left(), store->ahead_bytes());
    int64_t num_unanswered = 0;
    for (const TableCounts& counts : replayed.report.tables) {
      num_unanswered += counts.rows_dropped[static_cast<size_t>(DropReason::kUnanswered)];
    }
    EXPECT_EQ(num_unanswered, num_failed);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, AttributeScreenSeeds, ::testing::Range<uint64_t>(0, 10));

/// Log records that have a time, an attribute `user` of their own, `color`, one of five texts, or
/// in place of these maps that are broken, and `shard`, one of seven integers.
otap::BatchPtr LogsWithUsers(int64_t first, int64_t num_rows, bool has_broken_colors = false) {
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                arrow::default_memory_pool());
  arrow::UInt16Builder ids;
  arrow::UInt16Builder parents;
  arrow::StringBuilder keys;
  arrow::UInt8Builder types;
  arrow::StringBuilder texts;
  arrow::BinaryBuilder maps;
  arrow::Int64Builder integers;
  for (int64_t row = 0; row < num_rows; ++row) {
    EXPECT_TRUE(times.Append(1'000'000 + first + row).ok());
    EXPECT_TRUE(ids.Append(static_cast<uint16_t>(row)).ok());
    for (const auto& [key, text] : {std::pair("user", fmt::format("user-{}", first + row)),
                                    std::pair("color", fmt::format("color-{}", row % 5))}) {
      EXPECT_TRUE(parents.Append(static_cast<uint16_t>(row)).ok());
      EXPECT_TRUE(keys.Append(key).ok());
      const bool is_broken = has_broken_colors && keys.length() % 3 == 2;
      EXPECT_TRUE(types.Append(is_broken ? 5 : 1).ok());
      EXPECT_TRUE((is_broken ? texts.AppendNull() : texts.Append(text)).ok());
      EXPECT_TRUE((is_broken ? maps.Append("\xA1") : maps.AppendNull()).ok());
      EXPECT_TRUE(integers.AppendNull().ok());
    }
    EXPECT_TRUE(parents.Append(static_cast<uint16_t>(row)).ok());
    EXPECT_TRUE(keys.Append("shard").ok());
    EXPECT_TRUE(types.Append(2).ok());
    EXPECT_TRUE(texts.AppendNull().ok());
    EXPECT_TRUE(maps.AppendNull().ok());
    EXPECT_TRUE(integers.Append(row % 7).ok());
  }
  const auto table =
      [](std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>> columns) {
        arrow::FieldVector fields;
        arrow::ArrayVector arrays;
        for (auto& [name, array] : columns) {
          fields.push_back(arrow::field(name, array->type()));
          arrays.push_back(std::move(array));
        }
        return arrow::RecordBatch::Make(arrow::schema(fields), arrays.front()->length(), arrays);
      };
  otap::BatchBuilder builder(otap::Signal::kLogs);
  EXPECT_TRUE(
      builder
          .Set(otap::TableKind::kLogs, table({{"id", ids.Finish().ValueOrDie()},
                                              {"time_unix_nano", times.Finish().ValueOrDie()}}))
          .ok());
  EXPECT_TRUE(
      builder
          .Set(otap::TableKind::kLogAttrs, table({{"parent_id", parents.Finish().ValueOrDie()},
                                                  {"key", keys.Finish().ValueOrDie()},
                                                  {"type", types.Finish().ValueOrDie()},
                                                  {"str", texts.Finish().ValueOrDie()},
                                                  {"int", integers.Finish().ValueOrDie()},
                                                  {"ser", maps.Finish().ValueOrDie()}}))
          .ok());
  return builder.Build();
}

/// Replays a selection of a tree; returns the share of its bytes that is read.
double ShareRead(const TemporaryFolder& folder, const std::string& text, Replayed* replayed) {
  int64_t size_bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    size_bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  ReadOptions options;
  options.selector = SelectorOf(text, otap::Signal::kLogs);
  const auto files = std::make_shared<df::testing::CountedFileSystem>();
  const auto store =
      storage::Store::Over(storage::ParseStoreUri(folder.path().string()).ValueOrDie(), {}, files);
  *replayed = df::testing::ReplayTree(folder.path(), options, store.get());
  EXPECT_EQ(replayed->report.num_errors(), 0) << df::testing::Messages(*replayed);
  return static_cast<double>(files->num_bytes()) / static_cast<double>(size_bytes);
}

TEST(AttributeScreen, LittleIsReadForRareAttributes) {
  constexpr int64_t kFiles = 6;
  constexpr int64_t kRows = 20'000;
  std::vector<otap::BatchPtr> sent;
  for (int64_t file = 0; file < kFiles; ++file) {
    sent.push_back(LogsWithUsers(file * kRows, kRows));
  }
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(
                  folder.path(), sent,
                  {.layout = LakeLayout::kOwn, .root_rows_per_file = 1, .rows_per_page = 1'000}, 3)
                  .ok());
  Replayed replayed;
  // An absent key is in no dictionary: the ids are read, which are plain here.
  EXPECT_LT(ShareRead(folder, "attributes[\"tenant\"] == \"a\"", &replayed), 0.35);
  EXPECT_EQ(replayed.report.items, 0);
  EXPECT_EQ(replayed.report.skipped(SkipCause::kAttributes).row_groups, kFiles);
  EXPECT_LT(ShareRead(folder, "resource.attributes[\"service.name\"] == \"a\"", &replayed), 0.05);
  EXPECT_EQ(replayed.report.items, 0);
  ShareRead(folder, "attributes[\"shard\"] == 3", &replayed);
  EXPECT_EQ(replayed.report.items, kFiles * ((kRows + 3) / 7));
  ShareRead(folder, "attributes[\"shard\"] == 7", &replayed);
  EXPECT_EQ(replayed.report.items, 0);
  EXPECT_EQ(replayed.report.skipped(SkipCause::kAttributes).row_groups, kFiles);
  for (const auto& [color, num_items] : {std::pair("color-3", 1), std::pair("color-2", 0)}) {
    ShareRead(
        folder,
        fmt::format("attributes[\"color\"] == \"{}\" and attributes[\"user\"] == \"user-33333\"",
                    color),
        &replayed);
    EXPECT_EQ(replayed.report.items, num_items);
  }
}

/// Where each question looks at the whole table the screen gives up: the sum of them stays linear.
TEST(AttributeScreen, GivesUpWhereItLooksAtTheSameRowsAgainAndAgain) {
  constexpr int64_t kRows = 2'000;
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), {LogsWithUsers(0, kRows)},
                                     {.layout = LakeLayout::kOwn, .row_group_rows = 500}, 3)
                  .ok());
  const auto store = storage::Store::Local();
  const std::string base = folder.path().string();
  const auto listing = ListLake(*store, base, {otap::Signal::kLogs}).ValueOrDie();
  ReadReport report;
  const PartitionFiles files = LoadPartition(*store, base, listing.partitions.at(0), &report);
  MemoryBudget budget(int64_t{64} << 20);
  ReadContext context{.store = store.get(), .base = base, .budget = &budget, .report = &report};
  context.slice_bytes = 1 << 20;
  context.make_room = [] {};
  AttributeScreen screen(otap::TableKind::kLogAttrs, files.of(otap::TableKind::kLogAttrs),
                         {{.key = "user", .text = "user-1999", .integer = std::nullopt}}, &context);
  IdColumn ids;
  ids.values = {0, kRows - 1, kRows - 1};
  int num_answers = 0;
  auto answer = screen.Ask(ids, otap::RowSet(3, true));
  for (; answer.ok() && num_answers < 1'000; answer = screen.Ask(ids, otap::RowSet(3, true))) {
    EXPECT_EQ(answer->at(0), AttributeMatch::kWithout);
    EXPECT_EQ(answer->at(1), AttributeMatch::kWith);
    EXPECT_EQ(answer->at(2), AttributeMatch::kWith);
    ++num_answers;
  }
  EXPECT_GE(num_answers, 3);
  EXPECT_LE(num_answers, 3 * AttributeScreen::kMostVisits);  // three rows a parent
  EXPECT_TRUE(answer.status().IsCapacityError()) << answer.status();
  EXPECT_FALSE(screen.Ask(ids, otap::RowSet(3, true)).ok());
  EXPECT_GT(budget.peak_bytes(), 0);
}

/// A condition that fails for an attribute has no answer, whatever the parts behind it say.
TEST(AttributeScreen, BrokenValuesAreNotTakenForAbsentOnes) {
  constexpr int64_t kRows = 100;
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), {LogsWithUsers(0, kRows, true)},
                                     {.layout = LakeLayout::kOwn}, 3)
                  .ok());
  ReadOptions options;
  options.selector = SelectorOf("attributes[\"color\"] == 1 and attributes[\"user\"] == \"nobody\"",
                                otap::Signal::kLogs);
  const Replayed replayed = df::testing::ReplayTree(folder.path(), options);
  EXPECT_EQ(replayed.report.items, 0);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs)
                .rows_dropped[static_cast<size_t>(DropReason::kUnanswered)],
            kRows);
}

}  // namespace
}  // namespace df::lake
