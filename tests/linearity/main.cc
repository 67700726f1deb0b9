// linearity [--jobs N] [SHAPE]: holds every shape, or those whose name contains SHAPE, to a cost
// that grows as the input does. linearity [--jobs N] --wrong: has to find fault with every shape
// that is wrong on purpose.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>

#include "linearity/measure.h"
#include "linearity/shape.h"

namespace df::linearity {
namespace {

namespace fs = std::filesystem;

const Shape* FindShape(const std::string& name) {
  for (const std::vector<Shape>* shapes : {&AllShapes(), &WrongShapes()}) {
    for (const Shape& shape : *shapes) {
      if (shape.name == name) {
        return &shape;
      }
    }
  }
  return nullptr;
}

void PrintHeading() {
  fmt::print("{:<44} {:>8} {:>9} {:>9} {:>9} {:>5} {:>5} {:>8} {:>8} {:>8} {:>5} {:>5} {:>7}\n",
             "shape", "n", "Mi at n", "2n", "4n", "x", "x", "KB at n", "2n", "4n", "x", "x",
             "B/byte");
}

double Quotient(int64_t large, int64_t small) {
  return static_cast<double>(large) / static_cast<double>(std::max<int64_t>(small, 1));
}

void PrintCost(const Shape& shape, const ShapeCost& cost) {
  const auto millions = [&](size_t i) { return static_cast<double>(cost[i].instructions) / 1e6; };
  const auto kilobytes = [&](size_t i) {
    return static_cast<double>(cost[i].allocated_bytes) / 1e3;
  };
  fmt::print(
      "{:<44} {:>8} {:>9.1f} {:>9.1f} {:>9.1f} {:>5.2f} {:>5.2f} {:>8.0f} {:>8.0f} {:>8.0f} "
      "{:>5.2f} {:>5.2f} {:>7.1f}\n",
      shape.name, shape.n, millions(1), millions(2), millions(3),
      Quotient(cost[2].instructions, cost[1].instructions),
      Quotient(cost[3].instructions, cost[2].instructions), kilobytes(1), kilobytes(2),
      kilobytes(3), Quotient(cost[2].allocated_bytes, cost[1].allocated_bytes),
      Quotient(cost[3].allocated_bytes, cost[2].allocated_bytes),
      Quotient(cost[3].allocated_bytes, cost[3].input_bytes));
  std::fflush(stdout);
}

/// Measures shapes, so many side by side; returns the faults of each.
std::vector<std::vector<std::string>> Measure(const std::string& self, int num_jobs,
                                              const std::vector<const Shape*>& shapes) {
  std::vector<std::vector<std::string>> faults(shapes.size());
  std::mutex mutex;
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < shapes.size(); i = next++) {
      std::string pattern = (fs::temp_directory_path() / "linearity-XXXXXX").string();
      const fs::path folder = mkdtemp(pattern.data());
      const auto cost = MeasureShape(self, *shapes[i], folder);
      std::error_code ignored;
      fs::remove_all(folder, ignored);
      const std::lock_guard lock(mutex);
      if (cost.ok()) {
        faults[i] = FaultsOf(*shapes[i], *cost);
        PrintCost(*shapes[i], *cost);
      } else {
        faults[i] = {fmt::format("{}: {}", shapes[i]->name, cost.status().message())};
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < num_jobs; ++i) {
    threads.emplace_back(work);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return faults;
}

int Check(const std::string& self, int num_jobs, const std::string& wanted) {
  std::vector<const Shape*> shapes;
  for (const Shape& shape : AllShapes()) {
    if (shape.name.find(wanted) != std::string::npos) {
      shapes.push_back(&shape);
    }
  }
  if (shapes.empty()) {
    fmt::print(stderr, "no shape has '{}' in its name\n", wanted);
    return EXIT_FAILURE;
  }
  PrintHeading();
  int num_wrong = 0;
  std::string text;
  for (const auto& faults : Measure(self, num_jobs, shapes)) {
    num_wrong += faults.empty() ? 0 : 1;
    for (const std::string& fault : faults) {
      text += fault + "\n";
    }
  }
  fmt::print("{}{} of {} shapes are linear\n", text, shapes.size() - num_wrong, shapes.size());
  return num_wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int CheckWrong(const std::string& self, int num_jobs) {
  std::vector<const Shape*> shapes;
  for (const Shape& shape : WrongShapes()) {
    shapes.push_back(&shape);
  }
  PrintHeading();
  bool are_found = true;
  const auto faults = Measure(self, num_jobs, shapes);
  for (size_t i = 0; i < shapes.size(); ++i) {
    // The name of a wrong shape ends with what has to be said of it.
    const std::string reason = shapes[i]->name.substr(shapes[i]->name.find('/') + 1);
    const bool is_found =
        fmt::format("{}", fmt::join(faults[i], "\n")).find(reason + " grow") != std::string::npos ||
        (!faults[i].empty() && faults[i][0].find("are " + reason) != std::string::npos);
    are_found = are_found && is_found;
    fmt::print("{}: {}\n", is_found ? "found" : "NOT FOUND", shapes[i]->name);
  }
  return are_found ? EXIT_SUCCESS : EXIT_FAILURE;
}

int Main(std::vector<std::string> arguments) {
  if (arguments.size() == 4 && (arguments[1] == "make" || arguments[1] == "read")) {
    const Shape* shape = FindShape(arguments[2]);
    if (shape == nullptr) {
      fmt::print(stderr, "no shape '{}'\n", arguments[2]);
      return EXIT_FAILURE;
    }
    arrow::Status status = arrow::compute::Initialize();
    if (status.ok()) {
      status = arguments[1] == "make" ? MakeInputs(*shape, arguments[3])
                                      : ReadInputs(*shape, arguments[3]);
    }
    fmt::print(stderr, "{}", status.ok() ? "" : status.ToString() + "\n");
    return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  // What Arrow allocates is to be seen too; it has an allocator of its own unless it is told.
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 1);
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  int num_jobs = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (arguments.size() > 2 && arguments[1] == "--jobs") {
    num_jobs = std::atoi(arguments[2].c_str());
    arguments.erase(arguments.begin() + 1, arguments.begin() + 3);
  }
  const std::string wanted = arguments.size() > 1 ? arguments[1] : "";
  return wanted == "--wrong" ? CheckWrong(self, num_jobs) : Check(self, num_jobs, wanted);
}

}  // namespace
}  // namespace df::linearity

int main(int argc, char** argv) {
  return df::linearity::Main(std::vector<std::string>(argv, argv + argc));
}
