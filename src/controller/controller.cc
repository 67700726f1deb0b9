#include "controller/controller.h"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/logging.h"
#include "base/text.h"
#include "controller/held_pipelines.h"
#include "engine/node_metrics.h"
#include "runtime/signals.h"
#include "telemetry/names.h"

namespace df::controller {
namespace {

/// A core that is busy does not hold up whoever reads metrics for longer than this.
constexpr std::chrono::milliseconds kMaxCollect{250};

/// Counts down to the end of what several threads do.
struct Countdown {
  std::mutex mutex;
  std::condition_variable is_over;
  size_t num_left = 0;

  void CountDown() {
    const std::lock_guard lock(mutex);
    if (--num_left == 0) {
      is_over.notify_all();
    }
  }
};

Status IsShuttingDown() { return Status::Cancelled("the engine is shutting down"); }

/// A line of the log has no breaks.
std::string OnOneLine(std::string_view lines) {
  std::string line;
  for (const char letter : lines) {
    if (letter == '\n') {
      line += "; ";
    } else {
      line += letter;
    }
  }
  return line;
}

}  // namespace

Result<std::unique_ptr<Controller>> Controller::Make(std::vector<PipelinePlanPtr> plans,
                                                     ControllerOptions options) {
  std::vector<ConfigurationPtr> configurations;
  for (PipelinePlanPtr& plan : plans) {
    auto configuration = std::make_shared<Configuration>();
    configuration->plan = std::move(plan);
    ARROW_RETURN_NOT_OK(MakeShared(configuration.get()));
    configurations.push_back(std::move(configuration));
  }
  return std::unique_ptr<Controller>(new Controller(std::move(configurations), std::move(options)));
}

Controller::Controller(std::vector<ConfigurationPtr> configurations, ControllerOptions options)
    : options_(std::move(options)),
      supervisor_({.stays_up = options_.stays_up, .seed = options_.seed}, &loop_.clock(), this),
      first_(std::move(configurations)),
      deadline_(&loop_,
                [this] {
                  const std::lock_guard lock(mutex_);
                  supervisor_.OnTime();
                  Follow();
                }),
      join_deadline_(&loop_, [this] { options_.on_force("a thread does not end"); }) {}

Controller::~Controller() = default;

RunResult Controller::Run() {
  const runtime::SteadyTime start = loop_.clock().Now();
  const telemetry::CollectHook hook = registry_.OnCollect([this] { CollectFromCores(); });
  {
    const runtime::SignalListener signals(&loop_, [this](int signal) { OnSignal(signal); });
    loop_.Post([this] {
      const std::lock_guard lock(mutex_);
      supervisor_.Begin(std::move(first_));
      Follow();
      std::vector<int> ids;
      for (const auto& [id, thread] : cores_) {
        ids.push_back(id);
      }
      LogInfo("running on {} core{} (CPU {})", ids.size(), ids.size() == 1 ? "" : "s",
              fmt::join(ids, ","));
    });
    loop_.Run();
  }
  decltype(cores_) cores;
  std::unique_ptr<CoreThread> preparation;
  {
    const std::lock_guard lock(mutex_);
    cores = std::exchange(cores_, {});
    preparation = std::move(preparation_);
  }
  cores.clear();
  preparation.reset();
  // Before the mutex: hooks of the snapshot take it.
  std::string metrics = telemetry::ToText(registry_.Snapshot());
  const std::lock_guard lock(mutex_);
  RunResult result = supervisor_.Summarize();
  result.signal = signals_.shutdown_signal();
  result.metrics = std::move(metrics);
  result.elapsed = loop_.clock().Now() - start;
  return result;
}

void Controller::Follow() {
  if (is_ending_) {
    return;
  }
  TellProgress();
  if (supervisor_.is_done()) {
    EndThreads();
    return;
  }
  const std::optional<runtime::SteadyTime> next = supervisor_.NextDeadline();
  if (next.has_value()) {
    deadline_.StartAt(*next);
  } else {
    deadline_.Cancel();
  }
}

/// Calls on_ready and on_ending when their time has come.
void Controller::TellProgress() {
  if (supervisor_.is_draining() && !std::exchange(has_told_ending_, true) &&
      options_.on_ending != nullptr) {
    options_.on_ending();
  }
  if (has_told_ready_ || has_told_ending_ || options_.on_ready == nullptr) {
    return;
  }
  const std::vector<PipelineStatus> pipelines = supervisor_.Pipelines();
  if (std::all_of(pipelines.begin(), pipelines.end(),
                  [](const PipelineStatus& pipeline) { return pipeline.is_ready; })) {
    has_told_ready_ = true;
    options_.on_ready();
  }
}

void Controller::EndThreads() {
  is_ending_ = true;
  deadline_.Cancel();
  num_threads_left_ = cores_.size() + (preparation_ != nullptr ? 1 : 0);
  if (num_threads_left_ == 0) {
    loop_.Stop();
    return;
  }
  join_deadline_.StartAt(loop_.clock().Now() + kJoinGrace);
  for (const auto& [core, thread] : cores_) {
    thread->RequestEnd();
  }
  if (preparation_ != nullptr) {
    preparation_->RequestEnd();
  }
}

void Controller::OnThreadEnded() {
  if (--num_threads_left_ == 0) {
    join_deadline_.Cancel();
    loop_.Stop();
  }
}

void Controller::OnSignal(int signal) {
  const std::string_view name = SignalName(signal);
  switch (signals_.OnSignal(signal, loop_.clock().Now())) {
    case SignalPolicy::Action::kShutDown: {
      LogInfo("{}: another signal from {} on ends the process at once", name,
              FormatDuration(SignalPolicy::kSameWish));
      const std::lock_guard lock(mutex_);
      supervisor_.Shutdown(name);
      Follow();
      return;
    }
    case SignalPolicy::Action::kForce:
      options_.on_force(fmt::format("{} while draining", name));
      return;
    case SignalPolicy::Action::kReload:
      BeginReload({{.asked_by = std::string(name), .on_read = nullptr}});
      return;
    case SignalPolicy::Action::kNothing:
      LogDebug("{}: nothing to do", name);
      return;
  }
}

void Controller::Reload(std::string_view asked_by, OnReload on_read) {
  // Before the loop has ended: afterwards nobody runs what is posted.
  loop_.Post([this, wish = ReloadWish{std::string(asked_by), std::move(on_read)}] {
    BeginReload({wish});
  });
}

Status Controller::CheckReload() const {
  if (options_.reload == nullptr) {
    return Status::NotImplemented("there is no document to read again");
  }
  const std::lock_guard lock(mutex_);
  return is_ending_ || supervisor_.is_draining() ? IsShuttingDown() : Status::OK();
}

void Controller::BeginReload(std::vector<ReloadWish> wishes) {
  if (!reloading_.empty()) {
    std::move(wishes.begin(), wishes.end(), std::back_inserter(reload_after_));
    return;
  }
  reloading_ = std::move(wishes);
  const Status status = CheckReload();
  if (!status.ok()) {
    FinishReload(status);
    return;
  }
  LogInfo("{}: the document is read again", reloading_.front().asked_by);
  const std::lock_guard lock(mutex_);
  Preparation().Post([this] {
    auto reloaded = std::make_shared<Result<ReloadedPlans>>(options_.reload());
    loop_.Post([this, reloaded] { FinishReload(*reloaded); });
  });
}

void Controller::FinishReload(const Result<ReloadedPlans>& reloaded) {
  const std::vector<ReloadWish> wishes = std::exchange(reloading_, {});
  const std::string& name = wishes.front().asked_by;
  Status status = reloaded.status();
  ReloadOutcome outcome;
  if (status.ok()) {
    for (const std::string& notice : reloaded->notices) {
      LogWarning("{}: {}", name, notice);
    }
    outcome.notices = reloaded->notices;
    const std::lock_guard lock(mutex_);
    if (supervisor_.is_draining()) {
      status = IsShuttingDown();
    } else {
      outcome.changes = supervisor_.Reload(reloaded->plans, reloaded->removed);
      Follow();
    }
    if (status.ok() && outcome.changes.empty() && outcome.notices.empty()) {
      LogInfo("{}: the document is as it was", name);
    }
  }
  if (status.IsCancelled()) {
    LogInfo("{}: {}; nothing is reloaded", name, status.message());
  } else if (!status.ok()) {
    LogError("{}: nothing is changed: {}", name, OnOneLine(status.message()));
  }
  for (const ReloadWish& wish : wishes) {
    if (wish.on_read != nullptr) {
      wish.on_read(status.ok() ? Result<ReloadOutcome>(outcome) : Result<ReloadOutcome>(status));
    }
  }
  if (!reload_after_.empty()) {
    BeginReload(std::exchange(reload_after_, {}));
  }
}

void Controller::Tell(std::function<void(Supervisor&)> event) {
  loop_.Post([this, event = std::move(event)] {
    const std::lock_guard lock(mutex_);
    event(supervisor_);
    Follow();
  });
}

std::unique_ptr<CoreThread> Controller::MakeThread(std::string name, std::optional<int> core) {
  CoreThread::Options options{
      .name = std::move(name), .core = core, .collect_interval = options_.collect_interval};
  CoreThread::Events events;
  events.on_started = [this](InstanceId id) {
    Tell([id](Supervisor& supervisor) { supervisor.OnStarted(id); });
  };
  events.on_ended = [this](InstanceId id, engine::InstanceResult result) {
    Tell([id, result = std::move(result)](Supervisor& supervisor) {
      supervisor.OnEnded(id, result);
    });
  };
  events.on_applied = [this](InstanceId id, const Status& status) {
    Tell([id, status](Supervisor& supervisor) { supervisor.OnApplied(id, status); });
  };
  events.on_destination = [this](InstanceId id, engine::DestinationState state) {
    Tell([id, state = std::move(state)](Supervisor& supervisor) {
      supervisor.OnDestination(id, state);
    });
  };
  events.on_thread_ended = [this] { loop_.Post([this] { OnThreadEnded(); }); };
  return std::make_unique<CoreThread>(std::move(options), &registry_, std::move(events));
}

CoreThread& Controller::CoreOf(int core) {
  std::unique_ptr<CoreThread>& thread = cores_[core];
  if (thread == nullptr) {
    thread = MakeThread(fmt::format("df-core-{}", core),
                        options_.pins_threads ? std::optional(core) : std::nullopt);
  }
  return *thread;
}

void Controller::StartInstance(const InstanceOrder& order) {
  CoreOf(order.core).StartInstance(order);
}

void Controller::DrainInstance(int core, InstanceId id, std::chrono::nanoseconds timeout) {
  CoreOf(core).DrainInstance(id, timeout);
}

void Controller::ApplyConfig(int core, InstanceId id, ConfigurationPtr configuration,
                             std::vector<size_t> nodes) {
  CoreOf(core).ApplyConfig(id, std::move(configuration), std::move(nodes));
}

CoreThread& Controller::Preparation() {
  if (preparation_ == nullptr) {
    preparation_ = MakeThread("df-prepare", std::nullopt);
  }
  return *preparation_;
}

void Controller::PrepareShared(uint64_t operation, ConfigurationPtr configuration) {
  Preparation().Post([this, operation, configuration = std::move(configuration)] {
    const Status status = MakeShared(configuration.get());
    Tell([operation, status](Supervisor& supervisor) {
      supervisor.OnSharedMade(operation, status);
    });
  });
}

void Controller::CountRestart(const PipelineKey& key, int core, int instance_index) {
  engine::InstanceInfo info;
  info.group = key.group;
  info.pipeline = key.pipeline;
  info.instance_index = instance_index;
  info.core = options_.pins_threads ? std::optional(core) : std::nullopt;
  registry_.FindOrAdd(telemetry::names::kPipelineScope, engine::PipelineAttributes(info))
      .AddCounter(telemetry::names::kPipelineRestarts)
      .Add(1);
}

void Controller::ForgetPipeline(const PipelineKey& key) {
  registry_.Retire({{std::string(telemetry::names::kPipelineGroupId), key.group},
                    {std::string(telemetry::names::kPipelineId), key.pipeline}});
}

void Controller::EndProcess(const std::string& why) { options_.on_force(why); }

void Controller::CollectFromCores() {
  const auto countdown = std::make_shared<Countdown>();
  {
    const std::lock_guard lock(mutex_);
    if (is_ending_ || cores_.empty()) {
      return;
    }
    countdown->num_left = cores_.size();
    for (const auto& [core, thread] : cores_) {
      thread->Collect([countdown] { countdown->CountDown(); });
    }
  }
  std::unique_lock lock(countdown->mutex);
  countdown->is_over.wait_for(lock, kMaxCollect, [&] { return countdown->num_left == 0; });
}

Result<OperationStatus> Controller::Ask(
    std::function<Result<OperationStatus>(Supervisor&)> question) {
  const std::lock_guard lock(mutex_);
  if (is_ending_) {
    return IsShuttingDown();
  }
  Result<OperationStatus> answer = question(supervisor_);
  Tell([](Supervisor&) {});  // deadlines are the loop's
  return answer;
}

std::vector<PipelineStatus> Controller::Pipelines() const {
  std::vector<PipelineStatus> pipelines;
  {
    const std::lock_guard lock(mutex_);
    pipelines = supervisor_.Pipelines();
  }
  for (PipelineStatus& pipeline : pipelines) {
    AddPaused(&pipeline);
  }
  return pipelines;
}

Result<PipelineStatus> Controller::Pipeline(const PipelineKey& key) const {
  std::unique_lock lock(mutex_);
  ARROW_ASSIGN_OR_RAISE(PipelineStatus pipeline, supervisor_.Pipeline(key));
  lock.unlock();
  AddPaused(&pipeline);
  return pipeline;
}

std::string Controller::Document() const {
  std::vector<PipelinePlanPtr> plans;
  {
    const std::lock_guard lock(mutex_);
    plans = supervisor_.Plans();
  }
  if (options_.print != nullptr) {
    return options_.print(plans);
  }
  std::vector<std::string> documents;
  for (const PipelinePlanPtr& plan : plans) {
    documents.push_back(plan->document);
  }
  return fmt::format("[{}]", fmt::join(documents, ","));
}

Result<std::string> Controller::PipelineDocument(const PipelineKey& key) const {
  const std::lock_guard lock(mutex_);
  ARROW_RETURN_NOT_OK(supervisor_.Pipeline(key));
  for (const PipelinePlanPtr& plan : supervisor_.Plans()) {
    if (plan->key() == key) {
      return plan->document;
    }
  }
  return Status::KeyError(fmt::format("pipeline {}/{} is being created", key.group, key.pipeline));
}

Result<OperationStatus> Controller::Put(const PipelineKey& key, std::string_view text,
                                        const RolloutOptions& options) {
  if (options_.check == nullptr) {
    return Status::NotImplemented("pipelines cannot be changed");
  }
  std::vector<PipelinePlanPtr> others;
  {
    const std::lock_guard lock(mutex_);
    others = supervisor_.Plans();
  }
  std::erase_if(others, [&](const PipelinePlanPtr& plan) { return plan->key() == key; });
  ARROW_ASSIGN_OR_RAISE(const PipelinePlanPtr plan, options_.check(key, text, others));
  return Ask([&](Supervisor& supervisor) { return supervisor.Put(key, plan, options); });
}

Result<OperationStatus> Controller::Stop(const PipelineKey& key,
                                         std::chrono::nanoseconds drain_timeout) {
  return Ask([&](Supervisor& supervisor) { return supervisor.Stop(key, drain_timeout); });
}

Result<OperationStatus> Controller::Start(const PipelineKey& key) {
  return Ask([&](Supervisor& supervisor) { return supervisor.Start(key); });
}

Result<OperationStatus> Controller::Delete(const PipelineKey& key,
                                           std::chrono::nanoseconds drain_timeout) {
  return Ask([&](Supervisor& supervisor) { return supervisor.Delete(key, drain_timeout); });
}

Result<OperationStatus> Controller::Operation(const PipelineKey& key, uint64_t id) const {
  const std::lock_guard lock(mutex_);
  return supervisor_.Operation(key, id);
}

void Controller::Shutdown(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  supervisor_.Shutdown(reason);
  Tell([](Supervisor&) {});
}

bool Controller::is_draining() const {
  const std::lock_guard lock(mutex_);
  return is_ending_ || supervisor_.is_draining();
}

Result<RunResult> RunPipelines(std::vector<PipelinePlanPtr> plans, ControllerOptions options) {
  ARROW_ASSIGN_OR_RAISE(const std::unique_ptr<Controller> controller,
                        Controller::Make(std::move(plans), std::move(options)));
  return controller->Run();
}

}  // namespace df::controller
