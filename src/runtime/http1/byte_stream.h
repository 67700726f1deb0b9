// The bytes of one connection for a coroutine. Included by runtime sources only.
#pragma once

#include <memory>
#include <string>

#include <boost/beast/core/flat_buffer.hpp>

#include "runtime/event_loop.h"
#include "runtime/transport.h"

namespace df::runtime::http1 {

/// One coroutine reads and writes by turns; it may be destroyed wherever it waits.
/// Owner: shared with what is under way; Close before letting go. Calls: the loop.
class ByteStream : public std::enable_shared_from_this<ByteStream> {
 public:
  enum class Outcome {
    kDone,
    kLate,    ///< the deadline has passed; the stream is as good as before, but for a write
    kEnd,     ///< the peer has closed
    kBroken,  ///< see error()
  };

  ByteStream(EventLoop* loop, std::unique_ptr<Transport> transport)
      : loop_(loop), transport_(std::move(transport)), reading_(loop), writing_(loop) {}
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  Task<Outcome> Handshake(SteadyTime deadline);

  /// Waits for more bytes behind those in received().
  Task<Outcome> Read(SteadyTime deadline);
  /// Begins to read without waiting, to hear of the peer's closing.
  void StartRead();
  /// Makes the Read that waits now, or the next one, end as if it were late.
  void Interrupt();
  /// What StartRead has begun is not over: the peer has neither closed nor sent anything.
  bool is_reading() const { return reading_.is_pending; }

  /// Writes all of it.
  Task<Outcome> Write(std::string bytes, SteadyTime deadline);

  /// What has come and was not consumed. Not to be touched during a Read.
  boost::beast::flat_buffer& received() { return received_; }

  /// Bytes that Reads have given so far.
  int64_t num_read_bytes() const { return num_read_bytes_; }

  const std::string& error() const { return error_; }

  /// Tells the peer that nothing more is written.
  void CloseWriting() { transport_->CloseWriting(); }

  /// Ends what is under way.
  void Close() { transport_->Close(); }

 private:
  struct Operation {
    explicit Operation(EventLoop* loop) : wakeup(loop) {}
    void End(const boost::system::error_code& ended, size_t size);
    Wakeup wakeup;
    bool is_pending = false;
    bool is_done = false;  // and not looked at
    boost::system::error_code error;
    size_t num_bytes = 0;
  };

  Task<Outcome> Wait(Operation* operation, SteadyTime deadline);

  EventLoop* loop_;
  std::unique_ptr<Transport> transport_;
  boost::beast::flat_buffer received_;
  std::string written_;
  Operation reading_;
  Operation writing_;
  bool is_interrupted_ = false;  // the reading
  int64_t num_read_bytes_ = 0;
  std::string error_;
};

}  // namespace df::runtime::http1
