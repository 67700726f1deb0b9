// A whole pipeline on a loop with simulated time, for tests of nodes and of the engine.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pipeline_instance.h"
#include "testing/corkable_exporter.h"
#include "testing/scripted_receiver.h"
#include "testing/simulated_clock.h"

namespace df::testing {

/// Runs one instance of a document on the calling thread. Nothing happens but in RunUntilIdle and
/// Advance. The scripted receiver and the corkable exporter are known besides the nodes given:
///
///   PipelineHarness harness(R"(
///     nodes:
///       source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
///                out_ports: {out: {destinations: [node]}}}
///       node: {kind: processor, plugin_urn: "urn:otel:debug:processor",
///              out_ports: {out: {destinations: [sink]}}}
///       sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"})",
///     {&processors::debug::kDescriptor});
///   ASSERT_TRUE(harness.status().ok());
///   harness.source().Send(batch);
///   harness.source().End();
///   harness.RunUntilIdle();
///   ASSERT_TRUE(harness.has_ended());
class PipelineHarness {
 public:
  explicit PipelineHarness(std::string_view document,
                           std::vector<const engine::NodeDescriptor*> nodes = {},
                           engine::PipelineInstance::Options options = {});
  ~PipelineHarness();

  /// Whether the document is good and every node could be made.
  const Status& status() const { return status_; }

  /// Scripts of test nodes by name. The receiver does not end by itself unless told.
  ReceiverScript& source(std::string_view node = "source");
  ExporterScript& sink(std::string_view node = "sink");

  /// Starts the pipeline (once) and runs what can run.
  void RunUntilIdle();
  void Advance(std::chrono::nanoseconds duration);
  void RequestDrain() { instance_->RequestDrain(); }

  bool has_ended() const { return instance_->has_ended(); }
  engine::InstanceResult TakeResult() { return instance_->TakeResult(); }
  runtime::EventLoop& loop() { return loop_; }
  engine::PipelineInstance& instance() { return *instance_; }

  /// Ends the life of the pipeline; scripts stay readable. Whatever the test did, every batch that
  /// a node has sent must have had its one outcome then: else the test fails. So does the
  /// destructor.
  void Destroy();

  /// Returns the sum of the points of a metric of a node that have all of `attributes`. `name` is
  /// the name of an instrument, or what follows "df.node." or "df.node.batches." in it, with '_'
  /// for '.': "items_in", "acked".
  int64_t metric(std::string_view node, std::string_view name,
                 const telemetry::Attributes& attributes = {});

 private:
  Status Make(std::string_view document, std::vector<const engine::NodeDescriptor*> nodes,
              const engine::PipelineInstance::Options& options);
  engine::NodeShared& Shared(std::string_view node);

  SimulatedClock clock_;
  runtime::EventLoop loop_;
  telemetry::Registry registry_;
  engine::CheckedPipeline pipeline_;
  std::vector<engine::NodeSharedPtr> shared_;
  std::unique_ptr<engine::PipelineInstance> instance_;
  bool is_started_ = false;
  Status status_;
};

/// Returns a batch of log records with nothing but ids.
otap::BatchPtr SmallLogs(int64_t num_rows);

}  // namespace df::testing
