// Digests of multisets of items: two of them tell whether two sets are the same, in whatever order
// and by whatever groups the items came.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "otap/schema.h"
#include "otlp/compare/item_texts.h"

namespace df::otlp {

/// The first 16 bytes of the SHA-256 of an item.
struct ItemHash {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const ItemHash&) const = default;
};

ItemHash HashOf(const ItemText& item);

/// A number of items and the sum of their hashes modulo 2^128. Owner: a value.
struct ItemSum {
  int64_t count = 0;
  ItemHash sum;
  bool operator==(const ItemSum&) const = default;

  void Add(const ItemHash& hash);
  void Merge(const ItemSum& other);
  /// Returns 32 hexadecimal digits.
  std::string Hex() const;
};

/// Adds up the items of a request in protobuf. Errors: Invalid when the bytes are not protobuf.
arrow::Result<ItemSum> SumOfItems(otap::Signal signal, std::string_view request);

/// The items of one signal. Memory: the same for any number of items. Calls: from one thread.
class ItemDigest {
 public:
  /// By the first bits of hashes: where two sets differ, few of their items are looked at again.
  static constexpr size_t kBuckets = 4'096;
  static size_t BucketOf(const ItemHash& hash) { return hash.high >> 52; }

  explicit ItemDigest(otap::Signal signal) : signal_(signal), buckets_(kBuckets) {}

  otap::Signal signal() const { return signal_; }
  /// Adds a request in protobuf. Errors: Invalid when the bytes are not protobuf.
  arrow::Status Add(std::string_view request);
  void Merge(const ItemDigest& other);

  ItemSum Sum() const;
  /// Returns, by bucket, whether the two differ there.
  std::vector<bool> DifferentBuckets(const ItemDigest& other) const;

 private:
  otap::Signal signal_;
  std::vector<ItemSum> buckets_;
};

/// What two sets differ in. Calls: from one thread.
class ItemDifference {
 public:
  /// `buckets` says where they differ.
  ItemDifference(otap::Signal signal, std::vector<bool> buckets)
      : signal_(signal), buckets_(std::move(buckets)) {}

  /// Items that are kept; those beyond are counted only.
  static constexpr size_t kMostKept = 1'000'000;
  static constexpr size_t kMostExamples = 5;

  /// Adds a request of the first set, or of the other one. Errors: Invalid when it is no protobuf.
  arrow::Status Add(std::string_view request, bool is_first);

  struct Result {
    int64_t only_first = 0;  ///< items that the first set has more often
    int64_t only_second = 0;
    bool is_complete = true;  ///< false: there were more than are kept
    std::vector<std::string> examples_first;
    std::vector<std::string> examples_second;
  };
  Result Compare() const;

 private:
  struct Kept {
    int64_t balance = 0;
    std::string text;
  };

  otap::Signal signal_;
  std::vector<bool> buckets_;
  std::map<ItemHash, Kept> kept_;
  bool is_complete_ = true;
};

}  // namespace df::otlp
