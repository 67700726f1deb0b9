// Replays that are killed go on from their checkpoint.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_server.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Replays that are killed: enough for a test that runs each day, more where somebody asks.
int NumKills() {
  const char* asked = std::getenv("OTAP_KILLS");
  return asked == nullptr ? 6 : std::atoi(asked);
}

/// A server that keeps what it gets, and has the sender killed after some requests.
class KillingServer {
 public:
  explicit KillingServer(fs::path folder)
      : folder_(std::move(folder)), server_([this](std::string_view head, std::string_view body) {
          return Answer(head, body);
        }) {
    fs::create_directories(folder_);
  }
  /// 0: never.
  void KillAfter(int requests, EngineProcess* sender) {
    const std::lock_guard lock(mutex_);
    kill_after_ = requests;
    sender_ = sender;
  }
  int num_requests() {
    const std::lock_guard lock(mutex_);
    return num_requests_;
  }
  std::string uri() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }
  const fs::path& folder() const { return folder_; }

 private:
  std::string Answer(std::string_view head, std::string_view body) {
    const std::lock_guard lock(mutex_);
    ++num_requests_;
    const std::string_view path = head.substr(0, head.find(" HTTP"));
    const std::string_view signal = path.substr(path.rfind('/') + 1);
    std::ofstream file(folder_ / fmt::format("{}.binpb", signal), std::ios::binary | std::ios::app);
    for (const int shift : {24, 16, 8, 0}) {
      file.put(static_cast<char>(body.size() >> shift & 0xff));
    }
    file << body;
    if (kill_after_ > 0 && --kill_after_ == 0 && sender_ != nullptr) {
      sender_->Signal(SIGKILL);
    }
    return kOk;
  }

  fs::path folder_;
  std::mutex mutex_;
  int kill_after_ = 0;
  int num_requests_ = 0;
  EngineProcess* sender_ = nullptr;
  HttpServer server_;
};

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() { fs::create_directory(running()); }

  fs::path running() const { return folder_.path() / "running"; }

  /// A pipeline that saves often.
  std::string Document(const std::string& server, const std::string& name) const {
    return WritePipeline(
               running(),
               {.base = kLake,
                .more_receiver_config = fmt::format(
                    "      checkpoint: {{directory: \"{}\", name: {}, save_interval: 5ms}}\n",
                    (folder_.path() / "state").string(), name),
                .processing = "        batch_size: 50\n",
                .exporter = fmt::format("    plugin_urn: \"urn:otel:exporter:otlp_http\"\n"
                                        "    config: {{endpoint: \"{}\", compression: none}}\n",
                                        server)})
        .string();
  }

  TemporaryFolder folder_;
};

TEST_F(CheckpointTest, KillsLoseNothingAndLittleComesTwice) {
  KillingServer server(folder_.path() / "received");
  const std::string document = Document(server.uri(), "night");
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  int num_killed = 0;
  for (int run = 0; run < NumKills(); ++run) {
    EngineProcess process(running(), {.arguments = {"-c", document, "--num-cores", "1"}});
    server.KillAfter(1 + static_cast<int>(random() % 12), &process);
    const int code = process.Wait();
    server.KillAfter(0, nullptr);
    ASSERT_THAT(code, ::testing::AnyOf(0, 128 + SIGKILL)) << process.Log();
    num_killed += code == 0 ? 0 : 1;
  }
  EXPECT_GT(num_killed, 1);
  EngineProcess last(running(), {.arguments = {"-c", document, "--num-cores", "1"}});
  EXPECT_EQ(last.Wait(), 0) << last.Log();

  const Ran verified = RunIn(folder_.path(), {"verify", kLake, "--against",
                                              server.folder().string(), "--no-cache", "--json"});
  const Json answer = Json::parse(verified.output);
  int64_t num_twice = 0;
  int64_t num_items = 0;
  for (const auto& [name, signal] : answer.at("signals").items()) {
    const Json& against = signal.at("against");
    EXPECT_EQ(against.value("only_here", 0), 0) << verified.output;
    num_twice += against.value("only_there", 0);
    num_items += signal.at("items").get<int64_t>();
  }
  // What was in flight at each kill, and what had not been saved yet.
  EXPECT_LT(num_twice, num_items) << "of " << num_killed << " kills";

  // Everything is delivered: nothing is sent any more, and that is no failure.
  const int num_requests = server.num_requests();
  EngineProcess again(running(), {.arguments = {"-c", document, "--num-cores", "1"}});
  EXPECT_EQ(again.Wait(), 0) << again.Log();
  EXPECT_EQ(server.num_requests(), num_requests);
  EXPECT_THAT(again.Output(), HasSubstr("as the checkpoint says"));
  // Another name sends everything again.
  EngineProcess other(running(),
                      {.arguments = {"-c", Document(server.uri(), "other"), "--num-cores", "1"}});
  EXPECT_EQ(other.Wait(), 0) << other.Log();
  EXPECT_GT(server.num_requests(), num_requests);
}

/// A document whose receiver has its checkpoint where the engine keeps its state.
std::string WithStateDirectory(const fs::path& folder, const fs::path& state_dir,
                               const std::string& server) {
  const fs::path path = folder / "state.yaml";
  std::ofstream(path) << fmt::format(
      R"(version: otel_dataflow/v1
engine: {{state_dir: "{}"}}
groups:
  default:
    pipelines:
      main:
        nodes:
          in:
            type: receiver:parquet
            config: {{base_uri: "{}", polling_interval: once, checkpoint: {{name: night}}}}
          out: {{type: exporter:otlp_http, config: {{endpoint: "{}"}}}}
        connections: [{{from: in, to: out}}]
)",
      state_dir.string(), kLake, server);
  return path.string();
}

TEST_F(CheckpointTest, TheStateDirectoryOfTheEngineHoldsIt) {
  KillingServer server(folder_.path() / "received");
  const fs::path state = fs::canonical(folder_.path()) / "state";
  const std::string document = WithStateDirectory(running(), state, server.uri());
  const std::vector<std::string> run = {"run", "-c", document, "--num-cores", "1"};
  // Nothing of it is made to look whether it could be.
  const Ran validated = RunIn(running(), {"validate", "--env", document});
  EXPECT_EQ(validated.exit_code, 0) << validated.output;
  EXPECT_THAT(validated.output, ::testing::ContainsRegex("ok +[^ ]+ +write +" + state.string()));
  EXPECT_FALSE(fs::exists(state));
  const Ran first = RunIn(running(), run);
  EXPECT_EQ(first.exit_code, 0) << first.log;
  EXPECT_TRUE(fs::exists(state / "checkpoints" / "night.sqlite"));
  EXPECT_EQ(fs::status(state).permissions(), fs::perms::owner_all);
  const int num_requests = server.num_requests();
  EXPECT_GT(num_requests, 0);
  EXPECT_EQ(RunIn(running(), run).exit_code, 0);
  EXPECT_EQ(server.num_requests(), num_requests);

  fs::permissions(state, fs::perms::owner_all | fs::perms::group_read);
  for (const std::vector<std::string>& arguments :
       {run, std::vector<std::string>{"validate", "--env", document}}) {
    const Ran refused = RunIn(running(), arguments);
    EXPECT_EQ(refused.exit_code, 2) << refused.log;
    EXPECT_THAT(refused.output + refused.log, HasSubstr("found permissions 0740, expected 0700"));
  }
  fs::permissions(state, fs::perms::owner_all);
  fs::create_directory_symlink(state, folder_.path() / "link");
  const Ran linked =
      RunIn(running(),
            {"run", "-c",
             WithStateDirectory(running(), fs::canonical(folder_.path()) / "link", server.uri())});
  EXPECT_EQ(linked.exit_code, 2);
  EXPECT_THAT(linked.log,
              AllOf(HasSubstr("engine.state_dir: "), HasSubstr("found a symbolic link")));
  EXPECT_EQ(server.num_requests(), num_requests);
}

TEST_F(CheckpointTest, WhatIsFollowedGoesOnWhereItWasStopped) {
  KillingServer server(folder_.path() / "received");
  const fs::path lake = folder_.path() / "lake";
  const auto add = [&] {
    const Ran written = RunIn(folder_.path(), {"convert", kLake, "--to", "star-parquet", "-o",
                                               lake.string(), "--no-cache", "-q"});
    EXPECT_EQ(written.exit_code, 0) << written.log;
  };
  const auto replay = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "replay",     lake.string(),  "--to",
        server.uri(), "--no-cache",   "--signal",
        "logs",       "--checkpoint", (folder_.path() / "state" / "live").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunIn(running(), arguments);
  };
  add();
  const Ran first = replay({});
  EXPECT_EQ(first.exit_code, 0) << first.log;
  EXPECT_THAT(first.log, HasSubstr("delivered 2,000 logs, 0 spans, 0 points; 0 refused"));
  add();
  const Ran second = replay({});
  EXPECT_EQ(second.exit_code, 0) << second.log;
  EXPECT_THAT(second.log, HasSubstr("delivered 2,000 logs, 0 spans, 0 points; 0 refused"));
  const Ran third = replay({});
  EXPECT_EQ(third.exit_code, 0) << third.log;
  EXPECT_THAT(third.log, HasSubstr("delivered 0 logs, 0 spans, 0 points; 0 refused"));
  // What is of another selection is not taken for this one's.
  const Ran other = replay({"--where", "severity_number >= 9"});
  EXPECT_NE(other.exit_code, 0);
  EXPECT_THAT(other.log, HasSubstr("another replay needs another name"));
}

/// What comes between two runs belongs to records that the first one has sent.
TEST_F(CheckpointTest, WhatComesTooLateIsNamedUntilItIsSentWithItsRecords) {
  const fs::path lake = folder_.path() / "lake";
  fs::copy(kLake, lake, fs::copy_options::recursive);
  const std::vector<std::string> late = {"span_links", "span_link_attrs"};
  for (const std::string& table : late) {
    fs::rename(lake / table, folder_.path() / table);
  }
  KillingServer server(folder_.path() / "received");
  const auto replay = [&](const std::string& to, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"replay",     lake.string(),  "--to",
                                          to,           "--signal",     "spans",
                                          "--no-cache", "--checkpoint", "state/night"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunIn(folder_.path(), std::move(arguments));
  };
  const Ran first = replay("null", {});
  EXPECT_EQ(first.exit_code, 0) << first.log;
  for (const std::string& table : late) {
    fs::rename(folder_.path() / table, lake / table);
  }
  for (int i = 0; i < 2; ++i) {
    const Ran next = replay("null", {});
    EXPECT_EQ(next.exit_code, 4) << next.log;
    EXPECT_THAT(next.log, AllOf(HasSubstr("delivered 0 logs, 0 spans"),
                                HasSubstr("the file came after records that its")));
  }
  const Ran resent = replay(server.uri(), {"--resend-late"});
  EXPECT_EQ(resent.exit_code, 0) << resent.log;
  const Ran verified =
      RunIn(folder_.path(), {"verify", lake.string(), "--against", server.folder().string(),
                             "--signal", "spans", "--no-cache"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
  const Ran last = replay("null", {});
  EXPECT_EQ(last.exit_code, 0) << last.log;
  EXPECT_THAT(last.log, HasSubstr("delivered 0 logs, 0 spans"));
}

}  // namespace
}  // namespace df::e2e
