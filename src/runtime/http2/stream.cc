#include "runtime/http2/stream.h"

#include <utility>

#include "runtime/http2/connection.h"

namespace df::runtime::http2 {

const std::string* Find(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) {
      return &header.value;
    }
  }
  return nullptr;
}

Stream::Stream(EventLoop* loop, Connection* connection, int32_t id,
               int64_t max_buffered_write_bytes)
    : loop_(loop),
      connection_(connection),
      id_(id),
      max_buffered_write_bytes_(max_buffered_write_bytes),
      changed_(loop) {}

Task<bool> Stream::WaitForHeaders() {
  while (!has_headers_ && !is_closed()) {
    co_await changed_.Wait();
  }
  co_return has_headers_;
}

Task<bool> Stream::Read(std::string* bytes) {
  while (received_.empty() && !has_peer_ended_ && !is_closed()) {
    co_await changed_.Wait();
  }
  if (received_.empty()) {
    co_return false;
  }
  const size_t num_bytes = received_.size();
  if (bytes->empty()) {
    bytes->swap(received_);
  } else {
    bytes->append(received_);
  }
  received_.clear();
  num_read_bytes_ += static_cast<int64_t>(num_bytes);
  if (connection_ != nullptr) {
    connection_->Consumed(this, num_bytes);
  }
  co_return true;
}

void Stream::Respond(const Headers& headers) {
  if (connection_ != nullptr) {
    connection_->SubmitResponse(this, headers, true);
  }
}

void Stream::RespondAndFinish(const Headers& headers) {
  is_finished_ = true;
  if (connection_ != nullptr) {
    connection_->SubmitResponse(this, headers, false);
  }
}

Task<bool> Stream::Write(std::string bytes) {
  while (unsent_bytes_ >= max_buffered_write_bytes_ && !is_closed() && !is_finished_) {
    co_await changed_.Wait();
  }
  if (is_closed() || is_finished_) {
    co_return false;
  }
  if (!bytes.empty()) {
    if (unsent_bytes_ == 0) {
      last_sent_ = loop_->clock().Now();
    }
    unsent_bytes_ += static_cast<int64_t>(bytes.size());
    pieces_.push_back(Piece{std::move(bytes)});
    connection_->Resume(this);
  }
  co_return true;
}

void Stream::Finish(Headers trailers) {
  if (is_finished_) {
    return;
  }
  is_finished_ = true;
  end_trailers_ = std::move(trailers);
  if (connection_ != nullptr) {
    connection_->Resume(this);
  }
}

void Stream::Reset(uint32_t error_code) {
  if (connection_ != nullptr) {
    connection_->SubmitReset(this, error_code);
  }
}

}  // namespace df::runtime::http2
