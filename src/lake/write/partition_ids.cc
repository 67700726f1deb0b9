#include "lake/write/partition_ids.h"

#include <random>

#include <fmt/format.h>

namespace df::lake {

std::string RandomUuid() {
  std::random_device device;
  const auto draw = [&device] { return uint64_t{device()} << 32 | device(); };
  const uint64_t high = draw();
  const uint64_t low = draw();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff,
                     high & 0xfff, 0x8000 | (low >> 48 & 0x3fff), low & 0xffff'ffff'ffff);
}

}  // namespace df::lake
