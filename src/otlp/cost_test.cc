// Shapes of input whose cost once grew with the square of their size.
#include "testing/cost.h"

#include <string>

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

}  // namespace
}  // namespace df::otlp
