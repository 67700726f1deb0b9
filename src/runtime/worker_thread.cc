#include "runtime/worker_thread.h"

#include <utility>

#include <pthread.h>

#include "base/logging.h"
#include "runtime/cores.h"

namespace df::runtime {
namespace {

// The kernel keeps names of 15 bytes and a zero.
constexpr size_t kMaxName = 15;

}  // namespace

WorkerThread::WorkerThread(std::string name, std::optional<int> core, Body body)
    : thread_([name = std::move(name), core, body = std::move(body)] {
        pthread_setname_np(pthread_self(), name.substr(0, kMaxName).c_str());
        if (core.has_value()) {
          if (const arrow::Status status = PinThisThread(*core); !status.ok()) {
            LogWarning("{}: {}", name, status.message());
          }
        }
        body();
      }) {}

}  // namespace df::runtime
