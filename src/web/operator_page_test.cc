#include "web/operator_page.h"

#include <array>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "web/embedded_file.h"

namespace df::web {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string FileText(const std::string& name) {
  std::ifstream file(OTAP_SOURCE_DIR "/src/web/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(EmbeddedFile, IsTheFileByteForByte) {
  for (const char* name : {"operator.html", "operator.css", "operator.js"}) {
    EXPECT_FALSE(FileText(name).empty()) << name;
    EXPECT_EQ(EmbeddedFile(name), FileText(name)) << name;
  }
  EXPECT_EQ(EmbeddedFile("operator"), "");
}

TEST(OperatorPage, HoldsItsStyleAndItsScriptAndNamesNoFile) {
  EXPECT_THAT(OperatorPage(), HasSubstr("<style>" + FileText("operator.css") + "</style>"));
  EXPECT_THAT(OperatorPage(), HasSubstr("<script>" + FileText("operator.js") + "</script>"));
  EXPECT_THAT(OperatorPage(), Not(HasSubstr("href=")));
  EXPECT_THAT(OperatorPage(), Not(HasSubstr("src=")));
}

TEST(OperatorPage, ItsPolicyNamesWhatStandsInIt) {
  for (const std::string element : {"style", "script"}) {
    const size_t begin = OperatorPage().find("<" + element + ">") + element.size() + 2;
    const size_t end = OperatorPage().find("</" + element + ">");
    const std::string text = OperatorPage().substr(begin, end - begin);
    std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
    std::array<char, 64> encoded{};
    EVP_EncodeBlock(reinterpret_cast<uint8_t*>(encoded.data()), digest.data(), digest.size());
    EXPECT_THAT(OperatorPagePolicy(),
                HasSubstr(fmt::format("{}-src 'sha256-{}'", element, encoded.data())));
  }
}

}  // namespace
}  // namespace df::web
