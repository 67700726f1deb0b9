#include "config/document_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/value_writer.h"

namespace df::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::optional<std::string> Lookup(const std::string& name) {
  return name == "DOCUMENT" ? std::optional<std::string>("a: 1") : std::nullopt;
}

std::string Read(const std::string& source, std::vector<std::string> overrides = {}) {
  Problems problems("f");
  const Result<DocumentText> text = ReadSource(source, Lookup);
  if (!text.ok()) {
    return text.status().message();
  }
  const ValuePtr root = ReadDocument(*text, overrides, Lookup, &problems);
  EXPECT_THAT(problems.Lines(), IsEmpty());
  return ToYaml(*root);
}

std::vector<std::string> ProblemsOf(const std::string& text, std::vector<std::string> overrides) {
  Problems problems("f");
  ReadDocument({.name = "f", .text = text}, overrides, Lookup, &problems);
  return problems.Lines();
}

TEST(DocumentSource, IsAFileTextOrAVariable) {
  EXPECT_EQ(Read("yaml:{a: 1}"), "a: 1\n");
  EXPECT_EQ(Read("env:DOCUMENT"), "a: 1\n");
  EXPECT_THAT(Read("env:NOTHING"), HasSubstr("env:NOTHING: the environment variable is not set"));
  EXPECT_THAT(Read("/nowhere/f.yaml"), HasSubstr("/nowhere/f.yaml: cannot be opened"));
  EXPECT_THAT(Read("file:/nowhere/f.yaml"), HasSubstr("/nowhere/f.yaml: cannot be opened"));
  EXPECT_THAT(Read("http://x/f.yaml"), HasSubstr("unknown scheme 'http', expected a path"));
}

TEST(DocumentSource, KeysOfTextMayStandForNestedMaps) {
  EXPECT_EQ(Read("yaml:a::b::c: 1\na::b::d: x\ne: 2"), "a:\n  b:\n    c: 1\n    d: x\ne: 2\n");
}

TEST(Override, ReplacesAddsAndMakesMapsOnTheWay) {
  EXPECT_EQ(Read("yaml:{a: {b: 1}, l: [x, {k: y}]}",
                 {"a.b=2", "a.\"c.d\"={e: [1, 2]}", "k.m.o=text", "l.1.k=z", "a.empty="}),
            "a:\n  b: 2\n  c.d:\n    e:\n      - 1\n      - 2\n  empty: null\nl:\n  - x\n  - k: z\n"
            "k:\n  m:\n    o: text\n");
}

TEST(Override, TheLastOneWins) {
  EXPECT_EQ(Read("yaml:{a: 1}", {"a=2", "a={b: 3}", "a.b=4"}), "a:\n  b: 4\n");
}

TEST(Override, ProblemsNameTheFlag) {
  EXPECT_THAT(
      ProblemsOf("{a: 1, l: [x]}", {"a", "=1", "a.b=1", "l.5=1", "..=1", "\"a=1", "x=[1"}),
      ElementsAre(HasSubstr("--set a:1:1: found no path, expected path=value"),
                  HasSubstr("--set =1:1:1: found no path"),
                  HasSubstr("--set a.b=1:1:1: 'a' is '1', expected a map"),
                  HasSubstr("--set l.5=1:1:1: 'l' is a list of 1, expected the number of an item "
                            "instead of '5'"),
                  HasSubstr("--set ..=1:1:1: a key is empty"),
                  HasSubstr("--set \"a=1:1:1: found no path"), HasSubstr("--set x=[1:1:")));
}

}  // namespace
}  // namespace df::config
