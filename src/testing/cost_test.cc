#include "testing/cost.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::testing {
namespace {

using ::testing::HasSubstr;

/// Appends to a text, `is_copied` again and again.
std::function<void()> Append(int64_t n, bool is_copied) {
  return [n, is_copied] {
    std::string text;
    for (int64_t i = 0; i < n; ++i) {
      text =
          is_copied ? std::string(text).append("0123456789") : std::move(text.append("0123456789"));
    }
  };
}

TEST(Cost, TellsSquaresFromLines) {
  EXPECT_EQ(WhyNotLinear(4000, [](int64_t n) { return Append(n, false); }), "");
  EXPECT_NE(WhyNotLinear(1000, [](int64_t n) { return Append(n, true); }), "");
}

TEST(Cost, CountsSquaresThatTakeNoMemory) {
  const auto compare = [](int64_t n) {
    return [n, numbers = std::make_shared<std::vector<int64_t>>(static_cast<size_t>(n))] {
      volatile int64_t sum = 0;
      for (const int64_t a : *numbers) {
        for (const int64_t b : *numbers) {
          sum = sum + (a ^ b);
        }
      }
    };
  };
  // So many that what clocks may add does not hide them on a fast machine.
  EXPECT_THAT(WhyNotLinear(3000, compare), HasSubstr("s of CPU"));
}

}  // namespace
}  // namespace df::testing
