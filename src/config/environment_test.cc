#include "config/environment.h"

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "config/value_writer.h"

namespace df::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A file that goes with its test.
class WrittenFile {
 public:
  explicit WrittenFile(std::string_view text) : path_(::testing::TempDir() + "environment-XXXXXX") {
    const int file = mkstemp(path_.data());
    EXPECT_EQ(write(file, text.data(), text.size()), std::ssize(text));
    close(file);
  }
  ~WrittenFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

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

TEST(Environment, PutsWhatIsInFilesIntoScalars) {
  const WrittenFile secret("s3cret: ${env:PORT} # x\n");
  Problems problems("f");
  const ValuePtr root =
      SubstituteEnvironment(ParseDocument("a: \"k=${file:" + secret.path() + "}\"", &problems),
                            ProcessEnvironment(), &problems);
  EXPECT_THAT(problems.Lines(), IsEmpty());
  EXPECT_EQ(root->Find("a")->scalar, "k=s3cret: ${env:PORT} # x") << "looked at once only";
  EXPECT_EQ(root->Find("a")->reference, "k=${file:" + secret.path() + "}");
}

TEST(Environment, NamesFilesThatCannotBeRead) {
  const WrittenFile large(std::string(65'537, 'x'));
  const WrittenFile binary("\xff");
  Problems problems("f");
  const std::string text = fmt::format(
      "a: \"${{file:/nowhere/key}}\"\nb: \"${{file:/dev/zero}}\"\nc: \"${{file:{}}}\"\n"
      "d: \"${{file:{}}}\"\ne: \"${{file:{}\"\n",
      large.path(), binary.path(), binary.path());
  (void)SubstituteEnvironment(ParseDocument(text, &problems), ProcessEnvironment(), &problems);
  EXPECT_THAT(problems.Lines(),
              ElementsAre(HasSubstr("1:4: a: '/nowhere/key': cannot be read: No such file"),
                          HasSubstr("2:4: b: '/dev/zero': is no file"),
                          HasSubstr("has more than 65536 bytes"), HasSubstr("is not UTF-8"),
                          HasSubstr("is not closed")));
  Problems others("f");
  (void)Substitute("a: \"${file:/etc/hostname}\"", &others);
  EXPECT_THAT(others.Lines(), ElementsAre(HasSubstr("files are not read here")));
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
