#include "admin/access.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::admin {
namespace {

using ::testing::HasSubstr;

class AccessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "accessXXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string File(std::string_view text) {
    const std::string path = folder_ / "token";
    std::ofstream(path) << text;
    return path;
  }

  static RequestHead Head(std::string authorization) {
    RequestHead head;
    head.authorization = std::move(authorization);
    return head;
  }

  std::filesystem::path folder_;
};

TEST_F(AccessTest, TrustsTheTokenAndNothingElse) {
  const auto policy = AccessPolicy::Make(File("s3cret-token\r\nmore\n"), true);
  ASSERT_TRUE(policy.ok()) << policy.status().message();
  EXPECT_TRUE(policy->IsTrusted(Head("Bearer s3cret-token")));
  EXPECT_TRUE(policy->IsTrusted(Head("bearer s3cret-token")));
  for (const char* wrong : {"", "s3cret-token", "Bearer", "Bearer ", "Bearer s3cret-toke",
                            "Bearer s3cret-token2", "Basic s3cret-token", "Bearer S3CRET-TOKEN",
                            "Bearer  s3cret-token", "Bearer s3cret-token\r\nmore"}) {
    EXPECT_FALSE(policy->IsTrusted(Head(wrong))) << wrong;
  }
}

TEST_F(AccessTest, AnEmptyTokenIsAnErrorAndNotAnOpenDoor) {
  for (const char* text : {"", "\n", "two words\n", "  \n"}) {
    const auto policy = AccessPolicy::Make(File(text), true);
    ASSERT_FALSE(policy.ok()) << text;
    EXPECT_THAT(policy.status().message(), HasSubstr("token'"));
  }
  EXPECT_FALSE(AccessPolicy::Make((folder_ / "missing").string(), true).ok());
}

TEST_F(AccessTest, LoopbackServersAnswerToLoopbackNamesOnly) {
  const AccessPolicy policy = *AccessPolicy::Make("", true);
  const auto allows = [&policy](const char* host) {
    RequestHead head;
    head.host = host;
    return !policy.CheckOrigin(head, false).has_value();
  };
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "127.8.9.1",
                           "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(allows(host)) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "127.0.0.evil", "[::2]", "[::1", "128.0.0.1", "127.1", ":8080"}) {
    EXPECT_FALSE(allows(host)) << host;
  }
}

TEST_F(AccessTest, ATokenOrAnotherAddressMakesAnyNameGood) {
  RequestHead head;
  head.host = "engine.example";
  EXPECT_FALSE(AccessPolicy::Make(File("token"), true)->CheckOrigin(head, false));
  EXPECT_FALSE(AccessPolicy::Make("", false)->CheckOrigin(head, false));
}

TEST_F(AccessTest, PagesOfOtherOriginsChangeNothing) {
  const AccessPolicy policy = *AccessPolicy::Make("", true);
  const auto allows = [&policy](const char* origin, const char* fetch_site, bool changes) {
    RequestHead head;
    head.host = "localhost:8080";
    head.origin = origin;
    head.fetch_site = fetch_site;
    return !policy.CheckOrigin(head, changes).has_value();
  };
  EXPECT_TRUE(allows("", "", true));
  EXPECT_TRUE(allows("http://localhost:8080", "same-origin", true));
  EXPECT_TRUE(allows("http://evil.example", "cross-site", false));
  EXPECT_FALSE(allows("http://evil.example", "", true));
  EXPECT_FALSE(allows("http://localhost:9090", "", true));
  EXPECT_FALSE(allows("null", "", true));
  EXPECT_FALSE(allows("", "cross-site", true));
  EXPECT_FALSE(allows("", "same-site", true));
}

}  // namespace
}  // namespace df::admin
