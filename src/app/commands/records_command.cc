#include "app/commands/records_command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "app/commands/archive_flags.h"
#include "app/commands/archive_follower.h"
#include "app/commands/exit_codes.h"
#include "app/commands/kept_records.h"
#include "app/commands/records.h"
#include "app/commands/time_windows.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

/// Rows of a window of everything: they are held as text.
constexpr int64_t kRowsAtATime = 100'000;
/// More windows than these are not made: each looks at the times of all row groups.
constexpr int64_t kMostWindows = 4'096;
/// Windows of the first or last records begin with so many rows for each, and grow as long as too
/// few match.
constexpr int64_t kFirstRows = 4;
constexpr int64_t kFewestRows = 1'000;
constexpr int64_t kGrowth = 4;
/// How long an archive that is followed is left alone between two looks.
constexpr std::chrono::milliseconds kFollowInterval{1'000};
constexpr std::chrono::milliseconds kFollowIntervalOfStores{5'000};

struct Flags {
  ArchiveFlags archive;
  SelectionFlags selection;
  std::string count = "20";
  bool wants_first = false;
  bool wants_last = false;
  bool is_verbose = false;
  bool follows = false;
};

struct Kind {
  otap::Signal signal;
  std::string_view name;     ///< of the command
  std::string_view records;  ///< what it prints
};

/// "all" or a number of records, at least `least`.
Result<int64_t> ReadCount(const std::string& text, int64_t least) {
  int64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  if (text == "all") {
    return KeptRecords::kAll;
  }
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || count < least) {
    return Status::Invalid(fmt::format("-n: found '{}', expected a number from {} on, or 'all'",
                                       PrintableText(text), least));
  }
  return count;
}

/// Prints every record, the oldest first.
Status PrintAll(Archive* archive, const RecordFields& fields, RecordStyle style,
                AnswerWriter* answer, int64_t* num_printed) {
  const otap::Signal signal = fields.signal();
  TimeWindows windows(archive->RowGroupsOf(signal), archive->options().wishes.time,
                      TimeOrder::kOldestFirst);
  int64_t num_rows = 0;
  for (const RowGroupTimes& group : archive->RowGroupsOf(signal)) {
    num_rows += group.num_rows;
  }
  while (const auto window = windows.Next(std::max(kRowsAtATime, num_rows / kMostWindows))) {
    KeptRecords kept(fields, style, TimeOrder::kOldestFirst, KeptRecords::kAll);
    ARROW_RETURN_NOT_OK(archive->Read(
        *window, [&](const lake::Payload& payload, size_t) { return kept.Add(payload); }));
    for (const std::string& text : kept.Take()) {
      ARROW_RETURN_NOT_OK(answer->Add(text));
      ++*num_printed;
    }
    if (answer->has_no_reader()) {
      break;
    }
  }
  return Status::OK();
}

struct Found {
  int64_t num_printed = 0;
  int64_t num_matching = 0;
  bool has_read_all = true;
};

/// Prints the first or last records, the oldest first.
Status PrintSome(Archive* archive, const RecordFields& fields, RecordStyle style, TimeOrder order,
                 int64_t count, AnswerWriter* answer, Found* found) {
  TimeWindows windows(archive->RowGroupsOf(fields.signal()), archive->options().wishes.time, order);
  KeptRecords kept(fields, style, order, count);
  int64_t num_rows = kFewestRows;
  num_rows = count > (INT64_MAX / kFirstRows) ? count : std::max(num_rows, count * kFirstRows);
  while (true) {
    const auto window = windows.Next(num_rows);
    found->has_read_all = !window.has_value();
    if (!window.has_value()) {
      break;
    }
    ARROW_RETURN_NOT_OK(archive->Read(
        *window, [&](const lake::Payload& payload, size_t) { return kept.Add(payload); }));
    if (kept.num_kept() >= count) {
      found->has_read_all = false;
      break;
    }
    num_rows = num_rows > INT64_MAX / kGrowth ? num_rows : num_rows * kGrowth;
  }
  found->num_matching = kept.num_matching();
  for (const std::string& text : kept.Take()) {
    ARROW_RETURN_NOT_OK(answer->Add(text));
    ++found->num_printed;
  }
  return Status::OK();
}

/// Waits until a time, until `wakes` can be read (-1: never), or until nobody reads the answer any
/// more. Returns whether somebody does.
bool WaitForReader(std::chrono::system_clock::time_point until, int wakes) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::system_clock::now());
    if (left.count() <= 0) {
      return true;
    }
    // No event is asked for: a pipe without a reader is an error, and is told all the same.
    std::array waits = {pollfd{.fd = STDOUT_FILENO, .events = 0, .revents = 0},
                        pollfd{.fd = wakes, .events = POLLIN, .revents = 0}};
    const int64_t at_most = std::min<int64_t>(left.count(), kFollowInterval.count());
    if (poll(waits.data(), waits.size(), static_cast<int>(at_most)) > 0) {
      if ((waits[0].revents & POLLERR) != 0) {
        return false;
      }
      if (waits[1].revents != 0) {
        return true;
      }
    }
  }
}

/// Prints what comes, until nobody reads it any more. Records that come together stand in the order
/// of their times. Returns whether something was missing.
Result<bool> Follow(const std::string& command, ArchiveFollower* follower,
                    const RecordFields& fields, RecordStyle style, AnswerWriter* answer) {
  bool is_incomplete = false;
  std::unique_ptr<KeptRecords> kept;
  const auto print = [&]() -> Status {
    if (kept != nullptr) {
      for (const std::string& text : kept->Take()) {
        ARROW_RETURN_NOT_OK(answer->Add(text));
      }
    }
    kept = std::make_unique<KeptRecords>(fields, style, TimeOrder::kOldestFirst, KeptRecords::kAll);
    return answer->Flush();
  };
  ARROW_RETURN_NOT_OK(print());
  while (!answer->has_no_reader()) {
    ARROW_ASSIGN_OR_RAISE(const auto again, follower->ReadNew([&](const lake::Payload& payload) {
      ARROW_RETURN_NOT_OK(kept->Add(payload));
      return kept->num_kept() < kRowsAtATime ? Status::OK() : print();
    }));
    ARROW_RETURN_NOT_OK(print());
    for (const std::string& problem : follower->TakeProblems()) {
      is_incomplete = true;
      // When stderr cannot be written, the exit code has to do.
      const Status ignored = PrintTo(stderr, fmt::format("{}: incomplete: {}\n", command, problem));
    }
    if (!WaitForReader(again, follower->wake_descriptor())) {
      break;
    }
  }
  return is_incomplete;
}

std::string Remark(const Kind& kind, const Flags& flags, const Found& found, const Archive& archive,
                   std::chrono::nanoseconds elapsed) {
  int64_t num_rows = 0;
  for (const RowGroupTimes& group : archive.RowGroupsOf(kind.signal)) {
    num_rows += group.num_rows;
  }
  const std::string_view which = flags.wants_first ? "first" : "last";
  const std::string what =
      found.has_read_all
          ? fmt::format("{} of {} matching {}", ShowCount(found.num_printed),
                        ShowCount(found.num_matching), kind.records)
          : fmt::format("the {} {} matching {}", which, ShowCount(found.num_printed), kind.records);
  return fmt::format("{}; the archive holds {}; {:.2f} s", what, ShowCount(num_rows),
                     std::chrono::duration<double>(elapsed).count());
}

int Print(const Kind& kind, Flags flags) {
  flags.archive.may_be_empty = flags.follows;
  const std::string command = fmt::format("df_engine {}", kind.name);
  const auto begin = std::chrono::steady_clock::now();
  const auto count = ReadCount(flags.count, flags.follows ? 0 : 1);
  if (!count.ok()) {
    return FailCommand(command, count.status());
  }
  auto archive = OpenArchive(flags.archive, flags.selection, {kind.signal});
  if (!archive.ok()) {
    return FailCommand(command, archive.status());
  }
  const auto fields = RecordFields::Make(kind.signal);
  if (!fields.ok()) {
    return FailCommand(command, fields.status());
  }
  std::unique_ptr<ArchiveFollower> follower;
  if (flags.follows) {
    auto made = ArchiveFollower::Make(
        archive->get(), (*archive)->store().is_local() ? kFollowInterval : kFollowIntervalOfStores);
    if (!made.ok()) {
      return FailCommand(command, made.status());
    }
    follower = *std::move(made);
  }
  const RecordStyle style{.form = flags.archive.is_json ? RecordForm::kJson
                                  : flags.is_verbose    ? RecordForm::kDetailed
                                                        : RecordForm::kLine,
                          .has_color = HasColor(flags.archive)};
  AnswerWriter answer;
  Found found;
  Status status;
  if (*count == KeptRecords::kAll) {
    status = PrintAll(archive->get(), *fields, style, &answer, &found.num_printed);
    found.num_matching = found.num_printed;
    found.has_read_all = !answer.has_no_reader();
  } else if (*count > 0) {
    status = PrintSome(archive->get(), *fields, style,
                       flags.wants_first ? TimeOrder::kOldestFirst : TimeOrder::kNewestFirst,
                       *count, &answer, &found);
  }
  status = status.ok() ? answer.Flush() : status;
  if (!status.ok()) {
    return FailCommand(command, status);
  }
  bool is_incomplete = PrintProblems(command, **archive, flags.archive.is_quiet);
  if (follower != nullptr) {
    const auto followed = Follow(command, follower.get(), *fields, style, &answer);
    if (!followed.ok()) {
      return FailCommand(command, followed.status());
    }
    return is_incomplete || *followed ? kExitIncomplete : kExitClean;
  }
  if (!answer.has_no_reader()) {
    PrintRemark(flags.archive,
                Remark(kind, flags, found, **archive, std::chrono::steady_clock::now() - begin));
  }
  return is_incomplete ? kExitIncomplete : found.num_printed == 0 ? kExitNothingFound : kExitClean;
}

int Run(const Kind& kind, int argc, char** argv) {
  CLI::App command(
      fmt::format("Prints {} of an archive, a line each, the oldest first.", kind.records),
      fmt::format("df_engine {}", kind.name));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  AddColorFlag(&command, &flags.archive);
  AddSelectionFlags(&command, &flags.selection);
  command.add_option("-n", flags.count, "How many; default 20; 'all' prints everything")
      ->type_name("N");
  CLI::Option* first = command.add_flag("--first", flags.wants_first, "The first ones by time");
  command.add_flag("--last", flags.wants_last, "The last ones by time: the default")
      ->excludes(first);
  command
      .add_flag("-f,--follow", flags.follows,
                "Go on with records of files that come, until stopped")
      ->excludes(first);
  command.add_flag("-v,--verbose", flags.is_verbose,
                   "Print every field and attribute on a line of its own");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Print(kind, flags);
}

}  // namespace

int LogsCommand(int argc, char** argv) {
  return Run({otap::Signal::kLogs, "logs", "log records"}, argc, argv);
}

int SpansCommand(int argc, char** argv) {
  return Run({otap::Signal::kTraces, "spans", "spans"}, argc, argv);
}

int PointsCommand(int argc, char** argv) {
  return Run({otap::Signal::kMetrics, "points", "data points"}, argc, argv);
}

}  // namespace df::app
