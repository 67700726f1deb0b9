#include "object_server.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace df::e2e {
namespace {

namespace fs = std::filesystem;

std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      plain +=
          static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// Returns the value of a header, "" where there is none.
std::string Header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const size_t colon = line.find(':');
    if (colon == name.size() &&
        std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) ==
                 std::tolower(static_cast<unsigned char>(b));
        })) {
      const size_t begin = line.find_first_not_of(' ', colon + 1);
      return begin == std::string_view::npos ? "" : std::string(line.substr(begin));
    }
  }
  return "";
}

std::string Parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.starts_with(name) && pair.size() > name.size() && pair[name.size()] == '=') {
      return Unescape(pair.substr(name.size() + 1));
    }
  }
  return "";
}

bool Has(std::string_view query, std::string_view name) {
  return query == name || query.starts_with(fmt::format("{}=", name)) ||
         query.starts_with(fmt::format("{}&", name)) ||
         query.find(fmt::format("&{}", name)) != std::string_view::npos;
}

/// Takes a body of "aws-chunked" apart: sizes, signatures and checksums go.
std::string WithoutChunks(std::string_view body) {
  std::string plain;
  while (!body.empty()) {
    const size_t end = body.find("\r\n");
    const size_t size =
        std::strtoul(std::string(body.substr(0, body.find_first_of(";\r"))).c_str(), nullptr, 16);
    if (size == 0 || end == std::string_view::npos) {
      break;
    }
    plain += body.substr(end + 2, size);
    body.remove_prefix(std::min(body.size(), end + 2 + size + 2));
  }
  return plain;
}

/// Reads a body that came with Transfer-Encoding: chunked; nothing while it is not whole.
std::optional<std::pair<std::string, size_t>> ReadChunked(std::string_view text) {
  std::string body;
  size_t at = 0;
  while (true) {
    const size_t end = text.find("\r\n", at);
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const size_t size = std::strtoul(std::string(text.substr(at, end - at)).c_str(), nullptr, 16);
    if (text.size() < end + 2 + size + 2) {
      return std::nullopt;
    }
    body += text.substr(end + 2, size);
    at = end + 2 + size + 2;
    if (size == 0) {
      return std::pair(body, at);
    }
  }
}

std::string ETagOf(const std::string& bytes) {
  return fmt::format("\"{:x}-{}\"", std::hash<std::string>()(bytes), bytes.size());
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

constexpr std::string_view kDate = "Sat, 28 Nov 2026 10:00:00 GMT";

}  // namespace

struct ObjectServer::Reply {
  int status = 200;
  std::string headers;
  std::string body;
  std::optional<size_t> length;  ///< of an answer to HEAD
};

namespace {

std::string ErrorBody(std::string_view code) {
  return fmt::format("<?xml version=\"1.0\"?><Error><Code>{0}</Code><Message>{0}</Message></Error>",
                     code);
}

}  // namespace

ObjectServer::ObjectServer(Script script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || getsockname(listener_, generic, &size) != 0 ||
      listen(listener_, 64) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

ObjectServer::~ObjectServer() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int connection : connections_) {
      shutdown(connection, SHUT_RDWR);
    }
  }
  accepting_.join();
  for (std::thread& thread : serving_) {
    thread.join();
  }
  for (const int connection : connections_) {
    close(connection);
  }
  close(listener_);
}

void ObjectServer::PutFolder(const fs::path& folder, const std::string& key) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      const std::lock_guard lock(mutex_);
      objects_[key + "/" + entry.path().lexically_relative(folder).string()] = std::move(bytes);
    }
  }
}

std::map<std::string, std::string> ObjectServer::objects() const {
  const std::lock_guard lock(mutex_);
  return objects_;
}

std::vector<ObjectRequest> ObjectServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::string ObjectServer::Uri(const std::string& key) const {
  return fmt::format("s3://{}?endpoint=http://127.0.0.1:{}&allow_http=true", key, port_);
}

void ObjectServer::Accept() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (connection >= 0) {
      const int on = 1;  // head and body are two writes, which must not wait for each other
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      connections_.push_back(connection);
    }
    if (connection < 0 || is_ending_) {
      return;
    }
    serving_.emplace_back([this, connection] { Serve(connection); });
  }
}

void ObjectServer::Serve(int connection) {
  std::string text;
  std::array<char, 65536> buffer;
  const auto send_all = [connection](std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  };
  bool has_continued = false;
  while (true) {
    const size_t head_end = text.find("\r\n\r\n");
    std::string body;
    bool is_whole = false;
    if (head_end != std::string::npos) {
      const std::string_view head = std::string_view(text).substr(0, head_end);
      const std::string_view rest = std::string_view(text).substr(head_end + 4);
      size_t used = 0;
      if (!has_continued && Header(head, "Expect") == "100-continue") {
        has_continued = send_all("HTTP/1.1 100 Continue\r\n\r\n");
      }
      if (Header(head, "Transfer-Encoding") == "chunked") {
        if (auto chunked = ReadChunked(rest)) {
          body = std::move(chunked->first);
          used = chunked->second;
          is_whole = true;
        }
      } else {
        used = std::strtoul(Header(head, "Content-Length").c_str(), nullptr, 10);
        is_whole = rest.size() >= used;
        body = std::string(rest.substr(0, used));
      }
      if (is_whole) {
        if (Header(head, "Content-Encoding").find("aws-chunked") != std::string::npos ||
            Header(head, "x-amz-content-sha256").starts_with("STREAMING")) {
          body = WithoutChunks(body);
        }
        ObjectRequest request;
        const size_t space = head.find(' ');
        std::string_view target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
        request.method = std::string(head.substr(0, space));
        const size_t question = std::min(target.find('?'), target.size());
        request.key = Unescape(target.substr(1, question - std::min<size_t>(question, 1)));
        request.query = std::string(target.substr(std::min(target.size(), question + 1)));
        request.is_signed = !Header(head, "Authorization").empty();
        Answer answer = script_(request);
        Reply reply;
        if (answer == Answer::kBusy || answer == Answer::kDenied) {
          reply.status = answer == Answer::kBusy ? 503 : 403;
          reply.body = ErrorBody(answer == Answer::kBusy ? "SlowDown" : "AccessDenied");
        } else if (answer != Answer::kReset) {
          reply = Respond(request, head, std::move(body));
        }
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        const std::string answered_head =
            fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n{}\r\n", reply.status,
                        reply.length.value_or(reply.body.size()), reply.headers);
        if (request.method == "HEAD") {
          reply.body.clear();
        }
        const std::string_view sent =
            answer == Answer::kShort ? std::string_view(reply.body).substr(0, reply.body.size() / 2)
                                     : std::string_view(reply.body);
        if (answer == Answer::kReset || !send_all(answered_head) || !send_all(sent) ||
            answer == Answer::kShort) {
          shutdown(connection, SHUT_RDWR);
          return;
        }
        text.erase(0, head_end + 4 + used);
        has_continued = false;
        continue;
      }
    }
    const ssize_t size = read(connection, buffer.data(), buffer.size());
    if (size <= 0) {
      return;
    }
    text.append(buffer.data(), static_cast<size_t>(size));
  }
}

ObjectServer::Reply ObjectServer::Respond(const ObjectRequest& request, std::string_view head,
                                          std::string body) {
  const std::lock_guard lock(mutex_);
  if (request.key.find('/') == std::string::npos || request.key.ends_with('/')) {
    return request.method == "GET" ? List(request) : Reply{};
  }
  if (request.method == "GET" || request.method == "HEAD") {
    return Get(request, head);
  }
  if (request.method == "DELETE") {
    objects_.erase(request.key);
    return {.status = 204};
  }
  return Upload(request, std::move(body));
}

ObjectServer::Reply ObjectServer::List(const ObjectRequest& request) const {
  const std::string bucket = request.key.substr(0, request.key.find('/'));
  const std::string prefix = bucket + "/" + Parameter(request.query, "prefix");
  const std::string delimiter = Parameter(request.query, "delimiter");
  const std::string after = Parameter(request.query, "continuation-token");
  if (objects_.lower_bound(bucket + "/") == objects_.end() ||
      !objects_.lower_bound(bucket + "/")->first.starts_with(bucket + "/")) {
    return {.status = 404, .body = ErrorBody("NoSuchBucket")};
  }
  constexpr int kPage = 100;  // small, so that trees have several
  std::string entries;
  std::set<std::string> folders;
  int count = 0;
  std::string last;
  bool is_truncated = false;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end(); ++at) {
    const auto& [key, bytes] = *at;
    if (!key.starts_with(prefix)) {
      break;
    }
    if (key <= after) {
      continue;
    }
    if (count == kPage) {
      is_truncated = true;
      break;
    }
    const size_t end = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
    const std::string name = key.substr(bucket.size() + 1);
    if (end != std::string::npos) {
      folders.insert(name.substr(0, end - bucket.size()));
    } else {
      entries += fmt::format(
          "<Contents><Key>{}</Key><LastModified>2026-11-28T10:00:00.000Z</LastModified><ETag>{}"
          "</ETag><Size>{}</Size></Contents>",
          Escape(name), Escape(ETagOf(bytes)), bytes.size());
    }
    last = key;
    ++count;
  }
  for (const std::string& folder : folders) {
    entries += fmt::format("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", Escape(folder));
  }
  return {.headers = "Content-Type: application/xml\r\n",
          .body = fmt::format(
              "<?xml version=\"1.0\"?><ListBucketResult><Name>{}</Name><KeyCount>{}</KeyCount>"
              "<IsTruncated>{}</IsTruncated>{}{}</ListBucketResult>",
              bucket, count, is_truncated,
              is_truncated
                  ? fmt::format("<NextContinuationToken>{}</NextContinuationToken>", Escape(last))
                  : "",
              entries)};
}

ObjectServer::Reply ObjectServer::Get(const ObjectRequest& request, std::string_view head) const {
  const auto found = objects_.find(request.key);
  if (found == objects_.end()) {
    return {.status = 404, .body = ErrorBody("NoSuchKey")};
  }
  const std::string& bytes = found->second;
  Reply reply{.headers = fmt::format("ETag: {}\r\nLast-Modified: {}\r\nAccept-Ranges: bytes\r\n",
                                     ETagOf(bytes), kDate)};
  if (request.method == "HEAD") {
    reply.length = bytes.size();
    return reply;
  }
  const std::string range = Header(head, "Range");
  if (!range.starts_with("bytes=")) {
    reply.body = bytes;
    return reply;
  }
  const size_t dash = range.find('-');
  const size_t first = std::strtoul(range.c_str() + 6, nullptr, 10);
  const size_t last =
      std::min<size_t>(std::strtoul(range.c_str() + dash + 1, nullptr, 10), bytes.size() - 1);
  reply.status = 206;
  reply.headers += fmt::format("Content-Range: bytes {}-{}/{}\r\n", first, last, bytes.size());
  reply.body = bytes.substr(first, last - first + 1);
  return reply;
}

ObjectServer::Reply ObjectServer::Upload(const ObjectRequest& request, std::string body) {
  const std::string upload = Parameter(request.query, "uploadId");
  if (request.method == "POST" && Has(request.query, "uploads")) {
    const std::string id = fmt::format("u{}", uploads_.size());
    uploads_[id];
    return {.body = fmt::format("<?xml version=\"1.0\"?><InitiateMultipartUploadResult><UploadId>{}"
                                "</UploadId></InitiateMultipartUploadResult>",
                                id)};
  }
  if (request.method == "PUT") {
    const std::string headers = fmt::format("ETag: {}\r\n", ETagOf(body));
    if (upload.empty()) {
      objects_[request.key] = std::move(body);
    } else {
      uploads_[upload][std::atoi(Parameter(request.query, "partNumber").c_str())] = std::move(body);
    }
    return {.headers = headers};
  }
  std::string whole;
  for (const auto& [number, part] : uploads_[upload]) {
    whole += part;
  }
  const std::string tag = ETagOf(whole);
  objects_[request.key] = std::move(whole);
  return {.body = fmt::format("<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>{}"
                              "</ETag></CompleteMultipartUploadResult>",
                              Escape(tag))};
}

}  // namespace df::e2e
