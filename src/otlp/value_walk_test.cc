// Nested values that are damaged: whatever the bytes, what is written is whole or refused.
#include "otlp/value_walk.h"

#include <random>
#include <string>

#include <arrow/util/string.h>
#include <cbor.h>
#include <gtest/gtest.h>

#include "otlp/compare/canonical_text.h"
#include "otlp/proto_writer.h"
#include "testing/random_value.h"

namespace df::otlp {
namespace {

/// Tells whether the library builds a tree of all the bytes, and of what this product can hold.
bool IsReadable(const std::string& bytes) {
  cbor_load_result result{};
  cbor_item_t* item =
      cbor_load(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), &result);
  if (item == nullptr) {
    return false;
  }
  cbor_decref(&item);
  return result.read == bytes.size();
}

class DamagedCbor : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, DamagedCbor, ::testing::Range(1, 31));

TEST_P(DamagedCbor, IsRefusedOrIsWhatTheLibraryCanRead) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  testing::RandomValues values(rng, {});
  int num_valid = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = values.Cbor(testing::Chance(rng, 0.5));
    for (int64_t damage = testing::Between(rng, 0, 2); damage > 0 && !bytes.empty(); --damage) {
      const auto at =
          static_cast<size_t>(testing::Between(rng, 0, static_cast<int64_t>(bytes.size()) - 1));
      if (testing::Chance(rng, 0.3)) {
        bytes.resize(at);
      } else {
        bytes[at] = static_cast<char>(testing::Between(rng, 0, 255));
      }
    }
    std::string buffer;
    ProtoWriter writer(&buffer);
    if (CborWalk<ProtoWriter>(bytes, kBodyLevel, &writer).WriteAll()) {
      ++num_valid;
      EXPECT_TRUE(IsReadable(bytes))
          << "seed " << GetParam() << " round " << round << " " << arrow::HexEncode(bytes);
      EXPECT_NO_THROW(CanonicalText(kAnyValueShape, writer.written(), {}));
    }
  }
  EXPECT_GT(num_valid, 30) << "seed " << GetParam();
}

}  // namespace
}  // namespace df::otlp
