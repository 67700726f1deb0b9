// A server that speaks the part of S3 that reading and writing a tree needs, and spoils answers
// when it is told to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace df::e2e {

/// What becomes of a request.
enum class Answer : uint8_t {
  kWhole,
  kBusy,    ///< 503 SlowDown
  kReset,   ///< the connection ends
  kShort,   ///< half of the body, then the connection ends
  kDenied,  ///< 403 AccessDenied
};

struct ObjectRequest {
  std::string method;
  std::string key;    ///< "bucket/name", unescaped
  std::string query;  ///< as it came
  bool is_signed = false;
};

/// Listens on a free port of 127.0.0.1; keeps objects in memory. Owner: the destructor ends it.
class ObjectServer {
 public:
  using Script = std::function<Answer(const ObjectRequest&)>;

  explicit ObjectServer(Script script = [](const ObjectRequest&) { return Answer::kWhole; });
  ~ObjectServer();
  ObjectServer(const ObjectServer&) = delete;
  ObjectServer& operator=(const ObjectServer&) = delete;

  /// Puts every file of a folder below a key.
  void PutFolder(const std::filesystem::path& folder, const std::string& key);
  std::map<std::string, std::string> objects() const;
  std::vector<ObjectRequest> requests() const;

  /// Returns the URI of a key here, with the keys of a document that it needs.
  std::string Uri(const std::string& key) const;

 private:
  struct Reply;

  void Accept();
  void Serve(int connection);
  Reply Respond(const ObjectRequest& request, std::string_view head, std::string body);
  Reply List(const ObjectRequest& request) const;
  Reply Get(const ObjectRequest& request, std::string_view head) const;
  Reply Upload(const ObjectRequest& request, std::string body);

  Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  bool is_ending_ = false;
  std::vector<int> connections_;
  std::vector<std::thread> serving_;
  std::map<std::string, std::string> objects_;
  std::map<std::string, std::map<int, std::string>> uploads_;  ///< parts by upload
  std::vector<ObjectRequest> requests_;
  std::thread accepting_;
};

}  // namespace df::e2e
