#include "runtime/cores.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>
#include <string>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

namespace df::runtime {
namespace {

bool TakeId(std::string_view* text, int* id) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *id);
  if (error != std::errc() || *id < 0 || *id >= CPU_SETSIZE) {
    return false;
  }
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

}  // namespace

std::vector<int> AllowedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) {
        cores.push_back(core);
      }
    }
  }
  if (cores.empty()) {
    cores.push_back(0);
  }
  return cores;
}

arrow::Status PinThisThread(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  const int error = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
  if (error != 0) {
    return arrow::Status::IOError(
        fmt::format("the thread cannot be bound to core {}: {}", core, std::strerror(error)));
  }
  return arrow::Status::OK();
}

arrow::Result<std::vector<int>> ParseCoreIds(std::string_view text) {
  std::set<int> cores;
  std::string_view rest = text;
  const auto fail = [&] {
    return arrow::Status::Invalid(
        fmt::format("'{}' is not a set of cores, expected ids and ranges like 0-3,6", text));
  };
  while (true) {
    int first = 0;
    if (!TakeId(&rest, &first)) {
      return fail();
    }
    int last = first;
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      if (!TakeId(&rest, &last) || last < first) {
        return fail();
      }
    }
    for (int core = first; core <= last; ++core) {
      cores.insert(core);
    }
    if (rest.empty()) {
      return std::vector<int>(cores.begin(), cores.end());
    }
    if (!rest.starts_with(',')) {
      return fail();
    }
    rest.remove_prefix(1);
  }
}

}  // namespace df::runtime
