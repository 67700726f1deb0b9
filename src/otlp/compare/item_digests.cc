#include "otlp/compare/item_digests.h"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <openssl/sha.h>

namespace df::otlp {
namespace {

/// An example is cut: the text of an item may have megabytes.
constexpr size_t kMostExampleBytes = 2'000;
/// Items of which the texts are kept.
constexpr size_t kMostWithText = 1'000;

uint64_t NumberAt(const uint8_t* bytes) {
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) {
    number = number << 8 | bytes[i];
  }
  return number;
}

std::string ExampleOf(const ItemText& item) {
  std::string text = fmt::format("{} | {}{}{}", item.head, item.metric_head,
                                 item.metric_head.empty() ? "" : " | ", item.text);
  if (text.size() > kMostExampleBytes) {
    text.resize(kMostExampleBytes);
    text += "..";
  }
  return text;
}

}  // namespace

ItemHash HashOf(const ItemText& item) {
  // An end of line is never in a text: it stands between the parts.
  const std::string whole = fmt::format("{}\n{}\n{}", item.head, item.metric_head, item.text);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(whole.data()), whole.size(), digest.data());
  return {NumberAt(digest.data()), NumberAt(digest.data() + 8)};
}

void ItemSum::Add(const ItemHash& hash) {
  ++count;
  sum.low += hash.low;
  sum.high += hash.high + (sum.low < hash.low ? 1 : 0);
}

void ItemSum::Merge(const ItemSum& other) {
  count += other.count;
  sum.low += other.sum.low;
  sum.high += other.sum.high + (sum.low < other.sum.low ? 1 : 0);
}

std::string ItemSum::Hex() const { return fmt::format("{:016x}{:016x}", sum.high, sum.low); }

arrow::Result<ItemSum> SumOfItems(otap::Signal signal, std::string_view request) {
  ItemSum sum;
  ARROW_RETURN_NOT_OK(
      VisitItemTexts(signal, request, {}, [&sum](const ItemText& item) { sum.Add(HashOf(item)); }));
  return sum;
}

arrow::Status ItemDigest::Add(std::string_view request) {
  return VisitItemTexts(signal_, request, {}, [this](const ItemText& item) {
    const ItemHash hash = HashOf(item);
    buckets_[BucketOf(hash)].Add(hash);
  });
}

void ItemDigest::Merge(const ItemDigest& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    buckets_[i].Merge(other.buckets_[i]);
  }
}

ItemSum ItemDigest::Sum() const {
  ItemSum sum;
  for (const ItemSum& bucket : buckets_) {
    sum.Merge(bucket);
  }
  return sum;
}

std::vector<bool> ItemDigest::DifferentBuckets(const ItemDigest& other) const {
  std::vector<bool> different(buckets_.size());
  for (size_t i = 0; i < buckets_.size(); ++i) {
    different[i] = buckets_[i] != other.buckets_[i];
  }
  return different;
}

arrow::Status ItemDifference::Add(std::string_view request, bool is_first) {
  return VisitItemTexts(signal_, request, {}, [&](const ItemText& item) {
    const ItemHash hash = HashOf(item);
    if (!buckets_[ItemDigest::BucketOf(hash)]) {
      return;
    }
    auto found = kept_.find(hash);
    if (found == kept_.end()) {
      if (kept_.size() >= kMostKept) {
        is_complete_ = false;
        return;
      }
      const bool is_shown = kept_.size() < kMostWithText;
      found = kept_.emplace(hash, Kept{.text = is_shown ? ExampleOf(item) : ""}).first;
    }
    found->second.balance += is_first ? 1 : -1;
    if (found->second.balance == 0) {
      kept_.erase(found);  // the rest is what they differ in
    }
  });
}

ItemDifference::Result ItemDifference::Compare() const {
  Result result;
  result.is_complete = is_complete_;
  for (const auto& [hash, kept] : kept_) {
    (kept.balance > 0 ? result.only_first : result.only_second) += std::abs(kept.balance);
    auto* examples = kept.balance > 0 ? &result.examples_first : &result.examples_second;
    if (!kept.text.empty() && examples->size() < kMostExamples) {
      examples->push_back(kept.text);
    }
  }
  return result;
}

}  // namespace df::otlp
