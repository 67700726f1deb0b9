// Every kind of error that a tree can show moves its counter.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "engine/pipeline_instance.h"
#include "testing/corkable_exporter.h"
#include "testing/tree_replay.h"

namespace df::nodes::receivers::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

namespace fs = std::filesystem;
using df::testing::TemporaryFolder;

/// Takes the rights of the superuser away for as long as it lives: no mode stops him.
class AsNobody {
 public:
  AsNobody() : was_root_(geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  ~AsNobody() {
    if (was_root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_;
};

/// A copy of the tree of the examples that a test may damage.
class ErrorCounters : public ::testing::Test {
 protected:
  ErrorCounters() {
    fs::copy(fs::path(OTAP_SOURCE_DIR) / "examples/data/corner/parquet", base(),
             fs::copy_options::recursive);
    // The group of the superuser stays that of nobody.
    fs::permissions(folder_.path(), fs::perms::group_exec, fs::perm_options::add);
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      fs::permissions(entry, fs::perms::group_read | fs::perms::group_exec, fs::perm_options::add);
    }
  }

  fs::path base() const { return folder_.path() / "lake"; }

  fs::path FirstFileOf(const std::string& table) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(base() / table)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
    return *std::min_element(files.begin(), files.end());
  }

  /// Replays the tree and returns the errors that the counters have, by kind.
  std::map<std::string, int64_t> Errors() {
    const std::string document = R"(
nodes:
  lake: {kind: receiver, plugin_urn: "urn:otel:otap:parquet:receiver",
         out_ports: {out: {destinations: [sink]}},
         config: {polling_interval: once, base_uri: ")" +
                                 base().string() + R"("}}
  sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}
)";
    const auto pipeline =
        engine::LoadPipeline(document, "test.yaml",
                             engine::NodeRegistry(std::vector<const engine::NodeDescriptor*>{
                                 &kDescriptor, &testing::CorkableExporterDescriptor()}),
                             {})
            .ValueOrDie();
    std::vector<engine::NodeSharedPtr> shared;
    for (const engine::CheckedNode& node : pipeline.nodes) {
      shared.push_back(node.descriptor->make_shared(*node.config, {}).ValueOrDie());
    }
    runtime::EventLoop loop;
    telemetry::Registry registry;
    auto instance =
        engine::PipelineInstance::Make(pipeline, shared, &loop, &registry, {}).ValueOrDie();
    instance->Start([&loop] { loop.Stop(); });
    loop.Run();
    report_ =
        kDescriptor.merge_reports(shared[0].get(), std::vector{instance->TakeResult().reports[0]});
    const telemetry::MetricSnapshot snapshot = registry.Snapshot();
    EXPECT_NE(snapshot.Find("df.receiver.errors"), nullptr);
    std::map<std::string, int64_t> errors;
    for (const std::string_view kind : kErrorKindNames) {
      const int64_t count =
          snapshot.Sum("df.receiver.errors", telemetry::Attributes({{"kind", std::string(kind)}}));
      if (count != 0) {
        errors[std::string(kind)] = count;
      }
    }
    return errors;
  }

  void ExpectOnly(ErrorKind kind, int64_t count) {
    EXPECT_EQ(Errors(), (std::map<std::string, int64_t>{{std::string(Name(kind)), count}}));
  }

  const engine::NodeReport& report() const { return report_; }

 private:
  TemporaryFolder folder_;
  engine::NodeReport report_;
};

TEST_F(ErrorCounters, ASoundTreeHasNone) { EXPECT_TRUE(Errors().empty()); }

TEST_F(ErrorCounters, AFileThatMayNotBeReadIsIo) {
  fs::permissions(FirstFileOf("span_attrs"), fs::perms::none);
  const AsNobody nobody;
  ExpectOnly(ErrorKind::kIo, 1);
}

TEST_F(ErrorCounters, AFolderThatMayNotBeListedIsFileDiscovery) {
  fs::permissions(base() / "span_links", fs::perms::none);
  std::map<std::string, int64_t> errors;
  {
    const AsNobody nobody;
    errors = Errors();
  }
  EXPECT_EQ(errors[std::string(Name(ErrorKind::kFileDiscovery))], 1);
  fs::permissions(base() / "span_links", fs::perms::owner_all);
}

TEST_F(ErrorCounters, ACutFileIsParquet) {
  const fs::path file = FirstFileOf("span_attrs");
  fs::resize_file(file, fs::file_size(file) / 2);
  ExpectOnly(ErrorKind::kParquet, 1);
}

TEST_F(ErrorCounters, AbsentTablesAndUnknownRowsAreNoticesOfTheReceiptToo) {
  fs::remove_all(base() / "span_links");
  fs::remove_all(base() / "span_link_attrs");
  fs::resize_file(FirstFileOf("span_attrs"), 100);
  ExpectOnly(ErrorKind::kParquet, 1);
  ASSERT_NE(report().source, nullptr);
  for (const std::string& wanted :
       {std::string(
            "there is no file of span_links, span_link_attrs: spans come out without such rows"),
        std::string("1 files could not be opened: the number of their rows is not known and is in "
                    "no sum")}) {
    EXPECT_TRUE(std::any_of(report().source->notices.begin(), report().source->notices.end(),
                            [&](const engine::NamedCount& one) { return one.message == wanted; }))
        << wanted;
    EXPECT_THAT(report().lines, ::testing::Contains("notice: " + wanted));
  }
}

TEST_F(ErrorCounters, ADamagedPageIsParquet) {
  const fs::path file = FirstFileOf("span_attrs");
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(4);
  stream << std::string(200, '\xff');
  stream.close();
  ExpectOnly(ErrorKind::kParquet, 1);
}

TEST_F(ErrorCounters, SpansAmongTheLogsAreSchemaReconstruction) {
  fs::copy_file(FirstFileOf("spans"), FirstFileOf("logs").parent_path() / "part-1-spans.parquet");
  EXPECT_EQ(Errors()[std::string(Name(ErrorKind::kSchemaReconstruction))], 1);
}

TEST_F(ErrorCounters, LogsWithoutTheirAttributesAreMissingFile) {
  fs::remove_all(base() / "log_attrs");
  ExpectOnly(ErrorKind::kMissingFile, 1);
}

TEST_F(ErrorCounters, LogsThatAreThereTwiceAreReconstruction) {
  const fs::path file = FirstFileOf("logs");
  fs::copy_file(file, file.parent_path() / "part-1-copy.parquet");
  EXPECT_GT(Errors()[std::string(Name(ErrorKind::kReconstruction))], 0);
}

TEST_F(ErrorCounters, APartitionWithoutAValueIsInvalidPartition) {
  fs::create_directories(base() / "logs" / "_part_id=");
  fs::copy_file(FirstFileOf("logs"), base() / "logs" / "_part_id=" / "part-1-a.parquet");
  ExpectOnly(ErrorKind::kInvalidPartition, 1);
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
