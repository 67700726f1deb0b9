#include "lake/write/batch_rows.h"

#include <string>

#include <arrow/api.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

using otap::TableKind;

TEST(BatchRows, OurFilesPromiseNoAttributesThatThereAreNot) {
  arrow::UInt16Builder ids;
  ASSERT_TRUE(ids.AppendValues({0, 1, 2}).ok());
  ASSERT_TRUE(ids.AppendNull().ok());
  const auto logs = arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::uint16())}),
                                             4, {ids.Finish().ValueOrDie()});
  arrow::UInt16Builder parents;
  ASSERT_TRUE(parents.AppendValues({2, 0, 2}).ok());
  const auto attributes =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("parent_id", arrow::uint16())}), 3,
                               {parents.Finish().ValueOrDie()});
  constexpr uint32_t kFirstId = 100'000;
  const auto id_texts = [&](const std::shared_ptr<arrow::RecordBatch>& of) {
    BatchRows rows = TakeApart(TableKind::kLogs, logs, kFirstId).ValueOrDie();
    EXPECT_TRUE(NullBareIds(of, kFirstId, &rows).ok());
    std::string text;
    for (int64_t row = 0; row < 4; ++row) {
      text += rows.ids[0]->GetScalar(row).ValueOrDie()->ToString() + " ";
    }
    return text;
  };
  EXPECT_EQ(id_texts(attributes), "100000 null 100002 null ");
  EXPECT_EQ(id_texts(nullptr), "null null null null ");
}

}  // namespace
}  // namespace df::lake
