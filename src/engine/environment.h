// What a node needs of the machine and the network, as checks that start and change nothing.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/section.h"
#include "runtime/tls.h"

namespace df::engine {

enum class Verdict : uint8_t {
  kOk,
  kWarn,  ///< it works now, and will not for long, or may not
  kFail,
};

/// Returns "ok", "warn" or "fail".
std::string_view Name(Verdict verdict);

/// What a check has found. `message` says why, for people; "" where there is nothing to say.
struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string message;
};

/// Turns a status into a finding that is well or fails.
Finding FindingOf(const Status& status);

/// What checks are made with.
struct CheckConditions {
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);  ///< of each that asks the network
  std::chrono::system_clock::time_point now;
};

/// One check. `kind` is a stable word for programs.
struct EnvironmentCheck {
  config::Mark mark;
  std::string path;       ///< of keys, as in problems of the document
  std::string_view kind;  ///< "read", "write", "listen", "connect", "certificate", "token", "store"
  std::string subject;    ///< the folder, address, file or URI
  /// Does it, and waits for it. Calls: from any thread; checks of kind "listen" one after another.
  std::function<Finding(const CheckConditions& conditions)> run;
};

using EnvironmentChecks = std::vector<EnvironmentCheck>;

/// What a kind of node needs. A node that needs anything defines one, named kEnvironment, in
/// environment.cc beside its factory.
struct NodeEnvironment {
  std::string_view urn;
  /// Reads the `config` of a node, which has no problems, and adds what it needs.
  void (*add_checks)(const config::Section& section, EnvironmentChecks* checks) = nullptr;
};

/// Makes a check of the value of a key of `section`, or of the section where it has no such key.
EnvironmentCheck MakeCheck(const config::Section& section, std::string_view key,
                           std::string_view kind, std::string subject);

/// Adds that nobody listens at the address yet.
void AddListenCheck(const config::Section& section, std::string_view key,
                    const std::string& address, EnvironmentChecks* checks);

/// Adds that certificate, key and authorities can be read, fit together, and do not run out: those
/// of a server, or of a client that has any. `section` holds the keys of `settings`.
void AddServerTlsCheck(const config::Section& section, const runtime::TlsSettings& settings,
                       EnvironmentChecks* checks);
void AddClientTlsCheck(const config::Section& section, const runtime::TlsSettings& settings,
                       EnvironmentChecks* checks);

/// Where an exporter sends to.
struct ServerPlace {
  std::string host;
  uint16_t port = 0;
  bool has_tls = false;
};

/// Adds that the server takes a connection, and agrees on keys where it has TLS.
void AddConnectCheck(const config::Section& section, std::string_view key, const ServerPlace& place,
                     const runtime::TlsSettings& settings, EnvironmentChecks* checks);

/// Adds that a folder, or a file, is there and can be read.
void AddReadCheck(const config::Section& section, std::string_view key, const std::string& path,
                  EnvironmentChecks* checks);

}  // namespace df::engine
