// The serving side of gRPC, in the loop of a core.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/compression.h"
#include "base/error.h"
#include "runtime/event_loop.h"
#include "runtime/grpc/message.h"
#include "runtime/grpc/status.h"
#include "runtime/http2/server.h"
#include "runtime/http2/stream.h"

namespace df::runtime::grpc {

struct ServerSettings {
  http2::ServerSettings http2;
  int64_t max_message_bytes = 4 << 20;  ///< as it comes, and inflated
  /// What requests may be compressed with, besides not at all.
  std::vector<Compression> compressions = {Compression::kZstd, Compression::kGzip,
                                           Compression::kDeflate};
  /// A call that takes longer ends with DEADLINE_EXCEEDED, also when its client asks for more; 0:
  /// as long as the client says.
  std::chrono::nanoseconds max_call_time{0};
};

/// One call of a client: unary or streaming, as its handler treats it.
/// Owner: the server, until the handler has returned. Calls: the loop; one coroutine reads and one
/// writes, at the same time if they like.
class ServerCall {
 public:
  ServerCall(EventLoop* loop, http2::StreamPtr stream, int64_t max_message_bytes);
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  /// "/package.Service/Method".
  const std::string& path() const { return path_; }
  /// All header fields of the request, those of HTTP/2 and gRPC too.
  const http2::Headers& metadata() const { return stream_->headers(); }
  /// When the call ends by itself; nothing where neither side set an end.
  std::optional<SteadyTime> deadline() const { return deadline_; }

  /// Waits for the next message. Returns false when there is none: status() then tells whether the
  /// client has sent all (OK) or why nothing more can be read; a handler returns a status that is
  /// not OK as it is. Reading is back-pressure: what is not read, the client cannot send.
  Task<bool> Read(std::string* message);
  /// Waits for the message of a call that has one, and for the end of what the client sends; a
  /// second message is not waited for. Returns false when there is none or are several: status()
  /// then tells why and is not OK.
  Task<bool> ReadOnly(std::string* message);
  const CallStatus& status() const { return status_; }

  /// Bytes of the messages read so far, as they came.
  int64_t num_wire_bytes() const { return reader_.num_wire_bytes(); }

  /// Who calls.
  const Peer& peer() const { return stream_->peer(); }
  /// What was read of the request so far, in bytes.
  int64_t num_read_bytes() const { return stream_->num_read_bytes(); }

  /// Ends the call with a status, whatever its handler is waiting for: nothing more can be read,
  /// and what the handler returns is not looked at any more.
  void End(CallStatus status);

  /// Sends the header of the answer before its first message: clients that wait for it with what
  /// they send need that. Write does it otherwise.
  void SendHeaders();
  /// Sends a message, waiting while the client does not take what was sent before. Returns false
  /// when the call is over.
  Task<bool> Write(std::string message);

  /// The client is gone, its deadline has passed or End was called: nobody waits for the answer any
  /// more.
  bool is_cancelled() const { return is_ended_ || stream_->is_closed(); }
  /// Notified when the call is cancelled, and of everything that comes. A handler that waits for
  /// something else too has it notify this.
  Condition& changed() { return stream_->changed(); }

 private:
  friend class StreamAdapter;

  void StartDeadline(std::chrono::nanoseconds timeout);
  void Finish(const CallStatus& status);

  EventLoop* loop_;
  http2::StreamPtr stream_;
  MessageReader reader_;
  std::string path_;
  std::optional<SteadyTime> deadline_;
  Timer timer_;
  CallStatus status_;
  bool has_answered_ = false;  // the header of the answer is sent
  bool is_ended_ = false;      // by End
};

/// Handles calls. Owner: outlives the server.
class CallHandler {
 public:
  /// Returns how the call ended; UNIMPLEMENTED for a path that it does not know. Many calls may be
  /// under way.
  virtual Task<CallStatus> OnCall(ServerCall& call) = 0;

 protected:
  ~CallHandler() = default;
};

/// Owner: destroying it ends all calls, and their handlers where they wait, at once.
/// Calls: the loop.
class Server {
 public:
  /// `loop` and `handler` are borrowed. Errors: those of http2::Server::Listen.
  static Result<std::unique_ptr<Server>> Listen(EventLoop* loop, const ServerSettings& settings,
                                                CallHandler* handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const { return http2_->port(); }
  const http2::ServerCounts& counts() const { return http2_->counts(); }
  int64_t num_calls() const { return http2_->num_streams(); }

  /// Takes no connections and calls any more; those under way go on.
  void Stop() { http2_->Stop(); }
  /// Stops, and waits until the calls under way have ended; those that have not at the
  /// deadline are cut.
  Task<void> Drain(SteadyTime deadline) { return http2_->Drain(deadline); }

 private:
  Server();
  std::unique_ptr<class StreamAdapter> adapter_;
  std::unique_ptr<http2::Server> http2_;
};

}  // namespace df::runtime::grpc
