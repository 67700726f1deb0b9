// df_engine validate --env: what a document needs of the machine and the network.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
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
using nlohmann::json;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

/// Files, a receiver of files and one of the network, exporters to a folder and to a server.
constexpr char kDocument[] = R"(version: otel_dataflow/v1
engine: {{http_admin: {{bind_address: "127.0.0.1:{admin}"}}}}
groups:
  default:
    pipelines:
      main:
        nodes:
          in: {{type: receiver:otlp, config: {{protocols: {{http: {{listening_addr: "127.0.0.1:{http}"}}}}}}}}
          lake: {{type: receiver:parquet, config: {{base_uri: {lake}, polling_interval: once}}}}
          server: {{type: exporter:otlp_http, config: {{endpoint: "{server}"}}}}
          disk: {{type: exporter:parquet, config: {{base_uri: made/of/folders}}}}
          file: {{type: exporter:file, config: {{path: "out/{{signal}}.{{core_id}}.jsonl"}}}}
        connections:
          - {{from: in, to: [server, disk, file], policies: {{dispatch: broadcast}}}}
          - {{from: lake, to: [server]}}
)";

class EnvironmentTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
    return name;
  }

  /// Writes the document, with what is given in place of what is free and there.
  std::string Document(const std::map<std::string, std::string>& parts) const {
    const auto part = [&parts](const char* name, const std::string& usual) {
      const auto found = parts.find(name);
      return found == parts.end() ? usual : found->second;
    };
    return Write("document.yaml",
                 fmt::format(fmt::runtime(kDocument), fmt::arg("admin", part("admin", "0")),
                             fmt::arg("http", part("http", std::to_string(DeadPort()))),
                             fmt::arg("lake", part("lake", ".")),
                             fmt::arg("server", part("server", UrlOf(server_.port())))));
  }

  static std::string UrlOf(uint16_t port) { return fmt::format("http://127.0.0.1:{}", port); }

  Ran Validate(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"validate", "--env"});
    return RunIn(folder_.path(), std::move(arguments));
  }

  /// The files and folders that there are, but for those of the output.
  std::vector<std::string> Entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      if (name != "stdout" && name != "stderr") {
        names.push_back(name);
      }
    }
    return names;
  }

  /// The check of a kind whose subject has a text in it.
  static json Find(const json& answer, const std::string& kind, const std::string& of) {
    for (const json& check : answer["environment"]) {
      if (check["check"] == kind && check["of"].get<std::string>().find(of) != std::string::npos) {
        return check;
      }
    }
    ADD_FAILURE() << "no check '" << kind << "' of '" << of << "' in " << answer.dump(2);
    return json::object();
  }

  TemporaryFolder folder_;
  HttpServer server_{std::string("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")};
};

TEST_F(EnvironmentTest, WhatIsThereIsWellAndNothingIsLeftBehind) {
  const std::string document = Document({});
  const Ran ran = Validate({"-c", document});
  EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("ok    document.yaml:2:37   listen       127.0.0.1:0\n"),
                    HasSubstr("1 pipeline, 5 nodes; environment: 6 ok, 0 warn, 0 fail")));
  EXPECT_THAT(Entries(), ::testing::ElementsAre(document)) << "made/of/folders was only tried";
}

TEST_F(EnvironmentTest, EachOfWhatIsMissingFailsAtItsPlace) {
  const HttpServer holder("");
  const std::string dead = std::to_string(DeadPort());
  const Ran ran = Validate({Document({{"admin", std::to_string(holder.port())},
                                      {"lake", "nowhere"},
                                      {"server", "http://127.0.0.1:" + dead}}),
                            "--json"});
  EXPECT_EQ(ran.exit_code, 2) << ran.log;
  const json answer = json::parse(ran.output);
  EXPECT_EQ(answer["valid"], true);
  const json admin = Find(answer, "listen", std::to_string(holder.port()));
  EXPECT_EQ(admin["result"], "fail");
  EXPECT_EQ(admin["line"], 2);
  EXPECT_EQ(admin["path"], "engine.http_admin.bind_address");
  EXPECT_THAT(admin["message"], HasSubstr("in use"));
  EXPECT_THAT(Find(answer, "read", "nowhere")["message"], HasSubstr("No such file"));
  EXPECT_THAT(Find(answer, "connect", dead)["message"], HasSubstr("Connection refused"));
  EXPECT_EQ(Find(answer, "write", "made/of/folders")["result"], "ok");
}

TEST_F(EnvironmentTest, AFolderThatMayNotBeWrittenFails) {
  const std::string document = Document({});
  fs::create_directory(folder_.path() / "made");
  fs::permissions(folder_.path() / "made", fs::perms::owner_read | fs::perms::owner_exec);
  EngineProcess engine(folder_.path(), {.arguments = {"validate", "--env", document, "--json"},
                                        .obeys_permissions = true});
  EXPECT_EQ(engine.Wait(), 2) << engine.Log();
  const json check = Find(json::parse(engine.Output()), "write", "made/of/folders");
  EXPECT_THAT(check["message"], HasSubstr("Permission denied"));
}

TEST_F(EnvironmentTest, AServerThatAgreesOnNoKeysIsGivenUpInTime) {
  const HttpServer silent("");
  const Ran ran =
      Validate({Document({{"server", fmt::format("https://127.0.0.1:{}", silent.port())}}),
                "--timeout", "50ms", "--json"});
  EXPECT_EQ(ran.exit_code, 2) << ran.log;
  EXPECT_THAT(Find(json::parse(ran.output), "connect", std::to_string(silent.port()))["message"],
              AnyOf(HasSubstr("cannot agree on keys"), HasSubstr("no answer within")));
}

TEST_F(EnvironmentTest, TwoThatWantOnePortAreTold) {
  const std::string port = std::to_string(DeadPort());
  const Ran ran = Validate({Document({{"admin", port}, {"http", port}})});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.output, HasSubstr("engine.http_admin.bind_address listens there too, at line 2"));
}

TEST_F(EnvironmentTest, AWrongDocumentIsNotLookedAtFurther) {
  const Ran ran = Validate({Write("wrong.yaml", "nodes: {a: {kind: reciever}}\n"), "--json"});
  EXPECT_EQ(ran.exit_code, 2);
  const json answer = json::parse(ran.output);
  EXPECT_EQ(answer["valid"], false);
  EXPECT_EQ(answer["problems"][0]["line"], 1);
  EXPECT_FALSE(answer.contains("environment"));
  EXPECT_THAT(Validate({"wrong.yaml"}).log, HasSubstr("wrong.yaml:1:"));
  EXPECT_THAT(Validate({"wrong.yaml", "--timeout", "soon"}).log, HasSubstr("found 'soon'"));
}

}  // namespace
}  // namespace df::e2e
