// One HTTP/2 connection of either side. Included by runtime sources only.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "runtime/event_loop.h"
#include "runtime/http2/settings.h"
#include "runtime/http2/stream.h"
#include "runtime/places.h"
#include "runtime/transport.h"

namespace df::runtime::http2 {

/// Hears of a connection. Owner: outlives it, or calls Forget.
class ConnectionObserver {
 public:
  /// The handshakes are done.
  virtual void OnReady(Connection* connection) = 0;
  /// Server: the headers of a request are there.
  virtual void OnStream(Connection* connection, StreamPtr stream) = 0;
  /// A stream has ended, or the peer takes no new ones.
  virtual void OnChange(Connection* connection) = 0;
  /// The last call.
  virtual void OnClosed(Connection* connection, const std::string& reason) = 0;

 protected:
  ~ConnectionObserver() = default;
};

/// Owner: shared by who made it and by what is under way on its socket. Calls: the loop.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class Side : uint8_t { kServer, kClient };

  Connection(EventLoop* loop, std::unique_ptr<Transport> transport, Side side, bool has_tls,
             const ConnectionSettings& settings, ConnectionObserver* observer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  /// Client: sends a request whose data follows by Write and Finish. Null when the connection
  /// takes no new one.
  StreamPtr Open(const Headers& request);
  /// Client: whether Open may be tried, as far as both sides allow.
  bool can_open() const;
  bool is_going() const { return is_going_; }

  /// Tells the peer to open no more streams, and closes after the last.
  void Drain();
  /// Closes at once; streams are broken with the reason.
  void Close(const std::string& reason);
  void Forget() { observer_ = nullptr; }

  size_t num_streams() const { return streams_.size(); }

  /// Server: who its streams say opened them. Calls: before Start.
  void SetPeer(Peer peer) { peer_ = std::move(peer); }
  /// What has come so far, in bytes.
  int64_t num_read_bytes() const { return num_read_bytes_; }

 private:
  friend class Stream;
  friend struct SessionCallbacks;

  Status MakeSession();
  void OnHandshake(const boost::system::error_code& error);
  void Read();
  void OnRead(const boost::system::error_code& error, size_t num_bytes);
  void Flush();
  void FlushSoon();
  void Write();
  void CloseIfDone();
  void StartTimers();
  void OnKeepalive();
  void OnStallCheck();

  // What streams ask for.
  void Consumed(Stream* stream, size_t num_bytes);
  void SubmitResponse(Stream* stream, const Headers& headers, bool has_data);
  void Resume(Stream* stream);
  void SubmitReset(Stream* stream, uint32_t error_code);

  // What the session says.
  Stream* FindStream(int32_t id);
  void OnBlockEnd(Stream* stream, bool is_trailer);
  void CloseStream(int32_t id, uint32_t error_code);
  ssize_t ReadBody(Stream* stream, uint8_t* out, size_t room, uint32_t* flags);

  EventLoop* loop_;
  std::unique_ptr<Transport> transport_;
  Side side_;
  bool has_tls_;
  ConnectionSettings settings_;
  ConnectionObserver* observer_;
  Peer peer_;
  int64_t num_read_bytes_ = 0;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, StreamPtr> streams_;
  std::vector<StreamPtr> new_streams_;  // to be told of after the bytes at hand

  std::vector<uint8_t> input_;
  std::string output_;
  bool is_writing_ = false;
  bool is_reading_frames_ = false;
  bool is_flush_posted_ = false;
  bool is_ready_ = false;
  bool is_going_ = false;  // no new streams
  bool is_closed_ = false;
  bool has_changed_ = false;
  SteadyTime last_read_;
  bool is_ping_sent_ = false;
  bool has_read_since_ping_ = false;

  Timer handshake_timer_;
  Timer write_timer_;
  Timer keepalive_timer_;
  Timer stall_timer_;
  Timer idle_timer_;
};

}  // namespace df::runtime::http2
