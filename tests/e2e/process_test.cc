// Runs the built program: flags, exit codes, signals.
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace df {
namespace {

using ::testing::HasSubstr;

/// A running df_engine whose two outputs come through one pipe.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), DF_ENGINE_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    EXPECT_EQ(posix_spawn(&pid_, DF_ENGINE_PROGRAM, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_fd_ = ends[0];
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(output_fd_);
  }

  /// Reads output until it contains `text`; false when the process ends or a minute passes before.
  bool WaitFor(const std::string& text) {
    while (output_.find(text) == std::string::npos) {
      if (!ReadSome()) {
        return false;
      }
    }
    return true;
  }

  void Signal(int signal) { kill(pid_, signal); }

  /// Reads the rest of the output and returns the exit code, or -1 when it did not exit.
  int Wait() {
    while (ReadSome()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const std::string& output() const { return output_; }

 private:
  bool ReadSome() {
    pollfd ready{.fd = output_fd_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 60'000) <= 0) {
      return false;
    }
    std::array<char, 4096> buffer{};
    const ssize_t size = read(output_fd_, buffer.data(), buffer.size());
    if (size <= 0) {
      return false;
    }
    output_.append(buffer.data(), static_cast<size_t>(size));
    return true;
  }

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
};

/// Runs df_engine with both outputs going into `fd`; returns its exit code, 128 and the signal when
/// one ended it.
int RunInto(int fd, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), DF_ENGINE_PROGRAM);
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, DF_ENGINE_PROGRAM, &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("df_process_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "lake");
  }
  ~ProcessTest() override { std::filesystem::remove_all(folder_); }

  /// Writes a pipeline over an empty lake and returns its path.
  std::string Pipeline(const std::string& interval, const std::string& urn = "noop") {
    const std::string path = folder_ / "pipeline.yaml";
    std::ofstream(path) << "nodes:\n"
                           "  lake:\n"
                           "    kind: receiver\n"
                           "    plugin_urn: urn:otel:otap:parquet:receiver\n"
                           "    out_ports: {out: {destinations: [sink]}}\n"
                           "    config: {base_uri: "
                        << (folder_ / "lake").string() << ", polling_interval: " << interval
                        << "}\n"
                           "  sink:\n"
                           "    kind: exporter\n"
                           "    plugin_urn: urn:otel:"
                        << urn << ":exporter\n";
    return path;
  }

  /// The same in the form of version 1, with any exporter.
  /// Writes the document beside its place and renames it there: a process that reads it at this
  /// moment finds the old one or the new one, never a part.
  std::string Version1(const std::string& interval, const std::string& exporter) {
    const std::string path = folder_ / "version1.yaml";
    const std::string draft = path + ".draft";
    std::ofstream(draft) << "version: otel_dataflow/v1\n"
                            "groups:\n  default:\n    pipelines:\n      main:\n        nodes:\n"
                            "          in: {type: receiver:parquet, config: {base_uri: "
                         << (folder_ / "lake").string() << ", polling_interval: " << interval
                         << "}}\n          out: {type: " << exporter
                         << "}\n        connections: [{from: in, to: out}]\n";
    std::filesystem::rename(draft, path);
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(ProcessTest, WrongFlagsExitWithTwo) {
  EXPECT_EQ(Process({}).Wait(), 2);
  EXPECT_EQ(Process({"--no-such-flag"}).Wait(), 2);
  EXPECT_EQ(Process({"-p", Pipeline("once"), "--num-cores", "1", "--core-id-range", "0"}).Wait(),
            2);
  EXPECT_EQ(Process({"-p", Pipeline("once"), "--core-id-range", "x"}).Wait(), 2);
  EXPECT_EQ(Process({"-p", Pipeline("once"), "--num-cores", "4000"}).Wait(), 2);
}

TEST_F(ProcessTest, StrictIsTheDefaultAndContradictsAllowIncomplete) {
  EXPECT_EQ(Process({"-p", Pipeline("once"), "--strict", "--num-cores", "1"}).Wait(), 5);
  EXPECT_EQ(Process({"-p", Pipeline("once"), "--strict", "--allow-incomplete"}).Wait(), 2);
}

TEST_F(ProcessTest, HelpNamesEveryNode) {
  Process process({"run", "--help"});
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_THAT(process.output(), HasSubstr("urn:otel:exporter:noop"));
  EXPECT_THAT(process.output(), HasSubstr("urn:otel:receiver:parquet"));
}

TEST_F(ProcessTest, ThePrintedDocumentHoldsNoSecrets) {
  Process process({"-p",
                   Version1("once",
                            "exporter:otlp_grpc, config: {grpc_endpoint: 'http://127.0.0.1:1', "
                            "headers: {authorization: Bearer of-bad-news}}"),
                   "--print-config"});
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_THAT(process.output(), HasSubstr("authorization: \"[redacted]\""));
  EXPECT_THAT(process.output(), ::testing::Not(HasSubstr("of-bad-news")));
}

TEST_F(ProcessTest, AnswersThatCannotBePrintedEndWithoutAbort) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  EXPECT_EQ(RunInto(full, {"schema"}), 1);
  EXPECT_EQ(RunInto(full, {"-p", Pipeline("once"), "--print-config"}), 1);
  EXPECT_EQ(RunInto(full, {"-p", Pipeline("once"), "--validate-and-exit"}), 1);
  EXPECT_EQ(RunInto(full, {"-p", Pipeline("once", "nop")}), 2) << "not even stderr can be written";
  EXPECT_EQ(RunInto(full, {"-p", Pipeline("once"), "--num-cores", "1"}), 5)
      << "a summary that is lost changes nothing of what was done";
  close(full);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  close(ends[0]);
  EXPECT_EQ(RunInto(ends[1], {"schema"}), 0) << "a reader that has gone is no error";
  EXPECT_EQ(RunInto(ends[1], {"-p", Pipeline("once"), "--num-cores", "1"}), 5);
  close(ends[1]);
}

TEST_F(ProcessTest, ABadDocumentExitsWithTwoAndStartsNothing) {
  const std::string path = Pipeline("once", "nop");
  Process process({"-p", path});
  EXPECT_EQ(process.Wait(), 2);
  EXPECT_THAT(process.output(), HasSubstr(path + ":9:17: nodes.sink.plugin_urn: unknown URN"));
  EXPECT_THAT(process.output(), ::testing::Not(HasSubstr("running on")));
}

TEST_F(ProcessTest, AMissingFileExitsWithTwo) {
  Process process({"-p", (folder_ / "none.yaml").string()});
  EXPECT_EQ(process.Wait(), 2);
  EXPECT_THAT(process.output(), HasSubstr("none.yaml: cannot be opened: No such file"));
}

TEST_F(ProcessTest, ValidatesWithoutStarting) {
  Process process({"-p", Pipeline("once"), "--validate-and-exit"});
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_THAT(process.output(), ::testing::Not(HasSubstr("running on")));
}

TEST_F(ProcessTest, EndsByItselfAndSaysThatItFoundNothing) {
  Process process({"-p", Pipeline("once"), "--num-cores", "1"});
  EXPECT_EQ(process.Wait(), 5);
  EXPECT_THAT(process.output(),
              HasSubstr("nothing found to replay in '" + (folder_ / "lake").string()));
  EXPECT_THAT(process.output(), HasSubstr("finished after"));
  EXPECT_THAT(process.output(), HasSubstr("sink (urn:otel:exporter:noop)"));
}

TEST_F(ProcessTest, ASignalDrainsAndExitsWithZeroWithinTwoSeconds) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Process process({"-p", Pipeline("1h"), "--num-cores", "1"});
    ASSERT_TRUE(process.WaitFor("running on")) << process.output();
    const auto start = std::chrono::steady_clock::now();
    process.Signal(signal);
    EXPECT_EQ(process.Wait(), 0) << process.output();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    EXPECT_THAT(process.output(), HasSubstr(signal == SIGTERM ? "stopped by SIGTERM" : "SIGINT"));
  }
}

/// What a service manager is told, a text each time; "" when nothing comes for a minute.
class ServiceSocket {
 public:
  explicit ServiceSocket(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval patience = {.tv_sec = 60, .tv_usec = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~ServiceSocket() {
    unsetenv("NOTIFY_SOCKET");
    close(descriptor_);
  }

  std::string Next() const {
    std::array<char, 256> text{};
    const ssize_t size = recv(descriptor_, text.data(), text.size(), 0);
    return size < 0 ? "" : std::string(text.data(), static_cast<size_t>(size));
  }

 private:
  int descriptor_ = -1;
};

TEST_F(ProcessTest, TellsAServiceManagerWhenItIsReadyAndWhenItEnds) {
  const ServiceSocket manager((folder_ / "notify").string());
  Process process({"-p", Pipeline("1h"), "--num-cores", "1"});
  EXPECT_THAT(manager.Next(), HasSubstr("READY=1"));
  process.Signal(SIGTERM);
  EXPECT_THAT(manager.Next(), HasSubstr("STOPPING=1"));
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(ProcessTest, HangUpReadsTheDocumentAgainAndNeverKills) {
  const std::string path = Version1("1h", "exporter:noop");
  Process process({"-c", path, "--num-cores", "1", "--http-admin-bind", "127.0.0.1:0"});
  // Before the loops run: it is kept for them.
  ASSERT_TRUE(process.WaitFor("admin interface on")) << process.output();
  process.Signal(SIGHUP);
  ASSERT_TRUE(process.WaitFor("running on")) << process.output();
  ASSERT_TRUE(process.WaitFor("SIGHUP: the document is as it was")) << process.output();
  // A receiver that has not begun yet would be replaced.
  ASSERT_TRUE(process.WaitFor("nothing found to replay")) << process.output();
  Version1("2h", "exporter:noop");
  process.Signal(SIGHUP);
  ASSERT_TRUE(process.WaitFor("operation 1 has succeeded")) << process.output();
  EXPECT_THAT(process.output(), HasSubstr("default/main: reloaded: operation 1, apply_in_place"));
  Version1("2h", "exporter:nop");
  process.Signal(SIGHUP);
  ASSERT_TRUE(process.WaitFor("SIGHUP: nothing is changed: ")) << process.output();
  EXPECT_THAT(process.output(), HasSubstr("exporter:nop"));
  process.Signal(SIGUSR1);
  process.Signal(SIGUSR2);
  process.Signal(SIGPIPE);
  process.Signal(SIGTERM);
  process.Signal(SIGHUP);  // while it drains, or after that
  EXPECT_EQ(process.Wait(), 0) << process.output();
}

TEST_F(ProcessTest, WhatCameWithTheCommandLineCannotBeReadAgain) {
  std::ifstream file(Pipeline("1h"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  Process process({"-c", "yaml:" + text, "--num-cores", "1"});
  ASSERT_TRUE(process.WaitFor("running on")) << process.output();
  process.Signal(SIGHUP);
  ASSERT_TRUE(process.WaitFor("nothing is changed: the document came with the command line"))
      << process.output();
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0) << process.output();
}

TEST_F(ProcessTest, ASignalThatComesTwiceAtOnceDoesNotForce) {
  Process process({"-p", Pipeline("1h"), "--num-cores", "1"});
  ASSERT_TRUE(process.WaitFor("running on")) << process.output();
  process.Signal(SIGINT);
  process.Signal(SIGTERM);
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 0) << process.output();
  EXPECT_THAT(process.output(), ::testing::Not(HasSubstr("by force")));
}

TEST_F(ProcessTest, AFolderThatCannotBeWrittenIsFoundBeforeAnythingStarts) {
  const std::string path = Version1("1h", "exporter:parquet, config: {base_uri: /proc/nope}");
  Process process({"-c", path, "--num-cores", "1"});
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_THAT(process.output(), HasSubstr("node 'out'"));
  EXPECT_THAT(process.output(), HasSubstr("/proc/nope"));
  EXPECT_THAT(process.output(), ::testing::Not(HasSubstr("running on")));
}

}  // namespace
}  // namespace df
