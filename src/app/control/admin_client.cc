#include "app/control/admin_client.h"

#include <utility>

#include <fmt/format.h>

#include "app/control/reply_fields.h"
#include "base/text.h"
#include "runtime/http1/client.h"

namespace df::app {
namespace {

namespace http1 = runtime::http1;

/// A server that is there answers sooner, however busy its engine is.
constexpr std::chrono::seconds kMaxAnswer{30};

http1::ClientSettings SettingsOf(const AdminAccess& access, const AdminRequest& request) {
  http1::ClientSettings settings;
  settings.host = access.url.host;
  settings.port = access.url.port;
  settings.tls = access.tls;
  settings.max_body_bytes = request.max_reply_bytes;
  return settings;
}

bool Has(const Status& status, std::string_view text) {
  return status.message().find(text) != std::string::npos;
}

runtime::Task<> AskOnce(const AdminClient& client, runtime::EventLoop* loop, AdminRequest request,
                        Result<AdminReply>* reply) {
  *reply = co_await client.Ask(loop, std::move(request));
  loop->Stop();
}

/// Every refusal of the server has these.
bool IsProblem(const nlohmann::json& json) {
  return json.is_object() && json.contains("code") && json.contains("message");
}

}  // namespace

std::string AdminClient::address() const {
  return fmt::format("{}://{}", access_.url.is_encrypted ? "https" : "http",
                     access_.url.authority());
}

Status AdminClient::Explain(const Status& status) const {
  std::string hint;
  if (Has(status, "cannot connect")) {
    hint = "; is an engine there that serves its admin interface (engine.http_admin)?";
  } else if (Has(status, "TLS: ") && Has(status, "wrong version")) {
    hint = fmt::format("; no TLS is spoken there: --admin http://{}", access_.url.authority());
  } else if (Has(status, "TLS: ") && Has(status, "certificate verify")) {
    hint = "; --tls-ca names the authority of its certificate, --tls-server-name the name in it";
  } else if (Has(status, "malformed")) {
    hint = "; no admin server of df_engine answers there";
  } else if (http1::IsBrokenOff(status) && access_.url.is_encrypted) {
    hint = "; a server that asks for certificates needs --tls-cert and --tls-key";
  } else if (http1::IsBrokenOff(status)) {
    hint = fmt::format("; where TLS is spoken: --admin https://{}", access_.url.authority());
  }
  return status.WithMessage(PrintableText(status.message()), hint);
}

Status AdminClient::NotTrusted(int status) const {
  if (status == 403) {
    return Status::IOError(fmt::format(
        "{} refuses to be asked under this name: --admin 127.0.0.1:{}, or give the server a token",
        address(), access_.url.port));
  }
  return Status::IOError(
      access_.token.empty() ? fmt::format("{} asks for a token: --token-file FILE", address())
                            : fmt::format("{} does not take the token of --token-file", address()));
}

runtime::Task<Result<AdminReply>> AdminClient::Ask(runtime::EventLoop* loop,
                                                   AdminRequest request) const {
  http1::Client client(loop, SettingsOf(access_, request));
  http1::Request sent{.method = request.method, .target = request.target, .body = request.body};
  sent.headers.push_back({"Accept", request.is_text ? "text/plain" : "application/json"});
  if (!request.content_type.empty()) {
    sent.headers.push_back({"Content-Type", request.content_type});
  }
  if (!access_.token.empty()) {
    sent.headers.push_back({"Authorization", "Bearer " + access_.token});
  }
  const runtime::SteadyTime deadline = loop->clock().Now() + request.wait + kMaxAnswer;
  Result<http1::Response> response = co_await client.Send(std::move(sent), deadline);
  if (!response.ok()) {
    co_return Explain(response.status());
  }
  co_return Read(request, *std::move(response));
}

Result<AdminReply> AdminClient::AskAndWait(const AdminRequest& request) const {
  runtime::EventLoop loop;
  Result<AdminReply> reply = Status::Cancelled("nothing was asked");
  runtime::Task<> wait = AskOnce(*this, &loop, request, &reply);
  wait.Start();
  loop.Run();
  return reply;
}

Result<AdminReply> AdminClient::Read(const AdminRequest& request, http1::Response response) const {
  AdminReply reply{.status = response.status, .body = std::move(response.body)};
  const std::string_view type = http1::Find(response.headers, "Content-Type");
  reply.json = type.starts_with("application/json")
                   ? nlohmann::json::parse(reply.body, nullptr, /*allow_exceptions=*/false)
                   : nlohmann::json(nlohmann::json::value_t::discarded);
  const bool is_expected = reply.is_refusal() ? reply.json.is_object()
                           : request.is_text  ? type.starts_with("text/plain")
                                              : reply.json.is_object();
  if (!is_expected) {
    return Status::IOError(
        fmt::format("no admin server of df_engine answers at {}: it gave status {} and {}",
                    address(), reply.status, type.empty() ? "no type" : PrintableText(type)));
  }
  if (IsProblem(reply.json) && (reply.status == 401 || reply.status == 403)) {
    return NotTrusted(reply.status);
  }
  return reply;
}

Result<AdminReply> AdminClient::Get(const std::string& target, bool is_text) const {
  ARROW_ASSIGN_OR_RAISE(AdminReply reply, AskAndWait({.target = target, .is_text = is_text}));
  if (reply.is_refusal()) {
    return RefusalOf(reply, "");
  }
  return reply;
}

Status RefusalOf(const AdminReply& reply, const std::string& name) {
  const nlohmann::json& problems = PartsOf(reply.json, "problems");
  std::string text = !IsProblem(reply.json) ? fmt::format("the server gave status {}", reply.status)
                     : problems.empty()     ? TextOf(reply.json, "message")
                                            : "";
  for (const nlohmann::json& problem : problems) {
    const int64_t line = NumberOf(problem, "line");
    const std::string path = TextOf(problem, "path");
    text += fmt::format(
        "{}{}{}{}{}", text.empty() ? "" : "\n",
        line > 0 ? fmt::format("{}:{}:{}: ", name, line, NumberOf(problem, "column")) : "", path,
        path.empty() ? "" : ": ", TextOf(problem, "message"));
  }
  switch (reply.status) {
    case 404:
      return Status::KeyError(text);
    case 400:
    case 413:
    case 415:
    case 422:
      return Status::Invalid(text);
    default:
      return Status::IOError(text);
  }
}

std::string PathSegment(std::string_view name) {
  std::string segment;
  for (const char letter : name) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
                          letter == '.' || letter == '~';
    segment += is_plain ? std::string(1, letter)
                        : fmt::format("%{:02X}", static_cast<unsigned char>(letter));
  }
  return segment;
}

}  // namespace df::app
