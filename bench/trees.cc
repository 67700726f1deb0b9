#include "trees.h"

#include <filesystem>
#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>

namespace df::bench {
namespace {

namespace fs = std::filesystem;

std::string FreshId(std::mt19937_64& random) {
  const uint64_t high = random();
  const uint64_t low = random();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xFFFF,
                     high & 0xFFF, 0x8000 | (low >> 48 & 0x3FFF), low & 0xFFFFFFFFFFFF);
}

}  // namespace

arrow::Status MultiplyTree(const std::string& source, const std::string& target, int copies) {
  std::mt19937_64 random(2026);
  fs::remove_all(target);
  std::map<std::string, std::vector<std::string>> new_ids;
  for (const auto& table : fs::directory_iterator(source)) {
    for (const auto& partition : fs::directory_iterator(table.path())) {
      auto& ids = new_ids[partition.path().filename().string()];
      while (static_cast<int>(ids.size()) < copies) {
        ids.push_back("_part_id=" + FreshId(random));
      }
      for (const std::string& id : ids) {
        const fs::path folder = fs::path(target) / table.path().filename() / id;
        fs::create_directories(folder);
        fs::copy(partition.path(), folder, fs::copy_options::recursive);
      }
    }
  }
  return arrow::Status::OK();
}

}  // namespace df::bench
