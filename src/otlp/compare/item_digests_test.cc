#include "otlp/compare/item_digests.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;

std::vector<std::string> RandomRequests(Signal signal, int count, testing::RandomEngine& random) {
  std::vector<std::string> requests;
  for (int i = 0; i < count; ++i) {
    requests.push_back(EncodeRequest(*testing::RandomBatch(signal, {}, random)).ValueOrDie());
  }
  return requests;
}

ItemDigest DigestOf(Signal signal, const std::vector<std::string>& requests) {
  ItemDigest digest(signal);
  for (const std::string& request : requests) {
    EXPECT_TRUE(digest.Add(request).ok());
  }
  return digest;
}

TEST(ItemDigestTest, IsTheSameInAnyOrderAndAnyGroups) {
  for (const Signal signal : otap::kAllSignals) {
    testing::RandomEngine random(7);
    std::vector<std::string> requests = RandomRequests(signal, 6, random);
    const ItemDigest whole = DigestOf(signal, requests);
    std::shuffle(requests.begin(), requests.end(), random);
    ItemDigest parts = DigestOf(signal, {requests.begin(), requests.begin() + 2});
    parts.Merge(DigestOf(signal, {requests.begin() + 2, requests.end()}));
    EXPECT_EQ(parts.Sum(), whole.Sum());
    EXPECT_GT(whole.Sum().count, 0);
    // Concatenated requests of protobuf are one request with the items of both.
    std::string joined;
    for (const std::string& request : requests) {
      joined += request;
    }
    EXPECT_EQ(DigestOf(signal, {joined}).Sum(), whole.Sum());
    EXPECT_THAT(whole.DifferentBuckets(parts), ::testing::Each(false));
  }
}

TEST(ItemDigestTest, TellsSetsApartByOneItem) {
  for (const Signal signal : otap::kAllSignals) {
    testing::RandomEngine random(11);
    const std::vector<std::string> requests = RandomRequests(signal, 5, random);
    const ItemDigest whole = DigestOf(signal, requests);
    const ItemDigest fewer = DigestOf(signal, {requests.begin() + 1, requests.end()});
    std::vector<std::string> doubled = requests;
    doubled.push_back(requests.front());
    EXPECT_NE(whole.Sum(), fewer.Sum());
    EXPECT_NE(whole.Sum(), DigestOf(signal, doubled).Sum()) << "a multiset";
    ItemDifference difference(signal, whole.DifferentBuckets(fewer));
    for (const std::string& request : requests) {
      ASSERT_TRUE(difference.Add(request, true).ok());
    }
    for (size_t i = 1; i < requests.size(); ++i) {
      ASSERT_TRUE(difference.Add(requests[i], false).ok());
    }
    const ItemDifference::Result result = difference.Compare();
    EXPECT_EQ(result.only_first, whole.Sum().count - fewer.Sum().count);
    EXPECT_EQ(result.only_second, 0);
    EXPECT_TRUE(result.is_complete);
    EXPECT_FALSE(result.examples_first.empty());
  }
}

TEST(ItemDigestTest, WhatIsNoRequestIsRefused) {
  ItemDigest digest(Signal::kLogs);
  EXPECT_FALSE(digest.Add("\xFF\xFF").ok());
}

}  // namespace
}  // namespace df::otlp
