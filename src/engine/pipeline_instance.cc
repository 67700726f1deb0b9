#include "engine/pipeline_instance.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "telemetry/names.h"

namespace df::engine {

namespace {

const std::string kForcedReason = "the pipeline was ended by force";

}  // namespace

PipelineInstance::PipelineInstance(const CheckedPipeline& pipeline, runtime::EventLoop* loop,
                                   telemetry::Registry* registry, const Options& options)
    : pipeline_(pipeline),
      loop_(loop),
      options_(options),
      context_(loop,
               pipeline.policies.telemetry.runtime_metrics == config::MetricsLevel::kNone
                   ? &unseen_
                   : registry,
               pipeline.policies.telemetry.runtime_metrics,
               options.memory.value_or(MemoryAccount::Limits{pipeline.policies.memory.soft_limit,
                                                             pipeline.policies.memory.hard_limit})),
      metrics_(context_.registry, PipelineAttributes(InfoOf({}))),
      started_(loop->clock().Now()),
      deadline_(loop, [this] { ForceEnd(); }),
      collect_(loop,
               [this] {
                 Collect();
                 collect_.StartAt(loop_->clock().Now() + options_.collect_interval);
               }),
      control_(loop, {.max_messages = pipeline.policies.channel_capacity.control_pipeline}) {
  context_.on_destination = options_.on_destination;
  metrics_.soft_limit->Set(context_.memory.limits().soft_bytes);
  metrics_.hard_limit->Set(context_.memory.limits().hard_bytes);
}

PipelineInstance::Metrics::Metrics(telemetry::Registry* registry,
                                   const telemetry::Attributes& attributes) {
  namespace names = telemetry::names;
  telemetry::MetricSet& set = registry->FindOrAdd(names::kPipelineScope, attributes);
  uptime = &set.AddGauge(names::kPipelineUptime);
  memory = &set.AddGauge(names::kPipelineMemory);
  soft_limit = &set.AddGauge(names::kPipelineMemorySoftLimit);
  hard_limit = &set.AddGauge(names::kPipelineMemoryHardLimit);
  pressure = &set.AddGauge(names::kPipelineMemoryPressure);
  forced_drains = &set.AddCounter(names::kPipelineForcedDrains);
}

InstanceInfo PipelineInstance::InfoOf(const CheckedNode& node) const {
  return {.group = pipeline_.group,
          .pipeline = pipeline_.name,
          .node = node.name,
          .instance_index = options_.instance_index,
          .num_instances = options_.num_instances,
          .core = options_.core};
}

std::chrono::nanoseconds PipelineInstance::drain_timeout() const {
  return options_.drain_timeout.value_or(pipeline_.policies.shutdown.drain_timeout);
}

Result<std::unique_ptr<PipelineInstance>> PipelineInstance::Make(
    const CheckedPipeline& pipeline, std::span<const NodeSharedPtr> shared,
    runtime::EventLoop* loop, telemetry::Registry* registry, const Options& options) {
  std::unique_ptr<PipelineInstance> instance(
      new PipelineInstance(pipeline, loop, registry, options));
  ARROW_RETURN_NOT_OK(instance->MakeNodes(shared));
  instance->Connect();
  return instance;
}

PipelineInstance::~PipelineInstance() {
  // Whatever still holds a token goes before the nodes that hear of it: coroutines first, then
  // nodes, the last of the pipeline before the first, and their ports last of all.
  tasks_.clear();
  for (auto runner = runners_.rbegin(); runner != runners_.rend(); ++runner) {
    (*runner)->End("the pipeline has ended", NackCause::kNodeEnded);
    (*runner)->DestroyNode();
  }
  metrics_.memory->Add(-shown_bytes_);
}

Status PipelineInstance::MakeNodes(std::span<const NodeSharedPtr> shared) {
  const config::ChannelCapacityPolicy& capacity = pipeline_.policies.channel_capacity;
  const InboxLimits limits = {
      .pdata = {.max_messages = capacity.pdata, .max_bytes = capacity.pdata_bytes},
      .max_control = capacity.control_node};
  for (size_t i = 0; i < pipeline_.nodes.size(); ++i) {
    const CheckedNode& checked = pipeline_.nodes[i];
    InstanceInfo info = InfoOf(checked);
    Result<AnyNode> node = MakeNode(checked, shared[i], info);
    if (!node.ok()) {
      return node.status().WithMessage(
          fmt::format("node '{}': {}", checked.name, node.status().message()));
    }
    runners_.push_back(std::make_unique<NodeRunner>(
        std::move(node).ValueUnsafe(), *checked.descriptor, std::move(info), &context_, limits));
    num_upstream_.push_back(checked.num_upstream);
  }
  return Status::OK();
}

void PipelineInstance::Connect() {
  for (size_t i = 0; i < runners_.size(); ++i) {
    std::vector<OutPort> ports;
    for (const CheckedPort& port : pipeline_.nodes[i].ports) {
      std::vector<OutPort::Destination> destinations;
      for (const size_t destination : port.destinations) {
        const CheckedNode& to = pipeline_.nodes[destination];
        destinations.push_back(
            {to.name, &runners_[destination]->inbox(), to.descriptor->takes_encoded});
      }
      const uint64_t seed = static_cast<uint64_t>(options_.instance_index) * 1000 + i;
      ports.emplace_back(port.name, port.strategy, std::move(destinations), seed);
    }
    runners_[i]->Connect(std::move(ports), pipeline_.nodes[i].default_port);
  }
}

void PipelineInstance::Collect() {
  metrics_.uptime->Set((loop_->clock().Now() - started_).count());
  metrics_.memory->Add(context_.memory.used_bytes() - shown_bytes_);
  shown_bytes_ = context_.memory.used_bytes();
  for (const auto& runner : runners_) {
    runner->Collect();
  }
}

void PipelineInstance::AddError(const std::string& node, const Status& status) {
  result_.is_permanent = IsPermanent(status) && (result_.errors.empty() || result_.is_permanent);
  result_.errors.push_back(fmt::format("node '{}': {}", node, status.message()));
  LogError("instance {}: {}", options_.instance_index, result_.errors.back());
}

void PipelineInstance::OnNodeError(const std::string& node, const std::string& what) {
  if (has_ended_) {
    LogError("instance {}: node '{}': {}", options_.instance_index, node, what);
    return;
  }
  AddError(node, Status::UnknownError(what));
  RequestDrain();
}

void PipelineInstance::TellMemoryPressure(MemoryPressure pressure) {
  metrics_.pressure->Set(static_cast<int64_t>(pressure));
  for (const auto& runner : runners_) {
    runner->TellMemoryPressure(pressure);
  }
}

bool PipelineInstance::AllWait() const {
  bool is_awaited = false;
  for (const auto& runner : runners_) {
    if (runner->inbox().num_batches() > 0 || runner->is_in_batch()) {
      return false;
    }
    is_awaited = is_awaited || runner->num_awaited() > 0;
  }
  return is_awaited;
}

void PipelineInstance::Start(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  context_.on_node_error = [this](const std::string& node, const std::string& what) {
    OnNodeError(node, what);
  };
  context_.all_wait = [this] { return AllWait(); };
  context_.memory.OnChange([this](MemoryPressure pressure) { TellMemoryPressure(pressure); });
  num_running_ = runners_.size();
  for (size_t i = runners_.size(); i-- > 0;) {
    const Status status = runners_[i]->Start();
    if (!status.ok()) {
      AddError(pipeline_.nodes[i].name, status);
    }
  }
  if (!result_.errors.empty()) {
    // Nothing has been sent, so there is nothing to drain.
    loop_->Post([this] { Finish(); });
    return;
  }
  if (options_.collect_interval > std::chrono::nanoseconds(0)) {
    collect_.StartAt(loop_->clock().Now() + options_.collect_interval);
  }
  tasks_.push_back(Manage());
  tasks_.back().Start();
  for (size_t i = runners_.size(); i-- > 0;) {
    tasks_.push_back(RunNode(i));
    tasks_.back().Start();
  }
}

void PipelineInstance::RequestDrain(std::optional<std::chrono::nanoseconds> timeout) {
  const runtime::SteadyTime deadline = loop_->clock().Now() + timeout.value_or(drain_timeout());
  if (has_ended_ || (context_.drain_deadline.has_value() && *context_.drain_deadline <= deadline)) {
    return;
  }
  if (timeout.has_value()) {
    options_.drain_timeout = timeout;
  }
  context_.drain_deadline = deadline;
  deadline_.StartAt(*context_.drain_deadline);
  context_.drain.Request();
}

runtime::Task<> PipelineInstance::RunNode(size_t index) {
  // In two steps: gcc 12 destroys the members of an aggregate twice when one is awaited.
  Status status = co_await runners_[index]->Run();
  NodeEnded ended{index, std::move(status)};
  co_await control_.Push(ended, 0);
}

runtime::Task<> PipelineInstance::Manage() {
  while (num_running_ > 0) {
    const std::optional<NodeEnded> ended = co_await control_.Pop();
    OnNodeEnded(*ended);
  }
  Finish();
}

void PipelineInstance::OnNodeEnded(const NodeEnded& ended) {
  const CheckedNode& node = pipeline_.nodes[ended.index];
  --num_running_;
  if (!ended.status.ok()) {
    AddError(node.name, ended.status);
    runners_[ended.index]->End(fmt::format("node '{}' has failed", node.name),
                               NackCause::kRouteClosed);
    runners_[ended.index]->Retire();
    RequestDrain();
  }
  std::vector<size_t> downstream;
  for (const CheckedPort& port : node.ports) {
    downstream.insert(downstream.end(), port.destinations.begin(), port.destinations.end());
  }
  std::sort(downstream.begin(), downstream.end());
  downstream.erase(std::unique(downstream.begin(), downstream.end()), downstream.end());
  for (const size_t destination : downstream) {
    if (--num_upstream_[destination] == 0) {
      runners_[destination]->inbox().Close();
    }
  }
}

std::vector<EdgeLeft> PipelineInstance::WhatIsLeft() const {
  std::vector<EdgeLeft> left;
  for (const auto& runner : runners_) {
    EdgeLeft edge = runner->inbox().WhatIsLeft();
    edge.node = runner->info().node;
    edge.num_unanswered = runner->num_unanswered();
    edge.num_in_node = runner->is_in_batch() ? 1 : 0;
    if (edge.num_batches + edge.num_senders + edge.num_unanswered + edge.num_in_node > 0) {
      left.push_back(std::move(edge));
    }
  }
  return left;
}

void PipelineInstance::ForceEnd() {
  result_.was_forced = true;
  metrics_.forced_drains->Add(1);
  result_.left = WhatIsLeft();
  for (size_t i = 0; i < runners_.size(); ++i) {
    if (pipeline_.nodes[i].descriptor->kind == NodeKind::kReceiver) {
      result_.num_abandoned += runners_[i]->num_unanswered();
    }
  }
  LogError("instance {}: the drain is not done after {} ms; ended by force, {} batches unanswered",
           options_.instance_index,
           std::chrono::duration_cast<std::chrono::milliseconds>(drain_timeout()).count(),
           result_.num_abandoned);
  for (const auto& runner : runners_) {
    runner->Abandon(&kForcedReason);
  }
  tasks_.clear();
  for (const auto& runner : runners_) {
    runner->End(kForcedReason, NackCause::kNodeEnded);
  }
  Finish();
}

void PipelineInstance::Finish() {
  deadline_.Cancel();
  collect_.Cancel();
  has_ended_ = true;
  on_end_();
}

InstanceResult PipelineInstance::TakeResult() {
  // From the last node to the first, each destroyed before the one in front of it is asked: what it
  // still kept is an outcome that the sender's report counts.
  result_.reports.resize(runners_.size());
  for (size_t i = runners_.size(); i-- > 0;) {
    result_.reports[i] = runners_[i]->Report();
    runners_[i]->DestroyNode();
    if (runners_[i]->destination() != nullptr) {
      result_.destinations.push_back(runners_[i]->destination()->state());
    }
  }
  Collect();
  return std::move(result_);
}

}  // namespace df::engine
