#include "runtime/grpc/client.h"

#include <utility>

#include <fmt/format.h>

namespace df::runtime::grpc {
namespace {

constexpr uint32_t kHttp2Cancel = 8;

CallStatus DeadlinePassed() {
  return MakeStatus(Code::kDeadlineExceeded, "the deadline of the call has passed");
}

}  // namespace

ClientCall::ClientCall(EventLoop* loop, Compression compression, int64_t max_message_bytes)
    : loop_(loop),
      compression_(compression),
      reader_(max_message_bytes),
      deadline_timer_(loop_, [this] { Cancel(DeadlinePassed()); }) {}

ClientCall::~ClientCall() { Cancel(MakeStatus(Code::kCancelled, "nobody waits for the answer")); }

void ClientCall::End(CallStatus status) {
  if (!is_over_) {
    is_over_ = true;
    status_ = std::move(status);
    deadline_timer_.Cancel();
  }
}

void ClientCall::Cancel(CallStatus status) {
  End(std::move(status));
  if (stream_ != nullptr && !stream_->is_closed()) {
    stream_->Reset(kHttp2Cancel);
  }
}

Task<bool> ClientCall::Write(std::string message) {
  if (is_over_ || stream_ == nullptr) {
    co_return false;
  }
  auto framed = FrameMessage(std::move(message), compression_);
  if (!framed.ok()) {
    Cancel(MakeStatus(Code::kInternal, framed.status().message()));
    co_return false;
  }
  co_return co_await stream_->Write(*std::move(framed));
}

void ClientCall::FinishWrites() {
  if (stream_ != nullptr) {
    stream_->Finish();
  }
}

Task<bool> ClientCall::Read(std::string* message) {
  while (!is_over_) {
    switch (reader_.Next(message)) {
      case MessageReader::Step::kMessage:
        co_return true;
      case MessageReader::Step::kBroken:
        Cancel(reader_.error());
        co_return false;
      case MessageReader::Step::kNeedsMore:
        break;
    }
    const bool has_headers = co_await stream_->WaitForHeaders();
    if (has_headers && !is_over_ && !std::exchange(are_headers_checked_, true)) {
      if (CallStatus status = CheckHeaders(); !status.ok()) {
        Cancel(std::move(status));
        co_return false;
      }
    }
    const bool has_more = co_await stream_->Read(reader_.buffer());
    if (!has_more) {
      // A server that has answered wants nothing more of the request.
      Cancel(StatusOfEnd());
    }
  }
  co_return false;
}

CallStatus ClientCall::CheckHeaders() {
  const http2::Headers& fields = stream_->headers();
  const std::string* http_status = http2::Find(fields, ":status");
  if (FindStatus(fields).has_value()) {
    return CallStatus();  // an answer of trailers only: StatusOfEnd reads it
  }
  if (http_status == nullptr || *http_status != "200") {
    return StatusOfHttp(http_status == nullptr ? "(none)" : *http_status);
  }
  const std::string* type = http2::Find(fields, "content-type");
  if (type == nullptr || !type->starts_with("application/grpc")) {
    return MakeStatus(Code::kUnknown, fmt::format("the answer is not gRPC: content-type '{}'",
                                                  type == nullptr ? "" : *type));
  }
  if (const std::string* name = http2::Find(fields, "grpc-encoding"); name != nullptr) {
    const auto compression = ParseCompression(*name);
    if (!compression.has_value()) {
      return MakeStatus(Code::kInternal, fmt::format("unknown grpc-encoding '{}'", *name));
    }
    reader_.SetCompression(*compression);
  }
  return CallStatus();
}

CallStatus ClientCall::StatusOfEnd() const {
  if (stream_->is_complete()) {
    auto status = FindStatus(stream_->trailers());
    if (!status.has_value()) {
      status = FindStatus(stream_->headers());
    }
    if (!status.has_value()) {
      return MakeStatus(Code::kInternal, "the answer ends without a grpc-status");
    }
    if (status->ok() && !reader_.is_between_messages()) {
      return MakeStatus(Code::kInternal, "the answer ends in the middle of a message");
    }
    return *std::move(status);
  }
  return stream_->broken_reason().empty()
             ? StatusOfReset(stream_->error_code(), stream_->is_refused())
             : MakeStatus(Code::kUnavailable, stream_->broken_reason());
}

const http2::Headers& ClientCall::headers() const {
  static const http2::Headers kNone;
  return stream_ == nullptr ? kNone : stream_->headers();
}

const http2::Headers& ClientCall::trailers() const {
  static const http2::Headers kNone;
  return stream_ == nullptr ? kNone : stream_->trailers();
}

Client::Client(EventLoop* loop, const ClientSettings& settings)
    : loop_(loop), settings_(settings), http2_(loop, settings.http2) {
  if (settings_.authority.empty()) {
    const std::string& host = settings_.http2.host;
    settings_.authority = host.find(':') == std::string::npos
                              ? fmt::format("{}:{}", host, settings_.http2.port)
                              : fmt::format("[{}]:{}", host, settings_.http2.port);
  }
}

Client::~Client() = default;

Task<std::unique_ptr<ClientCall>> Client::Open(std::string path, http2::Headers metadata,
                                               SteadyTime deadline) {
  auto call = std::unique_ptr<ClientCall>(
      new ClientCall(loop_, settings_.compression, settings_.max_message_bytes));
  http2::Headers fields = {
      {":method", "POST"},        {":scheme", settings_.http2.tls == nullptr ? "http" : "https"},
      {":path", std::move(path)}, {":authority", settings_.authority},
      {"te", "trailers"},         {"content-type", "application/grpc"}};
  if (!settings_.user_agent.empty()) {
    fields.push_back({"user-agent", settings_.user_agent});
  }
  if (settings_.compression != Compression::kNone) {
    fields.push_back({"grpc-encoding", std::string(Name(settings_.compression))});
  }
  fields.push_back({"grpc-accept-encoding", "identity,gzip,zstd,deflate"});
  const SteadyTime now = loop_->clock().Now();
  if (deadline != SteadyTime::max()) {
    fields.push_back({"grpc-timeout", FormatTimeout(deadline - now)});
  }
  fields.insert(fields.end(), settings_.metadata.begin(), settings_.metadata.end());
  fields.insert(fields.end(), metadata.begin(), metadata.end());
  auto stream = co_await http2_.Open(std::move(fields), deadline);
  if (!stream.ok()) {
    const bool is_late = loop_->clock().Now() >= deadline;
    call->End(MakeStatus(is_late ? Code::kDeadlineExceeded : Code::kUnavailable,
                         stream.status().message()));
    co_return call;
  }
  call->stream_ = *std::move(stream);
  if (deadline != SteadyTime::max()) {
    call->deadline_timer_.StartAt(deadline);
  }
  co_return call;
}

Task<UnaryAnswer> Client::Call(std::string path, std::string message, SteadyTime deadline) {
  http2::Headers no_metadata;
  const std::unique_ptr<ClientCall> call =
      co_await Open(std::move(path), std::move(no_metadata), deadline);
  co_await call->Write(std::move(message));
  call->FinishWrites();
  UnaryAnswer answer;
  std::string rest;
  const bool has_answer = co_await call->Read(&answer.message);
  const bool has_rest = co_await call->Read(&rest);
  if (has_answer && has_rest) {
    call->Cancel(MakeStatus(Code::kInternal, "the answer has more than one message"));
  }
  answer.status = call->status();
  if (!has_answer && answer.status.ok()) {
    answer.status = MakeStatus(Code::kInternal, "the answer has no message");
  }
  if (!answer.status.ok()) {
    answer.message.clear();
  }
  co_return answer;
}

}  // namespace df::runtime::grpc
