#include "testing/pipeline_harness.h"

#include <algorithm>
#include <utility>

#include <arrow/array/builder_primitive.h>
#include <arrow/util/logging.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace df::testing {

PipelineHarness::PipelineHarness(std::string_view document,
                                 std::vector<const engine::NodeDescriptor*> nodes,
                                 engine::PipelineInstance::Options options)
    : loop_(clock_), status_(Make(document, std::move(nodes), options)) {}

PipelineHarness::~PipelineHarness() { Destroy(); }

void PipelineHarness::Destroy() {
  if (instance_ == nullptr) {
    return;
  }
  instance_.reset();
  const telemetry::MetricSnapshot snapshot = registry_.Snapshot();
  for (const char* name :
       {"df.node.batches.pending", "df.edge.batches", "df.edge.size", "df.pipeline.memory.usage"}) {
    EXPECT_EQ(snapshot.Sum(name), 0) << name << " when everything has ended";
  }
}

Status PipelineHarness::Make(std::string_view document,
                             std::vector<const engine::NodeDescriptor*> nodes,
                             const engine::PipelineInstance::Options& options) {
  nodes.push_back(&ScriptedReceiverDescriptor());
  nodes.push_back(&CorkableExporterDescriptor());
  const engine::ValidateContext context = {.num_cores = options.num_instances};
  ARROW_ASSIGN_OR_RAISE(
      pipeline_, engine::LoadPipeline(document, "test.yaml", engine::NodeRegistry(nodes), context));
  for (const engine::CheckedNode& node : pipeline_.nodes) {
    engine::NodeSharedPtr shared;
    if (node.descriptor->make_shared != nullptr) {
      ARROW_ASSIGN_OR_RAISE(shared, node.descriptor->make_shared(*node.config, context));
    }
    if (node.descriptor == &ScriptedReceiverDescriptor()) {
      static_cast<ReceiverScript&>(*shared).ends_by_itself = false;
    }
    shared_.push_back(std::move(shared));
  }
  ARROW_ASSIGN_OR_RAISE(
      instance_, engine::PipelineInstance::Make(pipeline_, shared_, &loop_, &registry_, options));
  return Status::OK();
}

engine::NodeShared& PipelineHarness::Shared(std::string_view node) {
  for (size_t i = 0; i < pipeline_.nodes.size(); ++i) {
    if (pipeline_.nodes[i].name == node) {
      return *shared_[i];
    }
  }
  // A test that names a node which is not there cannot go on.
  fmt::print(stderr, "no node '{}' in the document of the test\n", node);
  std::abort();
}

ReceiverScript& PipelineHarness::source(std::string_view node) {
  return dynamic_cast<ReceiverScript&>(Shared(node));
}

ExporterScript& PipelineHarness::sink(std::string_view node) {
  return dynamic_cast<ExporterScript&>(Shared(node));
}

void PipelineHarness::RunUntilIdle() {
  if (!std::exchange(is_started_, true)) {
    instance_->Start([] {});
  }
  loop_.RunUntilIdle();
}

void PipelineHarness::Advance(std::chrono::nanoseconds duration) {
  clock_.Advance(duration);
  RunUntilIdle();
}

int64_t PipelineHarness::metric(std::string_view node, std::string_view name,
                                const telemetry::Attributes& attributes) {
  std::vector<telemetry::Attributes::Entry> entries = attributes.entries();
  entries.emplace_back("node.id", node);
  const telemetry::Attributes wanted(std::move(entries));
  std::string dotted(name);
  std::replace(dotted.begin(), dotted.end(), '_', '.');
  const telemetry::MetricSnapshot snapshot = registry_.Snapshot();
  for (const std::string& full :
       {std::string(name), "df.node." + dotted, "df.node.batches." + dotted}) {
    if (snapshot.Find(full) != nullptr) {
      return snapshot.Sum(full, wanted);
    }
  }
  ADD_FAILURE() << "no metric '" << name << "'";
  return -1;
}

otap::BatchPtr SmallLogs(int64_t num_rows) {
  arrow::UInt16Builder ids;
  for (int64_t row = 0; row < num_rows; ++row) {
    ARROW_CHECK_OK(ids.Append(static_cast<uint16_t>(row)));
  }
  auto table = arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::uint16())}),
                                        num_rows, {ids.Finish().ValueOrDie()});
  otap::BatchBuilder builder(otap::Signal::kLogs);
  ARROW_CHECK_OK(builder.Set(otap::TableKind::kLogs, std::move(table)));
  return builder.Build();
}

}  // namespace df::testing
