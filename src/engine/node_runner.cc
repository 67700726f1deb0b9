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

/// "node 'out', core 3", as lines about its destination begin.
std::string SubjectOf(const InstanceInfo& info) {
  std::string subject = fmt::format("{}/{}: node '{}'", info.group, info.pipeline, info.node);
  if (info.num_instances > 1) {
    subject += info.core.has_value() ? fmt::format(", core {}", *info.core)
                                     : fmt::format(", instance {}", info.instance_index);
  }
  return subject;
}

/// "receiver:parquet" of "urn:otel:receiver:parquet".
std::string_view ShortType(std::string_view urn) {
  constexpr std::string_view kPrefix = "urn:otel:";
  return urn.starts_with(kPrefix) ? urn.substr(kPrefix.size()) : urn;
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

/// Periodic ticks go without drift: the next deadline counts from the last one, not from when it
/// was served. One object serves an id for good, so that setting it again costs no allocation.
class NodeRunner::NodeTimer {
 public:
  NodeTimer(NodeRunner* runner, TimerId id)
      : runner_(runner), id_(id), timer_(runner->context_->loop, [this] { Fire(); }) {}

  void Start(std::chrono::nanoseconds period) {
    period_ = period;
    deadline_ = runner_->context_->loop->clock().Now() + period;
    timer_.StartAt(deadline_);
  }

  void WakeAt(runtime::SteadyTime deadline) {
    period_ = std::chrono::nanoseconds(0);
    deadline_ = deadline;
    timer_.StartAt(deadline);
  }

 private:
  void Fire() {
    if (period_ == std::chrono::nanoseconds(0)) {
      runner_->inbox_.PushWake(id_);
      return;
    }
    runner_->inbox_.PushTick(id_);
    const runtime::SteadyTime now = runner_->context_->loop->clock().Now();
    deadline_ += period_;
    if (deadline_ <= now) {
      deadline_ = now + period_;
    }
    timer_.StartAt(deadline_);
  }

  NodeRunner* runner_;
  TimerId id_;
  std::chrono::nanoseconds period_{0};
  runtime::SteadyTime deadline_;
  runtime::Timer timer_;
};

NodeRunner::NodeRunner(AnyNode node, const NodeDescriptor& descriptor, InstanceInfo info,
                       InstanceContext* context, InboxLimits limits)
    : node_(std::move(node)),
      takes_encoded_(descriptor.takes_encoded),
      info_(std::move(info)),
      context_(context),
      metrics_(context->registry, info_, ShortType(descriptor.urn), context->metrics_level),
      tap_(ProcessTaps().PointOf({info_.group, info_.pipeline, info_.node})),
      inbox_(context->loop, limits, &metrics_),
      effects_(this) {
  if (std::holds_alternative<std::unique_ptr<Exporter>>(node_)) {
    destination_ = std::make_unique<DestinationWatch>(info_.node, SubjectOf(info_), context->loop,
                                                      context->on_destination);
  }
  SetUp(&tokens_);
  SetUp(&awaited_tokens_);
}

void NodeRunner::SetUp(TokenSource* tokens) {
  tokens->pending = metrics_.pending;
  tokens->acked = metrics_.acked;
  tokens->nacked = metrics_.nacked;
  if (metrics_.has_times()) {
    tokens->latency = metrics_.outcome_latency;
    tokens->clock = &context_->loop->clock();
  }
  tokens->on_handler_error = [this](const std::string& what) {
    context_->on_node_error(info_.node, what);
  };
}

NodeRunner::~NodeRunner() {
  if (metrics_.failing != nullptr) {
    metrics_.failing->Add(-shown_failing_);
  }
}

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
  const runtime::Clock& clock = context_->loop->clock();
  const bool has_times = metrics_.has_times();
  runtime::SteadyTime now = has_times ? clock.Now() : runtime::SteadyTime();
  while (true) {
    InboxEvent event = co_await inbox_.Next(&now);
    Status status;
    waited_ = std::chrono::nanoseconds(0);
    const InboxEvent::Kind kind = event.kind;
    switch (kind) {
      case InboxEvent::Kind::kBatch: {
        const auto signal = static_cast<size_t>(event.pdata.batch->signal());
        metrics_.batches_in[signal]->Add(1);
        metrics_.items_in[signal]->Add(event.pdata.batch->num_items());
        if (tap_->is_open()) {
          tap_->Offer(*event.pdata.batch);
        }
        if (!Decode(event.pdata)) {
          break;
        }
        is_in_batch_ = true;
        if constexpr (std::is_same_v<Node, Processor>) {
          status = co_await node->Process(std::move(event.pdata), effects_);
        } else {
          event.pdata.token.TellAlso(destination_.get());
          status = co_await node->Export(std::move(event.pdata), effects_);
        }
        is_in_batch_ = false;
        break;
      }
      case InboxEvent::Kind::kTimer:
        status = co_await node->OnTimer(event.timer, effects_);
        break;
      case InboxEvent::Kind::kEnd:
        timers_.clear();
        status = co_await node->Finish(effects_);
        break;
    }
    if (has_times) {
      const runtime::SteadyTime end = clock.Now();
      const std::chrono::nanoseconds busy = end - now - waited_;
      metrics_.busy_time->Add(busy.count());
      if (metrics_.call_duration != nullptr && kind == InboxEvent::Kind::kBatch) {
        metrics_.call_duration->Record(busy.count());
      }
      now = end;
    }
    if (!status.ok() || kind == InboxEvent::Kind::kEnd) {
      co_return status;
    }
  }
}

/// Gives a batch its tables where the node needs them. Returns false when it is refused.
bool NodeRunner::Decode(Pdata& pdata) {
  if (takes_encoded_ || pdata.batch->encoded() == nullptr) {
    return true;
  }
  arrow::Result<otap::BatchPtr> decoded = otap::WithTables(pdata.batch);
  if (!decoded.ok()) {
    pdata.token.Nack(decoded.status().message(), true);
    return false;
  }
  pdata.batch = std::move(decoded).ValueUnsafe();
  pdata.charge = context_->memory.Charge(pdata.batch->size_bytes());
  return true;
}

void NodeRunner::End(const std::string& reason, NackCause cause) {
  timers_.clear();
  inbox_.Refuse(reason, cause);
}

void NodeRunner::Retire() {
  if (num_unanswered() == 0) {
    report_ = Report();
    DestroyNode();
  }
}

NodeReport NodeRunner::Report() {
  if (report_.has_value()) {
    return *report_;
  }
  try {
    return std::visit([](auto& node) { return node->Report(); }, node_);
  } catch (const std::exception& error) {
    return {.lines = {fmt::format("no report: {}", error.what())}, .num_problems = 1};
  }
}

Result<PortIndex> NodeRunner::FindPort(std::string_view name) const {
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].name() == name) {
      return static_cast<PortIndex>(i);
    }
  }
  return Status::Invalid(fmt::format("node '{}' has no out port '{}'", info_.node, name));
}

bool NodeRunner::BeginSend(Pdata& pdata, PortIndex port) {
  if (pdata.charge.is_empty()) {
    pdata.charge = context_->memory.Charge(pdata.batch->size_bytes());
    if (MustWaitForMemory(pdata)) {
      return false;
    }
  }
  const auto signal = static_cast<size_t>(pdata.batch->signal());
  const int64_t num_items = pdata.batch->num_items();
  const otap::BatchPtr shown = ToShow(pdata);
  if (!PortOf(port).BeginSend(pdata)) {
    return false;
  }
  Show(shown);
  metrics_.batches_out[signal]->Add(1);
  metrics_.items_out[signal]->Add(num_items);
  return true;
}

runtime::Task<bool> NodeRunner::FinishSend(Pdata pdata, PortIndex port) {
  const runtime::Clock& clock = context_->loop->clock();
  const auto signal = static_cast<size_t>(pdata.batch->signal());
  metrics_.batches_out[signal]->Add(1);
  metrics_.items_out[signal]->Add(pdata.batch->num_items());
  Show(ToShow(pdata));
  runtime::SteadyTime start = clock.Now();
  if (MustWaitForMemory(pdata)) {
    const int64_t size_bytes = pdata.charge.size_bytes();
    co_await context_->memory.WaitForRoom(size_bytes);
    const runtime::SteadyTime end = clock.Now();
    metrics_.memory_wait.Add(end - start);
    start = end;
    if (PortOf(port).BeginSend(pdata)) {
      co_return true;
    }
  }
  const bool is_sent = co_await PortOf(port).FinishSend(std::move(pdata));
  const std::chrono::nanoseconds waited = clock.Now() - start;
  metrics_.room_wait.Add(waited);
  waited_ += waited;
  co_return is_sent;
}

runtime::PushResult NodeRunner::TrySend(Pdata& pdata, PortIndex port) {
  if (pdata.charge.is_empty()) {
    pdata.charge = context_->memory.Charge(pdata.batch->size_bytes());
  }
  const auto signal = static_cast<size_t>(pdata.batch->signal());
  const int64_t num_items = pdata.batch->num_items();
  const otap::BatchPtr shown = ToShow(pdata);
  const runtime::PushResult result = PortOf(port).TrySend(pdata);
  if (result == runtime::PushResult::kSent) {
    metrics_.batches_out[signal]->Add(1);
    metrics_.items_out[signal]->Add(num_items);
    Show(shown);
  }
  return result;
}

void NodeRunner::StartTimer(TimerId id, std::chrono::nanoseconds period) {
  std::unique_ptr<NodeTimer>& timer = timers_[id];
  if (timer == nullptr) {
    timer = std::make_unique<NodeTimer>(this, id);
  }
  timer->Start(period);
}

void NodeRunner::WakeAt(TimerId id, runtime::SteadyTime deadline) {
  std::unique_ptr<NodeTimer>& timer = timers_[id];
  if (timer == nullptr) {
    timer = std::make_unique<NodeTimer>(this, id);
  }
  timer->WakeAt(deadline);
}

Controllable* NodeRunner::controllable() {
  return std::visit([](auto& node) -> Controllable* { return node.get(); }, node_);
}

Status NodeRunner::ApplyConfig(const NodeConfigPtr& config) {
  Controllable* node = controllable();
  return node == nullptr ? Status::Invalid("the node has ended") : node->OnConfig(config);
}

void NodeRunner::TellMemoryPressure(MemoryPressure pressure) {
  if (Controllable* node = controllable()) {
    node->OnMemoryPressure(pressure);
  }
}

void NodeRunner::Collect() {
  inbox_.UpdateMetrics();
  if (destination_ != nullptr && metrics_.failing != nullptr) {
    const int64_t failing = destination_->failing_for().count();
    metrics_.failing->Add(failing - std::exchange(shown_failing_, failing));
  }
  if (Controllable* node = controllable()) {
    node->OnCollect();
  }
}

bool SendOperation::await_ready() { return runner_->BeginSend(pdata_, port_); }

bool SendOperation::await_suspend(std::coroutine_handle<> awaiting) {
  finish_ = runner_->FinishSend(std::move(pdata_), port_);
  waiting_.emplace(std::move(finish_).operator co_await());
  return waiting_->await_suspend(awaiting);
}

runtime::PushResult Effects::TrySend(Pdata& pdata, PortIndex port) {
  return runner_->TrySend(pdata, port);
}

PortIndex Effects::default_port() const { return runner_->default_port_; }

Result<PortIndex> Effects::FindPort(std::string_view name) const { return runner_->FindPort(name); }

bool Effects::TakesEncoded(PortIndex port) const { return runner_->TakesEncoded(port); }

CompletionToken Effects::MakeToken(CompletionHandler* handler, uint64_t calldata) {
  return CompletionToken(handler, calldata, &runner_->tokens_);
}

CompletionToken Effects::MakeAwaitedToken(CompletionHandler* handler, uint64_t calldata) {
  return CompletionToken(handler, calldata, &runner_->awaited_tokens_);
}

bool Effects::all_wait() const { return runner_->context_->all_wait(); }

void Effects::StartTimer(TimerId id, std::chrono::nanoseconds period) {
  runner_->StartTimer(id, period);
}

void Effects::WakeAt(TimerId id, runtime::SteadyTime deadline) { runner_->WakeAt(id, deadline); }

void Effects::CancelTimer(TimerId id) {
  runner_->timers_.erase(id);
  runner_->inbox_.DropTimer(id);
}

runtime::Task<bool> Effects::SleepFor(std::chrono::nanoseconds duration) {
  return runner_->context_->loop->SleepFor(duration, &runner_->context_->drain);
}

runtime::Cancellation& Effects::drain() { return runner_->context_->drain; }
std::optional<runtime::SteadyTime> Effects::drain_deadline() const {
  return runner_->context_->drain_deadline;
}
MemoryPressure Effects::memory_pressure() const { return runner_->context_->memory.pressure(); }
const InstanceInfo& Effects::info() const { return runner_->info_; }
const runtime::Clock& Effects::clock() const { return runner_->context_->loop->clock(); }
runtime::EventLoop& Effects::loop() { return *runner_->context_->loop; }
telemetry::MetricSet& Effects::metrics() { return *runner_->metrics_.node; }

}  // namespace df::engine
