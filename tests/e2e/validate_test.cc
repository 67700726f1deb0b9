// What --validate-and-exit does besides judging: no thread, no new file, and it is quick.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_process.h"

namespace df::e2e {
namespace {

struct Traced {
  int exit_code = -1;
  /// That were ever started, besides the first; -1 where no process may trace another.
  int num_threads = -1;
};

/// Runs the program on a document (empty: on none) under the eyes of this process, which sees every
/// thread.
Traced RunTraced(const std::filesystem::path& folder, const std::string& document,
                 const char* flag) {
  Traced traced;
  const pid_t child = fork();
  if (child == 0) {
    // The leak check at the end of a sanitized program starts a thread of its own.
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    if (chdir(folder.c_str()) != 0 || freopen("out", "w", stdout) == nullptr ||
        freopen("log", "w", stderr) == nullptr) {
      _exit(125);
    }
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) {
      raise(SIGSTOP);
    }
    if (document.empty()) {
      execl(DF_ENGINE_PATH, DF_ENGINE_PATH, flag, nullptr);
    }
    execl(DF_ENGINE_PATH, DF_ENGINE_PATH, flag, "--pipeline", document.c_str(), nullptr);
    _exit(126);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) {
    // This system lets no process trace another; what it prints and makes counts all the same, and
    // app_test counts the threads of a check inside of one process.
    traced.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return traced;
  }
  traced.num_threads = 0;
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
  ptrace(PTRACE_CONT, child, nullptr, nullptr);
  while (true) {
    const pid_t stopped = waitpid(-1, &status, __WALL);
    if (stopped < 0) {
      return traced;
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (stopped == child) {
        traced.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return traced;
      }
      continue;
    }
    const bool is_clone = status >> 8 == (SIGTRAP | (PTRACE_EVENT_CLONE << 8));
    traced.num_threads += is_clone ? 1 : 0;
    const int signal = WSTOPSIG(status);
    const bool is_passed_on = signal != SIGTRAP && signal != SIGSTOP;
    ptrace(PTRACE_CONT, stopped, nullptr, is_passed_on ? signal : 0);
  }
}

class ValidateTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const std::filesystem::path path = folder_.path() / "document.yaml";
    std::ofstream(path) << text;
    return path;
  }
  std::string ReadFile(const char* name) {
    std::ifstream file(folder_.path() / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t CountFiles() {
    const std::filesystem::recursive_directory_iterator files(folder_.path());
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }

  /// Threads that are there before main: Arrow's allocator starts one as it is loaded.
  int ThreadsOfLoading() { return RunTraced(folder_.path(), "", "--version").num_threads; }

  TemporaryFolder folder_;
};

constexpr char kGood[] = R"(nodes:
  lake:
    kind: receiver
    plugin_urn: urn:otel:otap:parquet:receiver
    out_ports: {out: {destinations: [sink]}}
    config: {base_uri: nowhere}
  sink:
    kind: exporter
    plugin_urn: urn:otel:file:exporter
    config: {path: "written/{signal}.{core_id}.otlp", format: otlp_proto}
)";

TEST_F(ValidateTest, AGoodDocumentStartsNoThreadAndMakesNoFile) {
  const Traced traced = RunTraced(folder_.path(), Write(kGood), "--validate-and-exit");
  EXPECT_EQ(traced.exit_code, 0) << ReadFile("log");
  EXPECT_EQ(CountFiles(), 3u) << "the document, out and log";
  EXPECT_EQ(traced.num_threads, ThreadsOfLoading());
}

TEST_F(ValidateTest, ABadDocumentExitsWithTwoBeforeAnyThread) {
  std::string text = kGood;
  text.replace(text.find("urn:otel:file"), 13, "urn:otel:flie");
  for (const char* flag : {"--validate-and-exit", "--strict"}) {
    const Traced traced = RunTraced(folder_.path(), Write(text), flag);
    EXPECT_EQ(traced.exit_code, 2);
    EXPECT_THAT(ReadFile("log"), ::testing::HasSubstr("document.yaml:9:17: "));
    EXPECT_THAT(ReadFile("log"), ::testing::HasSubstr("did you mean"));
    EXPECT_EQ(traced.num_threads, ThreadsOfLoading());
  }
}

// The count above means something: a run has threads.
TEST_F(ValidateTest, ARunHasThreads) {
  std::string text = kGood;
  text.replace(text.find("nowhere"), 7, "lake, polling_interval: once");
  std::filesystem::create_directory(folder_.path() / "lake");
  const Traced traced = RunTraced(folder_.path(), Write(text), "--strict");
  if (traced.num_threads >= 0) {
    EXPECT_GT(traced.num_threads, ThreadsOfLoading()) << ReadFile("log");
  }
  EXPECT_EQ(traced.exit_code, 5) << "an empty lake: " << ReadFile("log");
}

}  // namespace
}  // namespace df::e2e
