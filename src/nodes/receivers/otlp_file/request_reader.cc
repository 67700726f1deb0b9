#include "nodes/receivers/otlp_file/request_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::receivers::otlp_file {
namespace {

constexpr size_t kLengthBytes = 4;

struct SignalKeys {
  otap::Signal signal;
  std::string_view json_key;   ///< as OTLP JSON writes it
  std::string_view proto_key;  ///< as the definition does, which is taken too
};
constexpr std::array<SignalKeys, 3> kKeys = {{
    {otap::Signal::kLogs, "\"resourceLogs\"", "\"resource_logs\""},
    {otap::Signal::kTraces, "\"resourceSpans\"", "\"resource_spans\""},
    {otap::Signal::kMetrics, "\"resourceMetrics\"", "\"resource_metrics\""},
}};

constexpr std::array<std::pair<std::string_view, otap::Signal>, 5> kNames = {{
    {"logs", otap::Signal::kLogs},
    {"traces", otap::Signal::kTraces},
    {"spans", otap::Signal::kTraces},
    {"metrics", otap::Signal::kMetrics},
    {"points", otap::Signal::kMetrics},
}};

std::string TooLarge(const char* what, int64_t at, int64_t max_bytes) {
  return fmt::format("{} {}: found a request of more than {} bytes (max_request_size)", what, at,
                     max_bytes);
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool IsBrace(std::string_view line) {
  return std::count(line.begin(), line.end(), '{') == 1 &&
         std::all_of(line.begin(), line.end(), [](char c) { return c == '{' || IsSpace(c); });
}

}  // namespace

Result<RequestReader> RequestReader::Open(const std::string& path, bool is_json,
                                          int64_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return MakeError(ErrorKind::kIo, fmt::format("cannot be opened: {}", std::strerror(errno)),
                     {.file = path});
  }
  return RequestReader(std::move(file), is_json, max_bytes);
}

Result<std::optional<FileRequest>> RequestReader::Next() {
  return is_json_ ? NextLine() : NextFrame();
}

Result<std::optional<FileRequest>> RequestReader::NextLine() {
  std::streambuf& in = *file_.rdbuf();
  while (true) {
    FileRequest request{.bytes = "", .place = ++line_};
    bool is_too_large = false;
    bool is_blank = true;
    int next = in.sbumpc();
    if (next == std::char_traits<char>::eof()) {
      goes_on_ = false;
      return std::nullopt;
    }
    bool is_whole_file = false;
    for (; next != std::char_traits<char>::eof(); next = in.sbumpc()) {
      if (next == '\n' && !is_whole_file) {
        // A request over several lines begins with a brace alone: then it is the whole file.
        is_whole_file = line_ == 1 && IsBrace(request.bytes);
        if (!is_whole_file) {
          break;
        }
      }
      is_too_large = is_too_large || std::ssize(request.bytes) == max_bytes_;
      is_blank = is_blank && IsSpace(static_cast<char>(next));
      if (!is_too_large) {
        request.bytes += static_cast<char>(next);
      }
    }
    if (is_too_large) {
      return Status::Invalid(TooLarge("line", line_, max_bytes_));
    }
    if (!is_blank) {
      return request;
    }
  }
}

Result<std::optional<FileRequest>> RequestReader::NextFrame() {
  FileRequest request{.bytes = "", .place = offset_};
  std::array<char, kLengthBytes> head{};
  file_.read(head.data(), kLengthBytes);
  if (file_.gcount() == 0) {
    goes_on_ = false;
    return std::nullopt;
  }
  goes_on_ = false;  // where the next one begins is not known if this one cannot be read
  if (file_.gcount() < static_cast<std::streamsize>(kLengthBytes)) {
    return Status::Invalid(fmt::format("offset {}: found {} bytes, expected a length of {}",
                                       offset_, file_.gcount(), kLengthBytes));
  }
  int64_t length = 0;
  for (const char c : head) {
    length = length << 8 | static_cast<unsigned char>(c);
  }
  if (length > max_bytes_) {
    return Status::Invalid(TooLarge("offset", offset_, max_bytes_) +
                           fmt::format(", or no length: {}", length));
  }
  request.bytes.resize(static_cast<size_t>(length));
  file_.read(request.bytes.data(), length);
  if (file_.gcount() < length) {
    return Status::Invalid(fmt::format("offset {}: found {} of the {} bytes of a request", offset_,
                                       file_.gcount(), length));
  }
  offset_ += static_cast<int64_t>(kLengthBytes) + length;
  goes_on_ = true;
  return request;
}

bool IsJsonName(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  return ending == ".json" || ending == ".jsonl" || ending == ".ndjson";
}

std::optional<otap::Signal> SignalOfName(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  for (const auto& [text, signal] : kNames) {
    if (name.find(text) != std::string::npos) {
      return signal;
    }
  }
  return std::nullopt;
}

std::optional<otap::Signal> SignalOfJson(std::string_view json) {
  std::optional<otap::Signal> found;
  size_t first = std::string_view::npos;
  for (const SignalKeys& keys : kKeys) {
    const size_t at = std::min(json.find(keys.json_key), json.find(keys.proto_key));
    if (at < first) {
      first = at;
      found = keys.signal;
    }
  }
  return found;
}

}  // namespace df::nodes::receivers::otlp_file
