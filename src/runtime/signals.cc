#include "runtime/signals.h"

#include <csignal>
#include <utility>

#include <boost/asio/signal_set.hpp>

#include "runtime/event_loop_io.h"

namespace df::runtime {

class SignalListener::Registration : public std::enable_shared_from_this<Registration> {
 public:
  Registration(boost::asio::io_context* context, std::function<void(int)> action)
      : signals_(*context, SIGINT, SIGTERM), action_(std::move(action)) {}

  void Wait() {
    signals_.async_wait(
        [self = shared_from_this()](const boost::system::error_code& error, int signal) {
          if (!error && self->action_ != nullptr) {
            self->action_(signal);
            self->Wait();
          }
        });
  }

  void End() {
    action_ = nullptr;
    boost::system::error_code ignored;
    signals_.cancel(ignored);
  }

 private:
  boost::asio::signal_set signals_;
  std::function<void(int)> action_;
};

SignalListener::SignalListener(EventLoop* loop, std::function<void(int)> action)
    : registration_(std::make_shared<Registration>(&loop->io_->context, std::move(action))) {
  registration_->Wait();
}

SignalListener::~SignalListener() { registration_->End(); }

}  // namespace df::runtime
