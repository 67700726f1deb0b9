// Faults that are planted in an archive, each alone: verify finds it, and nothing in what is sound.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"
#include "tree_files.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// Changes one byte of a file.
void Flip(const fs::path& path, std::uintmax_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const auto byte = static_cast<char>(file.get() ^ 0x55);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

struct Fault {
  const char* name;
  std::function<void(const fs::path& lake)> plant;
  const char* said;
};

const std::vector<Fault>& Faults() {
  static const std::vector<Fault> faults = {
      {"no_log_attrs", [](const fs::path& lake) { fs::remove_all(lake / "log_attrs"); },
       "log_attrs"},
      {"one_log_attrs_file_gone",
       [](const fs::path& lake) { fs::remove(FilesOf(lake, "log_attrs").front()); }, "log_attrs"},
      {"no_resource_attrs", [](const fs::path& lake) { fs::remove_all(lake / "resource_attrs"); },
       "resource_attrs"},
      {"one_span_events_file_gone",
       [](const fs::path& lake) { fs::remove(FilesOf(lake, "span_events").front()); },
       "span_events"},
      {"one_points_file_gone",
       [](const fs::path& lake) { fs::remove(FilesOf(lake, "number_data_points").front()); },
       "number_data_points"},
      {"records_gone", [](const fs::path& lake) { fs::remove(FilesOf(lake, "logs").front()); },
       "log_attrs"},
      {"all_spans_gone", [](const fs::path& lake) { fs::remove_all(lake / "spans"); }, "span"},
      {"a_file_cut_short",
       [](const fs::path& lake) {
         const fs::path file = FilesOf(lake, "logs").front();
         fs::resize_file(file, fs::file_size(file) / 2);
       },
       "parquet"},
      {"an_empty_file",
       [](const fs::path& lake) { fs::resize_file(FilesOf(lake, "spans").front(), 0); }, "parquet"},
      {"a_child_file_cut_short",
       [](const fs::path& lake) {
         const fs::path file = FilesOf(lake, "span_attrs").front();
         fs::resize_file(file, fs::file_size(file) - 10);
       },
       "span_attrs"},
      {"a_byte_of_a_page",
       [](const fs::path& lake) {
         const fs::path file = FilesOf(lake, "log_attrs").front();
         Flip(file, fs::file_size(file) / 3);
       },
       "log_attrs"},
      {"a_byte_of_a_footer",
       [](const fs::path& lake) {
         const fs::path file = FilesOf(lake, "logs").front();
         Flip(file, fs::file_size(file) - 6);
       },
       "logs"},
      {"a_file_of_another_table",
       [](const fs::path& lake) {
         const fs::path target = FilesOf(lake, "logs").front();
         fs::copy_file(FilesOf(lake, "spans").front(), target,
                       fs::copy_options::overwrite_existing);
       },
       "logs"},
      {"records_twice",
       [](const fs::path& lake) {
         const fs::path file = FilesOf(lake, "logs").front();
         fs::copy_file(file, file.parent_path() / "part-1-copy.parquet");
       },
       "logs"},
  };
  return faults;
}

class VerifyCommandTest : public ::testing::TestWithParam<size_t> {
 protected:
  static fs::path Sound() {
    static const TemporaryFolder folder;
    static const fs::path lake = [] {
      const fs::path path = folder.path() / "lake";
      const Ran made = RunIn(folder.path(), {"generate", "--to", path.string(), "-n", "3000",
                                             "--threads", "1", "--seed", "3"});
      EXPECT_EQ(made.exit_code, 0) << made.log;
      return path;
    }();
    return lake;
  }

  TemporaryFolder folder_;
};

TEST_F(VerifyCommandTest, WhatIsSoundHasNoProblems) {
  for (const fs::path& lake : {Sound(), fs::path(OTAP_SOURCE_DIR) / "examples/data/corner/parquet",
                               fs::path(OTAP_SOURCE_DIR) / "examples/data/logs-2025/parquet"}) {
    const Ran ran = RunIn(folder_.path(), {"verify", lake.string(), "--no-cache"});
    EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
    EXPECT_THAT(ran.output, HasSubstr("no problems"));
    EXPECT_EQ(RunIn(folder_.path(), {"verify", lake.string(), "--fast", "--no-cache"}).exit_code,
              0);
  }
}

TEST_P(VerifyCommandTest, FindsAPlantedFault) {
  const Fault& fault = Faults()[GetParam()];
  const fs::path lake = folder_.path() / "lake";
  fs::copy(Sound(), lake, fs::copy_options::recursive);
  fault.plant(lake);
  const Ran ran = RunIn(folder_.path(), {"verify", lake.string(), "--no-cache"});
  EXPECT_EQ(ran.exit_code, 4) << fault.name << "\n" << ran.output << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("problem: ")) << fault.name;
  EXPECT_THAT(ran.output, HasSubstr(fault.said)) << fault.name;
}

INSTANTIATE_TEST_SUITE_P(All, VerifyCommandTest, ::testing::Range<size_t>(0, 14),
                         [](const auto& test) { return std::string(Faults()[test.param].name); });

TEST_F(VerifyCommandTest, OneItemThatIsMissingIsShown) {
  const fs::path all = folder_.path() / "all.jsonl";
  ASSERT_EQ(RunIn(folder_.path(), {"convert", Sound().string(), "--to", "otlp-json", "-o",
                                   all.string(), "--no-cache"})
                .exit_code,
            0);
  const auto verify = [&](const fs::path& other) {
    return RunIn(folder_.path(), {"verify", Sound().string(), "--against", other.string(),
                                  "--no-cache", "--signal", "logs"});
  };
  EXPECT_EQ(verify(all).exit_code, 0);
  // One body is another one there.
  std::ifstream in(all);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::string key = "\"body\":{\"stringValue\":\"";
  const size_t at = text.find(key);
  ASSERT_NE(at, std::string::npos);
  text.insert(at + key.size(), "changed ");
  const fs::path changed = folder_.path() / "changed.jsonl";
  std::ofstream(changed) << text;
  const Ran ran = verify(changed);
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.output, HasSubstr("1 only here, 1 only there"));
  EXPECT_THAT(ran.output, HasSubstr("changed "));
}

/// What a replay says that it has delivered, and what is there.
class DeliveredDigestTest : public VerifyCommandTest {
 protected:
  void SetUp() override {
    const Ran ran =
        RunIn(folder_.path(),
              {"replay", Sound().string(), "--to", "file:" + (sent() / "{signal}.binpb").string(),
               "--receipt", receipt().string(), "--digest", "--no-cache", "-q"});
    ASSERT_EQ(ran.exit_code, 0) << ran.log;
  }

  fs::path sent() const { return folder_.path() / "sent"; }
  fs::path receipt() const { return folder_.path() / "receipt.json"; }

  Ran Against(const fs::path& place, const fs::path& other) {
    return RunIn(folder_.path(),
                 {"verify", place.string(), "--against", other.string(), "--no-cache"});
  }
};

TEST_F(DeliveredDigestTest, ProvesWhatIsThere) {
  for (const fs::path& place : {sent(), Sound()}) {
    const Ran ran = Against(place, receipt());
    EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
    EXPECT_THAT(ran.output, HasSubstr("logs: the same "));
    EXPECT_THAT(ran.output, HasSubstr("spans: the same "));
    EXPECT_THAT(ran.output, HasSubstr("points: the same "));
  }
}

TEST_F(DeliveredDigestTest, OneItemLessOrOtherIsSeen) {
  const fs::path spans = sent() / "traces.binpb";
  std::ifstream in(spans, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  // Nothing; the same twice; another letter in a name.
  std::string other = whole;
  const std::string service = "load-generator";
  ASSERT_NE(other.find(service), std::string::npos);
  other[other.find(service)] = 'L';
  for (const std::string& text : {std::string(), whole + whole, other}) {
    std::ofstream(spans, std::ios::binary) << text;
    const Ran ran = Against(sent(), receipt());
    EXPECT_EQ(ran.exit_code, 4) << ran.output << ran.log;
    EXPECT_THAT(ran.output, HasSubstr("logs: the same "));
    EXPECT_THAT(ran.output, HasSubstr("spans: not what was delivered: "));
  }
}

TEST_F(DeliveredDigestTest, ReceiptsOfSeveralRunsAddUp) {
  const fs::path logs = folder_.path() / "logs.json";
  const fs::path others = folder_.path() / "others.json";
  const auto replay = [&](const fs::path& to, std::vector<std::string> signals) {
    std::vector<std::string> arguments = {"replay",   Sound().string(), "--to",
                                          "null",     "--receipt",      to.string(),
                                          "--digest", "--no-cache",     "-q"};
    for (const std::string& signal : signals) {
      arguments.insert(arguments.end(), {"--signal", signal});
    }
    EXPECT_EQ(RunIn(folder_.path(), arguments).exit_code, 0);
  };
  replay(logs, {"logs"});
  replay(others, {"spans", "points"});
  const auto verify = [&](std::vector<std::string> receipts) {
    std::vector<std::string> arguments = {"verify", sent().string(), "--no-cache"};
    for (const std::string& one : receipts) {
      arguments.insert(arguments.end(), {"--against", one});
    }
    return RunIn(folder_.path(), arguments);
  };
  EXPECT_EQ(verify({logs.string(), others.string()}).exit_code, 0);
  EXPECT_EQ(verify({logs.string()}).exit_code, 4);
  EXPECT_EQ(verify({logs.string(), logs.string(), others.string()}).exit_code, 4);
  const Ran mixed = verify({logs.string(), sent().string()});
  EXPECT_THAT(mixed.log, HasSubstr("is no receipt"));
}

TEST_F(DeliveredDigestTest, AReceiptWithoutDigestsIsRefused) {
  const fs::path plain = folder_.path() / "plain.json";
  ASSERT_EQ(RunIn(folder_.path(), {"replay", Sound().string(), "--to", "null", "--receipt",
                                   plain.string(), "--no-cache", "-q"})
                .exit_code,
            0);
  const Ran ran = Against(sent(), plain);
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_THAT(ran.log, HasSubstr("--digest"));
  EXPECT_EQ(
      RunIn(folder_.path(), {"replay", Sound().string(), "--to", "null", "--digest"}).exit_code, 2);
}

TEST_F(DeliveredDigestTest, OfOtlpNothingIsAskedThatOnlyAnArchiveCanAnswer) {
  const Ran ran = RunIn(folder_.path(), {"verify", sent().string(), "--fast"});
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_THAT(ran.log, HasSubstr("are for archives"));
  const Ran read = RunIn(folder_.path(), {"verify", sent().string()});
  EXPECT_EQ(read.exit_code, 0) << read.log;
  EXPECT_THAT(read.output, HasSubstr("items read, digest"));
}

}  // namespace
}  // namespace df::e2e
