// Messages inside each other: other protobuf libraries refuse a whole request
// beyond 100 of them.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "otlp/decode.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/encode.h"
#include "otlp/schema/messages.h"

namespace df::otlp {
namespace {

using otap::Signal;
using protozero::pbf_writer;
using ::testing::HasSubstr;
using Path = std::vector<const FieldShape*>;

enum class Kind : uint8_t { kArray, kMap };

/// Arrays or maps inside each other, so many of them; the last one may be
/// empty.
std::string Nested(Kind kind, int depth, bool is_last_empty) {
  std::string value;
  for (int i = 0; i < depth; ++i) {
    std::string list;
    if (i > 0 || !is_last_empty) {
      std::string pair;
      pbf_writer(pair).add_string(1, "k");
      pbf_writer(pair).add_message(2, value);
      pbf_writer(list).add_message(1, kind == Kind::kMap ? pair : value);
    }
    value.clear();
    pbf_writer(value).add_message(kind == Kind::kMap ? 6 : 5, list);
  }
  return value;
}

/// How many messages are inside each other below this one, counted without any
/// limit.
int DepthOf(const MessageShape& shape, const std::string& message) {
  int depth = 0;
  protozero::pbf_reader reader(message);
  while (reader.next()) {
    const FieldShape* field = shape.Find(reader.tag());
    if (field != nullptr && field->message != nullptr) {
      depth = std::max(depth, 1 + DepthOf(*field->message, reader.get_string()));
    } else {
      reader.skip();
    }
  }
  return depth;
}

/// Every way to an AnyValue that is in no other.
void FindPaths(const MessageShape& shape, Path* path, std::vector<Path>* paths) {
  for (const FieldShape& field : shape.fields) {
    path->push_back(&field);
    if (field.message == &kAnyValueShape) {
      paths->push_back(*path);
    } else if (field.message != nullptr) {
      FindPaths(*field.message, path, paths);
    }
    path->pop_back();
  }
}

/// A request with a value at the end of a path, and a record.
std::string RequestWith(const Path& path, size_t step, const std::string& value) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_message(path[step]->number,
                     step + 1 == path.size() ? value : RequestWith(path, step + 1, value));
  const bool is_resource = step == 1 && path[1]->number == 1;
  if (is_resource || (step == 2 && path[1]->number == 2 && path[2]->number == 1)) {
    std::string scope;
    pbf_writer(scope).add_message(2, std::string());
    writer.add_message(2, is_resource ? scope : std::string());
  }
  return bytes;
}

class NestingOf : public ::testing::TestWithParam<Signal> {};
INSTANTIATE_TEST_SUITE_P(Signals, NestingOf, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& param) { return std::string(otap::Name(param.param)); });

TEST_P(NestingOf, AnyValueIsTakenAndWrittenAsDeepAsOthersReadIt) {
  const Signal signal = GetParam();
  const MessageShape& shape = RequestShape(signal);
  std::vector<Path> paths;
  Path path;
  FindPaths(shape, &path, &paths);
  EXPECT_GE(paths.size(), 4U);
  Decoder decoder;
  for (const Path& way : paths) {
    std::string name;
    for (const FieldShape* field : way) {
      name += fmt::format("/{}", field->name);
    }
    for (const Kind kind : {Kind::kArray, Kind::kMap}) {
      for (const bool is_last_empty : {false, true}) {
        int num_taken = 0;
        for (int depth = 25; depth < 52; ++depth) {
          const std::string request = RequestWith(way, 0, Nested(kind, depth, is_last_empty));
          const bool is_readable = DepthOf(shape, request) <= 100;
          const auto batches = decoder.DecodeRequest(signal, request);
          ASSERT_EQ(batches.ok(), is_readable) << name << ' ' << depth << batches.status();
          EXPECT_EQ(FindFault(shape, request, 128).has_value(), !is_readable) << name;
          if (!is_readable) {
            EXPECT_THAT(batches.status().message(),
                        HasSubstr("found more than 100 messages inside each other"));
            continue;
          }
          ++num_taken;
          EncodeStats stats;
          const std::string again = EncodeRequest(*batches->at(0), &stats).ValueOrDie();
          EXPECT_TRUE(stats.is_exact()) << name << ' ' << depth;
          EXPECT_EQ(DepthOf(shape, again), DepthOf(shape, request)) << name;
          EXPECT_TRUE(decoder.DecodeJson(signal, EncodeJson(*batches->at(0)).ValueOrDie()).ok())
              << name;
        }
        EXPECT_GT(num_taken, 0) << name;
        EXPECT_LT(num_taken, 27) << name;
      }
    }
  }
}

TEST(Nesting, JsonIsTakenAsDeepAsProtobuf) {
  Decoder decoder;
  const auto read = [&](int depth, bool is_attribute) {
    std::string value = "{}";
    for (int i = 0; i < depth; ++i) {
      value = R"({"kvlistValue":{"values":[{"key":"k","value":)" + value + "}]}}";
    }
    const std::string record = is_attribute
                                   ? R"({"attributes":[{"key":"k","value":)" + value + "}]}"
                                   : R"({"body":)" + value + "}";
    return decoder
        .DecodeJson(Signal::kLogs,
                    R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[)" + record + "]}]}]}")
        .status()
        .message();
  };
  EXPECT_EQ(read(32, false), "");
  EXPECT_THAT(read(33, false), HasSubstr("found more than 100 messages inside each other"));
  EXPECT_EQ(read(31, true), "");
  EXPECT_THAT(read(32, true), HasSubstr("found more than 100 messages inside each other"));
}

}  // namespace
}  // namespace df::otlp
