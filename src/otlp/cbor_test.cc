#include "otlp/cbor.h"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace df::otlp {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

class Cbor : public ::testing::Test {
 protected:
  CborItem Read(std::string_view hex) {
    input_ = FromHex(hex);
    return CborReader(input_).Next();
  }
  std::string input_;
};

TEST_F(Cbor, ReadsIntegersOfEveryWidth) {
  EXPECT_EQ(Read("00").integer, 0);
  EXPECT_EQ(Read("17").integer, 23);
  EXPECT_EQ(Read("1818").integer, 24);
  EXPECT_EQ(Read("190400").integer, 1024);
  EXPECT_EQ(Read("1a00010000").integer, 65'536);
  EXPECT_EQ(Read("1b7fffffffffffffff").integer, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Read("20").integer, -1);
  EXPECT_EQ(Read("38ff").integer, -256);
  EXPECT_EQ(Read("3903e7").integer, -1000);
  EXPECT_EQ(Read("3b7fffffffffffffff").integer, std::numeric_limits<int64_t>::min());
}

TEST_F(Cbor, RefusesIntegersPastInt64) {
  EXPECT_EQ(Read("1b8000000000000000").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("3b8000000000000000").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("1bffffffffffffffff").kind, CborKind::kInvalid);
}

TEST_F(Cbor, ReadsFloatsOfEveryWidth) {
  EXPECT_EQ(Read("f93e00").real, 1.5);
  EXPECT_EQ(Read("f90001").real, std::ldexp(1.0, -24));  // the least half
  EXPECT_TRUE(std::signbit(Read("f98000").real));
  EXPECT_EQ(Read("f97c00").real, std::numeric_limits<double>::infinity());
  EXPECT_EQ(Read("f9fc00").real, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(Read("f97e00").real));
  EXPECT_EQ(Read("fa47c35000").real, 100'000.0);
  EXPECT_EQ(Read("fb3ff199999999999a").real, 1.1);
  EXPECT_EQ(Read("f93e00").kind, CborKind::kDouble);
}

TEST_F(Cbor, ReadsTextBytesBooleansAndNull) {
  EXPECT_EQ(Read("6161").bytes, "a");
  EXPECT_EQ(Read("6161").kind, CborKind::kText);
  EXPECT_EQ(Read("60").bytes, "");
  EXPECT_EQ(Read("420001").bytes, std::string("\0\1", 2));
  EXPECT_EQ(Read("420001").kind, CborKind::kBytes);
  EXPECT_TRUE(Read("f5").boolean);
  EXPECT_FALSE(Read("f4").boolean);
  EXPECT_EQ(Read("f4").kind, CborKind::kBool);
  EXPECT_EQ(Read("f6").kind, CborKind::kNull);
}

TEST_F(Cbor, TellsDefiniteFromIndefiniteContainers) {
  EXPECT_EQ(Read("83").length, 3U);
  EXPECT_EQ(Read("83").kind, CborKind::kArray);
  EXPECT_EQ(Read("9f").length, CborItem::kIndefinite);
  EXPECT_EQ(Read("a1").length, 1U);
  EXPECT_EQ(Read("bf").kind, CborKind::kMap);
  EXPECT_EQ(Read("ff").kind, CborKind::kBreak);
}

TEST_F(Cbor, RefusesWhatNoProducerWrites) {
  EXPECT_EQ(Read("").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("c100").kind, CborKind::kInvalid);                // tag
  EXPECT_EQ(Read("f7").kind, CborKind::kInvalid);                  // undefined
  EXPECT_EQ(Read("7f6161ff").kind, CborKind::kInvalid);            // text in pieces
  EXPECT_EQ(Read("9bffffffffffffffff").kind, CborKind::kInvalid);  // an impossible length
  EXPECT_EQ(Read("61ff").kind, CborKind::kInvalid);                // text that is not UTF-8
  EXPECT_EQ(Read("1c").kind, CborKind::kInvalid);                  // reserved
}

TEST_F(Cbor, RefusesWhatIsCutOff) {
  EXPECT_EQ(Read("62").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("6261").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("1b00").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("7b7fffffffffffffff61").kind, CborKind::kInvalid);
  EXPECT_EQ(Read("fb3ff1").kind, CborKind::kInvalid);
}

TEST_F(Cbor, GoesOnAfterEachItem) {
  const std::string input = FromHex("82016161");
  CborReader reader(input);
  EXPECT_EQ(reader.Next().kind, CborKind::kArray);
  EXPECT_EQ(reader.Next().integer, 1);
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.Next().kind, CborKind::kText);
  EXPECT_TRUE(reader.at_end());
}

}  // namespace
}  // namespace df::otlp
