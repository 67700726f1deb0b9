#include "runtime/http2/connection.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "runtime/http2/session_callbacks.h"

namespace df::runtime::http2 {
namespace {

constexpr size_t kInputBytes = 64 << 10;
// As much as one write takes: enough that a big message costs few calls of the system.
constexpr size_t kOutputBytes = 128 << 10;

std::vector<nghttp2_nv> Names(const Headers& headers) {
  std::vector<nghttp2_nv> names;
  names.reserve(headers.size());
  for (const Header& header : headers) {
    nghttp2_nv name{};
    name.name = reinterpret_cast<uint8_t*>(const_cast<char*>(header.name.data()));
    name.value = reinterpret_cast<uint8_t*>(const_cast<char*>(header.value.data()));
    name.namelen = header.name.size();
    name.valuelen = header.value.size();
    names.push_back(name);
  }
  return names;
}

}  // namespace

Connection::Connection(EventLoop* loop, std::unique_ptr<Transport> transport, Side side,
                       bool has_tls, const ConnectionSettings& settings,
                       ConnectionObserver* observer)
    : loop_(loop),
      transport_(std::move(transport)),
      side_(side),
      has_tls_(has_tls),
      settings_(settings),
      observer_(observer),
      input_(kInputBytes),
      handshake_timer_(loop, [this] { Close("the handshake took too long"); }),
      write_timer_(loop, [this] { Close("the peer takes nothing of what is sent"); }),
      keepalive_timer_(loop, [this] { OnKeepalive(); }),
      stall_timer_(loop, [this] { OnStallCheck(); }),
      idle_timer_(loop, [this] { Drain(); }) {}

Connection::~Connection() {
  for (const auto& [id, stream] : streams_) {
    stream->connection_ = nullptr;  // a loop that ends drops connections without closing them
  }
  nghttp2_session_del(session_);
}

void Connection::Start() {
  handshake_timer_.StartAt(loop_->clock().Now() + settings_.handshake_timeout);
  transport_->Handshake([self = shared_from_this()](const boost::system::error_code& error) {
    self->OnHandshake(error);
  });
}

void Connection::OnHandshake(const boost::system::error_code& error) {
  if (is_closed_) {
    return;
  }
  if (error) {
    Close(fmt::format("TLS handshake failed: {}", error.message()));
    return;
  }
  if (has_tls_ && transport_->protocol() != "h2") {
    Close("the peer does not speak HTTP/2: it did not agree on 'h2' by ALPN");
    return;
  }
  const Status made = MakeSession();
  if (!made.ok()) {
    Close(made.message());
    return;
  }
  last_read_ = loop_->clock().Now();
  Flush();
  Read();
}

Status Connection::MakeSession() {
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_peer_max_concurrent_streams(option, 100);
  // A closed stream keeps nothing: priorities are not used.
  nghttp2_option_set_no_closed_streams(option, 1);
  session_ = MakeNghttp2Session(this, side_ == Side::kServer, option);
  nghttp2_option_del(option);
  if (session_ == nullptr) {
    return MakeError(ErrorKind::kIo, "HTTP/2: no memory for a session");
  }
  std::vector<nghttp2_settings_entry> entries = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(settings_.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(settings_.max_header_bytes)},
  };
  if (side_ == Side::kServer) {
    entries.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                       static_cast<uint32_t>(settings_.max_concurrent_streams)});
  } else {
    entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(settings_.connection_window_bytes));
  return Status::OK();
}

void Connection::Read() {
  transport_->ReadSome(
      boost::asio::buffer(input_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t num_bytes) {
        self->OnRead(error, num_bytes);
      });
}

void Connection::OnRead(const boost::system::error_code& error, size_t num_bytes) {
  if (is_closed_) {
    return;
  }
  if (error) {
    Close(fmt::format("the peer closed the connection: {}", error.message()));
    return;
  }
  last_read_ = loop_->clock().Now();
  num_read_bytes_ += static_cast<int64_t>(num_bytes);
  has_read_since_ping_ = true;
  is_reading_frames_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(session_, input_.data(), num_bytes);
  is_reading_frames_ = false;
  if (taken < 0) {
    Close(fmt::format("HTTP/2: {}", nghttp2_strerror(static_cast<int>(taken))));
    return;
  }
  // What hears of these may close the connection.
  for (StreamPtr& stream : std::exchange(new_streams_, {})) {
    if (observer_ != nullptr) {
      observer_->OnStream(this, std::move(stream));
    }
  }
  if (std::exchange(has_changed_, false) && observer_ != nullptr) {
    observer_->OnChange(this);
  }
  if (is_closed_) {
    return;
  }
  Flush();
  if (!is_closed_) {
    Read();
  }
}

void Connection::FlushSoon() {
  if (!is_flush_posted_ && !is_closed_) {
    is_flush_posted_ = true;
    loop_->Post([self = shared_from_this()] { self->Flush(); });
  }
}

void Connection::Flush() {
  is_flush_posted_ = false;
  if (is_closed_ || is_writing_ || session_ == nullptr) {
    return;
  }
  output_.clear();
  while (output_.size() < kOutputBytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) {
      Close(fmt::format("HTTP/2: {}", nghttp2_strerror(static_cast<int>(size))));
      return;
    }
    if (size == 0) {
      break;
    }
    output_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  if (output_.empty()) {
    CloseIfDone();
    return;
  }
  Write();
}

void Connection::Write() {
  is_writing_ = true;
  write_timer_.StartAt(loop_->clock().Now() + settings_.write_timeout);
  transport_->Write(boost::asio::buffer(output_),
                    [self = shared_from_this()](const boost::system::error_code& error, size_t) {
                      self->is_writing_ = false;
                      self->write_timer_.Cancel();
                      if (self->is_closed_) {
                        return;
                      }
                      if (error) {
                        self->Close(fmt::format("cannot send: {}", error.message()));
                        return;
                      }
                      self->Flush();
                    });
}

void Connection::CloseIfDone() {
  if (is_going_ && streams_.empty()) {
    Close("drained");
  } else if (nghttp2_session_want_read(session_) == 0 &&
             nghttp2_session_want_write(session_) == 0) {
    Close("the peer broke the rules of HTTP/2");
  }
}

void Connection::StartTimers() {
  handshake_timer_.Cancel();
  const SteadyTime now = loop_->clock().Now();
  if (settings_.keepalive_interval.count() > 0) {
    keepalive_timer_.StartAt(now + settings_.keepalive_interval);
  }
  if (settings_.idle_timeout.count() > 0 && streams_.empty()) {
    idle_timer_.StartAt(now + settings_.idle_timeout);
  }
}

void Connection::OnKeepalive() {
  const SteadyTime now = loop_->clock().Now();
  const SteadyTime due = last_read_ + settings_.keepalive_interval;
  if (is_ping_sent_) {
    is_ping_sent_ = false;
    if (!has_read_since_ping_) {
      Close("the peer does not answer pings");
      return;
    }
  }
  if (due > now) {
    keepalive_timer_.StartAt(due);
    return;
  }
  if (streams_.empty() && !settings_.keepalive_while_idle) {
    keepalive_timer_.StartAt(now + settings_.keepalive_interval);
    return;
  }
  is_ping_sent_ = true;
  has_read_since_ping_ = false;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  keepalive_timer_.StartAt(now + settings_.keepalive_timeout);
  FlushSoon();
}

void Connection::OnStallCheck() {
  const SteadyTime now = loop_->clock().Now();
  std::vector<StreamPtr> stalled;
  std::optional<SteadyTime> next;
  for (const auto& [id, stream] : streams_) {
    if (stream->unsent_bytes_ == 0) {
      continue;
    }
    const SteadyTime due = stream->last_sent_ + settings_.stalled_stream_timeout;
    if (due <= now) {
      stalled.push_back(stream);
    } else {
      next = std::min(next.value_or(due), due);
    }
  }
  if (next.has_value()) {
    stall_timer_.StartAt(*next);
  }
  for (const StreamPtr& stream : stalled) {
    stream->Reset(NGHTTP2_CANCEL);
  }
}

bool Connection::can_open() const {
  return is_ready_ && !is_going_ && !is_closed_ &&
         nghttp2_session_check_request_allowed(session_) &&
         static_cast<int64_t>(streams_.size()) <
             std::min<int64_t>(settings_.max_concurrent_streams,
                               nghttp2_session_get_remote_settings(
                                   session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

StreamPtr Connection::Open(const Headers& request) {
  if (!can_open()) {
    return nullptr;
  }
  auto stream = std::make_shared<Stream>(loop_, this, 0, settings_.max_buffered_write_bytes);
  nghttp2_data_provider provider = BodyProvider();
  const std::vector<nghttp2_nv> names = Names(request);
  const int32_t id = nghttp2_submit_request(session_, nullptr, names.data(), names.size(),
                                            &provider, stream.get());
  if (id < 0) {
    return nullptr;
  }
  stream->id_ = id;
  streams_.emplace(id, stream);
  idle_timer_.Cancel();
  FlushSoon();
  return stream;
}

void Connection::Drain() {
  if (is_going_ || is_closed_) {
    return;
  }
  is_going_ = true;
  if (session_ == nullptr) {
    Close("drained");
    return;
  }
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  FlushSoon();
}

void Connection::Close(const std::string& reason) {
  if (is_closed_) {
    return;
  }
  const std::shared_ptr<Connection> self = shared_from_this();
  is_closed_ = true;
  is_going_ = true;
  handshake_timer_.Cancel();
  write_timer_.Cancel();
  keepalive_timer_.Cancel();
  stall_timer_.Cancel();
  idle_timer_.Cancel();
  transport_->Close();
  for (auto& [id, stream] : std::exchange(streams_, {})) {
    stream->connection_ = nullptr;
    stream->error_code_ = NGHTTP2_INTERNAL_ERROR;
    stream->broken_reason_ = reason;
    stream->pieces_.clear();
    stream->changed_.NotifyAll();
  }
  if (observer_ != nullptr) {
    std::exchange(observer_, nullptr)->OnClosed(this, reason);
  }
}

void Connection::Consumed(Stream* stream, size_t num_bytes) {
  nghttp2_session_consume(session_, stream->id_, num_bytes);
  FlushSoon();
}

void Connection::SubmitResponse(Stream* stream, const Headers& headers, bool has_data) {
  nghttp2_data_provider provider = BodyProvider();
  const std::vector<nghttp2_nv> names = Names(headers);
  nghttp2_submit_response(session_, stream->id_, names.data(), names.size(),
                          has_data ? &provider : nullptr);
  FlushSoon();
}

void Connection::Resume(Stream* stream) {
  if (side_ == Side::kServer && !stall_timer_.is_armed() && stream->unsent_bytes_ > 0 &&
      settings_.stalled_stream_timeout.count() > 0) {
    stall_timer_.StartAt(loop_->clock().Now() + settings_.stalled_stream_timeout);
  }
  if (std::exchange(stream->is_deferred_, false)) {
    nghttp2_session_resume_data(session_, stream->id_);
    FlushSoon();
  }
}

void Connection::SubmitReset(Stream* stream, uint32_t error_code) {
  const int32_t id = stream->id_;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error_code);
  CloseStream(id, error_code);
  FlushSoon();
}

Stream* Connection::FindStream(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Connection::OnBlockEnd(Stream* stream, bool is_trailer) {
  stream->block_bytes_ = 0;
  Headers block = std::exchange(stream->block_, {});
  if (is_trailer) {
    stream->trailers_ = std::move(block);
  } else {
    stream->headers_ = std::move(block);
    stream->has_headers_ = true;
    if (side_ == Side::kServer) {
      new_streams_.push_back(stream->shared_from_this());
    }
  }
  stream->changed_.NotifyAll();
}

void Connection::CloseStream(int32_t id, uint32_t error_code) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    return;
  }
  const StreamPtr stream = std::move(found->second);
  streams_.erase(found);
  // Nobody takes its bytes out of the window of the connection any more.
  nghttp2_session_consume_connection(session_, stream->received_.size());
  if (error_code != NGHTTP2_NO_ERROR && !stream->has_peer_ended_) {
    stream->received_.clear();
    stream->received_.shrink_to_fit();
  }
  stream->connection_ = nullptr;
  stream->error_code_ = error_code;
  stream->is_refused_ = error_code == NGHTTP2_REFUSED_STREAM;
  stream->pieces_.clear();
  stream->changed_.NotifyAll();
  has_changed_ = true;
  if (!is_reading_frames_) {
    FlushSoon();
    loop_->Post([self = shared_from_this()] {
      if (std::exchange(self->has_changed_, false) && self->observer_ != nullptr) {
        self->observer_->OnChange(self.get());
      }
    });
  }
  if (streams_.empty() && settings_.idle_timeout.count() > 0) {
    idle_timer_.StartAt(loop_->clock().Now() + settings_.idle_timeout);
  }
}

ssize_t Connection::ReadBody(Stream* stream, uint8_t* out, size_t room, uint32_t* flags) {
  size_t filled = 0;
  size_t num_done = 0;
  while (filled < room && num_done < stream->pieces_.size()) {
    Stream::Piece& piece = stream->pieces_[num_done];
    const size_t size = std::min(room - filled, piece.bytes.size() - piece.sent);
    std::memcpy(out + filled, piece.bytes.data() + piece.sent, size);
    piece.sent += size;
    filled += size;
    num_done += piece.sent == piece.bytes.size() ? 1 : 0;
  }
  stream->pieces_.erase(stream->pieces_.begin(),
                        stream->pieces_.begin() + static_cast<ptrdiff_t>(num_done));
  const bool was_full = stream->unsent_bytes_ >= settings_.max_buffered_write_bytes;
  stream->unsent_bytes_ -= static_cast<int64_t>(filled);
  if (filled > 0) {
    stream->last_sent_ = loop_->clock().Now();
  }
  if (was_full && stream->unsent_bytes_ < settings_.max_buffered_write_bytes) {
    stream->changed_.NotifyAll();
  }
  if (stream->pieces_.empty() && stream->is_finished_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->end_trailers_.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::vector<nghttp2_nv> names = Names(stream->end_trailers_);
      nghttp2_submit_trailer(session_, stream->id_, names.data(), names.size());
    }
  } else if (filled == 0) {
    stream->is_deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(filled);
}

}  // namespace df::runtime::http2
