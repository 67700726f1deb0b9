#include "nodes/processors/durable_buffer/checksum.h"

#include <array>

namespace df::nodes::processors::durable_buffer {
namespace {

/// Eight tables: eight bytes are looked up at a time.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0);
    }
    tables[0][byte] = value;
  }
  for (size_t table = 1; table < tables.size(); ++table) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[table - 1][byte];
      tables[table][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

uint32_t Checksum(std::string_view bytes) {
  uint32_t value = UINT32_MAX;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  while (bytes.size() >= 8) {
    uint32_t next = 0;
    for (size_t i = 0; i < 8; ++i) {
      const uint8_t low = i < 4 ? static_cast<uint8_t>(value >> (8 * i)) : uint8_t{0};
      next ^= kTables[7 - i][at(i) ^ low];
    }
    value = next;
    bytes.remove_prefix(8);
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    value = (value >> 8) ^ kTables[0][(value ^ at(i)) & 0xff];
  }
  return ~value;
}

}  // namespace df::nodes::processors::durable_buffer
