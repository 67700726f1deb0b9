#include "lake/lists/line_reader.h"

#include <memory>
#include <string>
#include <vector>

#include <arrow/io/memory.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Lines(const std::string& text, size_t max_line_bytes) {
  LineReader reader(std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(text)),
                    max_line_bytes);
  std::vector<std::string> lines;
  while (const auto line = reader.Next().ValueOrDie()) {
    lines.push_back(std::to_string(line->number) + " " + std::string(line->text) +
                    (line->is_too_long ? " .." : ""));
  }
  return lines;
}

TEST(LineReader, GivesLinesWithTheirNumbersAndPassesOverBlankOnes) {
  EXPECT_THAT(Lines("a\n\n \t\r\nb\n", 10), ElementsAre("1 a", "4 b"));
  EXPECT_THAT(Lines("a\nb", 10), ElementsAre("1 a", "2 b"));
  EXPECT_THAT(Lines("", 10), ElementsAre());
}

TEST(LineReader, KeepsTheBeginningOfALineThatIsTooLong) {
  EXPECT_THAT(Lines("abcdef\nghi\n", 3), ElementsAre("1 abc ..", "2 ghi"));
}

TEST(LineReader, PutsLinesTogetherThatLieInTwoPieces) {
  const std::string first((size_t{1} << 20) - 1, 'x');
  const std::string second(size_t{3} << 20, 'y');
  EXPECT_THAT(Lines(first + "\n" + second + "\nz", size_t{4} << 20),
              ElementsAre("1 " + first, "2 " + second, "3 z"));
}

}  // namespace
}  // namespace df::lake
