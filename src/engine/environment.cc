#include "engine/environment.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "runtime/certificate.h"
#include "runtime/try_connect.h"
#include "runtime/try_listen.h"

namespace df::engine {
namespace {

using runtime::TlsContext;
using runtime::TlsSettings;

constexpr auto kLifeWithoutWarning = std::chrono::hours(24 * 30);

std::string ShowDay(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%F}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

Finding FindLife(const TlsSettings& settings, std::chrono::system_clock::time_point now) {
  const auto times = settings.cert_file.empty()
                         ? runtime::ReadCertificateTimes(settings.cert_pem)
                         : runtime::ReadCertificateFileTimes(settings.cert_file);
  if (!times.ok()) {
    return FindingOf(times.status());
  }
  if (now < times->begin) {
    return {Verdict::kFail,
            fmt::format("the certificate is not valid before {}", ShowDay(times->begin))};
  }
  if (now >= times->end) {
    return {Verdict::kFail, fmt::format("the certificate expired on {}", ShowDay(times->end))};
  }
  const auto left = times->end - now;
  return {left < kLifeWithoutWarning ? Verdict::kWarn : Verdict::kOk,
          fmt::format("the certificate expires on {}", ShowDay(times->end))};
}

Finding FindTls(const TlsSettings& settings, bool is_server, const CheckConditions& conditions) {
  const auto context = is_server ? TlsContext::MakeServer(settings, {"h2"})
                                 : TlsContext::MakeClient(settings, {"h2"});
  if (!context.ok()) {
    return FindingOf(context.status());
  }
  const bool has_cert = !settings.cert_file.empty() || !settings.cert_pem.empty();
  return has_cert ? FindLife(settings, conditions.now) : Finding();
}

void AddTlsCheck(const config::Section& section, const TlsSettings& settings, bool is_server,
                 EnvironmentChecks* checks) {
  const std::string& file = settings.cert_file.empty() ? settings.ca_file : settings.cert_file;
  EnvironmentCheck check =
      MakeCheck(section, settings.cert_file.empty() ? "" : "cert_file", "certificate",
                file.empty() ? "the text of the document" : file);
  check.run = [settings, is_server](const CheckConditions& conditions) {
    return FindTls(settings, is_server, conditions);
  };
  checks->push_back(std::move(check));
}

Status TryRead(const std::string& path) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  if (is_folder) {
    const std::filesystem::directory_iterator entries(path, error);
    return error ? Status::IOError(fmt::format("cannot list it: {}", error.message()))
                 : Status::OK();
  }
  // A pipe would wait for its other end.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return Status::IOError(fmt::format("cannot read it: {}", std::strerror(errno)));
  }
  close(descriptor);
  return Status::OK();
}

}  // namespace

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
  }
  return "";
}

Finding FindingOf(const Status& status) {
  return status.ok() ? Finding() : Finding{Verdict::kFail, status.message()};
}

EnvironmentCheck MakeCheck(const config::Section& section, std::string_view key,
                           std::string_view kind, std::string subject) {
  const auto value = key.empty() ? std::nullopt : section.Find(key);
  const config::Section& place = value.has_value() ? *value : section;
  return {.mark = place.value().mark,
          .path = place.path(),
          .kind = kind,
          .subject = std::move(subject),
          .run = nullptr};
}

void AddListenCheck(const config::Section& section, std::string_view key,
                    const std::string& address, EnvironmentChecks* checks) {
  EnvironmentCheck check = MakeCheck(section, key, "listen", address);
  check.run = [address](const CheckConditions&) { return FindingOf(runtime::TryListen(address)); };
  checks->push_back(std::move(check));
}

void AddServerTlsCheck(const config::Section& section, const TlsSettings& settings,
                       EnvironmentChecks* checks) {
  AddTlsCheck(section, settings, /*is_server=*/true, checks);
}

void AddClientTlsCheck(const config::Section& section, const TlsSettings& settings,
                       EnvironmentChecks* checks) {
  if (!settings.cert_file.empty() || !settings.cert_pem.empty() || !settings.ca_file.empty() ||
      !settings.ca_pem.empty()) {
    AddTlsCheck(section, settings, /*is_server=*/false, checks);
  }
}

void AddConnectCheck(const config::Section& section, std::string_view key, const ServerPlace& place,
                     const TlsSettings& settings, EnvironmentChecks* checks) {
  const bool is_v6 = place.host.find(':') != std::string::npos;
  EnvironmentCheck check = MakeCheck(
      section, key, "connect",
      fmt::format("{}{}{}:{}", is_v6 ? "[" : "", place.host, is_v6 ? "]" : "", place.port));
  check.run = [place, settings](const CheckConditions& conditions) {
    std::shared_ptr<const TlsContext> tls;
    if (place.has_tls) {
      auto made = TlsContext::MakeClient(settings, {"h2", "http/1.1"});
      if (!made.ok()) {
        return FindingOf(made.status());
      }
      tls = *std::move(made);
    }
    return FindingOf(
        runtime::TryConnect(place.host, place.port, std::move(tls), conditions.timeout));
  };
  checks->push_back(std::move(check));
}

void AddReadCheck(const config::Section& section, std::string_view key, const std::string& path,
                  EnvironmentChecks* checks) {
  EnvironmentCheck check = MakeCheck(section, key, "read", path);
  check.run = [path](const CheckConditions&) { return FindingOf(TryRead(path)); };
  checks->push_back(std::move(check));
}

}  // namespace df::engine
