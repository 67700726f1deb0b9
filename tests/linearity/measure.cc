#include "linearity/measure.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "linearity/allocated_bytes.h"

namespace df::linearity {
namespace {

namespace fs = std::filesystem;

constexpr double kMostGrowth = 2.3;
/// What a doubling must add to what comes of an input; else the shape measures something else.
constexpr double kLeastGrowthOfAmount = 1.6;
/// Buffers of a fixed size; less says nothing.
constexpr int64_t kFewBytes = 64 << 10;
/// Less than this is start-up and noise.
constexpr int64_t kFewInstructions = 1'000'000;

fs::path FolderOf(const fs::path& folder, int64_t size) {
  return folder / fmt::format("size-{}", size);
}

int64_t BytesBelow(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    // A name costs too: a tree of empty files is not an empty input.
    bytes += static_cast<int64_t>(entry.path().filename().string().size());
    bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  return bytes;
}

/// Runs a command; its output goes to a file. Returns whether it ended well.
bool Run(const std::vector<std::string>& command, const fs::path& output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return error == 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

std::string TextOf(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

arrow::Status RunOrSay(const std::vector<std::string>& command, const fs::path& output) {
  if (Run(command, output)) {
    return arrow::Status::OK();
  }
  return arrow::Status::Invalid(
      fmt::format("{}: failed: {}", fmt::join(command, " "), TextOf(output)));
}

/// Returns the number behind a word at the beginning of a line.
arrow::Result<int64_t> NumberBehind(const std::string& word, const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(word)) {
      return std::strtoll(line.c_str() + word.size(), nullptr, 10);
    }
  }
  return arrow::Status::Invalid(path.string(), " has no line '", word, "'");
}

double Ratio(int64_t large, int64_t small) {
  return static_cast<double>(large) / static_cast<double>(std::max<int64_t>(small, 1));
}

}  // namespace

arrow::Status MakeInputs(const Shape& shape, const fs::path& folder) {
  for (const int64_t size : kSizes) {
    const fs::path place = FolderOf(folder, size);
    fs::create_directories(place);
    ARROW_RETURN_NOT_OK(shape.make(size * shape.n, place));
  }
  return arrow::Status::OK();
}

arrow::Status ReadInputs(const Shape& shape, const fs::path& folder) {
  CALLGRIND_START_INSTRUMENTATION;
  {
    // The first input is read twice: what is made once in a process is no cost of an input.
    ARROW_ASSIGN_OR_RAISE(const Call call, shape.read(FolderOf(folder, kSizes[1])));
    ARROW_RETURN_NOT_OK(call().status());
  }
  for (const int64_t size : kSizes) {
    ARROW_ASSIGN_OR_RAISE(const Call call, shape.read(FolderOf(folder, size)));
    const int64_t before = AllocatedBytes();
    // Zeroing the counts would leave those of threads that have ended.
    CALLGRIND_DUMP_STATS;
    const arrow::Result<int64_t> amount = call();
    CALLGRIND_DUMP_STATS;
    const int64_t allocated = AllocatedBytes() - before;
    ARROW_RETURN_NOT_OK(amount.status());
    fmt::print("size-{} amount {} allocated {}\n", size, *amount, allocated);
  }
  return arrow::Status::OK();
}

arrow::Result<ShapeCost> MeasureShape(const std::string& self, const Shape& shape,
                                      const fs::path& folder) {
  fs::create_directories(folder);
  ARROW_RETURN_NOT_OK(RunOrSay({self, "make", shape.name, folder.string()}, folder / "made"));
  const fs::path counts = folder / "counts";
  ARROW_RETURN_NOT_OK(RunOrSay(
      {"valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=no",
       "--callgrind-out-file=" + counts.string(), self, "read", shape.name, folder.string()},
      folder / "read"));
  ShapeCost cost;
  for (size_t i = 0; i < kSizes.size(); ++i) {
    // Before the counts of each call stand those of what made it ready.
    const std::string size = fmt::format("size-{}", kSizes[i]);
    cost[i].input_bytes = BytesBelow(folder / size);
    ARROW_ASSIGN_OR_RAISE(
        cost[i].instructions,
        NumberBehind("totals:", fmt::format("{}.{}", counts.string(), 2 * i + 2)));
    std::ifstream in(folder / "read");
    std::string line;
    while (std::getline(in, line)) {
      std::istringstream words(line);
      std::string name;
      std::string word;
      if (words >> name && name == size) {
        words >> word >> cost[i].amount >> word >> cost[i].allocated_bytes;
      }
    }
    if (i > 0) {
      cost[i].input_bytes -= cost[0].input_bytes;
      cost[i].instructions -= cost[0].instructions;
      cost[i].allocated_bytes -= cost[0].allocated_bytes;
      cost[i].amount -= cost[0].amount;
    }
  }
  return cost;
}

std::vector<std::string> FaultsOf(const Shape& shape, const ShapeCost& cost) {
  std::vector<std::string> faults;
  for (size_t i = 2; i < kSizes.size(); ++i) {
    const auto at = [&](const char* what, int64_t small, int64_t large) {
      return fmt::format("{}: {} times the input: {} grow {:.2f} times, from {} to {}", shape.name,
                         kSizes[i] / kSizes[i - 1], what, Ratio(large, small), small, large);
    };
    const SizeCost& small = cost[i - 1];
    const SizeCost& large = cost[i];
    if (Ratio(large.instructions, small.instructions) > kMostGrowth) {
      faults.push_back(at("instructions", small.instructions, large.instructions));
    }
    if (Ratio(large.amount, small.amount) < kLeastGrowthOfAmount) {
      faults.push_back(at("what is read of it should double, but", small.amount, large.amount));
    }
  }
  const SizeCost& largest = cost.back();
  // Containers grow in steps, which fall into one doubling or the other: both are judged together.
  if (const double growth = Ratio(largest.allocated_bytes, cost[1].allocated_bytes);
      largest.allocated_bytes > kFewBytes && growth > kMostGrowth * kMostGrowth) {
    faults.push_back(
        fmt::format("{}: 4 times the input: allocated bytes grow {:.2f} times, from {} to {}",
                    shape.name, growth, cost[1].allocated_bytes, largest.allocated_bytes));
  }
  if (const double per_byte = Ratio(largest.allocated_bytes, largest.input_bytes);
      per_byte > shape.most_bytes_per_byte) {
    faults.push_back(
        fmt::format("{}: {:.0f} bytes are allocated for each byte, at most {:.0f} may be",
                    shape.name, per_byte, shape.most_bytes_per_byte));
  }
  if (cost[1].instructions < kFewInstructions) {
    faults.push_back(fmt::format("{}: {} instructions are too few to be compared: make n larger",
                                 shape.name, cost[1].instructions));
  }
  return faults;
}

}  // namespace df::linearity
