// A connection whose peer sends what an input says, and takes whatever is written.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include "runtime/event_loop.h"
#include "runtime/transport.h"

namespace df::fuzz {

/// Gives the bytes of the input in pieces, and then the end.
class InputTransport final : public runtime::Transport {
 public:
  InputTransport(runtime::EventLoop* loop, std::string input, size_t piece_bytes)
      : loop_(loop), input_(std::move(input)), piece_bytes_(piece_bytes) {}

  void Handshake(std::function<void(const boost::system::error_code&)> on_done) override {
    loop_->Post([done = std::move(on_done)] { done(boost::system::error_code()); });
  }
  std::string protocol() const override { return ""; }
  void ReadSome(boost::asio::mutable_buffer buffer, OnDone on_done) override {
    const size_t size = std::min({buffer.size(), input_.size() - position_, piece_bytes_});
    std::memcpy(buffer.data(), input_.data() + position_, size);
    position_ += size;
    const boost::system::error_code error =
        size == 0 ? boost::asio::error::eof : boost::system::error_code();
    loop_->Post([done = std::move(on_done), error, size] { done(error, size); });
  }
  void Write(boost::asio::const_buffer buffer, OnDone on_done) override {
    loop_->Post([done = std::move(on_done), size = buffer.size()] {
      done(boost::system::error_code(), size);
    });
  }
  void CloseWriting() override {}
  void Close() override {}

 private:
  runtime::EventLoop* loop_;
  std::string input_;
  size_t piece_bytes_;
  size_t position_ = 0;
};

}  // namespace df::fuzz
