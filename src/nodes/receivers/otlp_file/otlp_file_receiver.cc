#include "nodes/receivers/otlp_file/otlp_file_receiver.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "nodes/receivers/otlp_file/request_reader.h"
#include "runtime/worker_thread.h"

namespace df::nodes::receivers::otlp_file {
namespace {

constexpr telemetry::Instrument kUnreadable = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otlp_file.unreadable", "{request}",
    "Requests of files, and files, that could not be read"};

constexpr runtime::ChannelLimits kChannel = {.max_messages = 4, .max_bytes = 64_MiB};
constexpr size_t kMostRefusalsNamed = 20;
/// So many empty requests at the end of a file are what a crash leaves of it, not what was sent.
constexpr int64_t kFewEmpty = 2;

}  // namespace

OtlpFileReceiver::OtlpFileReceiver(std::shared_ptr<const OtlpFileConfig> config,
                                   std::shared_ptr<FileSums> sums, const engine::InstanceInfo& info)
    : config_(std::move(config)), sums_(std::move(sums)), info_(info) {}

bool OtlpFileReceiver::Wants(otap::Signal signal) const {
  return std::find(config_->signal_types.begin(), config_->signal_types.end(), signal) !=
         config_->signal_types.end();
}

void OtlpFileReceiver::Fail(const OpenFilePtr& file, const std::string& message) {
  unreadable_->Add(1);
  if (sums_->OnProblem(file, message)) {
    LogWarning("node '{}': {}: {}", info_.node, PrintableText(file->path), message);
  }
}

bool OtlpFileReceiver::SendRequest(const OpenFilePtr& file, otap::Signal signal, bool is_json,
                                   const std::string& bytes, const std::string& place,
                                   otlp::Decoder* decoder, Channel* channel) {
  auto stats = std::make_shared<otlp::DecodeStats>();
  auto batches = is_json ? decoder->DecodeJson(signal, bytes, stats.get())
                         : decoder->DecodeRequest(signal, bytes, stats.get());
  if (!batches.ok()) {
    Fail(file, fmt::format("{}: {}", place, batches.status().message()));
    return true;
  }
  for (otap::BatchPtr& batch : *batches) {
    const int64_t size_bytes = batch->size_bytes();
    FileBatch of{.file = file,
                 .signal = signal,
                 .num_records = batch->num_root_rows(),
                 .num_items = batch->num_items()};
    sums_->OnRead(of);
    if (!channel->Push({std::move(batch), std::move(of), std::exchange(stats, nullptr)},
                       size_bytes)) {
      return false;
    }
  }
  // What it has beside records that there are none of is not to be lost with them.
  return stats == nullptr || channel->Push({nullptr, {}, std::move(stats)}, 0);
}

bool OtlpFileReceiver::ReadFile(const OpenFilePtr& file, otlp::Decoder* decoder, Channel* channel) {
  const bool is_json = config_->format == FileFormat::kByName
                           ? IsJsonName(file->path)
                           : config_->format == FileFormat::kJson;
  std::optional<otap::Signal> of_name;
  if (!is_json) {
    of_name = config_->signal_types.size() == 1 ? config_->signal_types.front()
                                                : SignalOfName(file->path);
    if (!of_name.has_value() || !Wants(*of_name)) {
      return true;
    }
  }
  auto reader = RequestReader::Open(file->path, is_json, config_->max_request_size);
  if (!reader.ok()) {
    Fail(file, reader.status().message());
    return true;
  }
  int64_t num_empty = 0;  // one behind the other, up to here
  while (reader->goes_on() && !is_stopped_) {
    auto request = reader->Next();
    if (!request.ok()) {
      Fail(file, request.status().message());
      continue;
    }
    if (!request->has_value()) {
      break;
    }
    const FileRequest& found = **request;
    const std::string place = fmt::format("{} {}", is_json ? "line" : "offset", found.place);
    num_empty = found.bytes.empty() ? num_empty + 1 : 0;
    const auto signal = is_json ? SignalOfJson(found.bytes) : of_name;
    if (!signal.has_value()) {
      Fail(file,
           fmt::format("{}: found none of resourceLogs, resourceSpans and resourceMetrics", place));
    } else if (Wants(*signal) &&
               !SendRequest(file, *signal, is_json, found.bytes, place, decoder, channel)) {
      return false;
    }
  }
  if (!is_stopped_ && num_empty >= kFewEmpty) {
    Fail(file, fmt::format("found zeros at the end, read as {} empty requests: the file may not "
                           "have been written to its end",
                           num_empty));
  }
  return !is_stopped_;
}

void OtlpFileReceiver::ReadFiles(Channel* channel) {
  otlp::Decoder decoder;
  while (const OpenFilePtr file = sums_->Take()) {
    try {
      if (!ReadFile(file, &decoder, channel)) {
        break;
      }
    } catch (const std::exception& error) {
      Fail(file, fmt::format("reading ended early: {}", error.what()));
    }
    sums_->OnEnd(file);
  }
  channel->Close();
}

void OtlpFileReceiver::End(Channel* channel) {
  is_stopped_ = true;
  channel->Close();
}

runtime::Task<Status> OtlpFileReceiver::Run(engine::Effects& effects) {
  losses_ = std::make_shared<delivery::DecodeLosses>(info_.node, &effects.metrics());
  unreadable_ = &effects.metrics().AddCounter(kUnreadable);
  Channel channel(&effects.loop(), kChannel);
  const runtime::Cancellation::Subscription on_drain(&effects.drain(),
                                                     [this, &channel] { End(&channel); });
  runtime::WorkerThread worker("otlp-file", info_.core, [this, &channel] { ReadFiles(&channel); });
  // Destroyed before the worker, which waits for its end.
  struct Closer {
    OtlpFileReceiver* receiver;
    Channel* channel;
    ~Closer() { receiver->End(channel); }
  };
  const Closer closer{this, &channel};
  while (true) {
    std::optional<Message> message = co_await channel.Pop();
    if (!message.has_value() || effects.is_draining()) {
      break;
    }
    if (message->stats != nullptr) {
      losses_->Count(*message->stats);
    }
    if (message->batch == nullptr) {
      continue;
    }
    const uint64_t calldata = next_calldata_++;
    sums_->OnSent(message->of);
    unanswered_.emplace(calldata, std::move(message->of));
    engine::Pdata pdata{std::move(message->batch), effects.MakeToken(this, calldata)};
    if (!co_await effects.Send(std::move(pdata))) {
      break;
    }
  }
  co_return Status::OK();
}

void OtlpFileReceiver::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  const auto found = unanswered_.find(calldata);
  const bool is_loss = outcome.cause == engine::NackCause::kRouteClosed ||
                       outcome.cause == engine::NackCause::kNodeEnded ||
                       outcome.cause == engine::NackCause::kDropped;
  const FileBatch& batch = found->second;
  int64_t num_refused = outcome.is_ack ? 0 : batch.num_items;
  int64_t num_dead_letters = 0;
  if (outcome.is_ack && outcome.partial != nullptr) {
    num_refused = std::min(outcome.partial->num_refused, batch.num_items);
    num_dead_letters = std::min(outcome.partial->num_dead_letters, num_refused);
  }
  const bool is_refused = !outcome.is_ack || num_refused > 0;
  if (!is_refused || !is_loss) {
    // Else it stays in flight.
    sums_->OnOutcome(batch, is_refused, num_refused, num_dead_letters);
  }
  if (is_refused) {
    ++num_refused_;
    if (refusals_.size() < kMostRefusalsNamed) {
      refusals_.push_back(fmt::format("not delivered: {} of {} items of {} in {}: {}{}",
                                      num_refused, batch.num_items, otap::Name(batch.signal),
                                      PrintableText(batch.file->path),
                                      outcome.is_ack ? outcome.partial->refusal : outcome.reason,
                                      num_dead_letters > 0 ? " (dead letters)" : ""));
    }
  }
  unanswered_.erase(found);
}

engine::NodeReport OtlpFileReceiver::Report() {
  engine::NodeReport report;
  if (losses_ != nullptr) {
    engine::NodeReport losses;
    losses_->AddTo(&losses);
    sums_->OnLosses(losses);
  }
  report.lines.insert(report.lines.end(), refusals_.begin(), refusals_.end());
  report.num_problems += num_refused_;
  return report;
}

}  // namespace df::nodes::receivers::otlp_file
