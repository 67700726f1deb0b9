#include "runtime/signals.h"

#include <csignal>
#include <utility>

#include <boost/asio/signal_set.hpp>

#include "runtime/event_loop_io.h"

namespace df::runtime {
namespace {

volatile std::sig_atomic_t g_is_hang_up_kept = 0;

extern "C" void KeepHangUp(int signal) {
  if (signal == SIGHUP) {
    g_is_hang_up_kept = 1;
  }
}

/// Not std::signal: a system call that it interrupts goes on.
void Handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void HoldSignals() {
  Handle(SIGPIPE, SIG_IGN);
  Handle(SIGXFSZ, SIG_IGN);
  Handle(SIGHUP, KeepHangUp);
  Handle(SIGUSR1, KeepHangUp);
  Handle(SIGUSR2, KeepHangUp);
}

class SignalListener::Registration : public std::enable_shared_from_this<Registration> {
 public:
  Registration(boost::asio::io_context* context, std::function<void(int)> action)
      : signals_(*context, SIGINT, SIGTERM, SIGHUP), action_(std::move(action)) {
    signals_.add(SIGUSR1);
    signals_.add(SIGUSR2);
  }

  void Wait() {
    signals_.async_wait(
        [self = shared_from_this()](const boost::system::error_code& error, int signal) {
          if (!error && self->action_ != nullptr) {
            self->Deliver(signal);
            self->Wait();
          }
        });
  }

  void Deliver(int signal) {
    if (action_ != nullptr) {
      action_(signal);
    }
  }

  void End() {
    action_ = nullptr;
    boost::system::error_code ignored;
    signals_.cancel(ignored);
    signals_.clear(ignored);  // gives them their default action
    HoldSignals();
  }

 private:
  boost::asio::signal_set signals_;
  std::function<void(int)> action_;
};

SignalListener::SignalListener(EventLoop* loop, std::function<void(int)> action)
    : registration_(std::make_shared<Registration>(&loop->io_->context, std::move(action))) {
  registration_->Wait();
  if (g_is_hang_up_kept != 0) {
    g_is_hang_up_kept = 0;
    loop->Post([registration = registration_] { registration->Deliver(SIGHUP); });
  }
}

SignalListener::~SignalListener() { registration_->End(); }

}  // namespace df::runtime
