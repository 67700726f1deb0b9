#include "config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/value_writer.h"

namespace df::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::optional<std::string> Lookup(const std::string& name) {
  if (name == "PORT") {
    return "4317";
  }
  if (name == "EMPTY") {
    return "";
  }
  if (name == "NESTED") {
    return "${env:PORT} # $$";
  }
  return name == "BAD" ? std::optional<std::string>("\xff") : std::nullopt;
}

ValuePtr Substitute(std::string_view text, Problems* problems) {
  return SubstituteEnvironment(ParseDocument(text, problems), Lookup, problems);
}

std::string Scalar(const std::string& written) {
  Problems problems("f");
  const ValuePtr root = Substitute("a: " + written, &problems);
  EXPECT_THAT(problems.Lines(), IsEmpty());
  return root->Find("a")->scalar;
}

TEST(Environment, PutsValuesIntoScalars) {
  EXPECT_EQ(Scalar("${env:PORT}"), "4317");
  EXPECT_EQ(Scalar("host:${env:PORT}/x"), "host:4317/x");
  EXPECT_EQ(Scalar("\"${env:UNSET:-a}${env:PORT:-b}\""), "a4317");
  EXPECT_EQ(Scalar("\"${env:UNSET:-}\""), "");
  EXPECT_EQ(Scalar("$${env:PORT}"), "${env:PORT}");
  EXPECT_EQ(Scalar("$$$$"), "$$");
  EXPECT_EQ(Scalar("${other:x} $5"), "${other:x} $5");
  EXPECT_EQ(Scalar("\"${env:NESTED}\""), "${env:PORT} # $$") << "looked at once only";
}

TEST(Environment, KeepsQuotesAndTypesPlainScalarsAfterwards) {
  Problems problems("f");
  const ValuePtr root = Substitute(
      "a: \"${env:PORT}\"\nb: ${env:PORT}\nc: ${env:EMPTY}\nd: \"${env:EMPTY}\"\n", &problems);
  EXPECT_TRUE(root->Find("a")->is_quoted);
  EXPECT_FALSE(root->Find("b")->is_quoted);
  EXPECT_EQ(root->Find("c")->kind, Value::Kind::kNull);
  EXPECT_EQ(root->Find("d")->kind, Value::Kind::kScalar);
  EXPECT_EQ(root->Find("b")->reference, "${env:PORT}");
}

TEST(Environment, LeavesKeysAlone) {
  Problems problems("f");
  const ValuePtr root = Substitute("\"${env:PORT}\": 1", &problems);
  EXPECT_NE(root->Find("${env:PORT}"), nullptr);
}

TEST(Environment, SaysWhereAReferenceIsWrong) {
  Problems problems("f");
  Substitute("a:\n  - x\n  - ${env:UNSET}\nb: \"${env:PORT\"\nc: ${env:-x}\nd: ${env:BAD}\n",
             &problems);
  EXPECT_THAT(
      problems.Lines(),
      ElementsAre(
          "f:3:5: a[1]: environment variable 'UNSET' is not set, expected it or a default, "
          "as in ${env:UNSET:-text}",
          "f:4:4: b: '${env:PORT' is not closed, expected ${env:NAME}",
          "f:5:4: c: '-x' is not the name of a variable, expected letters, digits and _, as "
          "in ${env:NAME} or ${env:NAME:-text}",
          "f:6:4: d: the value of environment variable 'BAD' is not UTF-8"));
}

TEST(Environment, WhatIsEscapedIsSubstitutedBack) {
  for (const std::string text : {"$", "$$", "${env:PORT}", "a$b$$c"}) {
    EXPECT_EQ(Scalar("\"" + EscapeReferences(text) + "\""), text);
  }
}

}  // namespace
}  // namespace df::config
