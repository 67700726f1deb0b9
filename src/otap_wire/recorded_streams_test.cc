// Streams that another producer sent, and the requests that it was given.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <arrow/compute/initialize.h>
#include <gtest/gtest.h>

#include "otap_wire/consumer.h"
#include "otlp/compare/item_counts.h"
#include "otlp/encode.h"
#include "otlp/request_file.h"

namespace df::otap_wire {
namespace {

namespace fs = std::filesystem;

struct RecordedSet {
  std::string profile;
  bool
      ships;  ///< in examples/data; else below ../shared/data, which a user's machine does not have
};

fs::path FolderOf(const RecordedSet& set) {
  const fs::path source(OTAP_SOURCE_DIR);
  if (set.ships) {
    return source / "examples/data/wire" / set.profile;
  }
  const char* shared = std::getenv("OTAP_SHARED_DATA");
  return (shared != nullptr ? fs::path(shared) : source.parent_path() / "shared/data") /
         "upstream-wire" / set.profile;
}

class RecordedStream : public ::testing::TestWithParam<std::tuple<RecordedSet, otap::Signal>> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

arrow::Status Recode(otap::Signal signal, const fs::path& stream, const fs::path& requests) {
  Consumer consumer(signal);
  std::ofstream out(requests, std::ios::binary);
  ARROW_RETURN_NOT_OK(
      otlp::VisitRequests(stream.string(), [&](std::string_view message) -> arrow::Status {
        ARROW_ASSIGN_OR_RAISE(const otap::BatchPtr batch, consumer.Consume(message));
        otlp::EncodeStats stats;
        ARROW_ASSIGN_OR_RAISE(const std::string request, otlp::EncodeRequest(*batch, &stats));
        if (!stats.is_exact()) {
          return arrow::Status::Invalid("not every value could be written");
        }
        ARROW_ASSIGN_OR_RAISE(const auto head, otlp::RequestHead(request.size()));
        out.write(head.data(), head.size());
        out.write(request.data(), static_cast<std::streamsize>(request.size()));
        return arrow::Status::OK();
      }));
  if (consumer.stats().orphans_dropped != 0) {
    return arrow::Status::Invalid("found rows without parents");
  }
  return out.flush() ? arrow::Status::OK() : arrow::Status::IOError("cannot write");
}

TEST_P(RecordedStream, GivesTheItemsThatWereSent) {
  const auto& [set, signal] = GetParam();
  const fs::path folder = FolderOf(set);
  if (!fs::exists(folder)) {
    GTEST_SKIP() << folder << " is not on this machine";
  }
  const std::string name(otap::Name(signal));
  const fs::path actual = fs::path(::testing::TempDir()) /
                          ("wire_" + set.profile + (set.ships ? "_small_" : "_") + name + ".otlp");
  const arrow::Status recoded = Recode(signal, folder / (name + ".arrowstream"), actual);
  ASSERT_TRUE(recoded.ok()) << recoded;
  // Only the corner requests have a zero with a sign, which that producer does not send.
  const auto comparison =
      otlp::CompareFiles(signal, (folder / (name + ".otlp")).string(), {actual.string()},
                         {.zero_signs = set.profile == "corner"});
  fs::remove(actual);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->is_equal())
      << comparison->Line(signal) << "\nmissing "
      << ::testing::PrintToString(comparison->missing_examples) << "\nextra "
      << ::testing::PrintToString(comparison->extra_examples);
}

std::string NameOf(const ::testing::TestParamInfo<RecordedStream::ParamType>& info) {
  const auto& [set, signal] = info.param;
  return set.profile + (set.ships ? "_small_" : "_") + std::string(otap::Name(signal));
}

INSTANTIATE_TEST_SUITE_P(
    Upstream, RecordedStream,
    ::testing::Combine(::testing::Values(RecordedSet{"corner", true}, RecordedSet{"corner", false},
                                         RecordedSet{"steady", false}, RecordedSet{"wide", false}),
                       ::testing::ValuesIn(otap::kAllSignals)),
    NameOf);

}  // namespace
}  // namespace df::otap_wire
