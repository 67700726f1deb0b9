// Walks over the ways to lose something: each has an exit code that tells, a reason by name, and a
// receipt whose sums hold and which agrees with what has arrived.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_server.h"
#include "json_schema.h"
#include "otlp/count_items.h"
#include "otlp/request_file.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;

/// One way to lose something.
struct Way {
  std::string name;
  std::function<void(const fs::path& lake)> damage = nullptr;  ///< of a copy of the lake
  std::string base = "lake";                                   ///< below the folder of the case
  std::string receiver = "";                                   ///< more keys of the receiver
  std::string nodes = "";        ///< in place of the file exporter `sink`
  std::string connections = "";  ///< in place of [{from: lake, to: sink}]
  int exit_code = 4;
  std::vector<std::string> named;  ///< what the program has to say
  std::vector<std::string> arguments = {};
};

std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }

std::vector<fs::path> FilesOf(const fs::path& table) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(table)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void Overwrite(const fs::path& file, int64_t from_end, const std::string& bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-from_end, std::ios::end);
  stream << bytes;
}

void CorruptMiddle(const fs::path& file) {
  const auto size = static_cast<int64_t>(fs::file_size(file));
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  // Close to the start, where pages of the first columns are, and not in the footer.
  for (int64_t at = size / 20; at < size / 2; at += 16) {
    stream.seekg(at);
    const char byte = static_cast<char>(stream.get());
    stream.seekp(at);
    stream.put(static_cast<char>(byte ^ 0x5a));
  }
}

void Forbid(const fs::path& path) {
  fs::permissions(path, fs::perms::none, fs::perm_options::replace);
}

using Damage = std::function<void(const fs::path&)>;

Damage RemoveTable(const std::string& table) {
  return [table](const fs::path& lake) { fs::remove_all(lake / table); };
}

/// Does something to the second file of a table, so that others stand around it.
Damage OnFile(const std::string& table, const std::function<void(const fs::path&)>& action) {
  return [table, action](const fs::path& lake) { action(FilesOf(lake / table).at(1)); };
}

void Remove(const fs::path& file) { fs::remove(file); }
void Truncate(const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }
void Empty(const fs::path& file) { fs::resize_file(file, 0); }
void BreakMagic(const fs::path& file) { Overwrite(file, 4, "XXXX"); }
void BreakFooter(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(-8, std::ios::end);
  uint32_t length = 0;
  stream.read(reinterpret_cast<char*>(&length), sizeof(length));
  stream.seekp(-8 - static_cast<int64_t>(length), std::ios::end);
  stream << std::string(100, '\xff');
}

/// The lake that every case damages, made once: logs, spans and metrics in several files each.
class LossesBase : public ::testing::Test {
 public:
  static void SetUpTestSuite() {
    made_ = new TemporaryFolder();
    const fs::path document = made_->path() / "make.yaml";
    std::ofstream(document) << fmt::format(R"(
version: otel_dataflow/v1
groups: {{g: {{pipelines: {{p: {{
  nodes: {{
    traffic: {{type: receiver:traffic_generator, config: {{seed: 3, traffic_config: {{
      signals_per_second: null, max_signal_count: 2400, log_weight: 1, trace_weight: 1,
      metric_weight: 1, max_batch_size: 100, num_span_links: 1}}}}}},
    sink: {{type: exporter:parquet, config: {{base_uri: "{}",
      writer_options: {{target_rows_per_file: 200}}}}}}}},
  connections: [{{from: traffic, to: sink}}]}}}}}}}}
)",
                                           (made_->path() / "lake").string());
    EngineProcess engine(made_->path(),
                         {.arguments = {"--num-cores", "1", "-c", document.string()}});
    ASSERT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
    ASSERT_GE(FilesOf(made_->path() / "lake/logs").size(), 3);
  }
  static void TearDownTestSuite() {
    delete made_;
    made_ = nullptr;
  }

 protected:
  fs::path CopyLake() {
    const fs::path lake = folder_.path() / "lake";
    fs::copy(made_->path() / "lake", lake, fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(lake)) {
      fs::permissions(entry.path(), entry.is_directory() ? fs::perms(0777) : fs::perms(0666));
    }
    return lake;
  }

  /// Writes the document of a case.
  fs::path Document(const Way& way) {
    const fs::path path = folder_.path() / "case.yaml";
    const std::string sink = fmt::format(
        "sink: {{type: exporter:file, config: {{path: \"{}/out/{{signal}}.otlp\", format: "
        "otlp_proto}}}}",
        folder_.path().string());
    std::ofstream(path) << fmt::format(
        "version: otel_dataflow/v1\n"
        "groups: {{g: {{pipelines: {{p: {{nodes: {{\n"
        "  lake: {{type: receiver:parquet, config: {{base_uri: \"{}\", polling_interval: "
        "once{}}}}},\n"
        "  {}}},\n  connections: {}}}}}}}}}\n",
        (folder_.path() / way.base).lexically_normal().string(), way.receiver,
        way.nodes.empty() ? sink : way.nodes,
        way.connections.empty() ? "[{from: lake, to: sink}]" : way.connections);
    return path;
  }

  EngineProcess::Options Options(const Way& way) {
    EngineProcess::Options options{
        .arguments = {"--num-cores", "1", "--receipt", (folder_.path() / "receipt.json").string(),
                      "-c", Document(way).string()},
        .obeys_permissions = true};
    options.arguments.insert(options.arguments.end(), way.arguments.begin(), way.arguments.end());
    return options;
  }

  /// Items of a signal that the file exporter has written.
  int64_t NumWritten(otap::Signal signal) const {
    int64_t items = 0;
    const fs::path file = folder_.path() / "out" / (std::string(otap::Name(signal)) + ".otlp");
    if (fs::exists(file)) {
      const arrow::Status status =
          otlp::VisitRequests(file.string(), [&](std::string_view request) {
            ARROW_ASSIGN_OR_RAISE(const otlp::ItemCount count, otlp::CountItems(signal, request));
            items += count.items;
            return arrow::Status::OK();
          });
      EXPECT_TRUE(status.ok()) << status;
    }
    return items;
  }

  /// Reads the receipt and checks what always holds of one. Returns its source.
  json CheckReceipt(int exit_code, bool has_file_sink, bool was_forced = false) const {
    std::ifstream file(folder_.path() / "receipt.json");
    const json receipt = json::parse(file, nullptr, false);
    if (receipt.is_discarded()) {
      ADD_FAILURE() << "no receipt";
      return {};
    }
    std::ifstream schema_file(fs::path(OTAP_SOURCE_DIR) / "docs/receipt.schema.json");
    EXPECT_EQ(SchemaMismatch(receipt, json::parse(schema_file)), "");
    EXPECT_EQ(receipt["exit_code"], exit_code);
    EXPECT_EQ(receipt["broken_sums"], json::array()) << receipt["broken_sums"];
    json source;
    for (const json& node : receipt["pipelines"][0]["nodes"]) {
      source = node["name"] == "lake" ? node["source"] : source;
    }
    int64_t missing = 0;
    for (const otap::Signal signal : otap::kAllSignals) {
      const json& told = source["signals"][std::string(otap::Name(signal))];
      CheckSums(told);
      missing += told["records"]["missing"].get<int64_t>();
      if (has_file_sink) {
        const auto delivered = told["items"]["delivered"].get<int64_t>();
        const auto in_flight = told["items"]["in_flight"].get<int64_t>();
        EXPECT_GE(NumWritten(signal), delivered) << otap::Name(signal);
        EXPECT_LE(NumWritten(signal), delivered + (was_forced ? in_flight : 0));
      }
    }
    EXPECT_EQ(missing, MissingOf(source["send_again"])) << "what to send again is what is missing";
    if (missing > 0) {
      EXPECT_THAT(exit_code, ::testing::AnyOf(1, 3, 4));
    }
    return source;
  }

  static void CheckSums(const json& signal) {
    const json& records = signal["records"];
    int64_t left_out = 0;
    for (const auto& [reason, count] : records["left_out"].items()) {
      left_out += count.get<int64_t>();
    }
    const auto number = [](const json& of, const char* key) { return of[key].get<int64_t>(); };
    EXPECT_EQ(number(records, "listed"), number(records, "sent") + left_out) << records;
    EXPECT_EQ(number(records, "sent"), number(records, "delivered") + number(records, "refused") +
                                           number(records, "in_flight"))
        << records;
    const json& items = signal["items"];
    EXPECT_EQ(number(items, "sent"),
              number(items, "delivered") + number(items, "refused") + number(items, "in_flight"))
        << items;
  }

  static int64_t MissingOf(const json& send_again) {
    int64_t sum = 0;
    for (const json& range : send_again["listed"]) {
      sum += range["records"].get<int64_t>();
    }
    EXPECT_EQ(send_again["truncated"], false);
    return sum;
  }

  void ExpectNamed(const EngineProcess& engine, const std::vector<std::string>& words) const {
    const std::string said = engine.Output() + engine.Log();
    for (const std::string& word : words) {
      EXPECT_THAT(said, HasSubstr(word));
    }
  }

  static TemporaryFolder* made_;
  TemporaryFolder folder_;
};

TemporaryFolder* LossesBase::made_ = nullptr;

class Losses : public LossesBase, public ::testing::WithParamInterface<Way> {};

TEST_P(Losses, AreToldByCodeNameAndReceipt) {
  const Way& way = GetParam();
  const fs::path lake = CopyLake();
  if (way.damage != nullptr) {
    way.damage(lake);
  }
  EngineProcess engine(folder_.path(), Options(way));
  EXPECT_EQ(engine.Wait(), way.exit_code) << engine.Output() << engine.Log();
  ExpectNamed(engine, way.named);
  if (way.exit_code == 4) {
    EXPECT_THAT(engine.Output(), HasSubstr("\nincomplete: "));
  }
  CheckReceipt(way.exit_code, way.nodes.empty());
}

// ---- What is missing or damaged before the start ----

std::vector<Way> DamagedTrees() {
  std::vector<Way> ways;
  ways.push_back(
      {.name = "table_log_attrs_gone", .damage = RemoveTable("log_attrs"), .named = {"log_attrs"}});
  ways.push_back(
      {.name = "table_logs_gone", .damage = RemoveTable("logs"), .named = {"log_attrs"}});
  ways.push_back(
      {.name = "table_spans_gone", .damage = RemoveTable("spans"), .named = {"span_attrs"}});
  ways.push_back({.name = "table_metrics_gone",
                  .damage = RemoveTable("univariate_metrics"),
                  .named = {"number_data_points"}});
  for (const char* table : {"logs", "spans", "univariate_metrics"}) {
    ways.push_back({.name = std::string("file_gone_") + table,
                    .damage = OnFile(table, Remove),
                    .named = {"orphan"}});
  }
  ways.push_back({.name = "file_gone_log_attrs",
                  .damage = OnFile("log_attrs", Remove),
                  .named = {"log_attrs"}});
  ways.push_back({.name = "spans_in_logs",
                  .damage =
                      [](const fs::path& lake) {
                        for (const auto& file : fs::recursive_directory_iterator(lake / "spans")) {
                          if (file.path().extension() == ".parquet") {
                            const fs::path folder =
                                lake / "logs" /
                                fs::relative(file.path(), lake / "spans").parent_path();
                            fs::create_directories(folder);
                            fs::copy_file(file.path(), folder / "part-1-stray.parquet");
                            return;
                          }
                        }
                      },
                  .named = {"the columns are those of spans"}});
  ways.push_back(
      {.name = "delta_log_in_logs",
       .damage = [](const fs::path& lake) { fs::create_directory(lake / "logs/_delta_log"); },
       .named = {"Delta"}});
  for (const char* table : {"logs", "span_attrs", "number_data_points"}) {
    const std::string of = std::string("_") + table;
    ways.push_back({.name = "truncated" + of, .damage = OnFile(table, Truncate), .named = {table}});
    ways.push_back({.name = "empty" + of, .damage = OnFile(table, Empty), .named = {table}});
    ways.push_back({.name = "magic" + of, .damage = OnFile(table, BreakMagic), .named = {table}});
    ways.push_back({.name = "footer" + of, .damage = OnFile(table, BreakFooter), .named = {table}});
    ways.push_back(
        {.name = "pages" + of, .damage = OnFile(table, CorruptMiddle), .named = {table}});
    ways.push_back({.name = "unreadable" + of, .damage = OnFile(table, Forbid), .named = {table}});
  }
  ways.push_back({.name = "unreadable_table_folder",
                  .damage = [](const fs::path& lake) { Forbid(lake / "spans"); },
                  .named = {"spans", "Permission denied"}});
  ways.push_back(
      {.name = "unreadable_partition_folder",
       .damage = [](const fs::path& lake) { Forbid(FilesOf(lake / "logs").front().parent_path()); },
       .named = {"logs", "Permission denied"}});
  ways.push_back({.name = "unreadable_base",
                  .damage = [](const fs::path& lake) { Forbid(lake); },
                  .exit_code = 1,
                  .named = {"Permission denied"}});
  return ways;
}

std::vector<Way> WrongFolders() {
  std::vector<Way> ways;
  ways.push_back({.name = "one_too_high",
                  .base = ".",
                  .exit_code = 5,
                  .named = {"nothing found", "did you mean '", "/lake'?"}});
  ways.push_back({.name = "one_too_low",
                  .base = "lake/logs",
                  .exit_code = 5,
                  .named = {"nothing found", "did you mean '", "/lake'?"}});
  ways.push_back({.name = "empty_folder",
                  .damage = [](const fs::path& lake) { fs::create_directory(lake / "../none"); },
                  .base = "none",
                  .exit_code = 5,
                  .named = {"it has no table folders"}});
  ways.push_back({.name = "flat_files",
                  .damage =
                      [](const fs::path& lake) {
                        fs::create_directory(lake / "../flat");
                        fs::copy(FilesOf(lake / "logs").at(0), lake / "../flat/a.parquet");
                      },
                  .base = "flat",
                  .exit_code = 5,
                  .named = {"1 .parquet files stand in the folder"}});
  ways.push_back(
      {.name = "tables_without_files",
       .damage = [](const fs::path& lake) { fs::create_directories(lake / "../bare/logs"); },
       .base = "bare",
       .exit_code = 5,
       .named = {"have no .parquet files"}});
  ways.push_back({.name = "no_folder",
                  .base = "nowhere",
                  .exit_code = 1,
                  .named = {"No such file or directory"}});
  ways.push_back(
      {.name = "a_file", .base = "case.yaml", .exit_code = 1, .named = {"Not a directory"}});
  return ways;
}

// ---- What the destination does ----

Way To(const std::string& name, const std::string& sink, std::vector<std::string> named) {
  return {.name = name, .nodes = "sink: {type: " + sink + "}", .named = std::move(named)};
}

std::vector<Way> Destinations() {
  const std::string dead = fmt::format("http://127.0.0.1:{}", DeadPort());
  std::vector<Way> ways;
  ways.push_back(To("dead_grpc", "exporter:otlp_grpc, config: {grpc_endpoint: \"" + dead + "\"}",
                    {"Connection refused", "not delivered"}));
  ways.push_back(To("dead_http", "exporter:otlp_http, config: {endpoint: \"" + dead + "\"}",
                    {"Connection refused", "not delivered"}));
  ways.push_back(To("dead_otap", "exporter:otap, config: {grpc_endpoint: \"" + dead + "\"}",
                    {"Connection refused", "not delivered"}));
  ways.push_back(To("refuses_for_good",
                    "exporter:error, config: {message: no such tenant, permanent: true}",
                    {"no such tenant", "refused"}));
  ways.push_back(To("refuses_for_now", "exporter:error, config: {message: busy, permanent: false}",
                    {"busy", "refused"}));
  ways.push_back(To("refuses_some",
                    "exporter:error, config: {message: flaky, ratio: 0.3, permanent: true}",
                    {"flaky", "refused"}));
  ways.push_back(To("file_disk_full", "exporter:file, config: {path: /dev/full, format: otlp_json}",
                    {"No space left"}));
  Way retry = {.name = "retry_gives_up",
               .nodes =
                   "retry: {type: processor:retry, config: {initial_interval: 1ms, "
                   "max_interval: 2ms, max_elapsed_time: 20ms}}, "
                   "sink: {type: exporter:error, config: {message: busy, permanent: false}}",
               .connections = "[{from: lake, to: retry}, {from: retry, to: sink}]",
               .named = {"busy", "given up"}};
  ways.push_back(std::move(retry));
  Way router = {.name = "no_route_for_logs",
                .nodes =
                    "router: {type: processor:type_router, outputs: [traces, metrics], "
                    "default_output: traces}, "
                    "sink: {type: exporter:noop}",
                .connections =
                    "[{from: lake, to: router}, {from: \"router['traces']\", to: sink}, "
                    "{from: \"router['metrics']\", to: sink}]",
                .named = {"no port for logs"}};
  ways.push_back(std::move(router));
  return ways;
}

std::string NameOf(const ::testing::TestParamInfo<Way>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Damaged, Losses, ::testing::ValuesIn(DamagedTrees()), NameOf);
INSTANTIATE_TEST_SUITE_P(WrongFolder, Losses, ::testing::ValuesIn(WrongFolders()), NameOf);
INSTANTIATE_TEST_SUITE_P(Destination, Losses, ::testing::ValuesIn(Destinations()), NameOf);

TEST(Walk, HasAtLeastFortyWays) {
  std::set<std::string> names;
  for (const auto& ways : {DamagedTrees(), WrongFolders(), Destinations()}) {
    for (const Way& way : ways) {
      EXPECT_TRUE(names.insert(way.name).second) << way.name;
    }
  }
  EXPECT_GE(names.size(), 40);
}

/// What needs more than a document.
class OtherLosses : public LossesBase {};

Way Http(const HttpServer& server, const std::string& more = "") {
  return To("http",
            fmt::format("exporter:otlp_http, config: {{endpoint: \"http://127.0.0.1:{}\"{}}}",
                        server.port(), more),
            {});
}

TEST_F(OtherLosses, NothingIsMissingWhereNothingWasDone) {
  CopyLake();
  EngineProcess engine(folder_.path(), Options({.name = "whole"}));
  EXPECT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  const json source = CheckReceipt(0, true);
  EXPECT_EQ(source["signals"]["logs"]["records"]["delivered"], 800) << source["signals"];
}

TEST_F(OtherLosses, AServerThatRefusesForGood) {
  CopyLake();
  const HttpServer server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  EngineProcess engine(folder_.path(), Options(Http(server)));
  EXPECT_EQ(engine.Wait(), 4) << engine.Output() << engine.Log();
  ExpectNamed(engine, {"400", "not delivered"});
  EXPECT_EQ(CheckReceipt(4, false)["signals"]["logs"]["records"]["refused"], 800);
}

TEST_F(OtherLosses, AServerThatTakesOnlySome) {
  CopyLake();
  // ExportLogsServiceResponse{partial_success{rejected: 3, error_message: "no"}}
  const HttpServer server(
      std::string("HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                  "Content-Length: 8\r\n\r\n\x0a\x06\x08\x03\x12\x02no"));
  EngineProcess engine(folder_.path(), Options(Http(server)));
  EXPECT_EQ(engine.Wait(), 4) << engine.Output() << engine.Log();
  ExpectNamed(engine, {"refused", "items of requests that it took", "3 of"});
  const json logs = CheckReceipt(4, false)["signals"]["logs"];
  EXPECT_EQ(logs["records"]["delivered"], 0) << "which rows were refused is not known";
  EXPECT_GT(logs["items"]["refused"], 0);
  EXPECT_EQ(int64_t{logs["items"]["refused"]} % 3, 0) << logs;
}

TEST_F(OtherLosses, AServerThatNeverAnswers) {
  CopyLake();
  const HttpServer server("");
  EngineProcess engine(folder_.path(), Options(Http(server, ", timeout: 200ms")));
  EXPECT_EQ(engine.Wait(), 4) << engine.Output() << engine.Log();
  ExpectNamed(engine, {"not delivered"});
  CheckReceipt(4, false);
}

TEST_F(OtherLosses, AReceiptThatCannotBeWrittenIsAFailure) {
  CopyLake();
  Way way{.name = "receipt"};
  EngineProcess::Options options = Options(way);
  options.arguments[3] = "/dev/full";
  EngineProcess late(folder_.path(), options);
  EXPECT_EQ(late.Wait(), 1);
  EXPECT_THAT(late.Log(), HasSubstr("receipt /dev/full: cannot be written: No space left"));
  options.arguments[3] = (folder_.path() / "none/receipt.json").string();
  EngineProcess early(folder_.path(), options);
  EXPECT_EQ(early.Wait(), 2) << "before anything starts";
  EXPECT_THAT(early.Log(), HasSubstr("No such file or directory"));
}

TEST_F(OtherLosses, AllowedIncompletenessIsNamedAllTheSame) {
  RemoveTable("log_attrs")(CopyLake());
  EngineProcess engine(folder_.path(),
                       Options({.name = "allowed", .arguments = {"--allow-incomplete"}}));
  EXPECT_EQ(engine.Wait(), 0) << engine.Output() << engine.Log();
  EXPECT_THAT(engine.Output(), HasSubstr("\nincomplete: "));
}

/// A signal at a moment that the seed chooses: when so many bytes have arrived.
class StopAtRandom : public OtherLosses {
 protected:
  /// Returns the exit code.
  int Stop(unsigned seed, const std::vector<std::string>& arguments) {
    std::mt19937 random(seed);
    std::error_code ignored;
    fs::remove_all(folder_.path() / "out", ignored);
    fs::remove(folder_.path() / "stdout", ignored);  // of the run before
    Way way{.name = "stopped",
            .receiver = ", processing_options: {batch_size: 1}",
            .arguments = arguments};
    const auto written = [this] {
      uintmax_t sum = 0;
      for (const char* signal : {"logs", "traces", "metrics"}) {
        std::error_code missing;
        const auto size =
            fs::file_size(folder_.path() / "out" / (std::string(signal) + ".otlp"), missing);
        sum += missing ? 0 : size;
      }
      return sum;
    };
    const auto at = std::uniform_int_distribution<uintmax_t>(1, 600'000)(random);
    EngineProcess engine(folder_.path(), Options(way));
    EXPECT_TRUE(engine.WaitForOutput(
        [&](const std::string& output) { return written() >= at || !output.empty(); }));
    engine.Signal(random() % 2 == 0 ? SIGTERM : SIGINT);
    const int code = engine.Wait();
    const bool was_forced = code == 3;
    const json source = CheckReceipt(code, true, was_forced);
    int64_t missing = 0;
    for (const json& signal : source["signals"]) {
      missing += signal["records"]["missing"].get<int64_t>();
    }
    EXPECT_EQ(code == 0, missing == 0 && source["listed_all"] == true) << engine.Output();
    return code;
  }
};

TEST_F(StopAtRandom, TheSumsAreExact) {
  const unsigned first = std::random_device()();
  CopyLake();
  for (unsigned seed = first; seed != first + 5; ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_THAT(Stop(seed, {}), ::testing::AnyOf(0, 4));
  }
}

TEST_F(StopAtRandom, TheSumsAreExactAlsoWhenTheDrainIsCutOff) {
  const unsigned first = std::random_device()();
  CopyLake();
  for (unsigned seed = first; seed != first + 3; ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_THAT(Stop(seed, {"--set", "policies.shutdown.drain_timeout=1ms"}),
                ::testing::AnyOf(0, 3, 4));
  }
}

}  // namespace
}  // namespace df::e2e
