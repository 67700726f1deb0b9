#include "app/control/tar_text.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace df::app {
namespace {

constexpr size_t kBlock = 512;

/// Fields of a header, by their offsets in the block.
constexpr size_t kName = 0;
constexpr size_t kMode = 100;
constexpr size_t kOwner = 108;
constexpr size_t kGroup = 116;
constexpr size_t kSize = 124;
constexpr size_t kTime = 136;
constexpr size_t kChecksum = 148;
constexpr size_t kType = 156;
constexpr size_t kMagic = 257;

void Put(size_t offset, std::string_view text, std::string* header) {
  header->replace(offset, text.size(), text);
}

std::string HeaderOf(const TarEntry& entry, int64_t unix_seconds) {
  std::string header(kBlock, '\0');
  Put(kName, entry.first, &header);
  Put(kMode, "0000600", &header);
  Put(kOwner, "0000000", &header);
  Put(kGroup, "0000000", &header);
  Put(kSize, fmt::format("{:011o}", entry.second.size()), &header);
  Put(kTime, fmt::format("{:011o}", std::max<int64_t>(unix_seconds, 0)), &header);
  Put(kType, "0", &header);
  Put(kMagic, std::string_view("ustar\00000", 8), &header);
  // The sum counts its own field as spaces.
  Put(kChecksum, "        ", &header);
  uint32_t sum = 0;
  for (const char byte : header) {
    sum += static_cast<unsigned char>(byte);
  }
  Put(kChecksum, fmt::format("{:06o}", sum) + std::string("\0 ", 2), &header);
  return header;
}

}  // namespace

Result<std::string> TarText(const std::vector<TarEntry>& entries, int64_t unix_seconds) {
  std::string tar;
  for (const TarEntry& entry : entries) {
    if (entry.first.empty() || entry.first.size() >= kMode) {
      return Status::Invalid(fmt::format("'{}' is no name for a file in a tar", entry.first));
    }
    tar += HeaderOf(entry, unix_seconds);
    tar += entry.second;
    tar.append((kBlock - entry.second.size() % kBlock) % kBlock, '\0');
  }
  tar.append(2 * kBlock, '\0');
  return tar;
}

}  // namespace df::app
