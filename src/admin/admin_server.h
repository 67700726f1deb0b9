// The HTTP server that operators and probes talk to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "admin/engine_view.h"
#include "base/error.h"
#include "config/engine_settings.h"
#include "controller/control_plane.h"
#include "runtime/clock.h"

namespace df::admin {

struct AdminOptions {
  std::string version;  ///< of the program, as `status` tells it
  /// Attributes of the engine's own telemetry, as `target_info` tells them.
  std::map<std::string, std::string> resource;
  engine::TapRegistry* taps = &engine::ProcessTaps();  ///< borrowed
  TapEncoder encode_tapped;                            ///< null: nothing can be tapped
  const runtime::Clock* clock = &runtime::SystemClock();
};

/// Serves the routes of docs/admin-api.md on one thread of its own. Calls: any thread, one at a
/// time. Owner: the destructor stops it.
class AdminServer {
 public:
  /// Listens and serves when it returns. `control` outlives the server.
  /// Errors: naming the address, or the file, and the cause.
  static Result<std::unique_ptr<AdminServer>> Start(const config::AdminSettings& settings,
                                                    controller::ControlPlane* control,
                                                    AdminOptions options = {});
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  uint16_t port() const;

  /// "127.0.0.1:8080", with the port that is bound.
  std::string address() const;

  /// Takes no more connections, closes the idle ones and returns when the rest have their answers,
  /// or after kStopGrace. Answers that wait for an operation are given at once.
  void Stop();

 private:
  class Server;
  explicit AdminServer(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
};

}  // namespace df::admin
