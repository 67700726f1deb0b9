#include "nodes/exporters/file/file_exporter.h"

#include <map>

#include <fmt/format.h>

#include "otlp/request_file.h"

namespace df::nodes::exporters::file {
namespace {

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

Status FileExporter::Start(engine::Effects&) {
  std::map<std::string, std::shared_ptr<OutputFile>> files;
  for (const otap::Signal signal : otap::kAllSignals) {
    const std::string path =
        ExpandPath(config_.path, signal, info_.core.value_or(info_.instance_index));
    std::shared_ptr<OutputFile>& file = files[path];
    if (file == nullptr) {
      ARROW_ASSIGN_OR_RAISE(file, OutputFile::Open(path, config_.open_mode));
    }
    outputs_[static_cast<size_t>(signal)].file = file;
  }
  return Status::OK();
}

runtime::Task<Status> FileExporter::Export(engine::Pdata pdata, engine::Effects&) {
  const otap::Batch& batch = *pdata.batch;
  const Status status = Write(batch, &outputs_[static_cast<size_t>(batch.signal())]);
  if (status.ok()) {
    pdata.token.Ack();
  } else {
    ++not_written_;
    if (first_error_.empty()) {
      first_error_ = status.message();
    }
    pdata.token.Nack(status.message(), !IsRetryable(status));
  }
  co_return Status::OK();
}

Status FileExporter::Write(const otap::Batch& batch, Output* output) {
  otlp::EncodeStats stats;
  std::array<char, 4> length{};
  std::string_view head;
  std::string_view request;
  if (config_.format == Format::kOtlpJson) {
    ARROW_ASSIGN_OR_RAISE(buffer_, otlp::EncodeJson(batch, &stats));
    buffer_ += '\n';
    request = buffer_;
  } else {
    ARROW_ASSIGN_OR_RAISE(request, otlp::EncodeRequestInto(batch, &buffer_, &stats));
    ARROW_ASSIGN_OR_RAISE(length, otlp::RequestHead(request.size()));
    head = {length.data(), length.size()};
  }
  ARROW_RETURN_NOT_OK(output->file->Write(head, request));
  ++output->requests;
  output->size_bytes += static_cast<int64_t>(head.size() + request.size());
  output->stats += stats;
  return Status::OK();
}

runtime::Task<Status> FileExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> FileExporter::Finish(engine::Effects&) { co_return Status::OK(); }

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
  if (not_written_ > 0) {
    report.lines.push_back(
        fmt::format("did not write {} requests; the first: {}", not_written_, first_error_));
    report.num_problems += not_written_;
  }
  return report;
}

}  // namespace df::nodes::exporters::file
