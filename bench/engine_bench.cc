// What the engine itself costs: a hop, an outcome, a fan-out. Prints a table; --json for machines.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <arrow/util/logging.h>
#include <fmt/format.h>

#include "bench_nodes.h"
#include "engine/pipeline_instance.h"

namespace df::bench {
namespace {

constexpr double kMaxHopNanos = 200;

struct Flags {
  int64_t num_batches = 200'000;
  int num_rounds = 5;
  bool is_json = false;
};

struct Measure {
  double nanos = 0;        ///< per batch
  double allocations = 0;  ///< per batch
};

/// Returns `num_rows` log records with a time, a severity and a body of 64 bytes.
otap::BatchPtr Logs(int64_t num_rows) {
  arrow::UInt16Builder ids;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                arrow::default_memory_pool());
  arrow::Int32Builder severities;
  arrow::StringBuilder events;
  for (int64_t row = 0; row < num_rows; ++row) {
    ARROW_CHECK_OK(ids.Append(static_cast<uint16_t>(row)));
    ARROW_CHECK_OK(times.Append(row));
    ARROW_CHECK_OK(severities.Append(static_cast<int32_t>(row % 24)));
    ARROW_CHECK_OK(events.Append(std::string(64, static_cast<char>('a' + row % 26))));
  }
  const auto schema = arrow::schema(
      {arrow::field("id", arrow::uint16()), arrow::field("time_unix_nano", times.type()),
       arrow::field("severity_number", arrow::int32()), arrow::field("event_name", arrow::utf8())});
  auto table =
      arrow::RecordBatch::Make(schema, num_rows,
                               {ids.Finish().ValueOrDie(), times.Finish().ValueOrDie(),
                                severities.Finish().ValueOrDie(), events.Finish().ValueOrDie()});
  otap::BatchBuilder builder(otap::Signal::kLogs);
  ARROW_CHECK_OK(builder.Set(otap::TableKind::kLogs, std::move(table)));
  return builder.Build();
}

/// Nanoseconds to copy the buffers of the columns of a batch once.
double CopyNanos(const otap::Batch& batch) {
  std::vector<std::shared_ptr<arrow::Buffer>> buffers;
  int64_t size_bytes = 0;
  for (const auto& column : batch.root()->columns()) {
    for (const auto& buffer : column->data()->buffers) {
      if (buffer != nullptr) {
        buffers.push_back(buffer);
        size_bytes += buffer->size();
      }
    }
  }
  std::vector<char> target(static_cast<size_t>(size_bytes));
  double best = 1e18;
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
    constexpr int kCopies = 10;
    for (int copy = 0; copy < kCopies; ++copy) {
      char* out = target.data();
      for (const auto& buffer : buffers) {
        std::memcpy(out, buffer->data(), static_cast<size_t>(buffer->size()));
        out += buffer->size();
      }
      asm volatile("" : : "r"(target.data()) : "memory");  // the copy is wanted
    }
    const auto nanos = (std::chrono::steady_clock::now() - start).count();
    best = std::min(best, static_cast<double>(nanos) / kCopies);
  }
  return best;
}

/// A chain: source, `count` processors of a kind, and sinks behind the last of them.
std::string Chain(std::string_view processor, int count, int num_sinks, std::string_view strategy) {
  std::vector<std::string> sinks;
  for (int i = 0; i < num_sinks; ++i) {
    sinks.push_back(fmt::format("sink_{}", i));
  }
  const std::string last =
      fmt::format("[{}]{}", fmt::join(sinks, ", "),
                  num_sinks > 1 ? fmt::format(", dispatch_strategy: {}", strategy) : "");
  const auto target = [&](int next) {
    return next < count ? fmt::format("[step_{}]", next) : last;
  };
  std::string text = fmt::format(
      "nodes:\n  source: {{kind: receiver, plugin_urn: \"urn:otel:receiver:bench_source\","
      " out_ports: {{out: {{destinations: {}}}}}}}\n",
      target(0));
  for (int i = 0; i < count; ++i) {
    text += fmt::format(
        "  step_{}: {{kind: processor, plugin_urn: \"urn:otel:processor:bench_{}\","
        " out_ports: {{out: {{destinations: {}}}}}}}\n",
        i, processor, target(i + 1));
  }
  for (const std::string& sink : sinks) {
    text += fmt::format("  {}: {{kind: exporter, plugin_urn: \"urn:otel:exporter:bench_sink\"}}\n",
                        sink);
  }
  return text;
}

Result<Measure> RunOnce(const std::string& document, const otap::BatchPtr& batch, bool has_tokens,
                        const Flags& flags) {
  const engine::NodeDescriptor* const nodes[] = {&kSource, &kPass, &kRelay, &kSink};
  ARROW_ASSIGN_OR_RAISE(const engine::CheckedPipeline pipeline,
                        engine::LoadPipeline(document, "bench", engine::NodeRegistry(nodes), {}));
  std::vector<engine::NodeSharedPtr> shared(pipeline.nodes.size());
  auto script = std::make_shared<SourceScript>();
  script->batch = batch;
  script->num_warm_up = flags.num_batches / 10 + 1000;
  script->num_measured = flags.num_batches;
  script->has_tokens = has_tokens;
  for (size_t i = 0; i < shared.size(); ++i) {
    if (pipeline.nodes[i].descriptor == &kSource) {
      shared[i] = script;
    }
  }
  runtime::EventLoop loop;
  telemetry::Registry registry;
  ARROW_ASSIGN_OR_RAISE(const auto instance,
                        engine::PipelineInstance::Make(pipeline, shared, &loop, &registry, {}));
  instance->Start([&loop] { loop.Stop(); });
  loop.Run();
  const engine::InstanceResult result = instance->TakeResult();
  if (!result.errors.empty()) {
    return Status::UnknownError(result.errors.front());
  }
  if (has_tokens && script->num_acked != script->num_warm_up + script->num_measured) {
    return Status::UnknownError(fmt::format("{} batches were acked", script->num_acked));
  }
  return Measure{script->nanos_per_batch, script->allocations_per_batch};
}

/// The best of some rounds: others use the machine too.
Result<Measure> Run(const std::string& document, const otap::BatchPtr& batch, bool has_tokens,
                    const Flags& flags) {
  Measure best{1e18, 1e18};
  for (int round = 0; round < flags.num_rounds; ++round) {
    ARROW_ASSIGN_OR_RAISE(const Measure measure, RunOnce(document, batch, has_tokens, flags));
    best.nanos = std::min(best.nanos, measure.nanos);
    best.allocations = std::min(best.allocations, measure.allocations);
  }
  return best;
}

/// The growth a hop, by least squares over chains of several lengths.
Result<Measure> Slope(std::string_view processor, const otap::BatchPtr& batch, bool has_tokens,
                      const Flags& flags) {
  double sum_x = 0;
  double sum_xx = 0;
  Measure sum_y;
  Measure sum_xy;
  int count = 0;
  for (const int length : {0, 1, 2, 4, 8}) {
    ARROW_ASSIGN_OR_RAISE(const Measure measure,
                          Run(Chain(processor, length, 1, ""), batch, has_tokens, flags));
    ++count;
    sum_x += length;
    sum_xx += length * length;
    sum_y.nanos += measure.nanos;
    sum_xy.nanos += measure.nanos * length;
    sum_y.allocations += measure.allocations;
    sum_xy.allocations += measure.allocations * length;
  }
  const double divisor = count * sum_xx - sum_x * sum_x;
  return Measure{(count * sum_xy.nanos - sum_x * sum_y.nanos) / divisor,
                 (count * sum_xy.allocations - sum_x * sum_y.allocations) / divisor};
}

struct Row {
  std::string name;
  Measure measure;
  std::string must;  ///< empty where there is no target
  bool is_met = true;
};

Result<std::vector<Row>> MeasureAll(const otap::BatchPtr& batch, const Flags& flags) {
  std::vector<Row> rows;
  ARROW_ASSIGN_OR_RAISE(const Measure hop, Slope("pass", batch, true, flags));
  rows.push_back({"one hop", hop, fmt::format("<= {} ns, 0 allocations", kMaxHopNanos),
                  hop.nanos <= kMaxHopNanos && hop.allocations < 0.01});
  ARROW_ASSIGN_OR_RAISE(const Measure relay, Slope("relay", batch, true, flags));
  rows.push_back(
      {"one hop with a token of its own", relay, "0 allocations", relay.allocations < 0.01});
  ARROW_ASSIGN_OR_RAISE(const Measure end, Run(Chain("pass", 0, 1, ""), batch, true, flags));
  rows.push_back({"source to sink and back", end, "0 allocations", end.allocations < 0.01});
  ARROW_ASSIGN_OR_RAISE(const Measure silent, Run(Chain("pass", 0, 1, ""), batch, false, flags));
  rows.push_back({"source to sink without outcome", silent, "", true});
  for (const int count : {2, 4}) {
    for (const std::string_view strategy : {"round_robin", "least_loaded", "broadcast"}) {
      ARROW_ASSIGN_OR_RAISE(const Measure fan,
                            Run(Chain("pass", 0, count, strategy), batch, true, flags));
      rows.push_back({fmt::format("fan-out to {}, {}", count, strategy), fan, "", true});
    }
  }
  return rows;
}

int Print(const std::vector<Row>& rows, const otap::Batch& batch, bool is_json) {
  const double copy_nanos = CopyNanos(batch);
  if (is_json) {
    for (const Row& row : rows) {
      fmt::print(
          "{{\"name\": \"{}\", \"ns_per_batch\": {:.1f}, \"allocations_per_batch\": {:.3f}, "
          "\"ratio_to_memcpy\": {:.5f}, \"met\": {}}}\n",
          row.name, row.measure.nanos, row.measure.allocations, row.measure.nanos / copy_nanos,
          row.is_met);
    }
  } else {
    fmt::print("batch: {} records, {} bytes; memcpy of its columns: {:.0f} ns\n\n",
               batch.num_items(), batch.size_bytes(), copy_nanos);
    fmt::print("{:<34} {:>10} {:>12} {:>12}  {}\n", "", "ns/batch", "allocations", "of memcpy",
               "must be");
  }
  bool is_met = true;
  for (const Row& row : rows) {
    is_met &= row.is_met;
    if (!is_json) {
      fmt::print("{:<34} {:>10.1f} {:>12.3f} {:>11.4f}x  {}\n", row.name, row.measure.nanos,
                 row.measure.allocations, row.measure.nanos / copy_nanos,
                 row.must.empty() ? "" : row.must + (row.is_met ? ": met" : ": NOT MET"));
    }
  }
  return is_met ? 0 : 1;
}

}  // namespace
}  // namespace df::bench

int main(int argc, char** argv) {
  df::bench::Flags flags;
  CLI::App app("Measures what the engine costs by itself. Exits with 1 when a target is missed.");
  app.add_option("--batches", flags.num_batches, "sent in each run")->capture_default_str();
  app.add_option("--rounds", flags.num_rounds, "runs of each case; the best one counts")
      ->capture_default_str();
  app.add_flag("--json", flags.is_json, "one object a line");
  CLI11_PARSE(app, argc, argv);
  const df::otap::BatchPtr batch = df::bench::Logs(8192);
  const auto rows = df::bench::MeasureAll(batch, flags);
  if (!rows.ok()) {
    fmt::print(stderr, "engine_bench: {}\n", rows.status().ToString());
    return 1;
  }
  return df::bench::Print(*rows, *batch, flags.is_json);
}
