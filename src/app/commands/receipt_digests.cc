#include "app/commands/receipt_digests.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace df::app {
namespace {

using Json = nlohmann::json;

/// A receipt begins with its version, after a brace and spaces.
constexpr size_t kMostBytesBefore = 64;

bool ReadHex(std::string_view text, uint64_t* number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *number, 16);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

/// Returns nothing where it is no digest.
std::optional<DeliveredDigest> ParseDigest(const Json& json) {
  DeliveredDigest digest;
  const auto count = [&json](const char* key, int64_t* to) {
    const auto found = json.find(key);
    const bool is_count = found != json.end() && found->is_number_integer() && *found >= 0;
    *to = is_count ? found->get<int64_t>() : 0;
    return is_count;
  };
  const auto sum = json.find("sum");
  if (sum == json.end() || !sum->is_string()) {
    return std::nullopt;
  }
  const std::string hex = sum->get<std::string>();
  const bool is_whole =
      hex.size() == 32 && ReadHex(std::string_view(hex).substr(0, 16), &digest.sum.sum.high) &&
      ReadHex(std::string_view(hex).substr(16), &digest.sum.sum.low) &&
      count("items", &digest.sum.count) && count("items_without", &digest.num_without);
  return is_whole ? std::optional(digest) : std::nullopt;
}

/// Adds the digests of one source. Errors: Invalid saying what is not there.
Status AddSource(const Json& source, DeliveredDigests* digests) {
  const auto signals = source.find("signals");
  if (signals == source.end() || !signals->is_object()) {
    return Status::Invalid("it has a source without signals");
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto one = signals->find(std::string(otap::Name(signal)));
    if (one == signals->end() || !one->is_object()) {
      continue;
    }
    const auto digest = one->find("digest");
    if (digest == one->end() || digest->is_null()) {
      return Status::Invalid("it has no digests: the run was not told to compute them (--digest)");
    }
    const auto parsed = ParseDigest(*digest);
    if (!parsed.has_value()) {
      return Status::Invalid(fmt::format("its digest of {} cannot be read", otap::Name(signal)));
    }
    auto& sum = (*digests)[static_cast<size_t>(signal)];
    sum = sum.value_or(DeliveredDigest{});
    sum->sum.Merge(parsed->sum);
    sum->num_without += parsed->num_without;
    if (const auto items = one->find("items"); items != one->end() && items->is_object()) {
      sum->num_in_flight += items->value("in_flight", int64_t{0});
    }
  }
  return Status::OK();
}

Status AddReceipt(const Json& receipt, DeliveredDigests* digests) {
  if (!receipt.is_object() || receipt.value("receipt", Json()) != 1) {
    return Status::Invalid("found no receipt of version 1");
  }
  bool has_source = false;
  for (const Json& pipeline : receipt.value("pipelines", Json::array())) {
    for (const Json& node : pipeline.value("nodes", Json::array())) {
      if (const auto source = node.find("source"); source != node.end() && source->is_object()) {
        has_source = true;
        ARROW_RETURN_NOT_OK(AddSource(*source, digests));
      }
    }
  }
  return has_source ? Status::OK() : Status::Invalid("it is of no replay");
}

}  // namespace

bool IsReceipt(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return false;
  }
  std::ifstream file(path, std::ios::binary);
  std::string begin(kMostBytesBefore, '\0');
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(file.gcount()));
  std::erase_if(begin, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return begin.starts_with("{\"receipt\":");
}

Result<DeliveredDigests> ReadReceiptDigests(const std::vector<std::string>& paths) {
  DeliveredDigests digests;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    Status status =
        file.bad() || !file.is_open() ? Status::IOError("cannot be read") : Status::OK();
    if (status.ok()) {
      try {
        status = AddReceipt(Json::parse(text, nullptr, /*allow_exceptions=*/false), &digests);
      } catch (const Json::exception&) {  // a member has another type than the schema says
        status = Status::Invalid("it is not as docs/receipt.schema.json says");
      }
    }
    if (!status.ok()) {
      return Status::Invalid(fmt::format("'{}': {}", PrintableText(path), status.message()));
    }
  }
  return digests;
}

}  // namespace df::app
