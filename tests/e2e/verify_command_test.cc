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

struct Ran {
  int exit_code = -1;
  std::string output;
  std::string log;
};

Ran RunIn(const fs::path& folder, std::vector<std::string> arguments) {
  EngineProcess process(folder, {.arguments = std::move(arguments)});
  const int code = process.Wait();
  return {code, process.Output(), process.Log()};
}

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

}  // namespace
}  // namespace df::e2e
