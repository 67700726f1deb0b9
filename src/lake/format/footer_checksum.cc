#include "lake/format/footer_checksum.h"

#include <fmt/format.h>
#include <parquet/xxhasher.h>

namespace df::lake {
namespace {

/// Between a key and its value: field 2 of KeyValue is a text of that length.
constexpr std::string_view kBeforeValue = "\x18\x10";
static_assert(kUnknownFooterChecksum.size() == 0x10);

}  // namespace

std::optional<size_t> FindFooterChecksum(std::string_view footer) {
  const std::string before = std::string(kFooterChecksumKey) + std::string(kBeforeValue);
  const size_t key = footer.rfind(before);
  const bool is_there = key != std::string_view::npos &&
                        footer.size() - key >= before.size() + kUnknownFooterChecksum.size();
  return is_there ? std::optional(key + before.size()) : std::nullopt;
}

std::string ComputeFooterChecksum(std::string footer, size_t place) {
  footer.replace(place, kUnknownFooterChecksum.size(), kUnknownFooterChecksum);
  return fmt::format("{:016x}", parquet::XxHasher().Hash(std::string_view(footer)));
}

}  // namespace df::lake
