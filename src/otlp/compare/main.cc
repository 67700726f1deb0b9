// otlp_compare: tells whether files of OTLP requests hold the same items.
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "otlp/compare/item_counts.h"
#include "otlp/request_file.h"

namespace {

constexpr int kEqual = 0;
constexpr int kDifferent = 1;
constexpr int kUsage = 2;

arrow::Result<df::otlp::Comparison> Compare(df::otap::Signal signal, const std::string& expected,
                                            const std::vector<std::string>& actual,
                                            const df::otlp::CompareOptions& options) {
  std::vector<std::string> paths;
  for (const std::string& argument : actual) {
    ARROW_ASSIGN_OR_RAISE(const std::vector<std::string> files, df::otlp::ExpandPath(argument));
    paths.insert(paths.end(), files.begin(), files.end());
  }
  return df::otlp::CompareFiles(signal, expected, paths, options);
}

void PrintExamples(const char* title, const std::vector<std::string>& examples) {
  for (const std::string& example : examples) {
    fmt::print("{} {}\n", title, example);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Compares files of OTLP export requests, each behind a 4-byte big-endian length, as "
      "multisets of items. Exit code: 0 equal, 1 different, 2 usage or unreadable.");
  std::string signal_name;
  std::string expected;
  std::vector<std::string> actual;
  df::otlp::CompareOptions options;
  bool is_verbose = false;
  app.add_option("signal", signal_name, "logs, traces or metrics")
      ->required()
      ->check(CLI::IsMember({"logs", "traces", "metrics"}));
  app.add_option("expected", expected, "the known answer")->required();
  app.add_option("actual", actual, "files, directories or patterns")->required();
  app.add_flag("--upstream-losses", options.upstream_losses,
               "ignore what the reference's Parquet exporter loses: span and link flags, "
               "is_monotonic, zero_threshold, the sign of zero");
  app.add_flag("--zero-signs", options.zero_signs,
               "ignore the sign of zero in attribute and body values, and nothing else");
  app.add_flag("-v,--verbose", is_verbose, "print some of the items that differ");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kEqual : kUsage;
  }
  const df::otap::Signal signal = *df::otap::FindSignal(signal_name);
  const auto comparison = Compare(signal, expected, actual, options);
  if (!comparison.ok()) {
    fmt::print(stderr, "otlp_compare: {}\n", comparison.status().message());
    return kUsage;
  }
  if (is_verbose) {
    PrintExamples("missing", comparison->missing_examples);
    PrintExamples("extra", comparison->extra_examples);
  }
  fmt::print("{}\n", comparison->Line(signal));
  return comparison->is_equal() ? kEqual : kDifferent;
}
