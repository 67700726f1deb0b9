#include "nodes/exporters/file/file_exporter.h"

#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "otlp/request_file.h"

namespace df::nodes::exporters::file {
namespace {

constexpr telemetry::Instrument kQueued = {telemetry::InstrumentKind::kUpDownCounter,
                                           "df.exporter.file.queued.size", "By",
                                           "Bytes of requests that wait to be written"};
constexpr telemetry::Instrument kCutBytes = {
    telemetry::InstrumentKind::kCounter, "df.exporter.file.cut.size", "By",
    "Bytes of unfinished requests that were cut off files to append to"};

constexpr size_t kMaxBuffers = 4;

std::string_view ItemName(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return "log records";
    case otap::Signal::kTraces:
      return "spans";
    case otap::Signal::kMetrics:
      return "data points";
  }
  return "items";
}

}  // namespace

FileExporter::FileExporter(FileConfig config, const engine::InstanceInfo& info, FileCalls* calls)
    : config_(std::move(config)),
      info_(info),
      calls_(calls),
      mailbox_(std::make_shared<Mailbox>(this)) {}

FileExporter::~FileExporter() { mailbox_->owner = nullptr; }

Status FileExporter::Start(engine::Effects& effects) {
  queued_ = &effects.metrics().AddGauge(kQueued);
  progress_ = std::make_unique<runtime::Wakeup>(&effects.loop());
  std::map<std::string, std::shared_ptr<OutputFile>> files;
  for (const otap::Signal signal : otap::kAllSignals) {
    const std::string path =
        ExpandPath(config_.path, signal, info_.core.value_or(info_.instance_index));
    std::shared_ptr<OutputFile>& file = files[path];
    if (file == nullptr) {
      ARROW_ASSIGN_OR_RAISE(file, OutputFile::Open(calls_, path, config_));
      TellRepair(*file, effects);
    }
    outputs_[static_cast<size_t>(signal)].file = file;
  }
  worker_ = std::make_unique<WriteWorker>(
      config_.durability == Durability::kSync, info_.core,
      [mailbox = mailbox_, loop = &effects.loop()](std::vector<WriteDone> done) {
        loop->Post([mailbox, done = std::make_shared<std::vector<WriteDone>>(std::move(done))] {
          if (mailbox->owner != nullptr) {
            mailbox->owner->Take(std::move(*done));
          }
        });
      });
  return Status::OK();
}

void FileExporter::TellRepair(const OutputFile& file, engine::Effects& effects) {
  const OutputFile::Repair& repair = file.repair();
  telemetry::Counter& cut = effects.metrics().AddCounter(kCutBytes);
  std::string what;
  if (repair.cut_bytes > 0) {
    cut.Add(repair.cut_bytes);
    what = fmt::format("cut {} bytes of an unfinished request off the end of {}", repair.cut_bytes,
                       file.path());
  } else if (repair.added_newline) {
    what = fmt::format("added the missing end of the last line to {}", file.path());
  } else if (repair.was_in_use && config_.open_mode == OpenMode::kAppend) {
    what = fmt::format("did not look at the end of {}: another writer has it open", file.path());
  }
  if (!what.empty()) {
    LogWarning("file exporter '{}': {}", info_.node, what);
    repairs_.push_back(std::move(what));
  }
}

runtime::Task<Status> FileExporter::Export(engine::Pdata pdata, engine::Effects&) {
  WriteOrder order;
  otlp::EncodeStats stats;
  Output& output = outputs_[static_cast<size_t>(pdata.batch->signal())];
  if (const Status status = Encode(*pdata.batch, &order, &stats); !status.ok()) {
    Refuse(std::move(pdata.token), status);
    co_return Status::OK();
  }
  const auto size_bytes = static_cast<int64_t>(order.head_size + order.size_bytes);
  while (queued_bytes_ > 0 && queued_bytes_ + size_bytes > config_.queue_size) {
    co_await progress_->Wait();
  }
  queued_bytes_ += size_bytes;
  queued_->Set(queued_bytes_);
  order.number = next_number_++;
  order.file = output.file.get();
  OpenRequest& open = open_[order.number];
  open.output = &output;
  open.size_bytes = size_bytes;
  open.stats = stats;
  open.charge = std::move(pdata.charge);
  if (config_.durability == Durability::kNone) {
    pdata.token.Ack();
  } else {
    open.token = std::move(pdata.token);
  }
  worker_->Push(std::move(order));
  co_return Status::OK();
}

Status FileExporter::Encode(const otap::Batch& batch, WriteOrder* order, otlp::EncodeStats* stats) {
  if (config_.format == Format::kOtlpJson) {
    ARROW_ASSIGN_OR_RAISE(order->buffer, otlp::EncodeJson(batch, stats));
    order->buffer += '\n';
    order->size_bytes = order->buffer.size();
    return Status::OK();
  }
  if (!buffers_.empty()) {
    order->buffer = std::move(buffers_.back());
    buffers_.pop_back();
  }
  ARROW_ASSIGN_OR_RAISE(const std::string_view request,
                        otlp::EncodeRequestInto(batch, &order->buffer, stats));
  ARROW_ASSIGN_OR_RAISE(order->head, otlp::RequestHead(request.size()));
  order->head_size = order->head.size();
  order->begin = static_cast<size_t>(request.data() - order->buffer.data());
  order->size_bytes = request.size();
  return Status::OK();
}

void FileExporter::Refuse(engine::CompletionToken token, const Status& status) {
  ++num_failed_;
  // A temporary failure is reported by the sender, if it gives up. A sender that was answered
  // before the write cannot: then it is reported here.
  const bool is_permanent = !IsRetryable(status);
  num_lost_ += is_permanent || !token.is_pending() ? 1 : 0;
  if (first_error_.empty()) {
    first_error_ = status.message();
  }
  token.Nack(status.message(), is_permanent);
}

void FileExporter::Take(std::vector<WriteDone> done) {
  for (WriteDone& one : done) {
    const auto found = open_.find(one.number);
    OpenRequest open = std::move(found->second);
    open_.erase(found);
    queued_bytes_ -= open.size_bytes;
    if (buffers_.size() < kMaxBuffers && config_.format == Format::kOtlpProto &&
        !one.buffer.empty()) {
      buffers_.push_back(std::move(one.buffer));
    }
    if (open.output == nullptr) {
      if (!one.status.ok()) {
        ++not_synced_;
        LogError("file exporter '{}': {}", info_.node, one.status.message());
      }
    } else if (one.status.ok()) {
      ++open.output->requests;
      open.output->size_bytes += open.size_bytes;
      open.output->stats += open.stats;
      open.token.Ack();
    } else {
      if (num_failed_ == 0) {
        LogWarning("file exporter '{}': {}", info_.node, one.status.message());
      }
      Refuse(std::move(open.token), one.status);
    }
  }
  queued_->Set(queued_bytes_);
  progress_->Notify();
}

runtime::Task<Status> FileExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> FileExporter::Finish(engine::Effects&) {
  std::set<OutputFile*> files;
  for (const Output& output : outputs_) {
    files.insert(output.file.get());
  }
  for (OutputFile* file : files) {
    open_[next_number_] = {};
    worker_->PushSync(file, next_number_++);
  }
  while (!open_.empty()) {
    co_await progress_->Wait();
  }
  co_return Status::OK();
}

engine::NodeReport FileExporter::Report() {
  engine::NodeReport report;
  for (const otap::Signal signal : otap::kAllSignals) {
    const Output& output = outputs_[static_cast<size_t>(signal)];
    if (output.requests == 0) {
      continue;
    }
    report.lines.push_back(fmt::format("wrote {} {} as {} requests, {} bytes, to {}",
                                       output.stats.items, ItemName(signal), output.requests,
                                       output.size_bytes, output.file->path()));
    for (const auto& [count, what] :
         {std::pair(output.stats.invalid_values, "values that cannot be read, left empty"),
          std::pair(output.stats.unknown_types, "values of unknown type, left empty"),
          std::pair(output.stats.unknown_metrics, "metrics of unknown type, left without data"),
          std::pair(output.stats.unreachable_points, "data points without metric, left out"),
          std::pair(output.stats.replaced_texts, "texts that are not UTF-8, replaced in part")}) {
      if (count > 0) {
        report.lines.push_back(fmt::format("altered {}: {} {}", otap::Name(signal), count, what));
        report.num_problems += count;
      }
    }
  }
  if (report.lines.empty()) {
    report.lines.emplace_back("wrote nothing");
  }
  report.lines.insert(report.lines.end(), repairs_.begin(), repairs_.end());
  if (not_synced_ > 0) {
    report.lines.push_back(fmt::format("could not make {} files durable at the end", not_synced_));
    report.num_problems += not_synced_;
  }
  if (num_failed_ > 0) {
    report.lines.push_back(
        fmt::format("did not write {} requests, {} of them permanently; the first: {}", num_failed_,
                    num_lost_, first_error_));
    report.num_problems += num_lost_;
  }
  return report;
}

}  // namespace df::nodes::exporters::file
