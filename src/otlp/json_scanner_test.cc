#include "otlp/decode/json_scanner.h"

#include <bit>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "testing/cost.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr size_t kDepth = 64;

bool Accepts(std::string_view text) {
  JsonScanner scanner(text, kDepth);
  return scanner.Skip() && scanner.ReadEnd();
}

std::string ErrorOf(std::string_view text) {
  JsonScanner scanner(text, kDepth);
  EXPECT_FALSE(scanner.Skip() && scanner.ReadEnd()) << text;
  return scanner.error();
}

std::string TextOf(std::string_view json) {
  JsonScanner scanner(json, kDepth);
  std::string_view text;
  EXPECT_EQ(scanner.Peek(), JsonKind::kText);
  EXPECT_TRUE(scanner.ReadText(&text)) << json << ": " << scanner.error();
  return std::string(text);
}

/// What another parser takes. Half a surrogate pair, which it refuses, must not be in the text.
bool IsJson(std::string_view text) { return nlohmann::json::accept(text); }

TEST(JsonScanner, TakesWhatIsJsonAndNothingElse) {
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "{}",
                                          "[]",
                                          "[1]",
                                          "[1,]",
                                          "[,1]",
                                          "{\"a\":1,}",
                                          "{\"a\"}",
                                          "{\"a\":}",
                                          "{a:1}",
                                          "{\"a\":1 \"b\":2}",
                                          "{\"a\":1}}",
                                          "[[]",
                                          "[]]",
                                          "[}",
                                          "nul",
                                          "null",
                                          "nulll",
                                          "true",
                                          "True",
                                          "falsy",
                                          "-",
                                          "-1",
                                          "+1",
                                          "01",
                                          "-01",
                                          "0",
                                          "-0",
                                          "1.",
                                          ".5",
                                          "1.5",
                                          "1e",
                                          "1e+",
                                          "1e5",
                                          "1E-5",
                                          "1.e5",
                                          "0x1",
                                          "1e400",
                                          "-1e400",
                                          "1e-400",
                                          "\"",
                                          "\"a",
                                          "\"\\\"",
                                          "\"\\x\"",
                                          "\"\\u12\"",
                                          "\"\\u12G4\"",
                                          "\"\\u+123\"",
                                          "\"\\u-123\"",
                                          "\"\\u 123\"",
                                          "\"\\u1234\"",
                                          "\"\\ud83d\\ude00\"",
                                          "\"a\tb\"",
                                          "\"a\nb\"",
                                          std::string("\"a\0b\"", 5),
                                          "\"\x7F\"",
                                          "\"\xC3\xA4\"",
                                          "\"\xC3\"",
                                          "\"\xED\xA0\x80\"",
                                          "\"\\n\xFF\"",
                                          "\"\xFF\\n\"",
                                          "\xEF\xBB\xBF[1]",
                                          "\xEF\xBB[1]",
                                          "[1]\xEF\xBB\xBF",
                                          "// no\n1",
                                          "[1] [2]",
                                          "{\"a\":{\"a\":[{\"a\":null}]}}",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "-9223372036854775809",
                                          "'a'",
                                          "NaN",
                                          "\f1"};
  for (const std::string& text : texts) {
    EXPECT_EQ(Accepts(text), IsJson(text)) << text;
  }
}

class RandomDamage : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomDamage, ::testing::Range(1, 11));

TEST_P(RandomDamage, IsFoundWhereAnotherParserFindsIt) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const std::string whole =
      R"({"a":[1,-2.5e3,"t\u00e4\"x",{"b":null,"":[[],{}],"long enough for a word":"äöü€😀"}],"c":true})";
  const std::string alphabet = "{}[]\",:\\u0123 .eE+-ntf\n\xC3\xFF";
  int64_t num_refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    const int64_t num_changes = testing::Between(rng, 1, 3);
    for (int64_t i = 0; i < num_changes; ++i) {
      const auto at =
          static_cast<size_t>(testing::Between(rng, 0, static_cast<int64_t>(text.size()) - 1));
      const char letter = alphabet[static_cast<size_t>(
          testing::Between(rng, 0, static_cast<int64_t>(alphabet.size()) - 1))];
      switch (testing::Between(rng, 0, 2)) {
        case 0:
          text[at] = letter;
          break;
        case 1:
          text.erase(at, 1);
          break;
        default:
          text.insert(at, 1, letter);
      }
    }
    ASSERT_EQ(Accepts(text), IsJson(text)) << "seed " << GetParam() << ": " << text;
    num_refused += Accepts(text) ? 0 : 1;
  }
  EXPECT_GT(num_refused, 1000);
}

TEST(JsonScanner, TextsAreWhatTheyStandFor) {
  for (const std::string plain :
       {"", "a", "seven77", "eight888", "nine99999", "sixteen of these", "seventeen of them"}) {
    for (const std::string escape : {"", "\\n", "\\\\", "\\u20ac", "\\ud83d\\ude00", "\\/"}) {
      for (const std::string& json :
           {plain + escape, escape + plain, plain + escape + plain, escape + plain + escape,
            "ä" + plain + escape, plain + "€" + escape + "😀"}) {
        const std::string quoted = "\"" + json + "\"";
        EXPECT_EQ(TextOf(quoted), nlohmann::json::parse(quoted).get<std::string>()) << quoted;
      }
    }
  }
}

TEST(JsonScanner, HalvesOfSurrogatePairsAreReplacedAndCounted) {
  const std::string r = "\xEF\xBF\xBD";
  const std::vector<std::tuple<std::string, std::string, int64_t>> cases = {
      {R"("\ud83d")", r, 1},
      {R"("\ude00")", r, 1},
      {R"("a\ud83dz")", "a" + r + "z", 1},
      {R"("\ud83d\n")", r + "\n", 1},
      {R"("\ud83d\u0041")", r + "A", 1},
      {R"("\ud83d\ud83d")", r + r, 2},
      {R"("\ud83d\ud83d\ude00")", r + "😀", 1},
      {R"("\ude00\ud83d")", r + r, 2},
      {R"("\ud83d\ude00")", "😀", 0}};
  for (const auto& [json, text, count] : cases) {
    JsonScanner scanner(json, kDepth);
    std::string_view read;
    EXPECT_EQ(scanner.Peek(), JsonKind::kText);
    ASSERT_TRUE(scanner.ReadText(&read)) << json;
    EXPECT_EQ(read, text) << json;
    EXPECT_EQ(scanner.num_lone_surrogates(), count) << json;
    EXPECT_TRUE(scanner.ReadEnd());
  }
}

TEST(JsonScanner, NumbersAreWhatTheyStandFor) {
  const auto number = [](std::string_view json) {
    JsonScanner scanner(json, kDepth);
    JsonNumber read;
    EXPECT_EQ(scanner.Peek(), JsonKind::kNumber);
    EXPECT_TRUE(scanner.ReadNumber(&read)) << json << ": " << scanner.error();
    EXPECT_TRUE(scanner.ReadEnd());
    return read;
  };
  EXPECT_EQ(number("18446744073709551615").magnitude, UINT64_MAX);
  EXPECT_EQ(number("-9223372036854775808").integer, INT64_MIN);
  EXPECT_EQ(number("-0").kind, JsonNumber::Kind::kSigned);
  EXPECT_EQ(number("0").kind, JsonNumber::Kind::kUnsigned);
  for (const std::string real :
       {"18446744073709551616", "99999999999999999999", "-9223372036854775809", "1e-400", "-0.0",
        "5e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "0.1", "1E2",
        "123456789012345678901234567890"}) {
    const JsonNumber read = number(real);
    EXPECT_EQ(read.kind, JsonNumber::Kind::kReal) << real;
    EXPECT_EQ(std::bit_cast<uint64_t>(read.real),
              std::bit_cast<uint64_t>(nlohmann::json::parse(real).get<double>()))
        << real;
  }
}

TEST(JsonScanner, SaysWhereItIsNoJson) {
  EXPECT_EQ(ErrorOf("[1,\n 2,\n  }"), "at line 3, column 3: found '}', expected a value");
  EXPECT_EQ(ErrorOf("{\"a\" 1}"), "at line 1, column 6: found '1', expected a colon behind a key");
  EXPECT_EQ(ErrorOf("[1"), "at line 1, column 3: found the end of the text, expected a comma or ]");
  EXPECT_EQ(ErrorOf("\"a\tb\""),
            "at line 1, column 3: found control character 0x09, expected it "
            "escaped");
  EXPECT_EQ(ErrorOf("[1e999]"),
            "at line 1, column 2: found a number past all doubles, expected a "
            "smaller one");
  EXPECT_THAT(ErrorOf("[\"\xFF\"]"), HasSubstr("found bytes that are not UTF-8, expected text"));
  EXPECT_EQ(ErrorOf("ä"), "at line 1, column 1: found 'ä', expected a value");
  EXPECT_THAT(ErrorOf(std::string(kDepth + 1, '[')), StartsWith("found more than 64 arrays"));
  EXPECT_TRUE(Accepts(std::string(kDepth, '[') + std::string(kDepth, ']')));
}

TEST(JsonScanner, AnyShapeCostsWhatItWeighs) {
  const std::vector<std::pair<std::string, std::function<std::string(int64_t)>>> shapes = {
      {"keys",
       [](int64_t n) {
         std::string json = "{\"\":0";
         for (int64_t i = 0; i < n; ++i) {
           json += fmt::format(",\"k{}\":{}", i, i);
         }
         return json + "}";
       }},
      {"escapes",
       [](int64_t n) {
         std::string json = "\"";
         for (int64_t i = 0; i < n; ++i) {
           json += R"(a\n\ud83d)";
         }
         return json + "\"";
       }},
      {"digits", [](int64_t n) { return std::string(static_cast<size_t>(10 * n), '1') + ".5e-9"; }},
      {"blanks", [](int64_t n) { return std::string(static_cast<size_t>(10 * n), '\n') + "1"; }},
      {"containers", [](int64_t n) {
         std::string json = "[0";
         for (int64_t i = 0; i < n; ++i) {
           json += ",[{\"a\":[[]]}]";
         }
         return json + "]";
       }}};
  for (const auto& [name, make] : shapes) {
    EXPECT_EQ(testing::WhyNotLinear(5000,
                                    [&make = make](int64_t n) {
                                      // What lacks its end is walked once more, for its place.
                                      return [json = make(n)] { Accepts(json); };
                                    }),
              "")
        << name;
  }
}

}  // namespace
}  // namespace df::otlp
