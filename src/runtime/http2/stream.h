// One request and its answer, of either side.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/condition.h"
#include "runtime/http2/settings.h"
#include "runtime/places.h"
#include "runtime/task.h"

namespace df::runtime::http2 {

class Connection;

/// Reading is back-pressure: the peer may send on only as far as what came was read.
/// Owner: shared by the connection, until the stream is closed, and by who works on it.
/// Calls: the loop; one coroutine reads and one writes, at the same time if they like.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(EventLoop* loop, Connection* connection, int32_t id, int64_t max_buffered_write_bytes);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Waits for the peer's headers. Returns false when the stream ended without.
  Task<bool> WaitForHeaders();
  const Headers& headers() const { return headers_; }

  /// Appends what has come, and waits when nothing has. Returns false at the end of the peer's
  /// data, be it complete or broken.
  Task<bool> Read(std::string* bytes);

  /// The peer has sent all that it wanted to, trailers included.
  bool is_complete() const { return has_peer_ended_; }
  const Headers& trailers() const { return trailers_; }

  /// Server: sends the headers of the answer. Calls: once, before Write.
  void Respond(const Headers& headers);
  /// Server: sends an answer that is headers only. Calls: once, instead of Respond.
  void RespondAndFinish(const Headers& headers);

  /// Sends bytes; waits while more than the limit waits to be sent. Returns false when the stream
  /// is closed.
  Task<bool> Write(std::string bytes);
  /// Sends the rest and ends our side; trailers only on a server.
  void Finish(Headers trailers = {});

  /// Ends both sides at once, with an HTTP/2 error code. What came and was not read is gone,
  /// unless it is all that the peer had to send.
  void Reset(uint32_t error_code);

  /// What was written and is not sent yet, in bytes.
  int64_t unsent_bytes() const { return unsent_bytes_; }

  /// Who opened it.
  const Peer& peer() const { return peer_; }
  /// What Read has given so far, in bytes.
  int64_t num_read_bytes() const { return num_read_bytes_; }

  /// Our side has sent, or is sending, all that it wanted to.
  bool is_finished() const { return is_finished_; }

  /// Both sides have ended, or the stream is broken.
  bool is_closed() const { return connection_ == nullptr; }
  /// HTTP/2 error code of a closed stream; 0 where it ended well.
  uint32_t error_code() const { return error_code_; }
  /// Why the connection broke; empty where it did not.
  const std::string& broken_reason() const { return broken_reason_; }
  /// The peer has certainly not looked at the request: it may be sent again elsewhere.
  bool is_refused() const { return is_refused_; }

  /// Notified of everything that comes or changes.
  Condition& changed() { return changed_; }

 private:
  friend class Connection;
  friend struct SessionCallbacks;

  struct Piece {
    std::string bytes;
    size_t sent = 0;
  };

  EventLoop* loop_;
  Connection* connection_;  // null once closed
  int32_t id_;
  int64_t max_buffered_write_bytes_;
  Peer peer_;
  int64_t num_read_bytes_ = 0;
  Condition changed_;

  Headers headers_;
  Headers trailers_;
  Headers block_;  // being received
  int64_t block_bytes_ = 0;
  std::string received_;
  bool has_headers_ = false;
  bool has_peer_ended_ = false;

  std::vector<Piece> pieces_;  // to be sent, the next one at the front
  int64_t unsent_bytes_ = 0;
  SteadyTime last_sent_;  // when bytes were sent, or the first of them began to wait
  Headers end_trailers_;
  bool is_finished_ = false;
  bool is_deferred_ = false;  // the session waits for data

  uint32_t error_code_ = 0;
  bool is_refused_ = false;
  std::string broken_reason_;
};
using StreamPtr = std::shared_ptr<Stream>;

}  // namespace df::runtime::http2
