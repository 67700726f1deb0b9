#include "testing/footer_rewrites.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace df::testing {

void ReplaceInFooter(const std::filesystem::path& path, uint32_t from, uint32_t to) {
  std::ifstream input(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(input), {});
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + bytes.size() - 8, 4);
  const std::string found(reinterpret_cast<const char*>(&from), 4);
  const std::string wanted(reinterpret_cast<const char*>(&to), 4);
  int replaced = 0;
  for (size_t at = bytes.find(found, bytes.size() - 8 - length); at != std::string::npos;
       at = bytes.find(found, at + 4)) {
    bytes.replace(at, 4, wanted);
    ++replaced;
  }
  ASSERT_GT(replaced, 0) << "the statistics do not have " << from;
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace df::testing
