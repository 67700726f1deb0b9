// Lets somebody hold back what a receiver sends, and let some of it through.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/clock.h"

namespace df::engine {

/// How much of a source that is held goes on: exactly one of the two is above 0.
struct StepSize {
  int64_t num_batches = 0;                 ///< so many batches
  std::chrono::nanoseconds event_time{0};  ///< what is due while a paced clock goes on for this
};

/// Whether a source is held.
struct HoldStatus {
  bool is_held = false;
  runtime::WallTime since;      ///< when it was held
  int64_t num_batches_let = 0;  ///< since then, by steps
};

/// A receiver that can be held, over all instances of its pipeline. While it is held no batch goes
/// out; outcomes arrive, drains end in time, and nothing is lost. Calls: from any thread.
class HoldableSource {
 public:
  virtual ~HoldableSource() = default;

  /// Holds it before its next batch; it may be held already.
  virtual void Hold() = 0;
  /// Lets it go on; it may not be held at all.
  virtual void LetGo() = 0;
  /// Lets some of it through while it is held. Errors: Invalid where it is not held, or where its
  /// records have no times that it goes by.
  virtual Status Step(const StepSize& size) = 0;
  virtual HoldStatus hold() const = 0;
};

/// A source of a pipeline, by the name of its node.
struct NamedSource {
  std::string node;
  std::shared_ptr<HoldableSource> source;
};

/// The sources that run. Calls: from any thread.
class HoldableSources {
 public:
  /// A node of several generations has a source for each, as long as it runs.
  void Add(const std::string& group, const std::string& pipeline, const std::string& node,
           const std::shared_ptr<HoldableSource>& source);

  /// Returns those of a pipeline that run, by node.
  std::vector<NamedSource> Of(const std::string& group, const std::string& pipeline);

 private:
  using Key = std::pair<std::string, std::string>;  ///< group and pipeline
  struct Entry {
    std::string node;
    std::weak_ptr<HoldableSource> source;
  };
  std::mutex mutex_;
  std::map<Key, std::vector<Entry>> sources_;
};

/// The one of the process.
HoldableSources& ProcessSources();

}  // namespace df::engine
