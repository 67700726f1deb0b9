// Trees of Parquet files: listed, followed, and read to the end.
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/catalog.h"
#include "lake/queue/work_list.h"
#include "linearity/families.h"
#include "otlp/decode.h"
#include "testing/lake_writer.h"
#include "testing/table_rewrites.h"

namespace df::linearity {
namespace {

namespace fs = std::filesystem;
using otap::Signal;
using std::chrono::seconds;
using std::chrono::system_clock;
using testing::LakeLayout;
using testing::LakeWriterOptions;

/// n records with attributes; each record under a resource of its own where `own_resources`.
std::string Logs(int64_t n, int64_t attributes, bool own_resources = false) {
  const auto record = [&](int64_t i) {
    return fmt::format(
        R"({{"timeUnixNano":"{}","body":{{"stringValue":"text {}"}},"attributes":[{}]}})", i + 1, i,
        Repeat(attributes, [&](int64_t k) {
          return fmt::format(R"({}{{"key":"k{}","value":{{"stringValue":"v{}"}}}})",
                             k == 0 ? "" : ",", k, i + k);
        }));
  };
  std::string json = R"({"resourceLogs":[)";
  std::string separator;
  for (int64_t i = 0; own_resources && i < n; ++i) {
    json += fmt::format(
        R"({}{{"resource":{{"attributes":[{{"key":"r","value":{{"intValue":{}}}}}]}},"scopeLogs":[{{"logRecords":[{}]}}]}})",
        separator, i, record(i));
    separator = ",";
  }
  if (!own_resources) {
    json +=
        R"({"resource":{"attributes":[{"key":"r","value":{"intValue":1}}]},"scopeLogs":[{"logRecords":[)" +
        Repeat(n, [&](int64_t i) { return (i == 0 ? "" : ",") + record(i); }) + "]}]}";
  }
  return json + "]}";
}

std::string Spans(int64_t n, int64_t events) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" +
         Repeat(
             n,
             [&](int64_t i) {
               return fmt::format(
                   R"({}{{"traceId":"{:032}","spanId":"{:016}","name":"s","startTimeUnixNano":"{}","events":[{}]}})",
                   i == 0 ? "" : ",", i + 1, i + 1, i + 1, Repeat(events, [&](int64_t k) {
                     return fmt::format(
                         R"({}{{"name":"e{}","attributes":[{{"key":"a","value":{{"intValue":{}}}}}]}})",
                         k == 0 ? "" : ",", k, k);
                   }));
             }) +
         "]}]}]}";
}

/// Changes a tree that was written.
using Change = std::function<arrow::Status(int64_t n, const fs::path& folder)>;

/// Makes a tree of batches. One more record, and its file, is there at size 0.
Make Tree(Signal signal, std::function<std::vector<std::string>(int64_t n)> requests,
          const LakeWriterOptions& options, Change change = nullptr) {
  return [=](int64_t n, const fs::path& folder) -> arrow::Status {
    std::vector<otap::BatchPtr> batches;
    for (const std::string& request : requests(n)) {
      otlp::Decoder decoder;
      ARROW_ASSIGN_OR_RAISE(const auto some, decoder.DecodeJson(signal, request));
      batches.insert(batches.end(), some.begin(), some.end());
    }
    ARROW_RETURN_NOT_OK(testing::WriteLake(folder, batches, options, 1).status());
    return change ? change(n, folder) : arrow::Status::OK();
  };
}

/// One batch of n + 1 records.
std::function<std::vector<std::string>(int64_t)> OneOf(
    std::function<std::string(int64_t)> request) {
  return [request = std::move(request)](int64_t n) {
    return std::vector<std::string>{request(n + 1)};
  };
}

/// n + 1 batches of one record.
std::function<std::vector<std::string>(int64_t)> ManyOf(const std::string& request) {
  return [request](int64_t n) {
    return std::vector<std::string>(static_cast<size_t>(n + 1), request);
  };
}

/// Reads one piece of work as the receiver does; returns the rows that came of it.
arrow::Result<int64_t> ReadWork(storage::Store* store, const std::string& base,
                                const lake::PartitionWork& work, lake::WorkList* list) {
  const lake::ReadOptions options;
  lake::MemoryBudget budget(options.memory_limit_bytes);
  lake::ReadReport report;
  std::vector<lake::RootOutcome> outcomes;
  int64_t rows = 0;
  for (const lake::PartitionTask& task : work.tasks) {
    ARROW_ASSIGN_OR_RAISE(const auto reader, lake::PartitionReader::Make(store, base, task, options,
                                                                         &budget, &report));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto payload, reader->Next());
      if (!payload.has_value()) {
        break;
      }
      for (const otap::TableInfo& table : otap::AllTables()) {
        const auto& part = payload->batch->table(table.kind);
        rows += part == nullptr ? 0 : part->num_rows();
      }
    }
    outcomes.insert(outcomes.end(), reader->outcomes().begin(), reader->outcomes().end());
  }
  for (const lake::TableCounts& counts : report.tables) {
    rows += counts.num_dropped();
  }
  list->Done(outcomes, std::move(report));
  return rows;
}

/// Ends a piece of work as if it had been read.
void Settle(const lake::PartitionWork& work, lake::WorkList* list) {
  std::vector<lake::RootOutcome> outcomes;
  for (const lake::PartitionTask& task : work.tasks) {
    for (const size_t index : task.root_files) {
      outcomes.push_back({.file = task.files->of(otap::RootTable(task.signal))[index],
                          .status = df::Status::OK(),
                          .rows_emitted = 0,
                          .claim = nullptr,
                          .unread = {},
                          .dropped = {}});
    }
  }
  list->Done(outcomes, {});
}

system_clock::time_point Later() { return system_clock::time_point(seconds(4'000'000'000)); }

/// Reads the tree once, to the end. What is counted: rows that went out or were dropped, problems.
Read ReadTree() {
  return [](const fs::path& folder) -> arrow::Result<Call> {
    return [base = folder.string()]() -> arrow::Result<int64_t> {
      const auto local = storage::Store::Local();
      // Files that cannot be read are tried again: the clock moves on, so that nothing waits.
      system_clock::time_point now = Later();
      lake::WorkList list(local, base, {}, {}, [&now] { return now += seconds(100); });
      int64_t amount = 0;
      while (true) {
        ARROW_ASSIGN_OR_RAISE(const auto taken, list.Take());
        if (taken.work.has_value()) {
          ARROW_ASSIGN_OR_RAISE(const int64_t rows,
                                ReadWork(local.get(), base, *taken.work, &list));
          amount += rows;
        } else if (!taken.wait_until.has_value()) {
          const lake::ReadReport report = list.Report();
          return amount + report.num_errors();
        }
      }
    };
  };
}

/// Follows a tree of which everything is known: what a poll costs that finds nothing new.
Read PollTree() {
  return [](const fs::path& folder) -> arrow::Result<Call> {
    const auto local = storage::Store::Local();
    const auto now = std::make_shared<system_clock::time_point>(Later());
    const auto list = std::make_shared<lake::WorkList>(
        local, folder.string(), lake::ReadOptions{},
        lake::FollowOptions{.polling_interval = seconds(5), .completeness_grace = seconds(0)},
        [now] { return *now; });
    const auto poll = [=]() -> arrow::Status {
      *now += seconds(5);
      while (true) {
        ARROW_ASSIGN_OR_RAISE(const auto taken, list->Take());
        if (!taken.work.has_value()) {
          return arrow::Status::OK();
        }
        Settle(*taken.work, list.get());
      }
    };
    ARROW_RETURN_NOT_OK(poll());
    *now += seconds(3600);
    ARROW_RETURN_NOT_OK(poll());
    return [=]() -> arrow::Result<int64_t> {
      for (int i = 0; i < 3; ++i) {
        ARROW_RETURN_NOT_OK(poll());
      }
      int64_t num_files = 0;
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        num_files += entry.is_regular_file() ? 1 : 0;
      }
      return num_files;
    };
  };
}

/// Lists the tree and opens nothing.
Read ListTree() {
  return [](const fs::path& folder) -> arrow::Result<Call> {
    return [base = folder.string()]() -> arrow::Result<int64_t> {
      const auto local_store = storage::Store::Local();
      storage::Store& local = *local_store;
      ARROW_ASSIGN_OR_RAISE(const auto listing, lake::ListLake(local, base, {Signal::kLogs}));
      return listing.num_files;
    };
  };
}

/// Puts n files that are no Parquet beside those of the logs.
arrow::Status AddBrokenFiles(int64_t n, const fs::path& folder) {
  for (int64_t i = 0; i < n; ++i) {
    const fs::path place = folder / "logs" / fmt::format("_part_id=broken-{}", i);
    fs::create_directories(place);
    std::ofstream(place / fmt::format("part-{}.parquet", i)) << "no Parquet";
  }
  return arrow::Status::OK();
}

/// Writes every file of the logs again, with n columns that nobody knows.
arrow::Status AddColumns(int64_t n, const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder / "logs")) {
    if (!entry.is_regular_file()) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto table, testing::ReadTable(entry.path().string()));
    std::vector<std::shared_ptr<arrow::Field>> fields = table->schema()->fields();
    std::vector<std::shared_ptr<arrow::Array>> columns = table->columns();
    ARROW_ASSIGN_OR_RAISE(const auto column,
                          arrow::MakeArrayOfNull(arrow::int64(), table->num_rows()));
    for (int64_t i = 0; i < n; ++i) {
      fields.push_back(arrow::field(fmt::format("column {}", i), arrow::int64()));
      columns.push_back(column);
    }
    const auto wide = arrow::RecordBatch::Make(arrow::schema(fields, table->schema()->metadata()),
                                               table->num_rows(), columns);
    ARROW_ASSIGN_OR_RAISE(const auto wide_table, arrow::Table::FromRecordBatches({wide}));
    ARROW_ASSIGN_OR_RAISE(const auto out, arrow::io::FileOutputStream::Open(entry.path().string()));
    ARROW_RETURN_NOT_OK(parquet::arrow::WriteTable(*wide_table, arrow::default_memory_pool(), out));
  }
  return arrow::Status::OK();
}

/// Takes the attributes of the records away.
arrow::Status RemoveAttributes(int64_t, const fs::path& folder) {
  fs::remove_all(folder / "log_attrs");
  return arrow::Status::OK();
}

/// Takes the records away: nobody refers to their attributes.
arrow::Status RemoveAllRootsButTheFirst(int64_t, const fs::path& folder) {
  bool is_first = true;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "logs")) {
    if (entry.is_regular_file() && !std::exchange(is_first, false)) {
      fs::remove(entry.path());
    }
  }
  return arrow::Status::OK();
}

/// A problem and a notice of each line, merged into a report that has none. What is counted: lines.
arrow::Result<int64_t> ReportProblems(const std::string& lines) {
  lake::ReadReport report;
  int64_t num_lines = 0;
  for (size_t first = 0; first < lines.size(); ++num_lines) {
    const size_t end = lines.find('\n', first);
    const auto line = arrow::Status::Invalid(lines.substr(first, end - first));
    report.Add(line);
    report.AddNotice(line);
    first = end + 1;
  }
  lake::ReadReport total;
  total.Merge(report);
  return num_lines;
}

/// A folder is read through a buffer of 32 KiB, whatever its name weighs.
constexpr double kBytesOfAFolder = 1500;

LakeWriterOptions Own(LakeWriterOptions options = {}) {
  options.layout = LakeLayout::kOwn;
  return options;
}

}  // namespace

std::vector<Shape> TreeShapes() {
  const Read read = ReadTree();
  const auto records = OneOf([](int64_t n) { return Logs(n, 1); });
  const auto one_record = ManyOf(Logs(1, 1));
  const LakeWriterOptions file_each = {.root_rows_per_file = 1, .child_rows_per_file = 1};
  return {
      {"tree/rows", 8000, Tree(Signal::kLogs, records, Own()), read},
      {"tree/rows of upstream", 8000, Tree(Signal::kLogs, records, {}), read},
      {"tree/row groups of one row", 10, Tree(Signal::kLogs, records, Own({.row_group_rows = 1})),
       read},
      {"tree/row groups of upstream", 10, Tree(Signal::kLogs, records, {.row_group_rows = 1}),
       read},
      {"tree/files of one row", 12, Tree(Signal::kLogs, one_record, Own(file_each)), read},
      {"tree/files of upstream", 12, Tree(Signal::kLogs, one_record, file_each), read},
      {"tree/partitions", 12, Tree(Signal::kLogs, one_record, Own({.batches_per_partition = 1})),
       read},
      {"tree/batches of upstream", 200, Tree(Signal::kLogs, one_record, {}), read},
      {"tree/unknown columns", 100, Tree(Signal::kLogs, records, Own(), AddColumns), read},
      {"tree/children of a record", 15000,
       Tree(Signal::kLogs, OneOf([](int64_t n) { return Logs(1, n); }), Own()), read},
      {"tree/children of children", 8000,
       Tree(Signal::kTraces, OneOf([](int64_t n) { return Spans(1, n); }), Own()), read},
      {"tree/resources", 500,
       Tree(Signal::kLogs, OneOf([](int64_t n) { return Logs(n, 1, true); }), Own()), read},
      {"tree/resources of upstream", 500,
       Tree(Signal::kLogs, OneOf([](int64_t n) { return Logs(n, 1, true); }), {}), read},
      {"tree/ids without rows", 6000, Tree(Signal::kLogs, records, Own(), RemoveAttributes), read},
      {"tree/rows without parents", 12,
       Tree(Signal::kLogs, one_record, Own(file_each), RemoveAllRootsButTheFirst), read},
      {"tree/listed files", 200,
       Tree(Signal::kLogs, OneOf([](int64_t) { return Logs(1, 1); }), Own(), AddBrokenFiles),
       ListTree(), kBytesOfAFolder},
      {"tree/files that are no Parquet", 100,
       Tree(Signal::kLogs, OneOf([](int64_t) { return Logs(1, 1); }), Own(), AddBrokenFiles), read,
       kBytesOfAFolder},
      {"tree/distinct problems", 250, Text([](int64_t n) {
         return Repeat(n, [](int64_t i) { return fmt::format("problem {}\n", i); });
       }),
       TextRead(ReportProblems)},
      {"tree/polls of known files", 120, Tree(Signal::kLogs, one_record, Own(file_each)),
       PollTree()},
      {"tree/polls of known partitions", 60,
       Tree(Signal::kLogs, one_record, Own({.batches_per_partition = 1})), PollTree()},
  };
}

}  // namespace df::linearity
