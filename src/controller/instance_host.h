// What a supervisor has done by others: the boundary between deciding and doing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "controller/run_result.h"

namespace df::controller {

/// Names one instance for as long as the process runs; 0 is none.
using InstanceId = uint64_t;

struct InstanceOrder {
  InstanceId id = 0;
  int core = 0;
  int instance_index = 0;
  int num_instances = 1;
  ConfigurationPtr configuration;
};

/// Every call returns at once; what comes of it is told to the supervisor later, never from inside.
class InstanceHost {
 public:
  /// Makes and starts an instance: OnStarted, then OnEnded; or OnEnded alone.
  virtual void StartInstance(const InstanceOrder& order) = 0;

  /// Makes an instance end within `timeout`, or earlier if it has been told so before.
  virtual void DrainInstance(int core, InstanceId id, std::chrono::nanoseconds timeout) = 0;

  /// Applies the configurations of `nodes`: OnApplied.
  virtual void ApplyConfig(int core, InstanceId id, ConfigurationPtr configuration,
                           std::vector<size_t> nodes) = 0;

  /// Makes what instances share: OnSharedMade.
  virtual void PrepareShared(uint64_t operation, ConfigurationPtr configuration) = 0;

  /// An instance is about to be started again.
  virtual void CountRestart(const PipelineKey& key, int core, int instance_index) = 0;

  /// A pipeline is gone, and so may be what was counted of it.
  virtual void ForgetPipeline(const PipelineKey& key) = 0;

  /// Waiting has to end: the process ends by force.
  virtual void EndProcess(const std::string& why) = 0;

 protected:
  ~InstanceHost() = default;
};

}  // namespace df::controller
