// Shapes of input whose cost once grew with the square of their size.
#include "testing/cost.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otlp/decode.h"
#include "otlp/encode.h"

namespace df::otlp {
namespace {

using otap::Signal;
using protozero::pbf_writer;

/// One record, and a scope of its own, in each of so many resources.
std::string ManyResources(int64_t num_resources) {
  std::string request;
  for (int64_t i = 0; i < num_resources; ++i) {
    std::string scope;
    pbf_writer(scope).add_message(2, std::string());
    std::string resource;
    pbf_writer(resource).add_message(2, scope);
    pbf_writer(request).add_message(1, resource);
  }
  return request;
}

TEST(EncodeCost, ResourcesCostWhatTheyWeigh) {
  EXPECT_EQ(testing::WhyNotLinear(4000,
                                  [](int64_t n) {
                                    const auto batches =
                                        DecodeRequest(Signal::kLogs, ManyResources(n)).ValueOrDie();
                                    return [batch = batches.at(0)] {
                                      ASSERT_TRUE(EncodeRequest(*batch).ok());
                                      ASSERT_TRUE(EncodeJson(*batch).ok());
                                    };
                                  }),
            "");
}

TEST(JsonCost, RequestsCostWhatTheyWeigh) {
  const std::vector<std::pair<std::string, std::function<std::string(int64_t)>>> shapes = {
      {"unknown keys",
       [](int64_t n) {
         std::string json = "{";
         for (int64_t i = 0; i < n; ++i) {
           json += fmt::format(R"("k{}":{{"a":{}}},)", i, i);
         }
         return json + R"("resourceLogs":[]})";
       }},
      {"records",
       [](int64_t n) {
         std::string json = R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{})";
         for (int64_t i = 0; i < n; ++i) {
           json += R"(,{"timeUnixNano":"17","body":{"stringValue":"text"}})";
         }
         return json + "]}]}]}";
       }},
      {"values", [](int64_t n) {
         std::string json =
             R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":{"values":[{})";
         for (int64_t i = 0; i < n; ++i) {
           json +=
               fmt::format(R"(,{{"key":"k{}","value":{{"arrayValue":{{"values":[{{}}]}}}}}})", i);
         }
         return json + "]}}}]}]}]}";
       }}};
  for (const auto& [name, make] : shapes) {
    EXPECT_EQ(testing::WhyNotLinear(5000,
                                    [&make = make](int64_t n) {
                                      return [json = make(n)] {
                                        Decoder decoder;
                                        ASSERT_TRUE(decoder.DecodeJson(Signal::kLogs, json).ok());
                                      };
                                    }),
              "")
        << name;
  }
}

}  // namespace
}  // namespace df::otlp
