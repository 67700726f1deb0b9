// A tree of Parquet files in an object store, for tests.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "storage/store.h"
#include "testing/lake_writer.h"
#include "testing/scripted_store.h"
#include "testing/selections.h"
#include "testing/tree_replay.h"

namespace df::testing {

/// A tree in a store whose answers a test scripts.
class FarTree {
 public:
  using Script = std::function<Answer(std::string_view, const std::string&)>;

  FarTree(const std::vector<otap::BatchPtr>& sent, const LakeWriterOptions& layout)
      : written(WriteLake(folder_.path(), sent, layout, 7).ValueOrDie()),
        objects(std::make_shared<ScriptedStore>(
            [this](std::string_view operation, const std::string& path) {
              return script == nullptr ? Answer::kWhole : script(operation, path);
            })) {
    for (const auto& file : written.files) {
      std::ifstream stream(folder_.path() / file.path, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
      const std::string path = "b/" + file.path;
      uint32_t footer_bytes = 0;
      std::memcpy(&footer_bytes, bytes.data() + bytes.size() - 8, sizeof(footer_bytes));
      footers[path] = std::ssize(bytes) - 8 - footer_bytes;
      EXPECT_TRUE(objects->CreateDir(path.substr(0, path.find_last_of('/')), true).ok());
      EXPECT_TRUE(objects->CreateFile(path, bytes).ok());
    }
  }

  std::shared_ptr<storage::Store> Open(const storage::ReadOptions& read) const {
    return storage::Store::Over({.kind = storage::StoreKind::kS3, .path = "b"},
                                {.retry = {.max_retries = 1000}, .read = read}, objects,
                                std::make_unique<NoWaits>());
  }

  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;

 public:
  WrittenLake written;
  Script script;
  std::shared_ptr<ScriptedStore> objects;
  std::map<std::string, int64_t> footers;  ///< where they begin, by path
};

/// Small requests, so that a test sees what is asked for.
inline constexpr storage::ReadOptions kFar{.request_bytes = 1 << 20,
                                           .hole_bytes = 1,
                                           .tail_bytes = 64,
                                           .cache_bytes = 1 << 20,
                                           .ahead_bytes = 64 << 20};

/// Fails, throttles or cuts short one request in ten.
inline FarTree::Script FailSome(uint64_t seed) {
  struct State {
    std::mutex mutex;
    RandomEngine random;
  };
  const auto state = std::make_shared<State>();
  state->random.seed(seed);
  return [state](std::string_view, const std::string&) {
    const std::lock_guard lock(state->mutex);
    const uint64_t fate = state->random() % 30;
    return fate == 0   ? Answer::kFails
           : fate == 1 ? Answer::kThrottled
           : fate == 2 ? Answer::kShort
                       : Answer::kWhole;
  };
}

/// Reads a selection of a tree in a store, and compares it with that of what was written.
inline Replayed ExpectFarSelection(const std::vector<otap::BatchPtr>& sent, storage::Store* store,
                                   lake::ReadOptions options, const select::Wishes& wishes) {
  options.selector = std::make_shared<const select::Selector>(wishes);
  const int64_t ahead_left = store->ahead_left();
  Replayed replayed = ReplayTree("b", options, store);
  EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
  ExpectSameRecords(SelectInMemory(sent, *options.selector), replayed);
  EXPECT_EQ(store->ahead_left(), ahead_left) << "what was fetched in vain was let go";
  return replayed;
}

}  // namespace df::testing
