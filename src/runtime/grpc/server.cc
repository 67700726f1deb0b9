#include "runtime/grpc/server.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace df::runtime::grpc {
namespace {

constexpr std::string_view kContentType = "application/grpc";
constexpr uint32_t kHttp2Cancel = 8;

http2::Headers AnswerHeaders() {
  return {{":status", "200"}, {"content-type", std::string(kContentType)}};
}

std::string Names(const std::vector<Compression>& compressions) {
  std::string names(Name(Compression::kNone));
  for (const Compression compression : compressions) {
    names += ",";
    names += Name(compression);
  }
  return names;
}

}  // namespace

ServerCall::ServerCall(EventLoop* loop, http2::StreamPtr stream, int64_t max_message_bytes)
    : loop_(loop), stream_(std::move(stream)), reader_(max_message_bytes), timer_(loop, [this] {
        End(MakeStatus(Code::kDeadlineExceeded, "the deadline of the call has passed"));
      }) {
  if (const std::string* path = http2::Find(stream_->headers(), ":path"); path != nullptr) {
    path_ = *path;
  }
}

void ServerCall::StartDeadline(std::chrono::nanoseconds timeout) {
  deadline_ = loop_->clock().Now() + timeout;
  timer_.StartAt(*deadline_);
}

void ServerCall::End(CallStatus status) {
  is_ended_ = true;
  status_ = std::move(status);
  // The client hears of it now; behind an answer that it does not take it would never hear.
  if (stream_->unsent_bytes() > 0) {
    stream_->Reset(kHttp2Cancel);
  } else {
    Finish(status_);
  }
  changed().NotifyAll();
}

Task<bool> ServerCall::Read(std::string* message) {
  while (status_.ok()) {
    switch (reader_.Next(message)) {
      case MessageReader::Step::kMessage:
        co_return true;
      case MessageReader::Step::kBroken:
        status_ = reader_.error();
        co_return false;
      case MessageReader::Step::kNeedsMore:
        break;
    }
    const bool has_more = co_await stream_->Read(reader_.buffer());
    if (has_more || is_ended_) {
      continue;
    }
    if (!stream_->is_complete()) {
      status_ = MakeStatus(Code::kCancelled, "the client has ended the call");
    } else if (!reader_.is_between_messages()) {
      status_ = MakeStatus(Code::kInternal, "the request ends in the middle of a message");
    }
    co_return false;
  }
  co_return false;
}

Task<bool> ServerCall::ReadOnly(std::string* message) {
  const bool has_message = co_await Read(message);
  if (!has_message) {
    if (status_.ok()) {
      status_ = MakeStatus(Code::kInvalidArgument, "the call has no message");
    }
    co_return false;
  }
  while (status_.ok() && reader_.is_between_messages()) {
    const bool has_more = co_await stream_->Read(reader_.buffer());
    if (has_more || is_ended_) {
      continue;
    }
    if (!stream_->is_complete()) {
      status_ = MakeStatus(Code::kCancelled, "the client has ended the call");
    }
    co_return status_.ok();
  }
  if (status_.ok()) {
    status_ = MakeStatus(Code::kUnimplemented, "the call has several messages, expected one");
  }
  co_return false;
}

void ServerCall::SendHeaders() {
  if (!has_answered_) {
    has_answered_ = true;
    stream_->Respond(AnswerHeaders());
  }
}

Task<bool> ServerCall::Write(std::string message) {
  auto framed = FrameMessage(std::move(message), Compression::kNone);
  if (!framed.ok() || is_cancelled()) {
    co_return false;
  }
  SendHeaders();
  co_return co_await stream_->Write(*std::move(framed));
}

void ServerCall::Finish(const CallStatus& status) {
  if (stream_->is_finished()) {
    return;
  }
  http2::Headers fields = has_answered_ ? http2::Headers() : AnswerHeaders();
  AppendStatus(status, &fields);
  if (has_answered_) {
    stream_->Finish(std::move(fields));
  } else {
    has_answered_ = true;
    stream_->RespondAndFinish(fields);
  }
}

/// Makes calls out of streams.
class StreamAdapter final : public http2::StreamHandler {
 public:
  StreamAdapter(EventLoop* loop, const ServerSettings& settings, CallHandler* handler)
      : loop_(loop), settings_(settings), handler_(handler) {}

  Task<void> OnStream(http2::StreamPtr stream) override {
    if (const std::string status = RefusalOfHttp(stream->headers()); !status.empty()) {
      stream->RespondAndFinish({{":status", status}});
      co_return;
    }
    ServerCall call(loop_, stream, settings_.max_message_bytes);
    CallStatus status = Prepare(&call);
    if (status.ok()) {
      status = co_await handler_->OnCall(call);
    }
    call.Finish(status);
  }

 private:
  // What is no gRPC at all gets an answer of HTTP.
  static std::string RefusalOfHttp(const http2::Headers& headers) {
    const std::string* method = http2::Find(headers, ":method");
    if (method == nullptr || *method != "POST") {
      return "405";
    }
    const std::string* type = http2::Find(headers, "content-type");
    const bool is_grpc =
        type != nullptr && type->starts_with(kContentType) &&
        (type->size() == kContentType.size() ||
         std::string_view("+;").find((*type)[kContentType.size()]) != std::string_view::npos);
    return is_grpc ? "" : "415";
  }

  CallStatus Prepare(ServerCall* call) {
    const http2::Headers& headers = call->metadata();
    if (const std::string* name = http2::Find(headers, "grpc-encoding"); name != nullptr) {
      const auto compression = ParseCompression(*name);
      const std::vector<Compression>& known = settings_.compressions;
      if (compression != Compression::kNone &&
          (!compression.has_value() ||
           std::find(known.begin(), known.end(), *compression) == known.end())) {
        return MakeStatus(Code::kUnimplemented,
                          fmt::format("grpc-encoding '{}' is not accepted here, expected one of {}",
                                      *name, Names(known)));
      }
      call->reader_.SetCompression(*compression);
    }
    std::chrono::nanoseconds timeout = settings_.max_call_time;
    if (const std::string* text = http2::Find(headers, "grpc-timeout"); text != nullptr) {
      const auto asked = ParseTimeout(*text);
      if (!asked.has_value()) {
        return MakeStatus(Code::kInternal,
                          fmt::format("grpc-timeout '{}' is none, expected such as '10S'", *text));
      }
      const bool has_limit = timeout.count() > 0;
      timeout = has_limit ? std::min(timeout, *asked) : *asked;
      call->StartDeadline(timeout);
    } else if (timeout.count() > 0) {
      call->StartDeadline(timeout);
    }
    return CallStatus();
  }

  EventLoop* loop_;
  ServerSettings settings_;
  CallHandler* handler_;
};

Server::Server() = default;
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Listen(EventLoop* loop, const ServerSettings& settings,
                                               CallHandler* handler) {
  auto server = std::unique_ptr<Server>(new Server());
  server->adapter_ = std::make_unique<StreamAdapter>(loop, settings, handler);
  ARROW_ASSIGN_OR_RAISE(server->http2_,
                        http2::Server::Listen(loop, settings.http2, server->adapter_.get()));
  return server;
}

}  // namespace df::runtime::grpc
