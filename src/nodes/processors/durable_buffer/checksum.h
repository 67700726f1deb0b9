// The checksum of records in segments.
#pragma once

#include <cstdint>
#include <string_view>

namespace df::nodes::processors::durable_buffer {

/// Returns the CRC-32C of some bytes. Source: RFC 3720, appendix B.4.
uint32_t Checksum(std::string_view bytes);

}  // namespace df::nodes::processors::durable_buffer
