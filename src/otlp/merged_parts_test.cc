// Message fields that are not repeated and stand more than once: protobuf merges their parts.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otap/validate.h"
#include "otlp/count_items.h"
#include "otlp/decode.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/encode.h"
#include "otlp/request_cutter.h"
#include "testing/cost.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;
using protozero::pbf_writer;

/// The fields of a message, each with its tag.
std::vector<std::string> FieldsOf(std::string_view message) {
  std::vector<std::string> fields;
  ProtoReader in(message);
  while (!in.at_end()) {
    const char* begin = in.position();
    uint32_t tag = 0;
    EXPECT_TRUE(in.ReadTag(&tag) && in.Skip(tag));
    fields.emplace_back(begin, in.position());
  }
  return fields;
}

/// The same message with every message field that is not repeated cut into parts, at every depth.
std::string Shatter(const MessageShape& shape, std::string_view message, testing::RandomEngine& rng,
                    int64_t* num_cuts) {
  std::string result;
  pbf_writer writer(result);
  for (const std::string& bytes : FieldsOf(message)) {
    ProtoReader in(bytes);
    uint32_t tag = 0;
    std::string_view inside;
    in.ReadTag(&tag);
    const FieldShape* field = shape.Find(tag >> 3U);
    if (field == nullptr || field->message == nullptr || !in.ReadBytes(&inside)) {
      result += bytes;
      continue;
    }
    const std::string shattered = Shatter(*field->message, inside, rng, num_cuts);
    if (field->presence == Presence::kRepeated) {
      writer.add_message(field->number, shattered);
      continue;
    }
    std::string part;
    for (const std::string& inner : FieldsOf(shattered)) {
      part += inner;
      if (testing::Between(rng, 0, 1) == 0) {
        writer.add_message(field->number, part);
        part.clear();
        ++*num_cuts;
      }
    }
    writer.add_message(field->number, part);  // the last one may be empty
  }
  return result;
}

std::string Recoded(Signal signal, std::string_view request) {
  const auto batches = DecodeRequest(signal, request);
  EXPECT_TRUE(batches.ok()) << batches.status();
  std::string all;
  for (size_t i = 0; batches.ok() && i < batches->size(); ++i) {
    const arrow::Status valid = otap::Validate(*batches->at(i));
    EXPECT_TRUE(valid.ok()) << valid;
    all += EncodeRequest(*batches->at(i)).ValueOrDie();
  }
  return all;
}

class RandomParts : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomParts, ::testing::Range(1, 61));

TEST_P(RandomParts, SayWhatTheWholeSays) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const Signal signal = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  const std::string whole = EncodeRequest(*testing::RandomBatch(signal, {}, rng)).ValueOrDie();
  int64_t num_cuts = 0;
  const std::string parts = Shatter(RequestShape(signal), whole, rng, &num_cuts);
  EXPECT_GT(num_cuts, 0);
  EXPECT_EQ(Recoded(signal, parts), Recoded(signal, whole)) << "seed " << GetParam();
  EXPECT_EQ(FindFault(RequestShape(signal), parts, 128), std::nullopt);
  EXPECT_EQ(CountItems(signal, parts).ValueOrDie().items,
            CountItems(signal, whole).ValueOrDie().items);
}

using Path = std::vector<const FieldShape*>;

/// Every way to a message field that is not repeated, into containers `depth` times.
void FindPaths(const MessageShape& shape, int depth, Path* path, std::vector<Path>* paths) {
  for (const FieldShape& field : shape.fields) {
    const bool is_container = &shape == &kAnyValueShape;
    if (field.message == nullptr || (is_container && depth == 0)) {
      continue;
    }
    path->push_back(&field);
    if (field.presence != Presence::kRepeated) {
      paths->push_back(*path);
    }
    FindPaths(*field.message, depth - (is_container ? 1 : 0), path, paths);
    path->pop_back();
  }
}

/// One field of a message, as small as it can be.
std::string SomeField(const MessageShape& shape) {
  std::string bytes;
  const FieldShape& field = shape.fields[0];
  if (field.message != nullptr) {
    pbf_writer(bytes).add_message(field.number, SomeField(*field.message));
  } else if (field.kind == WireKind::kString) {
    pbf_writer(bytes).add_string(field.number, "text");
  } else if (field.kind == WireKind::kFixed64) {
    pbf_writer(bytes).add_fixed64(field.number, 7);
  } else {
    pbf_writer(bytes).add_uint32(field.number, 7);
  }
  return bytes;
}

/// A request with a record, and the last field of `path` so many times.
std::string Repeated(const MessageShape& shape, const Path& path, size_t step, int64_t num_parts) {
  std::string bytes;
  pbf_writer writer(bytes);
  const FieldShape& field = *path[step];
  if (step + 1 < path.size()) {
    writer.add_message(field.number, Repeated(*field.message, path, step + 1, num_parts));
  } else {
    const std::string part = SomeField(*field.message);
    for (int64_t i = 0; i < num_parts; ++i) {
      writer.add_message(field.number, part);
    }
  }
  // Resources and scopes are read once they have a record.
  const FieldShape* children = step < 2 ? shape.Find(2) : nullptr;
  if (step > 0 && children != nullptr && children != &field && children->message != nullptr) {
    std::string record;
    if (children->name.starts_with("scope_")) {
      pbf_writer(record).add_message(2, std::string());
    }
    writer.add_message(2, record);
  }
  return bytes;
}

std::string NameOf(const Path& path) {
  std::string name;
  for (const FieldShape* field : path) {
    name += fmt::format("{}{}", name.empty() ? "" : ".", field->name);
  }
  return name;
}

class PartsOfSignal : public ::testing::TestWithParam<Signal> {};
INSTANTIATE_TEST_SUITE_P(Signals, PartsOfSignal, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& param) { return std::string(otap::Name(param.param)); });

TEST_P(PartsOfSignal, PartsOfAnyFieldCostWhatTheyWeigh) {
  const Signal signal = GetParam();
  std::vector<Path> paths;
  Path path;
  FindPaths(RequestShape(signal), 2, &path, &paths);
  EXPECT_GT(paths.size(), 15U);
  for (const Path& repeated : paths) {
    EXPECT_EQ(testing::WhyNotLinear(400,
                                    [&](int64_t n) {
                                      return [signal, request = Repeated(RequestShape(signal),
                                                                         repeated, 0, n)] {
                                        ASSERT_TRUE(DecodeRequest(signal, request).ok());
                                      };
                                    }),
              "")
        << "decoding " << NameOf(repeated);
    EXPECT_EQ(testing::WhyNotLinear(400,
                                    [&](int64_t n) {
                                      return [signal, request = Repeated(RequestShape(signal),
                                                                         repeated, 0, n)] {
                                        ASSERT_TRUE(CountItems(signal, request).ok());
                                        auto cutter = RequestCutter::Make(signal, request);
                                        ASSERT_TRUE(cutter.ok());
                                        while (cutter->has_more()) {
                                          cutter->Next(1 << 20);
                                        }
                                      };
                                    }),
              "")
        << "passing on " << NameOf(repeated);
  }
}

TEST(MergedParts, OfDeepValuesCostWhatTheyWeigh) {
  // Two parts at each of 46 levels: a reader that reads or copies a part twice does so 46 times.
  const auto request = [](int64_t num_leaves, int depth) {
    std::string value;
    for (int64_t i = 0; i < num_leaves; ++i) {
      std::string leaf;
      pbf_writer(leaf).add_message(1, SomeField(kAnyValueShape));
      pbf_writer(value).add_message(5, leaf);
    }
    for (int level = 0; level < depth; ++level) {
      std::string list;
      pbf_writer(list).add_message(1, value);
      value.clear();
      pbf_writer(value).add_message(5, list);
      pbf_writer(value).add_message(5, SomeField(kArrayValueShape));
    }
    std::string record;
    pbf_writer(record).add_message(5, value);
    for (const uint32_t number : {2, 2, 1}) {
      std::string outer;
      pbf_writer(outer).add_message(number, record);
      record = std::move(outer);
    }
    return record;
  };
  const auto cost = [&](int depth) {
    const std::string bytes = request(20'000, depth);
    return testing::CostOf([&] { ASSERT_TRUE(DecodeRequest(Signal::kLogs, bytes).ok()); });
  };
  const testing::Cost flat = cost(2);
  const testing::Cost deep = cost(46);
  EXPECT_LT(deep.cpu_seconds, 8 * flat.cpu_seconds + 0.02);
  EXPECT_LE(deep.allocated_bytes, 2 * flat.allocated_bytes + (1 << 20));
}

TEST(MergedParts, WhatIsReplacedHasToBeWellFormed) {
  const auto read = [](const std::string& value) {
    std::string record;
    pbf_writer(record).add_message(5, value);
    for (const uint32_t number : {2, 2, 1}) {
      std::string outer;
      pbf_writer(outer).add_message(number, record);
      record = std::move(outer);
    }
    EXPECT_EQ(DecodeRequest(Signal::kLogs, record).ok(),
              !FindFault(RequestShape(Signal::kLogs), record, 128).has_value());
    return DecodeRequest(Signal::kLogs, record).ok();
  };
  std::string good;
  pbf_writer(good).add_message(1, SomeField(kAnyValueShape));
  for (const bool is_last_good : {true, false}) {
    std::string value;
    pbf_writer(value).add_message(5, good);
    pbf_writer(value).add_message(5, is_last_good ? good : good.substr(0, good.size() - 1));
    pbf_writer(value).add_bool(2, true);
    EXPECT_EQ(read(value), is_last_good);
  }
  // Two halves make no whole.
  std::string halves;
  pbf_writer(halves).add_message(5, good.substr(0, 2));
  pbf_writer(halves).add_message(5, good.substr(2));
  EXPECT_FALSE(read(halves));
}

}  // namespace
}  // namespace df::otlp
