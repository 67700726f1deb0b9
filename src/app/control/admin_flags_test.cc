#include "app/control/admin_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// An environment with one variable, and one file `token`.
config::Environment EnvironmentOf(const std::string& admin, const std::string& token = "") {
  return config::Environment(
      [admin](const std::string& name) {
        return name == "DF_ENGINE_ADMIN" && !admin.empty() ? std::optional(admin) : std::nullopt;
      },
      [token](const std::string& path) -> Result<std::string> {
        return path == "token" ? Result<std::string>(token) : Status::IOError("not there");
      });
}

std::string AddressOf(const AdminFlags& flags, const std::string& environment = "") {
  const auto access = ReadAdminFlags(flags, EnvironmentOf(environment));
  return access.ok() ? (access->url.is_encrypted ? "https://" : "http://") + access->url.authority()
                     : access.status().message();
}

TEST(AdminFlagsTest, TheFlagCountsBeforeTheEnvironmentAndThatBeforeTheDefault) {
  EXPECT_EQ(AddressOf({}), "http://127.0.0.1:8080");
  EXPECT_EQ(AddressOf({}, "10.0.0.7:1"), "http://10.0.0.7:1");
  EXPECT_EQ(AddressOf({.admin = "https://host:2/"}, "10.0.0.7:1"), "https://host:2");
  EXPECT_EQ(AddressOf({.admin = "[::1]:3"}), "http://[::1]:3");
  EXPECT_EQ(AddressOf({.admin = "host:4", .tls_server_name = "name"}), "https://host:4");
}

TEST(AdminFlagsTest, WhatIsNoAddressIsNamedWithItsSource) {
  for (const char* text : {"8080", "host", "[::1]", "host:port", "ftp://host:1", "http://h:1/x"}) {
    EXPECT_THAT(AddressOf({.admin = text}), HasSubstr("--admin: found '" + std::string(text)));
    EXPECT_THAT(AddressOf({}, text), HasSubstr("DF_ENGINE_ADMIN: found '" + std::string(text)));
  }
  EXPECT_THAT(AddressOf({.admin = "http://h:1", .tls_ca = "x"}), HasSubstr("https://h:1"));
  EXPECT_THAT(AddressOf({.admin = "h:1", .tls_cert = "x"}), HasSubstr("without the other"));
}

TEST(AdminFlagsTest, ATokenIsTheFirstLineAndIsNeverShown) {
  const auto token_of = [](const std::string& text) {
    const auto access = ReadAdminFlags({.token_file = "token"}, EnvironmentOf("", text));
    return access.ok() ? access->token : access.status().message();
  };
  EXPECT_EQ(token_of("secret\nmore"), "secret");
  EXPECT_EQ(token_of("secret \r\n"), "secret");
  EXPECT_THAT(token_of(""), HasSubstr("is no token"));
  EXPECT_THAT(token_of("two words"), HasSubstr("is no token"));
  EXPECT_THAT(token_of("two words"), Not(HasSubstr("words")));
  EXPECT_THAT(ReadAdminFlags({.token_file = "other"}, EnvironmentOf("")).status().message(),
              HasSubstr("--token-file other: not there"));
}

}  // namespace
}  // namespace df::app
