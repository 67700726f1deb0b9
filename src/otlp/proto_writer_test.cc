#include "otlp/proto_writer.h"

#include <random>

#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

namespace df::otlp {
namespace {

constexpr Field kText = {1, "text"};
constexpr Field kInner = {2, "inner"};
constexpr Field kNumber = {16, "number"};

/// Writes the same random fields and messages with ProtoWriter and with protozero.
class Twins {
 public:
  explicit Twins(uint32_t seed) : rng_(seed) {}

  void Fill(ProtoWriter* writer, protozero::pbf_writer* expected, int depth) {
    const uint32_t num_fields = rng_() % 5;
    for (uint32_t i = 0; i < num_fields; ++i) {
      switch (rng_() % 4) {
        case 0: {
          const std::string text(Length(), 'x');
          writer->String(kText, text);
          expected->add_string(kText.number, text);
          break;
        }
        case 1: {
          const uint64_t number = rng_() >> (rng_() % 64);
          writer->Int64(kNumber, static_cast<int64_t>(number));
          expected->add_uint64(kNumber.number, number);
          break;
        }
        default:
          if (depth < 5) {
            Nest(writer, expected, depth);
          }
      }
    }
  }

 private:
  void Nest(ProtoWriter* writer, protozero::pbf_writer* expected, int depth) {
    constexpr std::array kExpects = {Expect::kTiny, Expect::kSmall, Expect::kLarge};
    std::string bytes;
    protozero::pbf_writer inner(bytes);
    writer->Message(kInner, kExpects[rng_() % 3], [&] { Fill(writer, &inner, depth + 1); });
    expected->add_message(kInner.number, bytes);
  }

  /// Every length that some copy treats in its own way, and those around a longer varint.
  size_t Length() {
    constexpr std::array<size_t, 4> kLimits = {40, 200, 17'000, 2'100'000};
    const uint64_t draw = rng_() % 100;
    return rng_() % kLimits[draw < 70 ? 0 : draw < 90 ? 1 : draw < 99 ? 2 : 3];
  }

  std::mt19937_64 rng_;
};

class RandomMessages : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomMessages, ::testing::Range(1U, 201U));

TEST_P(RandomMessages, AreTheBytesThatProtozeroWrites) {
  std::string buffer(GetParam() % 40, '\0');
  ProtoWriter writer(&buffer);
  std::string bytes;
  protozero::pbf_writer expected(bytes);
  Twins(GetParam()).Fill(&writer, &expected, 0);
  EXPECT_TRUE(writer.written() == bytes) << "seed " << GetParam();
}

TEST(ProtoWriter, AWrongGuessMovesTheShorterSide) {
  std::string buffer(1000, '\0');
  const std::string long_text(300, 'x');
  {
    ProtoWriter writer(&buffer);
    writer.Message(kInner, Expect::kLarge, [&] { writer.String(kText, long_text); });
    EXPECT_EQ(writer.written().data(), buffer.data() + 2) << "the head is shorter than the body";
  }
  {
    ProtoWriter writer(&buffer);
    writer.String(kText, long_text);
    writer.Message(kInner, Expect::kLarge, [&] { writer.String(kText, "x"); });
    EXPECT_EQ(writer.written().data(), buffer.data()) << "the body is shorter than the head";
  }
}

TEST(ProtoWriter, RewindForgetsWhatWasWrittenSince) {
  std::string buffer;
  ProtoWriter writer(&buffer);
  writer.String(kText, "kept");
  const ProtoWriter::Mark mark = writer.Position();
  writer.Message(kInner, Expect::kTiny, [&] { writer.String(kText, std::string(500, 'x')); });
  writer.Rewind(mark);
  writer.UInt32(kText, 7);
  EXPECT_EQ(writer.written(), std::string("\x0a\x04kept\x08\x07"));
}

}  // namespace
}  // namespace df::otlp
