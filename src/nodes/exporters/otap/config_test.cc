#include "nodes/exporters/otap/config.h"

#include <gtest/gtest.h>

namespace df::nodes::exporters::otap {
namespace {

TEST(OtapExporterConfig, EndpointsHaveAHostAndAPort) {
  const auto plain = ParseEndpoint("http://127.0.0.1:4317/");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, 4317);
  EXPECT_FALSE(plain->has_tls);
  const auto encrypted = ParseEndpoint("https://[::1]:1");
  ASSERT_TRUE(encrypted.ok()) << encrypted.status();
  EXPECT_EQ(encrypted->host, "::1");
  EXPECT_TRUE(encrypted->has_tls);
  EXPECT_EQ(ParseEndpoint("collector:4317")->host, "collector");
  for (const char* text : {"", "host", "host:", ":1", "host:0", "host:70000", "http://host",
                           "ftp://host:1", "::1:4317", "host:1x", "http://a/b:1", "u@host:1"}) {
    EXPECT_FALSE(ParseEndpoint(text).ok()) << text;
  }
}

}  // namespace
}  // namespace df::nodes::exporters::otap
