// The calling side of gRPC, in the loop of a core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/compression.h"
#include "base/error.h"
#include "runtime/event_loop.h"
#include "runtime/grpc/message.h"
#include "runtime/grpc/status.h"
#include "runtime/http2/client.h"
#include "runtime/http2/stream.h"

namespace df::runtime::grpc {

struct ClientSettings {
  http2::ClientSettings http2;
  std::string authority;    ///< sent as :authority; empty: host:port
  http2::Headers metadata;  ///< sent with every call; names in lower case
  std::string user_agent;
  Compression compression = Compression::kNone;  ///< of what is sent
  int64_t max_message_bytes = 4 << 20;           ///< of an answer, as it comes and inflated
};

/// One call under way. Owner: who opened it; destroying it cancels it. Calls: the loop; one
/// coroutine reads and one writes, at the same time if they like; all of them end before the call
/// is destroyed.
class ClientCall {
 public:
  ~ClientCall();
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;

  /// Sends a message, waiting while the server does not take what was sent before. Returns false
  /// when the call is over: Read says why.
  Task<bool> Write(std::string message);
  /// Tells the server that no more messages come.
  void FinishWrites();

  /// Waits for the next message. Returns false when there is none, and status() then says how the
  /// call ended.
  Task<bool> Read(std::string* message);
  const CallStatus& status() const { return status_; }
  bool is_over() const { return is_over_; }

  /// What the server sent before and behind its messages; empty until they came.
  const http2::Headers& headers() const;
  const http2::Headers& trailers() const;

  /// Ends the call with that status; Read and Write return false from then on.
  void Cancel(CallStatus status);

 private:
  friend class Client;
  ClientCall(EventLoop* loop, Compression compression, int64_t max_message_bytes);
  void End(CallStatus status);
  CallStatus StatusOfEnd() const;
  CallStatus CheckHeaders();

  EventLoop* loop_;
  http2::StreamPtr stream_;  // null when it could not be opened
  Compression compression_;
  MessageReader reader_;
  Timer deadline_timer_;
  CallStatus status_;
  bool is_over_ = false;
  bool are_headers_checked_ = false;
};

struct UnaryAnswer {
  CallStatus status;
  std::string message;  ///< empty unless the status is OK
};

/// Calls one server over one connection, which is made when it is needed.
/// Owner: destroying it breaks its calls. Calls: the loop.
class Client {
 public:
  /// `loop` is borrowed.
  Client(EventLoop* loop, const ClientSettings& settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A call of one message each way. `deadline` counts for all of it, SteadyTime::max() is none.
  Task<UnaryAnswer> Call(std::string path, std::string message, SteadyTime deadline);

  /// Begins a call of any number of messages each way. Never null: where it cannot be begun, it is
  /// over and its status says why. `metadata` is sent besides that of the settings.
  Task<std::unique_ptr<ClientCall>> Open(std::string path, http2::Headers metadata,
                                         SteadyTime deadline);

  bool is_connected() const { return http2_.is_connected(); }
  int64_t num_connects() const { return http2_.num_connects(); }
  /// The calls under way go on; new ones use a new connection.
  void Drain() { http2_.Drain(); }

 private:
  EventLoop* loop_;
  ClientSettings settings_;
  http2::Client http2_;
};

}  // namespace df::runtime::grpc
