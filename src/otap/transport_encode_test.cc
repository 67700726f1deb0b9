#include "otap/transport_encode.h"

#include <random>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/id_encoding.h"
#include "otap/rows.h"
#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

class TransportEncode : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_F(TransportEncode, DecodesToTheSameRecords) {
  const unsigned seed =
      ::testing::UnitTest::GetInstance()->random_seed() != 0
          ? static_cast<unsigned>(::testing::UnitTest::GetInstance()->random_seed())
          : 1U;
  SCOPED_TRACE(seed);
  testing::RandomEngine rng(seed);
  for (int round = 0; round < 150; ++round) {
    testing::RandomBatchOptions options;
    options.null_ids_for_bare_children = round % 2 == 0;
    options.keep_empty_id_columns = round % 3 == 0;
    const auto batch = testing::RandomBatches(1, std::nullopt, options, rng).front();
    int64_t orphans = 0;
    const auto encoded = EncodeTransport(batch, &orphans);
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    EXPECT_EQ((*encoded)->id_encoding(), IdEncoding::kTransport);
    EXPECT_EQ(orphans, 0);
    const auto decoded = DecodeTransportIds(*encoded);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ASSERT_TRUE(Validate(**decoded).ok()) << Validate(**decoded);
    const auto expected = testing::CanonicalRecords({batch});
    const auto actual = testing::CanonicalRecords({*decoded});
    ASSERT_EQ(expected, actual) << testing::DescribeDifference(expected, actual);
  }
}

TEST_F(TransportEncode, IdsBecomeZerosAndOnes) {
  testing::RandomEngine rng(7);
  const auto batch = testing::RandomBatch(Signal::kTraces, {}, rng);
  int64_t orphans = 0;
  const auto encoded = EncodeTransport(batch, &orphans).ValueOrDie();
  const auto ids = FindArray(encoded->root(), "id");
  VisitIds(*ids, [](int64_t row, uint32_t id) { EXPECT_EQ(id, row == 0 ? 0U : 1U); });
}

TEST_F(TransportEncode, EveryIdFieldSaysHowItIsEncoded) {
  testing::RandomEngine rng(8);
  const testing::RandomBatchOptions options{.root_rows = 60, .null_struct = 0, .missing_column = 0};
  BatchPtr batch;
  do {
    batch = testing::RandomBatch(Signal::kMetrics, options, rng);
  } while (StoredGroupIds(batch->root(), "resource") == nullptr ||
           StoredGroupIds(batch->root(), "scope") == nullptr ||
           batch->table(TableKind::kNumberDpAttrs) == nullptr);
  int64_t orphans = 0;
  const auto encoded = EncodeTransport(batch, &orphans).ValueOrDie();
  const auto encoding = [](const arrow::Field& field) {
    return field.HasMetadata() ? field.metadata()->Get("encoding").ValueOr("") : std::string();
  };
  const auto& schema = *encoded->root()->schema();
  EXPECT_EQ(encoding(*schema.GetFieldByName("id")), "delta");
  for (const char* group : {"resource", "scope"}) {
    const auto& type = static_cast<const arrow::StructType&>(*schema.GetFieldByName(group)->type());
    EXPECT_EQ(encoding(*type.GetFieldByName("id")), "delta") << group;
  }
  const auto& points = encoded->table(TableKind::kNumberDataPoints);
  ASSERT_NE(points, nullptr);
  EXPECT_EQ(encoding(*points->schema()->GetFieldByName("parent_id")), "delta");
  const auto& attributes = encoded->table(TableKind::kNumberDpAttrs);
  ASSERT_NE(attributes, nullptr);
  EXPECT_EQ(encoding(*attributes->schema()->GetFieldByName("parent_id")), "quasidelta");
}

TEST_F(TransportEncode, OrphansAreDroppedAndCounted) {
  testing::RandomEngine rng(9);
  const auto batch =
      testing::RandomBatch(Signal::kLogs, {.without_attributes = 0, .sliced = 0}, rng);
  const auto& attributes = batch->table(TableKind::kLogAttrs);
  ASSERT_NE(attributes, nullptr);
  auto ids = std::make_shared<arrow::UInt16Array>(attributes->GetColumnByName("parent_id")->data());
  arrow::UInt16Builder builder;
  for (int64_t row = 0; row < ids->length(); ++row) {
    ASSERT_TRUE(builder.Append(row == 0 ? uint16_t{60000} : ids->Value(row)).ok());
  }
  BatchBuilder with_orphan(Signal::kLogs);
  for (const TableInfo& info : AllTables()) {
    auto table = batch->table(info.kind);
    if (info.kind == TableKind::kLogAttrs) {
      table = table->SetColumn(0, table->schema()->field(0), builder.Finish().ValueOrDie())
                  .ValueOrDie();
    }
    if (table != nullptr) {
      ASSERT_TRUE(with_orphan.Set(info.kind, table).ok());
    }
  }
  int64_t orphans = 0;
  const auto encoded = EncodeTransport(with_orphan.Build(), &orphans);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_EQ(orphans, 1);
  EXPECT_EQ((*encoded)->table(TableKind::kLogAttrs)->num_rows(), attributes->num_rows() - 1);
}

}  // namespace
}  // namespace df::otap
