#include "engine/node_runner.h"

#include <exception>
#include <utility>

#include <fmt/format.h>

namespace df::engine {
namespace {

template <typename Node, typename Factory>
Result<AnyNode> Make(Factory factory, const CheckedNode& checked, const NodeSharedPtr& shared,
                     const InstanceInfo& info) {
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<Node> node, factory(checked.config, shared, info));
  return AnyNode(std::move(node));
}

std::string Labels(const InstanceInfo& info) {
  return fmt::format("instance={} node={}", info.instance_index, info.node);
}

}  // namespace

Result<AnyNode> MakeNode(const CheckedNode& checked, const NodeSharedPtr& shared,
                         const InstanceInfo& info) {
  const NodeDescriptor& descriptor = *checked.descriptor;
  switch (descriptor.kind) {
    case NodeKind::kReceiver:
      return Make<Receiver>(descriptor.make_receiver, checked, shared, info);
    case NodeKind::kProcessor:
      return Make<Processor>(descriptor.make_processor, checked, shared, info);
    case NodeKind::kExporter:
      return Make<Exporter>(descriptor.make_exporter, checked, shared, info);
  }
  return Status::UnknownError("kind of node");
}

/// Ticks without drift: the next deadline counts from the last one, not from when it was served.
class NodeRunner::PeriodicTimer {
 public:
  PeriodicTimer(NodeRunner* runner, TimerId id, std::chrono::nanoseconds period)
      : runner_(runner),
        id_(id),
        period_(period),
        deadline_(runner->loop_->clock().Now() + period),
        timer_(runner->loop_, [this] { Tick(); }) {
    timer_.StartAt(deadline_);
  }

 private:
  void Tick() {
    runner_->inbox_.PushTimer(id_);
    const runtime::SteadyTime now = runner_->loop_->clock().Now();
    deadline_ += period_;
    if (deadline_ <= now) {
      deadline_ = now + period_;
    }
    timer_.StartAt(deadline_);
  }

  NodeRunner* runner_;
  TimerId id_;
  std::chrono::nanoseconds period_;
  runtime::SteadyTime deadline_;
  runtime::Timer timer_;
};

NodeRunner::NodeRunner(AnyNode node, InstanceInfo info, runtime::EventLoop* loop,
                       runtime::Cancellation* drain, InboxLimits limits,
                       telemetry::Registry* registry)
    : node_(std::move(node)),
      info_(std::move(info)),
      loop_(loop),
      drain_(drain),
      metrics_(registry->Add("node", Labels(info_))),
      batches_in_(metrics_.Find("batches_in")),
      items_in_(metrics_.Find("items_in")),
      batches_out_(metrics_.Find("batches_out")),
      items_out_(metrics_.Find("items_out")),
      outcomes_{.acked = &metrics_.Find("acked"),
                .nacked_retryable = &metrics_.Find("nacked{permanent=false}"),
                .nacked_permanent = &metrics_.Find("nacked{permanent=true}"),
                .dropped = &metrics_.Find("dropped{reason=without_outcome}"),
                .pending = &metrics_.Find("pending")},
      inbox_(loop, limits, &metrics_),
      effects_(this) {}

NodeRunner::~NodeRunner() = default;

void NodeRunner::Connect(std::vector<OutPort> ports, PortIndex default_port) {
  ports_ = std::move(ports);
  default_port_ = default_port;
}

Status NodeRunner::Start() {
  try {
    if (auto* processor = std::get_if<std::unique_ptr<Processor>>(&node_)) {
      return (*processor)->Start(effects_);
    }
    if (auto* exporter = std::get_if<std::unique_ptr<Exporter>>(&node_)) {
      return (*exporter)->Start(effects_);
    }
    return Status::OK();
  } catch (const std::exception& error) {
    return Status::UnknownError(error.what());
  }
}

runtime::Task<Status> NodeRunner::Run() {
  try {
    if (auto* receiver = std::get_if<std::unique_ptr<Receiver>>(&node_)) {
      co_return co_await RunReceiver(receiver->get());
    }
    if (auto* processor = std::get_if<std::unique_ptr<Processor>>(&node_)) {
      co_return co_await RunConsumer(processor->get());
    }
    co_return co_await RunConsumer(std::get<std::unique_ptr<Exporter>>(node_).get());
  } catch (const std::exception& error) {
    co_return Status::UnknownError(error.what());
  }
}

runtime::Task<Status> NodeRunner::RunReceiver(Receiver* receiver) {
  return receiver->Run(effects_);
}

template <typename Node>
runtime::Task<Status> NodeRunner::RunConsumer(Node* node) {
  while (true) {
    InboxEvent event = co_await inbox_.Next();
    Status status;
    switch (event.kind) {
      case InboxEvent::Kind::kBatch:
        batches_in_.Add(1);
        items_in_.Add(event.pdata.batch->num_items());
        if constexpr (std::is_same_v<Node, Processor>) {
          status = co_await node->Process(std::move(event.pdata), effects_);
        } else {
          status = co_await node->Export(std::move(event.pdata), effects_);
        }
        break;
      case InboxEvent::Kind::kTimer:
        // A tick may still wait when its timer has been cancelled.
        if (timers_.contains(event.timer)) {
          status = co_await node->OnTimer(event.timer, effects_);
        }
        break;
      case InboxEvent::Kind::kEnd:
        timers_.clear();
        co_return co_await node->Finish(effects_);
    }
    if (!status.ok()) {
      co_return status;
    }
  }
}

void NodeRunner::End(const std::string& reason, NackCause cause) {
  timers_.clear();
  inbox_.Refuse(reason, cause);
}

NodeReport NodeRunner::Report() {
  return std::visit([](auto& node) { return node->Report(); }, node_);
}

Result<PortIndex> NodeRunner::FindPort(std::string_view name) const {
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].name() == name) {
      return static_cast<PortIndex>(i);
    }
  }
  return Status::Invalid(fmt::format("node '{}' has no out port '{}'", info_.node, name));
}

runtime::Task<bool> NodeRunner::Send(Pdata pdata, PortIndex port) {
  batches_out_.Add(1);
  items_out_.Add(pdata.batch->num_items());
  const PortIndex index = port == kDefaultPort ? default_port_ : port;
  return ports_[static_cast<size_t>(index)].Send(std::move(pdata));
}

void NodeRunner::StartTimer(TimerId id, std::chrono::nanoseconds period) {
  timers_[id] = std::make_unique<PeriodicTimer>(this, id, period);
}

runtime::Task<bool> Effects::Send(Pdata pdata, PortIndex port) {
  return runner_->Send(std::move(pdata), port);
}

Result<PortIndex> Effects::FindPort(std::string_view name) const { return runner_->FindPort(name); }

CompletionToken Effects::MakeToken(CompletionHandler* handler, uint64_t calldata) {
  return CompletionToken(handler, calldata, &runner_->outcomes_);
}

void Effects::StartTimer(TimerId id, std::chrono::nanoseconds period) {
  runner_->StartTimer(id, period);
}

void Effects::CancelTimer(TimerId id) { runner_->timers_.erase(id); }

runtime::Task<bool> Effects::SleepFor(std::chrono::nanoseconds duration) {
  return runner_->loop_->SleepFor(duration, runner_->drain_);
}

runtime::Cancellation& Effects::drain() { return *runner_->drain_; }
const InstanceInfo& Effects::info() const { return runner_->info_; }
const runtime::Clock& Effects::clock() const { return runner_->loop_->clock(); }
runtime::EventLoop& Effects::loop() { return *runner_->loop_; }
telemetry::MetricSet& Effects::metrics() { return runner_->metrics_; }

}  // namespace df::engine
