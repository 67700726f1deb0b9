// HTTP/2 written and read byte by byte, for peers that break the rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace df::runtime::http2::frames {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
};

inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string Number(uint32_t value, int num_bytes) {
  std::string bytes;
  for (int i = num_bytes - 1; i >= 0; --i) {
    bytes += static_cast<char>(value >> (8 * i));
  }
  return bytes;
}

inline std::string Frame(Type type, uint8_t flags, uint32_t stream, std::string_view payload) {
  return Number(static_cast<uint32_t>(payload.size()), 3) + static_cast<char>(type) +
         static_cast<char>(flags) + Number(stream, 4) + std::string(payload);
}

/// Names and values of at most 126 bytes, each as a literal that is not indexed.
inline std::string Block(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block += '\0';
    block += static_cast<char>(name.size()) + name;
    block += static_cast<char>(value.size()) + value;
  }
  return block;
}

/// What a client of gRPC sends first.
inline std::string Call(uint32_t stream, std::string_view path, uint8_t flags = kEndHeaders) {
  return Frame(kHeaders, flags, stream,
               Block({{":method", "POST"},
                      {":scheme", "http"},
                      {":path", std::string(path)},
                      {":authority", "x"},
                      {"content-type", "application/grpc"},
                      {"te", "trailers"}}));
}

/// A gRPC message, not compressed.
inline std::string Message(std::string_view bytes) {
  return '\0' + Number(static_cast<uint32_t>(bytes.size()), 4) + std::string(bytes);
}

struct Parsed {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

/// Returns the whole frames at the front of `bytes`.
inline std::vector<Parsed> Parse(std::string_view bytes) {
  std::vector<Parsed> frames;
  const auto number = [&bytes](size_t at, size_t size) {
    uint32_t value = 0;
    for (size_t i = at; i < at + size; ++i) {
      value = value << 8 | static_cast<uint8_t>(bytes[i]);
    }
    return value;
  };
  while (bytes.size() >= 9 && bytes.size() >= 9 + number(0, 3)) {
    Parsed frame;
    frame.type = static_cast<uint8_t>(bytes[3]);
    frame.flags = static_cast<uint8_t>(bytes[4]);
    frame.stream = number(5, 4);
    frame.payload = bytes.substr(9, number(0, 3));
    bytes.remove_prefix(9 + frame.payload.size());
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace df::runtime::http2::frames
