#include "nodes/exporters/file/output_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

namespace df::nodes::exporters::file {
namespace {

int Flags(OpenMode mode) {
  constexpr int kWrite = O_WRONLY | O_CREAT | O_CLOEXEC;
  switch (mode) {
    case OpenMode::kTruncate:
      return kWrite | O_TRUNC;
    case OpenMode::kAppend:
      return kWrite | O_APPEND;
    case OpenMode::kCreateNew:
      return kWrite | O_EXCL;
  }
  return kWrite;
}

Status IoError(std::string_view what, const std::string& path, int error) {
  return MakeError(ErrorKind::kIo, fmt::format("{} {}: {}", what, path, std::strerror(error)), {},
                   true);
}

iovec Part(std::string_view bytes) {
  // writev reads only; its interface is older than const.
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& path, OpenMode mode) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error) {
    return IoError("cannot make the folder", folder.string(), error.value());
  }
  constexpr mode_t kPermissions = 0666;  // less the mask of the process
  const int descriptor = open(path.c_str(), Flags(mode), kPermissions);
  if (descriptor < 0) {
    return IoError("cannot open", path, errno);
  }
  return std::unique_ptr<OutputFile>(new OutputFile(path, descriptor));
}

OutputFile::~OutputFile() { close(descriptor_); }

Status OutputFile::Write(std::string_view head, std::string_view body) {
  const off_t start = lseek(descriptor_, 0, SEEK_END);  // fails for pipes: nothing to take back
  const size_t total = head.size() + body.size();
  size_t done = 0;
  while (done < total) {
    const std::string_view rest_of_head = head.substr(std::min(done, head.size()));
    const std::string_view rest_of_body = body.substr(done - std::min(done, head.size()));
    const std::array parts = {Part(rest_of_head), Part(rest_of_body)};
    const ssize_t written = writev(descriptor_, parts.data(), static_cast<int>(parts.size()));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      const int error = written < 0 ? errno : ENOSPC;
      if (start >= 0 && ftruncate(descriptor_, start) == 0) {
        lseek(descriptor_, start, SEEK_SET);
      }
      return IoError("cannot write to", path_, error);
    }
    done += static_cast<size_t>(written);
  }
  size_bytes_ += static_cast<int64_t>(total);
  return Status::OK();
}

}  // namespace df::nodes::exporters::file
