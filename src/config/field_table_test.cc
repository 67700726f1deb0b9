#include "config/field_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum class Colour { kRed, kBlue };

struct Inner {
  bool flag = true;
};

struct Paint {
  std::string name = "none";
  int64_t layers = 2;
  std::optional<std::chrono::nanoseconds> drying;
  Colour colour = Colour::kBlue;
  std::vector<Colour> colours = {Colour::kRed, Colour::kBlue};
  int64_t tin = 1024;
  Inner inner;
  std::map<std::string, std::string> labels;
  std::optional<std::chrono::nanoseconds> again = std::chrono::seconds(5);
};

const FieldTable<Inner>& InnerFields() {
  static const FieldTable<Inner> table = {Bool("flag", &Inner::flag, "a flag")};
  return table;
}

const FieldTable<Paint>& PaintFields() {
  static const FieldTable<Paint> table = {
      String("name", &Paint::name, "its name").Required(),
      Integer("layers", &Paint::layers, {1, 9}, "how many"),
      OptionalDuration("drying", &Paint::drying, "how long"),
      Enum("colour", &Paint::colour, {{"red", Colour::kRed}, {"blue", Colour::kBlue}}, "which"),
      EnumList("colours", &Paint::colours, {{"red", Colour::kRed}, {"blue", Colour::kBlue}},
               "which ones"),
      Size("tin", &Paint::tin, {1, INT64_MAX}, "how much"),
      Group("inner", &Paint::inner, InnerFields(), "more"),
      StringMap("labels", &Paint::labels, "labels"),
      Custom(
          "again", "duration or 'once'", &Paint::again,
          [](std::string_view text) -> Result<std::optional<std::chrono::nanoseconds>> {
            if (text == "once") {
              return std::optional<std::chrono::nanoseconds>();
            }
            return Status::Invalid("found '", text, "'");
          },
          [](const std::optional<std::chrono::nanoseconds>& again) {
            return again.has_value() ? ShowDuration(*again) : std::string("once");
          },
          "when to begin again"),
  };
  return table;
}

Paint ReadPaint(std::string_view text, Problems* problems) {
  const ValuePtr root = ParseDocument(text, problems);
  return Read(PaintFields(), Section(*root, "paint", problems));
}

TEST(FieldTable, ReadsEveryType) {
  Problems problems("p.yaml");
  const Paint paint = ReadPaint(
      "{name: wall, layers: 3, drying: 1h30m, colour: red, colours: [blue], tin: 2KiB, "
      "inner: {flag: false}, labels: {a: b}, again: once}",
      &problems);
  EXPECT_THAT(problems.Lines(), ElementsAre());
  EXPECT_EQ(paint.name, "wall");
  EXPECT_EQ(paint.layers, 3);
  EXPECT_EQ(paint.drying, std::chrono::minutes(90));
  EXPECT_EQ(paint.colour, Colour::kRed);
  EXPECT_THAT(paint.colours, ElementsAre(Colour::kBlue));
  EXPECT_EQ(paint.tin, 2048);
  EXPECT_FALSE(paint.inner.flag);
  EXPECT_EQ(paint.labels.at("a"), "b");
  EXPECT_FALSE(paint.again.has_value());
}

TEST(FieldTable, KeysThatAreLeftOutKeepTheirDefaults) {
  Problems problems("p.yaml");
  const Paint paint = ReadPaint("{name: wall, drying: null}", &problems);
  EXPECT_THAT(problems.Lines(), ElementsAre());
  EXPECT_EQ(paint.layers, 2);
  EXPECT_FALSE(paint.drying.has_value());
  EXPECT_EQ(paint.again, std::chrono::seconds(5));
}

struct Share {
  double share = 0.25;
};

const FieldTable<Share>& ShareFields() {
  static const FieldTable<Share> table = {Number("share", &Share::share, {0, 1}, "how much of it")};
  return table;
}

TEST(FieldTable, NumbersMayHaveAFractionAndStayInTheirRange) {
  for (const auto& [text, expected] : {std::pair("{share: 0.5}", 0.5), std::pair("{share: 1}", 1.0),
                                       std::pair("{share: 1e-3}", 0.001), std::pair("{}", 0.25)}) {
    Problems problems("s.yaml");
    const ValuePtr root = ParseDocument(text, &problems);
    EXPECT_EQ(Read(ShareFields(), Section(*root, "", &problems)).share, expected) << text;
    EXPECT_THAT(problems.Lines(), ElementsAre());
  }
  for (const std::string text : {"1.5", "-0.1", "nan", "inf", "x", "'0.5'", "0.5x", "[]"}) {
    Problems problems("s.yaml");
    const ValuePtr root = ParseDocument("{share: " + text + "}", &problems);
    Read(ShareFields(), Section(*root, "", &problems));
    EXPECT_THAT(problems.Lines(), ElementsAre(HasSubstr("expected a number 0..1"))) << text;
  }
  EXPECT_EQ(Describe(ShareFields())[0].default_text, "0.25");
}

TEST(FieldTable, ReportsEveryProblemInTheOrderOfTheDocument) {
  Problems problems("p.yaml");
  ReadPaint("layers: 12\ncolor: red\ninner: {flags: 1}\nagain: twice\nlabels: [x]\n", &problems);
  EXPECT_THAT(
      problems.Lines(),
      ElementsAre(HasSubstr("p.yaml:1:1: paint: key 'name' is missing, expected text"),
                  HasSubstr("p.yaml:1:9: paint.layers: found '12', expected an integer 1..9"),
                  HasSubstr("p.yaml:2:1: paint: unknown key 'color'"),
                  HasSubstr("p.yaml:3:9: paint.inner: unknown key 'flags', expected one of flag; "
                            "did you mean 'flag'?"),
                  HasSubstr("p.yaml:4:8: paint.again: found 'twice', expected duration or 'once'"),
                  HasSubstr("p.yaml:5:9: paint.labels: found a list, expected a map of texts")));
}

TEST(FieldTable, DescribesEveryKeyWithItsDefault) {
  std::vector<std::string> rows;
  for (const FieldDescription& field : Describe(PaintFields())) {
    rows.push_back(field.name + "|" + field.type + "|" + field.default_text);
  }
  EXPECT_THAT(rows,
              ElementsAre("name|text|required", "layers|integer 1..9|2", "drying|duration|none",
                          "colour|one of red, blue|blue", "colours|list of red, blue|[red, blue]",
                          "tin|size|1KiB", "inner|map|{}", "labels|map of text|{}",
                          "again|duration or 'once'|5s"));
}

}  // namespace
}  // namespace df::config
