#include "runtime/signals.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace df::runtime {
namespace {

/// Writes past a limit of 100 bytes; returns the errno of the write that failed.
int WritePastLimit() {
  HoldSignals();
  const rlimit limit{100, 100};
  std::string path = "/tmp/limit-XXXXXX";
  const int file = mkstemp(path.data());
  unlink(path.c_str());
  if (file < 0 || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
    return -1;
  }
  const std::string text(60, 'x');
  while (write(file, text.data(), text.size()) > 0) {
  }
  return errno;
}

TEST(HoldSignals, AFileThatReachesTheLimitOfItsSizeIsAnErrorOfTheWrite) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    _exit(WritePastLimit() == EFBIG ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace df::runtime
