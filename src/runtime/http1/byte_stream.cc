#include "runtime/http1/byte_stream.h"

#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

namespace df::runtime::http1 {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kLeastReadBytes = 4 << 10;

/// Returns how many bytes to read next: what there is room for, so that a peer that sends a few
/// bytes at a time does not have everything it sent copied at each of them.
size_t NextReadBytes(const boost::beast::flat_buffer& received) {
  const size_t room = received.capacity() - received.size();
  return room >= kLeastReadBytes ? std::min(room, kReadBytes)
                                 : std::max(kReadBytes, received.size());
}

}  // namespace

void ByteStream::Operation::End(const boost::system::error_code& ended, size_t size) {
  error = ended;
  num_bytes = size;
  is_pending = false;
  is_done = true;
  wakeup.Notify();
}

Task<ByteStream::Outcome> ByteStream::Wait(Operation* operation, SteadyTime deadline) {
  bool is_late = false;
  Timer timer(loop_, [operation, &is_late] {
    is_late = true;
    operation->wakeup.Notify();
  });
  timer.StartAt(deadline);
  const auto is_interrupted = [this, operation] {
    return operation == &reading_ && is_interrupted_;
  };
  while (!operation->is_done && !is_late && !is_interrupted()) {
    co_await operation->wakeup.Wait();
  }
  if (!operation->is_done) {
    is_interrupted_ = is_interrupted_ && operation != &reading_;
    error_ = "the time is over";
    co_return Outcome::kLate;
  }
  operation->is_done = false;
  if (!operation->error) {
    co_return Outcome::kDone;
  }
  error_ = operation->error.message();
  co_return operation->error == boost::asio::error::eof ||
          operation->error == boost::asio::ssl::error::stream_truncated
      ? Outcome::kEnd
      : Outcome::kBroken;
}

Task<ByteStream::Outcome> ByteStream::Handshake(SteadyTime deadline) {
  writing_.is_pending = true;
  transport_->Handshake([self = shared_from_this()](const boost::system::error_code& error) {
    self->writing_.End(error, 0);
  });
  return Wait(&writing_, deadline);
}

void ByteStream::StartRead() {
  if (reading_.is_pending || reading_.is_done) {
    return;
  }
  reading_.is_pending = true;
  transport_->ReadSome(
      received_.prepare(NextReadBytes(received_)),
      [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
        self->reading_.End(error, size);
      });
}

void ByteStream::Interrupt() {
  is_interrupted_ = true;
  reading_.wakeup.Notify();
}

Task<ByteStream::Outcome> ByteStream::Read(SteadyTime deadline) {
  StartRead();
  const Outcome outcome = co_await Wait(&reading_, deadline);
  if (outcome == Outcome::kDone) {
    received_.commit(reading_.num_bytes);
    num_read_bytes_ += static_cast<int64_t>(reading_.num_bytes);
  }
  co_return outcome;
}

Task<ByteStream::Outcome> ByteStream::Write(std::string bytes, SteadyTime deadline) {
  written_ = std::move(bytes);
  writing_.is_pending = true;
  transport_->Write(boost::asio::buffer(written_),
                    [self = shared_from_this()](const boost::system::error_code& error,
                                                size_t size) { self->writing_.End(error, size); });
  return Wait(&writing_, deadline);
}

}  // namespace df::runtime::http1
