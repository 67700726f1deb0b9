// The programs that tests start, while threads of the test go on.
#include "engine_process.h"

#include <chrono>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace df::e2e {
namespace {

TEST(EngineProcess, StartsWhileOtherThreadsAllocate) {
  const TemporaryFolder folder;
  std::vector<std::jthread> servers;
  for (int i = 0; i < 2; ++i) {
    servers.emplace_back([](const std::stop_token& end) {
      // Small ones of many sizes, by the thousand: a thread then often refills what it keeps.
      while (!end.stop_requested()) {
        std::vector<std::unique_ptr<char[]>> taken;
        for (size_t size = 16; size < 16384; ++size) {
          taken.emplace_back(new char[16 + size % 512]);
        }
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    EngineProcess process(folder.path(), {.program = "/bin/true"});
    ASSERT_EQ(process.Wait(std::chrono::seconds(60)), 0) << "start " << i;
  }
}

}  // namespace
}  // namespace df::e2e
