#include "otlp/request_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/format.h>
#include <glob.h>

namespace df::otlp {
namespace {

constexpr size_t kLengthBytes = 4;

size_t ReadLength(std::string_view head) {
  size_t length = 0;
  for (const char c : head) {
    length = length << 8U | static_cast<unsigned char>(c);
  }
  return length;
}

std::vector<std::string> FilesBelow(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(directory, error), end; at != end;
       at.increment(error)) {
    if (at->is_regular_file(error)) {
      paths.push_back(at->path().string());
    }
  }
  return paths;
}

std::vector<std::string> FilesLike(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  return paths;
}

}  // namespace

arrow::Status VisitRequests(const std::string& path,
                            const std::function<arrow::Status(std::string_view)>& visit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return arrow::Status::IOError(fmt::format("cannot open {}", path));
  }
  std::array<char, kLengthBytes> head{};
  std::string request;
  int64_t offset = 0;
  while (file.read(head.data(), kLengthBytes)) {
    request.resize(ReadLength({head.data(), kLengthBytes}));
    if (!file.read(request.data(), static_cast<std::streamsize>(request.size()))) {
      return arrow::Status::Invalid(
          fmt::format("{}: the request at offset {} has {} of its {} bytes", path, offset,
                      file.gcount(), request.size()));
    }
    const arrow::Status status = visit(request);
    if (!status.ok()) {
      return status.WithMessage(
          fmt::format("{}: the request at offset {}: {}", path, offset, status.message()));
    }
    offset += static_cast<int64_t>(kLengthBytes + request.size());
  }
  if (file.gcount() != 0) {
    return arrow::Status::Invalid(fmt::format("{}: {} bytes at offset {}, expected a length of {}",
                                              path, file.gcount(), offset, kLengthBytes));
  }
  return arrow::Status::OK();
}

arrow::Result<std::vector<std::string>> ExpandPath(const std::string& argument) {
  std::error_code error;
  const auto type = std::filesystem::status(argument, error).type();
  std::vector<std::string> paths;
  if (type == std::filesystem::file_type::directory) {
    paths = FilesBelow(argument);
  } else if (type == std::filesystem::file_type::not_found) {
    paths = FilesLike(argument);
  } else {
    paths = {argument};
  }
  if (paths.empty()) {
    return arrow::Status::IOError(fmt::format("{} names no file", argument));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

arrow::Result<std::array<char, 4>> RequestHead(size_t size_bytes) {
  if (size_bytes > UINT32_MAX) {
    return arrow::Status::Invalid(
        fmt::format("a request has {} bytes, expected at most {}", size_bytes, UINT32_MAX));
  }
  std::array<char, 4> head{};
  for (size_t i = 0; i < head.size(); ++i) {
    head[i] = static_cast<char>(size_bytes >> (8 * (head.size() - 1 - i)) & 0xFFU);
  }
  return head;
}

}  // namespace df::otlp
