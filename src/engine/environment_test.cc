#include "engine/environment.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/tls_identity.h"

namespace df::engine {
namespace {

using std::chrono::hours;
using std::chrono::system_clock;
using ::testing::HasSubstr;

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() : problems_("document.yaml") {
    root_ = config::ParseDocument("cert_file: one.pem\nbase_uri: lake\n", &problems_);
  }

  config::Section section() { return {*root_, "nodes.out.config", &problems_}; }

  /// The only check that there is, made at a time.
  Finding RunOnly(system_clock::time_point now = system_clock::now()) {
    EXPECT_EQ(checks_.size(), 1u);
    return checks_.front().run({.timeout = std::chrono::seconds(5), .now = now});
  }

  config::Problems problems_;
  config::ValuePtr root_;
  EnvironmentChecks checks_;
};

TEST_F(EnvironmentTest, ACheckStandsAtItsKey) {
  AddReadCheck(section(), "base_uri", "/", &checks_);
  EXPECT_EQ(checks_[0].mark.line, 2);
  EXPECT_EQ(checks_[0].mark.column, 11);
  EXPECT_EQ(checks_[0].path, "nodes.out.config.base_uri");
  EXPECT_EQ(RunOnly().verdict, Verdict::kOk);
}

TEST_F(EnvironmentTest, WhatIsNotThereCannotBeRead) {
  AddReadCheck(section(), "base_uri", "/nowhere/at/all", &checks_);
  const Finding finding = RunOnly();
  EXPECT_EQ(finding.verdict, Verdict::kFail);
  EXPECT_THAT(finding.message, HasSubstr("No such file"));
}

TEST_F(EnvironmentTest, ACertificateIsGoodShortOfItsEndAndNoLonger) {
  const auto identity = testing::MakeTlsIdentity("localhost");  // good for an hour
  AddServerTlsCheck(section(), {.cert_pem = identity.cert_pem, .key_pem = identity.key_pem},
                    &checks_);
  const auto now = system_clock::now();
  EXPECT_EQ(RunOnly(now).verdict, Verdict::kWarn);
  EXPECT_THAT(RunOnly(now).message, HasSubstr("expires on"));
  EXPECT_EQ(RunOnly(now + hours(2)).verdict, Verdict::kFail);
  EXPECT_THAT(RunOnly(now + hours(2)).message, HasSubstr("expired on"));
  EXPECT_EQ(RunOnly(now - hours(2)).verdict, Verdict::kFail);
  EXPECT_THAT(RunOnly(now - hours(2)).message, HasSubstr("not valid before"));
}

TEST_F(EnvironmentTest, ACertificateNeedsItsOwnKey) {
  const auto identity = testing::MakeTlsIdentity("localhost");
  AddServerTlsCheck(
      section(),
      {.cert_pem = identity.cert_pem, .key_pem = testing::MakeTlsIdentity("localhost").key_pem},
      &checks_);
  EXPECT_EQ(RunOnly().verdict, Verdict::kFail);
  EXPECT_THAT(RunOnly().message, HasSubstr("key"));
}

TEST_F(EnvironmentTest, AClientWithoutFilesHasNothingToBeLookedAt) {
  AddClientTlsCheck(section(), {}, &checks_);
  EXPECT_TRUE(checks_.empty());
  AddClientTlsCheck(section(), {.ca_file = "/nowhere/ca.pem"}, &checks_);
  EXPECT_THAT(RunOnly().message, HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace df::engine
