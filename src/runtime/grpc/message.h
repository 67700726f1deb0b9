// Messages of a gRPC stream: five bytes that say how long, then the bytes.
#pragma once

#include <cstdint>
#include <string>

#include "base/compression.h"
#include "runtime/grpc/status.h"

namespace df::runtime::grpc {

/// Takes messages out of the bytes of a stream, in whatever pieces they come.
class MessageReader {
 public:
  enum class Step : uint8_t { kMessage, kNeedsMore, kBroken };

  /// `max_bytes` counts for a message as it comes and inflated.
  explicit MessageReader(int64_t max_bytes) : max_bytes_(max_bytes) {}

  /// What messages that are marked as compressed are compressed with.
  void SetCompression(Compression compression) { compression_ = compression; }

  /// Where bytes that come are appended.
  std::string* buffer() { return &buffer_; }

  /// Takes the next message. After kBroken nothing more comes and error() says why.
  Step Next(std::string* message);
  const CallStatus& error() const { return error_; }

  /// Bytes of the messages taken so far, as they came.
  int64_t num_wire_bytes() const { return num_wire_bytes_; }

  /// Nothing of a message has come yet.
  bool is_between_messages() const { return buffer_.size() == position_; }

 private:
  Step Break(Code code, std::string reason);

  int64_t max_bytes_;
  Compression compression_ = Compression::kNone;
  std::string buffer_;
  size_t position_ = 0;
  int64_t num_wire_bytes_ = 0;
  CallStatus error_;
};

/// Returns the five bytes and the message behind them, compressed where that makes it smaller.
/// Errors: those of Compress; Invalid for a message of 4 GiB or more.
Result<std::string> FrameMessage(std::string message, Compression compression);

}  // namespace df::runtime::grpc
