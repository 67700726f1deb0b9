#include "base/terminal_line.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace df {
namespace {

/// What a terminal is sent.
class Sent {
 public:
  Sent() : stream_(open_memstream(&text_, &size_)) {}
  ~Sent() {
    std::fclose(stream_);
    std::free(text_);
  }
  std::FILE* stream() { return stream_; }
  std::string text() {
    std::fflush(stream_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* stream_;
};

TEST(TerminalLine, OtherLinesGoAboveIt) {
  Sent sent;
  TerminalLine line(sent.stream());
  line.Above([&] { std::fputs("first\n", sent.stream()); });
  line.Show("10 %");
  line.Show("10 %");
  line.Above([&] { std::fputs("second\n", sent.stream()); });
  line.Show("20 %");
  line.Clear();
  line.Clear();
  EXPECT_EQ(sent.text(), "first\n\r\x1b[K10 %\r\x1b[Ksecond\n10 %\r\x1b[K20 %\r\x1b[K");
}

}  // namespace
}  // namespace df
