#include "runtime/certificate.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/tls_identity.h"

namespace df::runtime {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::system_clock;

TEST(Certificate, SaysWhenItMayBeUsed) {
  const auto before = system_clock::now();
  const auto times = ReadCertificateTimes(testing::MakeTlsIdentity("localhost").cert_pem);
  ASSERT_TRUE(times.ok()) << times.status();
  // It is good from a minute before it was made to an hour after; whole seconds.
  EXPECT_GE(times->begin, before - minutes(2));
  EXPECT_LE(times->begin, before);
  EXPECT_GE(times->end, before + minutes(59));
  EXPECT_LE(times->end, before + hours(2));
}

TEST(Certificate, APemWithoutOneIsRefused) {
  EXPECT_FALSE(ReadCertificateTimes(testing::MakeTlsIdentity("localhost").key_pem).ok());
  EXPECT_THAT(ReadCertificateTimes("hello").status().message(),
              ::testing::HasSubstr("found no certificate"));
  EXPECT_THAT(ReadCertificateFileTimes("/nowhere/cert.pem").status().message(),
              ::testing::HasSubstr("/nowhere/cert.pem"));
}

}  // namespace
}  // namespace df::runtime
