#include "runtime/grpc/message.h"

#include <limits>
#include <utility>

#include <fmt/format.h>

namespace df::runtime::grpc {
namespace {

constexpr size_t kPrefixBytes = 5;
// What is taken is cut off the front only when it is worth moving the rest.
constexpr size_t kCompactBytes = 64 << 10;

std::string Prefix(bool is_compressed, size_t size) {
  std::string prefix(kPrefixBytes, '\0');
  prefix[0] = is_compressed ? 1 : 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) {
    prefix[i] = static_cast<char>(size >> (8 * (kPrefixBytes - 1 - i)));
  }
  return prefix;
}

}  // namespace

MessageReader::Step MessageReader::Break(Code code, std::string reason) {
  error_ = MakeStatus(code, std::move(reason));
  buffer_.clear();
  position_ = 0;
  return Step::kBroken;
}

MessageReader::Step MessageReader::Next(std::string* message) {
  if (!error_.ok()) {
    return Step::kBroken;
  }
  const std::string_view rest = std::string_view(buffer_).substr(position_);
  if (rest.size() < kPrefixBytes) {
    return Step::kNeedsMore;
  }
  const auto flag = static_cast<uint8_t>(rest[0]);
  int64_t size = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) {
    size = size << 8 | static_cast<uint8_t>(rest[i]);
  }
  if (flag > 1) {
    return Break(Code::kInternal, fmt::format("a message begins with {}, expected 0 or 1", flag));
  }
  if (flag == 1 && compression_ == Compression::kNone) {
    return Break(Code::kInternal,
                 "a message is marked as compressed, but grpc-encoding says with nothing");
  }
  if (size > max_bytes_) {
    return Break(
        Code::kResourceExhausted,
        fmt::format("a message of {} bytes is larger than the {} bytes allowed", size, max_bytes_));
  }
  if (static_cast<int64_t>(rest.size() - kPrefixBytes) < size) {
    return Step::kNeedsMore;
  }
  num_wire_bytes_ += size;
  const std::string_view bytes = rest.substr(kPrefixBytes, static_cast<size_t>(size));
  if (flag == 1) {
    auto inflated = Decompress(compression_, bytes, max_bytes_);
    if (!inflated.ok()) {
      return Break(inflated.status().IsCapacityError() ? Code::kResourceExhausted : Code::kInternal,
                   "a message cannot be inflated: " + inflated.status().message());
    }
    *message = *std::move(inflated);
  } else if (position_ == 0 && bytes.size() + kPrefixBytes == buffer_.size()) {
    *message = std::exchange(buffer_, std::string());
    message->erase(0, kPrefixBytes);
    return Step::kMessage;
  } else {
    message->assign(bytes);
  }
  position_ += kPrefixBytes + static_cast<size_t>(size);
  if (position_ == buffer_.size()) {
    buffer_.clear();
    position_ = 0;
  } else if (position_ >= kCompactBytes) {
    buffer_.erase(0, position_);
    position_ = 0;
  }
  return Step::kMessage;
}

Result<std::string> FrameMessage(std::string message, Compression compression) {
  if (compression != Compression::kNone) {
    ARROW_ASSIGN_OR_RAISE(const std::string compressed, Compress(compression, message));
    if (compressed.size() < message.size()) {
      return Prefix(true, compressed.size()) + compressed;
    }
  }
  if (message.size() > std::numeric_limits<uint32_t>::max()) {
    return Status::Invalid(
        fmt::format("a message of {} bytes, gRPC allows 4294967295", message.size()));
  }
  message.insert(0, Prefix(false, message.size()));
  return message;
}

}  // namespace df::runtime::grpc
