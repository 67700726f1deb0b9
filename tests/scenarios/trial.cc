#include "scenarios/trial.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "otlp/compare/item_texts.h"
#include "otlp/decode.h"
#include "otlp/encode.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr int kShownLines = 4;

int64_t NowUnixNanos() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Returns the number behind a name in the text of an item, or 0.
int64_t NumberIn(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  return at == std::string_view::npos
             ? 0
             : std::strtoll(std::string(text.substr(at + name.size(), 24)).c_str(), nullptr, 10);
}

/// Returns the beginning of a few examples.
std::string Some(const std::vector<std::string>& examples) {
  constexpr size_t kShownBytes = 600;
  return fmt::format("{}", fmt::join(examples, " / ")).substr(0, kShownBytes);
}

Replayed RunProgram(Trial& trial, const fs::path& folder, const std::string& program,
                    std::vector<std::string> arguments, uint64_t max_open_files) {
  const auto begin = steady_clock::now();
  e2e::EngineProcess process(folder,
                             {.arguments = std::move(arguments),
                              .program = program.empty() ? trial.settings().engine : program,
                              .max_open_files = max_open_files});
  Replayed replayed;
  replayed.exit_code = process.Wait(std::chrono::seconds(3600));
  replayed.output = process.Output();
  replayed.log = process.Log();
  replayed.usage = process.usage();
  replayed.seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  replayed.folder = folder;
  return replayed;
}

}  // namespace

int64_t Trial::Scaled(int64_t size, int64_t least) const {
  return std::max(least, static_cast<int64_t>(static_cast<double>(size) * settings_.factor));
}

fs::path Trial::Folder(const std::string& name) {
  const fs::path folder = folder_.path() / fmt::format("{:03}-{}", num_folders_++, name);
  fs::create_directories(folder);
  return folder;
}

bool Trial::Expect(bool holds, const std::string& otherwise) {
  constexpr size_t kShownBytes = 5'000;
  if (!holds) {
    faults_.push_back(otherwise.substr(0, kShownBytes));
  }
  return holds;
}

Replayed Replay(Trial& trial, const ReplayWishes& wishes) {
  const fs::path folder = trial.Folder("replay");
  const fs::path document = e2e::WritePipeline(
      folder, {.base = wishes.base,
               .signals = wishes.signals,
               .more_receiver_config = wishes.more_receiver_config,
               .processing = fmt::format("        batch_size: {}\n", wishes.batch_size),
               .exporter = e2e::OtlpFileExporter(folder)});
  return RunProgram(trial, folder, wishes.program,
                    {"-c", document.string(), "--num-cores", std::to_string(wishes.num_cores)},
                    wishes.max_open_files);
}

Replayed Run(Trial& trial, std::vector<std::string> arguments) {
  return RunProgram(trial, trial.Folder("run"), "", std::move(arguments), 0);
}

otlp::Comparison Compare(otap::Signal signal, const std::vector<otap::BatchPtr>& sent,
                         const std::vector<std::string>& files) {
  otlp::ItemCounts counts(signal, {});
  for (const otap::BatchPtr& batch : sent) {
    if (batch->signal() == signal) {
      (void)counts.AddExpected(otlp::EncodeRequest(*batch).ValueOrDie());
    }
  }
  for (const std::string& file : files) {
    const arrow::Status read = otlp::VisitRequestsOf(
        signal, file, [&](std::string_view request) { return counts.AddActual(request); });
    if (!read.ok()) {
      otlp::Comparison broken = counts.Compare();
      broken.missing = std::max<int64_t>(broken.missing, 1);
      broken.missing_examples = {fmt::format("{}: {}", file, read.message())};
      return broken;
    }
  }
  return counts.Compare();
}

int64_t ExpectSame(Trial& trial, const std::string& what, const std::vector<otap::BatchPtr>& sent,
                   const Replayed& replayed) {
  trial.Expect(replayed.exit_code == 0,
               fmt::format("{}: exit code {}: {}", what, replayed.exit_code,
                           fmt::join(ProblemLines(replayed), " / ")));
  int64_t num_items = 0;
  for (const otap::Signal signal : otap::kAllSignals) {
    const otlp::Comparison found =
        Compare(signal, sent, e2e::OtlpFiles(replayed.folder, std::string(otap::Name(signal))));
    num_items += found.expected;
    trial.Expect(found.is_equal(),
                 fmt::format("{}: {}; missing {}; extra {}", what, found.Line(signal),
                             Some(found.missing_examples), Some(found.extra_examples)));
  }
  return num_items;
}

std::vector<std::string> ProblemLines(const Replayed& replayed) {
  std::vector<std::string> lines;
  for (const std::string* text : {&replayed.output, &replayed.log}) {
    std::istringstream stream(*text);
    for (std::string line; std::getline(stream, line);) {
      if (line.find("problem") != std::string::npos || line.find("error") != std::string::npos ||
          line.find("incomplete") != std::string::npos) {
        lines.push_back(line.substr(0, 400));
      }
    }
  }
  if (lines.size() > kShownLines) {
    lines.resize(kShownLines);
  }
  return lines;
}

CountingServer::CountingServer(std::function<Fate()> fate)
    : fate_(std::move(fate)),
      server_([this](std::string_view head, std::string_view body) { return Answer(head, body); }) {
}

std::string CountingServer::uri() const {
  return fmt::format("http://127.0.0.1:{}", server_.port());
}

int64_t CountingServer::num_items() const {
  const std::lock_guard lock(mutex_);
  return num_items_;
}

std::string CountingServer::Answer(std::string_view head, std::string_view body) {
  {
    const std::lock_guard lock(mutex_);
    ++num_asked_;
    more_.notify_all();
  }
  const Fate fate = fate_();
  if (fate == Fate::kUnavailable) {
    return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  }
  if (fate == Fate::kCutOff) {
    return "HTTP/1.1 200 OK\r\nContent-Le";
  }
  const std::string_view path = head.substr(0, head.find(" HTTP"));
  const auto signal = otap::FindSignal(std::string(path.substr(path.rfind('/') + 1)));
  const int64_t now = NowUnixNanos();
  std::vector<std::pair<int64_t, int64_t>> times;
  int64_t count = 0;
  (void)otlp::VisitItemTexts(*signal, body, {}, [&](const otlp::ItemText& item) {
    ++count;
    if (*signal == otap::Signal::kLogs) {
      times.emplace_back(NumberIn(item.text, "time_unix_nano="), now);
    }
  });
  const std::lock_guard lock(mutex_);
  requests_.emplace_back(*signal, std::string(body));
  times_.insert(times_.end(), times.begin(), times.end());
  num_items_ += count;
  more_.notify_all();
  return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
}

otlp::Comparison CountingServer::CompareWith(otap::Signal signal,
                                             const std::vector<otap::BatchPtr>& sent) {
  const std::lock_guard lock(mutex_);
  otlp::ItemCounts counts(signal, {});
  for (const otap::BatchPtr& batch : sent) {
    if (batch->signal() == signal) {
      (void)counts.AddExpected(otlp::EncodeRequest(*batch).ValueOrDie());
    }
  }
  for (const auto& [of_signal, request] : requests_) {
    if (of_signal == signal) {
      (void)counts.AddActual(request);
    }
  }
  return counts.Compare();
}

std::vector<double> CountingServer::LagSeconds() const {
  const std::lock_guard lock(mutex_);
  std::vector<double> lags;
  for (const auto& [sent, came] : times_) {
    lags.push_back(static_cast<double>(came - sent) / 1e9);
  }
  return lags;
}

bool CountingServer::WaitForItems(int64_t count, std::chrono::seconds at_most) {
  std::unique_lock lock(mutex_);
  return more_.wait_for(lock, at_most, [&] { return num_items_ >= count; });
}

bool CountingServer::WaitForRequests(int64_t count, std::chrono::seconds at_most) {
  std::unique_lock lock(mutex_);
  return more_.wait_for(lock, at_most, [&] { return num_asked_ >= count; });
}

std::string HttpExporter(const std::string& uri) {
  return fmt::format(
      "    plugin_urn: \"urn:otel:exporter:otlp_http\"\n"
      "    config: {{endpoint: \"{}\", compression: none}}\n",
      uri);
}

fs::path WriteDocument(const fs::path& folder, const std::vector<std::string>& pipelines) {
  std::string text = "version: otel_dataflow/v1\ngroups:\n  g:\n    pipelines:\n";
  for (size_t i = 0; i < pipelines.size(); ++i) {
    text += fmt::format(
        "      p{}: {{policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}},"
        " {}}}\n",
        i, pipelines[i]);
  }
  const fs::path path = folder / "document.yaml";
  std::ofstream(path) << text;
  return path;
}

uint16_t PortOf(e2e::EngineProcess* process, const std::string& before) {
  uint16_t port = 0;
  process->WaitForOutput([&](const std::string&) {
    const std::string log = process->Log();
    const size_t at = log.find(before);
    if (at == std::string::npos || log.find('\n', at) == std::string::npos) {
      return false;
    }
    port = static_cast<uint16_t>(std::stoi(log.substr(at + before.size())));
    return true;
  });
  return port;
}

std::chrono::microseconds CpuTimeOf(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text;
  std::getline(file, text);
  // Behind the name in brackets, which may hold anything.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {
    fields >> skipped;
  }
  int64_t in_user = 0;
  int64_t in_kernel = 0;
  fields >> in_user >> in_kernel;
  return std::chrono::microseconds((in_user + in_kernel) * 1'000'000 / sysconf(_SC_CLK_TCK));
}

int64_t MemoryOf(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/statm", process));
  int64_t size = 0;
  int64_t resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::vector<otap::BatchPtr> CountedLogs(int64_t first, int64_t count, int64_t per_batch,
                                        int64_t start_nanos, int num_services, int64_t step_nanos) {
  otlp::Decoder decoder;
  std::vector<otap::BatchPtr> batches;
  for (int64_t begin = 0; begin < count; begin += per_batch) {
    std::string resources;
    for (int service = 0; service < num_services; ++service) {
      std::string records;
      for (int64_t i = begin + service; i < std::min(count, begin + per_batch); i += num_services) {
        records +=
            fmt::format(R"({}{{"timeUnixNano":"{}","severityNumber":{},"body":{{"intValue":"{}"}},)"
                        R"("attributes":[{{"key":"n","value":{{"intValue":"{}"}}}}]}})",
                        records.empty() ? "" : ",", start_nanos + (first + i) * step_nanos,
                        1 + i % 24, first + i, i % 7);
      }
      if (!records.empty()) {
        resources +=
            fmt::format(R"({}{{"resource":{{"attributes":[{{"key":"service.name","value":)"
                        R"({{"stringValue":"s{}"}}}}]}},"scopeLogs":[{{"logRecords":[{}]}}]}})",
                        resources.empty() ? "" : ",", service, records);
      }
    }
    const std::string request = fmt::format(R"({{"resourceLogs":[{}]}})", resources);
    for (otap::BatchPtr& batch : decoder.DecodeJson(otap::Signal::kLogs, request).ValueOrDie()) {
      batches.push_back(std::move(batch));
    }
  }
  return batches;
}

}  // namespace df::scenarios
