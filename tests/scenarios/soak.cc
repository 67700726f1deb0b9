// soak --hours H [--seed N] [--engine FILE]: sender -> OTLP -> our Parquet -> follower -> OTLP
// sink, while processes are killed and stopped, the destination fails and the disk is full, at
// random.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include <CLI/CLI.hpp>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mount.h>

#include "e2e/http_client.h"
#include "otlp/compare/item_digests.h"
#include "otlp/compare/item_texts.h"
#include "otlp/encode.h"
#include "scenarios/trial.h"
#include "testing/lake_writer.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int64_t kPerRequest = 50;
constexpr int64_t kMiB = 1 << 20;

enum class Fault : uint8_t {
  kKillArchiver,
  kKillFollower,
  kStopArchiver,
  kStopFollower,
  kSinkRefuses,
  kSinkCutsOff,
  kDiskFull,
};
constexpr std::array<std::string_view, 7> kFaultNames = {"kill -9 of the archiver",
                                                         "kill -9 of the follower",
                                                         "stop of the archiver",
                                                         "stop of the follower",
                                                         "refusals of the sink",
                                                         "answers cut off",
                                                         "a full disk"};

/// When a fault was there.
struct Span {
  Fault fault;
  steady_clock::time_point begin;
  steady_clock::time_point end;
};

/// What is known of one record.
struct Known {
  otlp::ItemHash hash;  ///< of what was sent
  steady_clock::time_point first;
  int32_t times = 0;  ///< that it came
};

/// Keeps what was sent and what came. Calls: from any thread.
class Books {
 public:
  void Sent(int64_t number, otlp::ItemHash hash) {
    const std::lock_guard lock(mutex_);
    known_.resize(std::max(known_.size(), static_cast<size_t>(number) + 1));
    known_[static_cast<size_t>(number)].hash = hash;
  }

  void Came(int64_t number, otlp::ItemHash hash) {
    const auto now = steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (number < 0 || number >= std::ssize(known_) ||
        known_[static_cast<size_t>(number)].hash != hash) {
      ++num_wrong_;
      return;
    }
    Known& known = known_[static_cast<size_t>(number)];
    if (known.times++ == 0) {
      known.first = now;
      ++num_there_;
    } else {
      twice_.emplace_back(known.first, now);
    }
  }

  int64_t num_there() const {
    const std::lock_guard lock(mutex_);
    return num_there_;
  }
  int64_t num_wrong() const {
    const std::lock_guard lock(mutex_);
    return num_wrong_;
  }
  std::vector<int64_t> Missing() const {
    const std::lock_guard lock(mutex_);
    std::vector<int64_t> missing;
    for (size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].times == 0) {
        missing.push_back(static_cast<int64_t>(i));
      }
    }
    return missing;
  }
  /// When records came that had come before: the first time and the later one.
  std::vector<std::pair<steady_clock::time_point, steady_clock::time_point>> Twice() const {
    const std::lock_guard lock(mutex_);
    return twice_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Known> known_;
  int64_t num_there_ = 0;
  int64_t num_wrong_ = 0;
  std::vector<std::pair<steady_clock::time_point, steady_clock::time_point>> twice_;
};

/// Returns the number and the hash of each log record of a request.
std::vector<std::pair<int64_t, otlp::ItemHash>> RecordsOf(std::string_view request) {
  std::vector<std::pair<int64_t, otlp::ItemHash>> records;
  (void)otlp::VisitItemTexts(otap::Signal::kLogs, request, {}, [&](const otlp::ItemText& item) {
    constexpr std::string_view kBody = "body=int_value ";
    const size_t at = item.text.find(kBody);
    const int64_t number =
        at == std::string_view::npos
            ? -1
            : std::strtoll(std::string(item.text.substr(at + kBody.size(), 24)).c_str(), nullptr,
                           10);
    records.emplace_back(number, otlp::HashOf(item));
  });
  return records;
}

/// A process that is started again whenever it ends. Calls: from any thread.
class Kept {
 public:
  Kept(Trial* trial, std::string name, std::string program, fs::path document)
      : trial_(trial),
        name_(std::move(name)),
        program_(std::move(program)),
        document_(std::move(document)) {
    Start();
  }

  /// Starts it again if it has ended.
  void Look() {
    const std::lock_guard lock(mutex_);
    if (process_->Wait(seconds(0)) != -1) {
      const int code = process_->Wait(seconds(0));
      if (code != 128 + SIGKILL) {
        faults_.push_back(
            fmt::format("the {} ended with {}: {}", name_, code, process_->Log().substr(0, 600)));
      }
      Start();
    }
  }
  void Signal(int number) {
    const std::lock_guard lock(mutex_);
    process_->Signal(number);
  }
  int64_t memory_bytes() const {
    const std::lock_guard lock(mutex_);
    return MemoryOf(process_->pid());
  }
  /// Stops it in order and returns its exit code.
  int Stop() {
    const std::lock_guard lock(mutex_);
    process_->Signal(SIGTERM);
    return process_->Wait(seconds(120));
  }
  std::string Log() const {
    const std::lock_guard lock(mutex_);
    return process_->Log();
  }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  void Start() {
    process_ = std::make_unique<e2e::EngineProcess>(
        trial_->Folder(name_),
        e2e::EngineProcess::Options{.arguments = {"-c", document_.string(), "--num-cores", "1"},
                                    .program = program_});
  }

  Trial* trial_;
  std::string name_;
  std::string program_;
  fs::path document_;
  mutable std::mutex mutex_;
  std::unique_ptr<e2e::EngineProcess> process_;
  std::vector<std::string> faults_;
};

/// The whole of it.
class Soak {
 public:
  Soak(const Settings& settings, seconds length)
      : trial_(settings),
        length_(length),
        random_(settings.seed),
        sink_([this](auto head, auto body) { return Answer(head, body); }) {}

  /// Returns whether everything holds.
  bool Run();

 private:
  std::string Answer(std::string_view head, std::string_view body);
  void SendAll();
  void Disturb(Fault fault);
  void Sample();
  /// Tells whether a fault explains that something came twice.
  std::optional<Fault> Reason(steady_clock::time_point first, steady_clock::time_point later) const;
  bool Judge();
  void FillDisk() const;

  Trial trial_;
  seconds length_;
  testing::RandomEngine random_;
  Books books_;
  std::atomic<bool> is_refusing_ = false;
  std::atomic<bool> is_cutting_ = false;
  std::atomic<bool> is_sending_ = true;
  std::atomic<int64_t> num_sent_ = 0;
  std::vector<Span> faults_;
  /// When, and how much memory both processes had.
  std::vector<std::pair<steady_clock::time_point, int64_t>> memory_;
  steady_clock::time_point begin_;
  fs::path disk_;
  bool has_disk_ = false;
  uint16_t port_ = 0;
  std::unique_ptr<Kept> archiver_;
  std::unique_ptr<Kept> follower_;
  e2e::HttpServer sink_;
};

std::string Soak::Answer(std::string_view, std::string_view body) {
  if (is_refusing_) {
    return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  }
  for (const auto& [number, hash] : RecordsOf(body)) {
    books_.Came(number, hash);
  }
  return is_cutting_ ? "HTTP/1.1 200 OK\r\nContent-Le"
                     : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
}

void Soak::SendAll() {
  constexpr milliseconds kBetween(100);
  auto due = steady_clock::now();
  for (int64_t first = 0; is_sending_; first += kPerRequest) {
    const auto batches = CountedLogs(
        first, kPerRequest, kPerRequest,
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count() -
            first,
        3, 1);
    const std::string request = otlp::EncodeRequest(*batches.front()).ValueOrDie();
    for (const auto& [number, hash] : RecordsOf(request)) {
      books_.Sent(number, hash);
    }
    num_sent_ = first + kPerRequest;
    // Until somebody says that it is safe.
    while (e2e::Http(port_, "POST", "/v1/logs", request, "application/x-protobuf").status != 200) {
      std::this_thread::sleep_for(kBetween);
    }
    due = std::max(due + kBetween, steady_clock::now() - seconds(1));
    std::this_thread::sleep_until(due);
  }
}

void Soak::FillDisk() const {
  std::ofstream file(disk_ / "filler", std::ios::binary);
  const std::string block(65'536, 'x');
  while (file.write(block.data(), std::ssize(block)).flush()) {
  }
}

void Soak::Disturb(Fault fault) {
  const milliseconds lasts(testing::Between(random_, 500, 5'000));
  Span span{fault, steady_clock::now(), {}};
  switch (fault) {
    case Fault::kKillArchiver:
      archiver_->Signal(SIGKILL);
      break;
    case Fault::kKillFollower:
      follower_->Signal(SIGKILL);
      break;
    case Fault::kStopArchiver:
    case Fault::kStopFollower: {
      Kept& stopped = fault == Fault::kStopArchiver ? *archiver_ : *follower_;
      stopped.Signal(SIGSTOP);
      std::this_thread::sleep_for(lasts);
      stopped.Signal(SIGCONT);
      break;
    }
    case Fault::kSinkRefuses:
    case Fault::kSinkCutsOff: {
      std::atomic<bool>& is_failing = fault == Fault::kSinkRefuses ? is_refusing_ : is_cutting_;
      is_failing = true;
      std::this_thread::sleep_for(lasts);
      is_failing = false;
      break;
    }
    case Fault::kDiskFull:
      if (has_disk_) {
        FillDisk();
        std::this_thread::sleep_for(lasts);
        fs::remove(disk_ / "filler");
      }
      break;
  }
  span.end = steady_clock::now();
  faults_.push_back(span);
}

void Soak::Sample() {
  memory_.emplace_back(steady_clock::now(), archiver_->memory_bytes() + follower_->memory_bytes());
}

std::optional<Fault> Soak::Reason(steady_clock::time_point first,
                                  steady_clock::time_point later) const {
  // What was sent and not answered when it began may come again, as long as a sender waits.
  constexpr seconds kUnderWay(15);
  // The latest one before it came again.
  for (auto span = faults_.rbegin(); span != faults_.rend(); ++span) {
    if (span->end + kUnderWay >= first && span->begin <= later) {
      return span->fault;
    }
  }
  return std::nullopt;
}

bool Soak::Judge() {
  const std::vector<int64_t> missing = books_.Missing();
  trial_.Expect(missing.empty(),
                fmt::format("{} records are lost, the first of them {}", missing.size(),
                            missing.empty() ? -1 : missing.front()));
  trial_.Expect(books_.num_wrong() == 0,
                fmt::format("{} records are not what was sent", books_.num_wrong()));
  std::map<std::string_view, int64_t> by_fault;
  int64_t num_unexplained = 0;
  for (const auto& [first, later] : books_.Twice()) {
    const auto reason = Reason(first, later);
    if (reason.has_value()) {
      ++by_fault[kFaultNames[static_cast<size_t>(*reason)]];
    } else {
      ++num_unexplained;
    }
  }
  trial_.Expect(num_unexplained == 0,
                fmt::format("{} records came twice without a fault", num_unexplained));
  for (const Kept* kept : {archiver_.get(), follower_.get()}) {
    for (const std::string& fault : kept->faults()) {
      trial_.Expect(false, fault);
    }
  }
  // The first quarter is for growing up: caches, pools, the tree itself.
  const auto most_between = [&](double from, double until) {
    int64_t most = 0;
    for (const auto& [when, bytes] : memory_) {
      const double share =
          std::chrono::duration<double>(when - begin_) / std::chrono::duration<double>(length_);
      most = share >= from && share < until ? std::max(most, bytes) : most;
    }
    return most;
  };
  const int64_t early = most_between(0, 0.25);
  const int64_t late = most_between(0.75, 1);
  constexpr double kMostGrowth = 1.10;
  if (length_ >= std::chrono::minutes(30)) {
    trial_.Expect(static_cast<double>(late) <= static_cast<double>(early) * kMostGrowth,
                  fmt::format("memory went from {} to {} MiB", early / kMiB, late / kMiB));
  } else {
    trial_.NotTried("whether memory grows: that needs half an hour");
  }

  std::map<std::string_view, int> counts;
  for (const Span& span : faults_) {
    ++counts[kFaultNames[static_cast<size_t>(span.fault)]];
  }
  fmt::print("{} records sent, {} came, {} lost, {} wrong\n", num_sent_.load(), books_.num_there(),
             missing.size(), books_.num_wrong());
  for (const auto& [name, count] : counts) {
    fmt::print("  {:>4} x {}, {} records came twice\n", count, name,
               by_fault.contains(name) ? by_fault.at(name) : 0);
  }
  fmt::print("memory of both: {} MiB at most in the first quarter, {} MiB in the last\n",
             early / kMiB, late / kMiB);
  for (const std::string& what : trial_.not_tried()) {
    fmt::print("not tried: {}\n", what);
  }
  for (const std::string& fault : trial_.faults()) {
    fmt::print("FAILS: {}\n", fault);
  }
  return trial_.faults().empty();
}

bool Soak::Run() {
  begin_ = steady_clock::now();
  disk_ = trial_.Folder("disk");
  constexpr int64_t kDiskBytes = 512 * kMiB;
  has_disk_ =
      mount("none", disk_.c_str(), "tmpfs", 0, fmt::format("size={}", kDiskBytes).c_str()) == 0;
  if (!has_disk_) {
    trial_.NotTried("a full disk: no file system can be mounted here");
  }
  port_ = e2e::DeadPort();
  const fs::path lake = disk_ / "lake";
  archiver_ = std::make_unique<Kept>(
      &trial_, "archiver", trial_.settings().engine,
      WriteDocument(
          trial_.Folder("document"),
          {fmt::format("nodes: {{in: {{type: receiver:otlp, config: {{protocols: {{http: "
                       "{{listening_addr: '127.0.0.1:{}', wait_for_result: true}}}}}}}}, "
                       "out: {{type: exporter:parquet, config: {{base_uri: '{}', writer_options: "
                       "{{flush_when_older_than: 500ms, roll_when_older_than: 2s}}}}}}}}, "
                       "connections: [{{from: in, to: out}}]",
                       port_, lake.string())}));
  while (e2e::Http(port_, "POST", "/v1/logs", "", "application/x-protobuf").status != 200) {
    std::this_thread::sleep_for(milliseconds(20));
    archiver_->Look();
  }
  fs::create_directories(lake);
  follower_ = std::make_unique<Kept>(
      &trial_, "follower", trial_.settings().engine,
      WriteDocument(
          trial_.Folder("document"),
          {fmt::format(
              "nodes: {{in: {{type: receiver:parquet, config: {{base_uri: '{}', signal_types: "
              "[logs], polling_interval: 1s, checkpoint: {{directory: '{}', name: soak, "
              "save_interval: 100ms}}}}}}, again: {{type: processor:retry, config: "
              "{{initial_interval: 100ms, max_interval: 1s, max_elapsed_time: 1h}}}}, "
              "out: {{type: exporter:otlp_http, config: {{endpoint: 'http://127.0.0.1:{}'}}}}}}, "
              "connections: [{{from: in, to: again}}, {{from: again, to: out}}]",
              lake.string(), trial_.Folder("state").string(), sink_.port())}));
  std::thread sender([this] { SendAll(); });
  auto next_fault = begin_ + seconds(5);
  auto next_sample = begin_;
  while (steady_clock::now() < begin_ + length_) {
    std::this_thread::sleep_for(milliseconds(50));
    archiver_->Look();
    follower_->Look();
    if (steady_clock::now() >= next_sample) {
      Sample();
      next_sample += seconds(1);
    }
    if (steady_clock::now() >= next_fault) {
      Disturb(static_cast<Fault>(random_() % kFaultNames.size()));
      next_fault = steady_clock::now() + milliseconds(testing::Between(random_, 1'000, 10'000));
    }
  }
  is_sending_ = false;
  // The archiver may be down yet.
  std::atomic<bool> is_over = false;
  std::thread keeper([&] {
    while (!is_over) {
      archiver_->Look();
      follower_->Look();
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  sender.join();
  is_over = true;
  keeper.join();
  // What is staged becomes visible at the end of its writer.
  trial_.Expect(archiver_->Stop() == 0, "the archiver does not end well: " + archiver_->Log());
  const auto deadline = steady_clock::now() + seconds(120);
  while (books_.num_there() < num_sent_ && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(50));
    follower_->Look();
  }
  const int code = follower_->Stop();
  // 4: it has named what was staged by an archiver that was killed, until the next one published
  // it.
  trial_.Expect(code == 0 || code == 4,
                fmt::format("the follower ends with {}: {}", code, follower_->Log()));
  const bool holds = Judge();
  if (has_disk_) {
    umount2(disk_.c_str(), MNT_DETACH);
  }
  return holds;
}

int Main(int argc, char** argv) {
  Settings settings{.engine = DF_ENGINE_PATH, .sanitized = DF_ENGINE_PATH};
  double hours = 2;
  CLI::App app("Runs an archive and its follower through faults, for hours");
  app.add_option("--hours", hours, "How long")->check(CLI::PositiveNumber);
  app.add_option("--seed", settings.seed, "Of the faults");
  app.add_option("--engine", settings.engine, "The program that is tried")
      ->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  settings.engine = fs::absolute(settings.engine);
  if (const arrow::Status status = arrow::compute::Initialize(); !status.ok()) {
    fmt::print(stderr, "{}\n", status.ToString());
    return EXIT_FAILURE;
  }
  constexpr double kSecondsPerHour = 3'600;
  const seconds length(static_cast<int64_t>(hours * kSecondsPerHour));
  fmt::print("{} s, seed {}, {}\n", length.count(), settings.seed, settings.engine);
  std::fflush(stdout);
  const bool holds = Soak(settings, length).Run();
  fmt::print("{}\n", holds ? "holds" : "FAILS");
  return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace df::scenarios

int main(int argc, char** argv) { return df::scenarios::Main(argc, argv); }
