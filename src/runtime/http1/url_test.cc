#include "runtime/http1/url.h"

#include <gtest/gtest.h>

namespace df::runtime::http1 {
namespace {

TEST(ParseUrl, KnowsHostPortAndPath) {
  const Url plain = ParseUrl("http://collector").ValueOrDie();
  EXPECT_FALSE(plain.is_encrypted);
  EXPECT_EQ(plain.host, "collector");
  EXPECT_EQ(plain.port, 80);
  EXPECT_EQ(plain.path, "/");
  EXPECT_EQ(plain.authority(), "collector:80");
  const Url full = ParseUrl("https://[::1]:4318/in/v1/logs?key=1").ValueOrDie();
  EXPECT_TRUE(full.is_encrypted);
  EXPECT_EQ(full.host, "::1");
  EXPECT_EQ(full.port, 4318);
  EXPECT_EQ(full.path, "/in/v1/logs?key=1");
  EXPECT_EQ(full.authority(), "[::1]:4318");
  EXPECT_EQ(ParseUrl("https://host?x").ValueOrDie().path, "/?x");
  EXPECT_EQ(ParseUrl("https://host").ValueOrDie().port, 443);
}

TEST(ParseUrl, RefusesWhatIsNone) {
  for (const char* text :
       {"", "host:1", "ftp://host", "http://", "http://:80", "http://host:", "http://host:0",
        "http://host:65536", "http://host:1x", "http://[::1", "http://[::1]x:1", "http://a:b:1",
        "http://user@host", "http://host/#part", "http://ho st/", "http://host/\r\nX: y"}) {
    EXPECT_FALSE(ParseUrl(text).ok()) << text;
  }
}

}  // namespace
}  // namespace df::runtime::http1
