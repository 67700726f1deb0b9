#include "otap/time_shift.h"

#include <limits>
#include <string>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

using df::testing::CanonicalRecords;

constexpr int64_t kDay = 86'400'000'000'000;

class ShiftTimesOf : public ::testing::TestWithParam<Signal> {};

/// Compares the columns whose names say that they hold times, without asking the registry.
void ExpectShifted(const Batch& before, const Batch& after, int64_t nanos, int64_t* num_times) {
  for (const TableInfo& info : AllTables()) {
    const auto& old = before.table(info.kind);
    const auto& moved = after.table(info.kind);
    ASSERT_EQ(old == nullptr, moved == nullptr) << info.directory;
    if (old == nullptr) {
      continue;
    }
    ASSERT_TRUE(old->schema()->Equals(*moved->schema())) << info.directory;
    for (int i = 0; i < old->num_columns(); ++i) {
      const std::string& name = old->schema()->field(i)->name();
      if (!name.ends_with("time_unix_nano") || name.starts_with("duration")) {
        EXPECT_EQ(old->column_data(i), moved->column_data(i)) << info.directory << " " << name;
        continue;
      }
      for (int64_t row = 0; row < old->num_rows(); ++row) {
        const auto was = old->column(i)->GetScalar(row).ValueOrDie();
        const auto is = moved->column(i)->GetScalar(row).ValueOrDie();
        ASSERT_EQ(was->is_valid, is->is_valid) << info.directory << " " << name << " " << row;
        const auto value = static_cast<const arrow::TimestampScalar&>(*was).value;
        if (was->is_valid) {
          EXPECT_EQ(static_cast<const arrow::TimestampScalar&>(*is).value,
                    value == 0 ? 0 : value + nanos)
              << info.directory << " " << name << " " << row;
          *num_times += value == 0 ? 0 : 1;
        }
      }
    }
  }
}

TEST_P(ShiftTimesOf, EveryTimeMovesAndNothingElseDoes) {
  int64_t num_times = 0;
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    SCOPED_TRACE(seed);
    df::testing::RandomEngine random(seed);
    df::testing::RandomBatchOptions shape;
    const BatchPtr batch = df::testing::RandomBatch(GetParam(), shape, random);
    const ShiftedTimes later = ShiftTimes(batch, kDay).ValueOrDie();
    ASSERT_TRUE(Validate(*later.batch).ok()) << Validate(*later.batch);
    ExpectShifted(*batch, *later.batch, kDay, &num_times);
    const ShiftedTimes back = ShiftTimes(later.batch, -kDay).ValueOrDie();
    EXPECT_EQ(CanonicalRecords({back.batch}), CanonicalRecords({batch}));
    EXPECT_EQ(later.num_kept + back.num_kept, 0);
  }
  EXPECT_GT(num_times, 100);
}

INSTANTIATE_TEST_SUITE_P(Signals, ShiftTimesOf, ::testing::ValuesIn(kAllSignals),
                         [](const auto& one) { return std::string(Name(one.param)); });

BatchPtr LogsAt(const std::vector<int64_t>& times) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
  EXPECT_TRUE(builder.AppendValues(times).ok());
  const auto column = builder.Finish().ValueOrDie();
  BatchBuilder batch(Signal::kLogs);
  EXPECT_TRUE(batch
                  .Set(TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("time_unix_nano", column->type())}),
                           column->length(), {column}))
                  .ok());
  return batch.Build();
}

std::vector<int64_t> TimesOf(const Batch& batch) {
  const auto& column = static_cast<const arrow::TimestampArray&>(*batch.root()->column(0));
  return {column.raw_values(), column.raw_values() + column.length()};
}

TEST(ShiftTimes, ATimeWithoutAPlaceStaysAsItIs) {
  const ShiftedTimes earlier = ShiftTimes(LogsAt({0, 5, kDay, kDay + 1, -1}), -kDay).ValueOrDie();
  EXPECT_EQ(TimesOf(*earlier.batch), (std::vector<int64_t>{0, 5, kDay, 1, -1 - kDay}));
  EXPECT_EQ(earlier.num_kept, 2);
  // Times are unsigned: -1 is the last one there is, and 2^63 comes after the largest signed one.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const ShiftedTimes later = ShiftTimes(LogsAt({-1, kMost, -2}), 1).ValueOrDie();
  EXPECT_EQ(TimesOf(*later.batch),
            (std::vector<int64_t>{-1, std::numeric_limits<int64_t>::min(), -1}));
  EXPECT_EQ(later.num_kept, 1);
}

TEST(ShiftTimes, NothingIsCopiedForNothing) {
  const BatchPtr batch = LogsAt({1, 2});
  EXPECT_EQ(ShiftTimes(batch, 0).ValueOrDie().batch, batch);
}

}  // namespace
}  // namespace df::otap
