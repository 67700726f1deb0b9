// df_engine ctl, against an engine that runs.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_server.h"
#include "running_engine.h"
#include "testing/tls_identity.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A pipeline that makes records up and forgets them.
const std::string kNoop = GeneratorPipeline("exporter:noop");

class CtlCommandTest : public ::testing::Test {
 protected:
  /// Starts an engine with the pipelines default/main, default/twice and other/twice.
  void Start(const std::string& main = kNoop, const std::string& admin = "") {
    engine_ = std::make_unique<RunningEngine>(EngineDocument(
        {{"default", {{"main", main}, {"twice", kNoop}}}, {"other", {{"twice", kNoop}}}}, admin));
    ASSERT_TRUE(engine_->is_ready()) << engine_->Log();
  }

  Ran Ctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "ctl");
    arguments.insert(arguments.end(), {"--admin", engine_->address()});
    return RunIn(folder_.path(), std::move(arguments));
  }

  /// Asks a server that is no engine of this test.
  Ran StatusOf(const std::string& address, std::vector<std::string> flags = {}) const {
    flags.insert(flags.begin(), {"ctl", "status", "--admin", address});
    return RunIn(folder_.path(), std::move(flags));
  }

  std::string File(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
    return name;
  }

  TemporaryFolder folder_;
  std::unique_ptr<RunningEngine> engine_;
};

TEST_F(CtlCommandTest, StatusTellsPipelinesAndWhyOneIsNotWell) {
  Start(GeneratorPipeline(fmt::format(
      "exporter:otlp_http, config: {{endpoint: \"http://127.0.0.1:{}\"}}", DeadPort())));
  ASSERT_TRUE(engine_->WaitForLog("nothing is delivered")) << engine_->Log();
  const Ran all = Ctl({"status"});
  EXPECT_EQ(all.exit_code, 0) << all.log;
  EXPECT_THAT(all.output, StartsWith("df_engine "));
  EXPECT_THAT(all.output, HasSubstr("ready, degraded, up "));
  EXPECT_THAT(all.output,
              HasSubstr("default/main   running           1      1/1         0  degraded\n"));
  EXPECT_THAT(all.output, HasSubstr("other/twice    running           1      1/1         0  ok\n"));
  EXPECT_THAT(all.output, HasSubstr("default/main: node 'out' on core "));
  const Ran one = Ctl({"status", "main"});
  EXPECT_EQ(one.exit_code, 0) << one.log;
  EXPECT_THAT(one.output, AllOf(HasSubstr("INSTANCE  CORE  PHASE"), Not(HasSubstr("twice"))));
  const Ran as_json = Ctl({"status", "--json"});
  EXPECT_EQ(json::parse(as_json.output)["pipelines"].size(), 3);
  EXPECT_EQ(json::parse(Ctl({"status", "main", "--json"}).output)["pipeline"], "main");
}

TEST_F(CtlCommandTest, NamesAreFoundAndThoseThatMayMeanTwoAreRefused) {
  Start();
  const Ran two = Ctl({"stop", "twice"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_THAT(two.log, HasSubstr("'twice' may mean any of default/twice, other/twice"));
  const Ran near = Ctl({"stop", "mian"});
  EXPECT_EQ(near.exit_code, 5);
  EXPECT_THAT(near.log, HasSubstr("there is no pipeline 'mian'; did you mean 'main'?"));
  EXPECT_EQ(Ctl({"stop", "other/twice"}).output, "other/twice: stop 1: succeeded\n");
}

TEST_F(CtlCommandTest, OperationsAreWaitedForAndTellHowTheyHaveEnded) {
  Start();
  EXPECT_EQ(Ctl({"stop", "main"}).output, "default/main: stop 1: succeeded\n");
  EXPECT_THAT(Ctl({"status"}).output, HasSubstr("default/main   stopped"));
  EXPECT_EQ(Ctl({"start", "main"}).output, "default/main: start 2: succeeded\n");
  const std::string file = File("neu.yaml", kNoop);
  EXPECT_EQ(Ctl({"put", "neu", file}).output, "default/neu: rollout 3 (create): succeeded\n");
  const Ran put = Ctl({"put", "other/twice", file, "--json"});
  EXPECT_EQ(json::parse(put.output)["state"], "succeeded") << put.log;
  EXPECT_EQ(Ctl({"delete", "neu"}).output, "default/neu: delete 5: succeeded\n");
  EXPECT_EQ(Ctl({"status", "neu"}).exit_code, 5);
  const std::string no_folder = (folder_.path() / File("a-file", "")).string();
  const std::string bad = File(
      "bad.yaml", GeneratorPipeline("exporter:file, config: {path: " + no_folder + "/x.jsonl}"));
  const Ran failed = Ctl({"put", "main", bad});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.log, HasSubstr("df_engine ctl: default/main: rollout 6 (replace): "));
  EXPECT_EQ(failed.output, "");
}

TEST_F(CtlCommandTest, AReloadTellsWhatHasChangedOrWhatIsWrong) {
  Start();
  EXPECT_EQ(Ctl({"reload"}).output, "nothing has changed\n");
  engine_->Rewrite(EngineDocument({{"default", {{"main", kNoop}, {"neu", kNoop}}}}, ""));
  const Ran reload = Ctl({"reload"});
  EXPECT_EQ(reload.exit_code, 0) << reload.log;
  EXPECT_EQ(reload.output,
            "default/neu: rollout 1 (create): succeeded\n"
            "default/twice: delete 2: succeeded\n"
            "other/twice: delete 3: succeeded\n");
  engine_->Rewrite("version: otel_dataflow/v1\npolices: 3\n");
  const Ran wrong = Ctl({"reload"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.log, StartsWith("document:2:1: "));
  EXPECT_THAT(Ctl({"logs"}).output, HasSubstr("nothing is changed: "));
}

TEST_F(CtlCommandTest, AnEndThatDoesNotComeInTimeIsIncomplete) {
  std::promise<void> came;
  std::once_flag once;
  const HttpServer silent([&](std::string_view, std::string_view) {
    std::call_once(once, [&] { came.set_value(); });
    return std::string();
  });
  Start(GeneratorPipeline(fmt::format(
      "exporter:otlp_http, config: {{endpoint: \"http://127.0.0.1:{}\"}}", silent.port())));
  ASSERT_EQ(came.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  const Ran stop = Ctl({"stop", "main", "--timeout", "1ms"});
  EXPECT_EQ(stop.exit_code, 4) << stop.output << stop.log;
  EXPECT_THAT(stop.log, HasSubstr("it goes on; its end: df_engine ctl status default/main"));
  const Ran busy = Ctl({"stop", "main"});
  EXPECT_EQ(busy.exit_code, 1) << busy.log;
  EXPECT_THAT(busy.log, HasSubstr("under way"));
  EXPECT_THAT(Ctl({"stop", "default/twice", "--no-wait"}).output,
              StartsWith("default/twice: stop"));
}

TEST_F(CtlCommandTest, ProblemsOfAFileStandWhereValidatePrintsThem) {
  Start();
  const std::string bad =
      "nodes:\n  in: {type: receiver:traffic_generator, config: "
      "{traffic_config: {log_weight: 1}}}\n"
      "  out: {type: exporter:noop, polices: 3}\n"
      "connections: [{from: in, to: out}]\n";
  const Ran put = Ctl({"put", "main", File("bad.yaml", bad)});
  EXPECT_EQ(put.exit_code, 2);
  EXPECT_THAT(put.log, StartsWith("bad.yaml:3:30: nodes.out: unknown key 'polices'"));
  EXPECT_EQ(Ctl({"put", "main", "not-there.yaml"}).log,
            "df_engine ctl: not-there.yaml: No such file or directory\n");
  const Ran large = Ctl({"put", "main", File("large.yaml", std::string((4 << 20) + 1, '#'))});
  EXPECT_EQ(large.exit_code, 2);
  EXPECT_THAT(large.log, HasSubstr("large.yaml: has more than 4MiB"));
}

TEST_F(CtlCommandTest, TheLogIsPrintedAndFollowed) {
  Start();
  const Ran last = Ctl({"logs", "-n", "1"});
  EXPECT_EQ(std::count(last.output.begin(), last.output.end(), '\n'), 1) << last.output;
  EXPECT_THAT(last.output, HasSubstr("Z info    "));
  EXPECT_TRUE(json::parse(Ctl({"logs", "-n", "1", "--json"}).output).contains("sequence"));
  const TemporaryFolder other;
  EngineProcess follower(other.path(),
                         {.arguments = {"ctl", "logs", "--follow", "--admin", engine_->address()}});
  ASSERT_TRUE(follower.WaitForOutput(
      [](const std::string& output) { return output.find('\n') != std::string::npos; }));
  for (const std::string level : {"debug", "info"}) {
    EXPECT_EQ(Ctl({"log-level", level}).output, level + "\n");
    EXPECT_TRUE(follower.WaitForOutput([&level](const std::string& output) {
      return output.find("the log level is now " + level) != std::string::npos;
    })) << follower.Output();
  }
  follower.Signal(SIGINT);
  EXPECT_EQ(follower.Wait(), 128 + SIGINT);
  const std::string shown = follower.Output();
  const size_t first = shown.find("the log level is now debug");
  EXPECT_EQ(shown.find("the log level is now debug", first + 1), std::string::npos) << shown;
}

TEST_F(CtlCommandTest, LevelMetricsAndDocumentAreToldAsTheServerTellsThem) {
  Start();
  EXPECT_EQ(Ctl({"log-level"}).output, "info\n");
  const Ran level = Ctl({"log-level", "debgu"});
  EXPECT_EQ(level.exit_code, 2);
  EXPECT_THAT(level.log, HasSubstr("did you mean 'debug'?"));
  EXPECT_THAT(Ctl({"metrics"}).output, HasSubstr("df_build_info{"));
  EXPECT_TRUE(json::parse(Ctl({"metrics", "--json"}).output).contains("metrics"));
  EXPECT_TRUE(json::parse(Ctl({"config"}).output).contains("groups"));
  EXPECT_TRUE(json::parse(Ctl({"config", "main"}).output).contains("document"));
}

TEST_F(CtlCommandTest, ABundleHoldsWhatAReportNeedsAndNoSecret) {
  const std::string token = File("token", "hush-token\n");
  Start(GeneratorPipeline("exporter:otlp_http, config: {endpoint: \"http://127.0.0.1:" +
                          std::to_string(DeadPort()) +
                          "\", headers: {authorization: \"Bearer hush-header\"}}"),
        "bearer_token_file: " + (folder_.path() / token).string());
  ASSERT_TRUE(engine_->WaitForLog("nothing is delivered")) << engine_->Log();
  const Ran ran = Ctl({"bundle", "-o", "bundle.tar", "--token-file", token});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_EQ(ran.log, "bundle.tar: 6 files\n");
  EXPECT_EQ(ran.output, "");
  const std::string tar = ReadText(folder_.path() / "bundle.tar");
  for (const char* part :
       {"df_engine-bundle/status.json", "\"is_degraded\": true", "df_engine-bundle/readyz.json",
        "df_engine-bundle/config.json", "traffic_generator", "df_engine-bundle/metrics.txt",
        "df_build_info{", "df_engine-bundle/logs.json", "has delivered nothing",
        "df_engine-bundle/version.txt", "compiler"}) {
    EXPECT_THAT(tar, HasSubstr(part));
  }
  EXPECT_EQ(tar.find("hush"), std::string::npos);
  EXPECT_EQ(std::system(
                fmt::format("tar -C '{0}' -xf '{0}/bundle.tar'", folder_.path().string()).c_str()),
            0);
  EXPECT_TRUE(
      json::parse(ReadText(folder_.path() / "df_engine-bundle/status.json")).contains("pipelines"));
}

TEST_F(CtlCommandTest, AShutdownIsWaitedFor) {
  Start();
  const Ran ran = Ctl({"shutdown"});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_THAT(ran.output,
              AllOf(StartsWith("the engine: ended\n"), HasSubstr("\ndefault/main: stopped\n")));
  EXPECT_EQ(engine_->Wait(), 0) << engine_->Log();
}

TEST_F(CtlCommandTest, ATokenIsAskedForAndCompared) {
  const std::string token = File("token", "right\n");
  Start(kNoop, "bearer_token_file: " + (folder_.path() / token).string());
  const Ran none = Ctl({"status"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.log, HasSubstr("asks for a token: --token-file FILE"));
  const Ran wrong = Ctl({"status", "--token-file", File("wrong", "wrong-word\n")});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.log, AllOf(HasSubstr("does not take the token"), Not(HasSubstr("wrong-word"))));
  EXPECT_EQ(Ctl({"status", "--token-file", token}).exit_code, 0);
  EXPECT_EQ(Ctl({"status", "--token-file", File("empty", "\n")}).exit_code, 2);
  EXPECT_THAT(Ctl({"status", "--token-file", "not-there"}).log, HasSubstr("not-there"));
}

TEST_F(CtlCommandTest, TlsIsSpokenWhereItIsAskedFor) {
  const testing::TlsIdentity identity = testing::MakeTlsIdentity("localhost");
  File("server.crt", identity.cert_pem);
  File("server.key", identity.key_pem);
  Start(kNoop, fmt::format("tls: {{cert_file: {0}/server.crt, key_file: {0}/server.key}}",
                           folder_.path().string()));
  const std::vector<std::string> flags = {"--tls-ca", "server.crt", "--tls-server-name",
                                          "localhost"};
  const Ran good = StatusOf(engine_->address(), flags);
  EXPECT_EQ(good.exit_code, 0) << good.log;
  const Ran unknown = StatusOf("https://" + engine_->address());
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.log, AllOf(HasSubstr("certificate verify failed"), HasSubstr("--tls-ca")));
  const Ran plain = StatusOf(engine_->address());
  EXPECT_EQ(plain.exit_code, 1);
  EXPECT_THAT(plain.log, HasSubstr("--admin https://" + engine_->address()));
  EXPECT_EQ(StatusOf("http://" + engine_->address(), flags).exit_code, 2);
}

TEST_F(CtlCommandTest, WhoIsNoEngineIsToldApart) {
  const std::string dead = fmt::format("127.0.0.1:{}", DeadPort());
  const Ran nobody = StatusOf(dead);
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.log, HasSubstr("cannot connect to " + dead + ": Connection refused; is an"));
  const HttpServer page(
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi");
  const HttpServer other("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  const HttpServer greeting("220 mail ESMTP\r\n");
  for (const uint16_t port : {page.port(), other.port(), greeting.port()}) {
    const Ran ran = StatusOf(fmt::format("127.0.0.1:{}", port));
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.log, HasSubstr("no admin server of df_engine answers"));
    EXPECT_THAT(ran.output, IsEmpty());
  }
  const Ran encrypted = StatusOf(fmt::format("https://127.0.0.1:{}", page.port()));
  EXPECT_EQ(encrypted.exit_code, 1);
  EXPECT_THAT(encrypted.log, HasSubstr("TLS: "));
}

TEST_F(CtlCommandTest, WrongCommandLinesNameWhatWasMeant) {
  const auto log_of = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "ctl");
    const Ran ran = RunIn(folder_.path(), std::move(arguments));
    EXPECT_EQ(ran.exit_code, 2) << ran.log;
    return ran.log;
  };
  EXPECT_THAT(log_of({"statsu"}), HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(log_of({"status", "--jsn"}), HasSubstr("did you mean '--json'?"));
  EXPECT_THAT(log_of({"stop"}), HasSubstr("usage: df_engine ctl stop PIPELINE"));
  EXPECT_THAT(log_of({"metrics", "main"}), HasSubstr("usage: df_engine ctl metrics"));
  EXPECT_THAT(log_of({"stop", "main", "--follow"}), HasSubstr("--follow: 'stop' does not take it"));
  EXPECT_THAT(log_of({"stop", "main", "--timeout", "1h"}), HasSubstr("expected at most 10min"));
  EXPECT_THAT(log_of({"logs", "-n", "1001"}), HasSubstr("--count"));
  EXPECT_THAT(log_of({"bundle"}), HasSubstr("expected -o FILE"));
  EXPECT_THAT(log_of({"status", "--admin", "8080"}), HasSubstr("--admin: found '8080'"));
}

/// A replay that follows the sample, in batches of ten logs.
std::string FollowPipeline(const std::string& polling, const std::string& signals) {
  return fmt::format(
      "nodes:\n"
      "  in: {{type: receiver:parquet, config: {{base_uri: \"{}\", polling_interval: {}, "
      "signal_types: [{}], processing_options: {{batch_size: 10, completeness_grace: 1s}}}}}}\n"
      "  out: {{type: exporter:noop}}\n"
      "connections: [{{from: in, to: out}}]\n",
      OTAP_SOURCE_DIR "/examples/data/corner/parquet", polling, signals);
}

TEST_F(CtlCommandTest, AReplayIsPausedSteppedAndResumed) {
  Start(FollowPipeline("1h", "logs"));
  const Ran paused = Ctl({"pause", "main"});
  EXPECT_EQ(paused.exit_code, 0) << paused.log;
  EXPECT_THAT(paused.output, HasSubstr("default/main: node 'in' is paused since "));
  EXPECT_THAT(Ctl({"status"}).output, HasSubstr("paused"));
  EXPECT_EQ(Ctl({"step", "main", "3"}).exit_code, 0);
  const Ran timed = Ctl({"step", "main", "10s"});
  EXPECT_EQ(timed.exit_code, 1);
  EXPECT_THAT(timed.log, HasSubstr("node 'in': its records go out as fast as they are taken"));
  EXPECT_EQ(Ctl({"step", "main", "soon"}).exit_code, 2);
  const Ran resumed = Ctl({"resume", "main", "--json"});
  EXPECT_TRUE(json::parse(resumed.output)["paused"].empty()) << resumed.output;
  const Ran refused = Ctl({"pause", "default/twice"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.log, HasSubstr("no receiver that runs and can be paused"));
}

TEST_F(CtlCommandTest, SettingsOfAReplayThatCanFollowAreAppliedInPlace) {
  Start(FollowPipeline("1h", "logs"));
  const Ran polling = Ctl({"put", "main", File("other.yaml", FollowPipeline("2h", "logs"))});
  EXPECT_EQ(polling.output, "default/main: rollout 1 (apply_in_place): succeeded\n") << polling.log;
  const Ran wrong = Ctl({"put", "main", File("wrong.yaml", FollowPipeline("0s", "logs"))});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.log, HasSubstr("wrong.yaml:2:"));
  EXPECT_THAT(Ctl({"config", "main"}).output, HasSubstr("2h")) << "the old one stays";
  const Ran signals = Ctl({"put", "main", File("third.yaml", FollowPipeline("2h", "traces"))});
  EXPECT_EQ(signals.output, "default/main: rollout 2 (replace): succeeded\n") << signals.log;
}

}  // namespace
}  // namespace df::e2e
