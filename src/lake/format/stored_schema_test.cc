#include "lake/format/stored_schema.h"

#include <random>
#include <string>

#include <arrow/util/base64.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

TEST(StoredSchema, Base64IsWhatArrowReads) {
  std::mt19937 random(11);
  int num_damaged = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::string bytes(random() % 40, 0);
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    std::string text = arrow::util::base64_encode(bytes);
    EXPECT_EQ(DecodeBase64(text).ValueOrDie(), bytes);
    if (text.empty()) {
      continue;
    }
    switch (random() % 3) {
      case 0:
        text[random() % text.size()] = static_cast<char>(random());
        break;
      case 1:
        text.pop_back();
        break;
      default:
        text[random() % text.size()] = '=';
    }
    const auto ours = DecodeBase64(text);
    const auto arrows = arrow::util::base64_decode(text);
    ASSERT_EQ(ours.ok(), arrows.ok()) << text << " " << arrows.status();
    if (ours.ok()) {
      EXPECT_EQ(*ours, *arrows) << text;
    } else {
      ++num_damaged;
    }
  }
  EXPECT_GT(num_damaged, 10'000);
}

}  // namespace
}  // namespace df::lake
