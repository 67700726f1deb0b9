#include "runtime/port_holder.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

namespace df::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListening = "0A";

/// Adds the inodes of the sockets that listen at the port to `inodes`.
void CollectListeners(const char* table, uint16_t port, std::set<std::string>* inodes) {
  std::ifstream file(table);
  const std::string suffix = fmt::format(":{:04X}", port);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    if (state == kListening && local.ends_with(suffix)) {
      inodes->insert(inode);
    }
  }
}

bool HoldsOneOf(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  fs::directory_iterator file(process / "fd", error);
  for (; !error && file != fs::directory_iterator(); file.increment(error)) {
    std::error_code unreadable;
    const std::string target = fs::read_symlink(file->path(), unreadable).string();
    constexpr std::string_view kSocket = "socket:[";
    if (target.starts_with(kSocket) &&
        inodes.contains(target.substr(kSocket.size(), target.size() - kSocket.size() - 1))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string FindPortHolder(uint16_t port) {
  std::set<std::string> inodes;
  CollectListeners("/proc/net/tcp", port, &inodes);
  CollectListeners("/proc/net/tcp6", port, &inodes);
  if (inodes.empty()) {
    return "";
  }
  std::error_code error;
  fs::directory_iterator process("/proc", error);
  for (; !error && process != fs::directory_iterator(); process.increment(error)) {
    const std::string id = process->path().filename().string();
    if (!std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isdigit(c) != 0; }) ||
        !HoldsOneOf(process->path(), inodes)) {
      continue;
    }
    if (id == std::to_string(getpid())) {
      return "this process";
    }
    std::ifstream file(process->path() / "comm");
    std::string name;
    std::getline(file, name);
    return fmt::format("process {} ({})", id, name);
  }
  return "";
}

}  // namespace df::runtime
