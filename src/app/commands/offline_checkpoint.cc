#include "app/commands/offline_checkpoint.h"

#include <filesystem>
#include <iostream>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "app/commands/archive_flags.h"
#include "app/commands/moment.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

}  // namespace

bool CheckpointPlace::is_there() const {
  std::error_code error;
  return fs::exists(fs::path(directory) / (name + ".sqlite"), error);
}

std::string CheckpointPlace::Show() const {
  return PrintableText((fs::path(directory) / name).string());
}

Result<CheckpointPlace> ParseCheckpointPlace(std::string_view text) {
  const fs::path path(text);
  CheckpointPlace place{
      .directory = path.has_parent_path() ? path.parent_path().string() : std::string("."),
      .name = path.filename().string()};
  if (!lake::Checkpoint::IsName(place.name)) {
    return Status::Invalid(
        fmt::format("found '{}', expected DIR/NAME with a name of letters, digits, '.', '_' and "
                    "'-', at most 100, not beginning with '.'",
                    PrintableText(text)));
  }
  return place;
}

Result<OpenedCheckpoint> OpenOrMakeOffline(const CheckpointPlace& place) {
  OpenedCheckpoint opened;
  ARROW_ASSIGN_OR_RAISE(opened.checkpoint, lake::Checkpoint::OpenAny(place.directory, place.name));
  ARROW_ASSIGN_OR_RAISE(opened.state, opened.checkpoint->Read());
  return opened;
}

Result<OpenedCheckpoint> OpenOffline(const CheckpointPlace& place) {
  if (!place.is_there()) {
    return Status::KeyError(place.Show(), ": there is no such checkpoint");
  }
  return OpenOrMakeOffline(place);
}

Result<OpenedCheckpoint> OpenToRead(const CheckpointPlace& place) {
  if (!place.is_there()) {
    return Status::KeyError(place.Show(), ": there is no such checkpoint");
  }
  OpenedCheckpoint opened;
  ARROW_ASSIGN_OR_RAISE(opened.checkpoint,
                        lake::Checkpoint::OpenToRead(place.directory, place.name));
  ARROW_ASSIGN_OR_RAISE(opened.state, opened.checkpoint->Read());
  return opened;
}

CheckpointCounts CountDelivered(const lake::CheckpointState& state) {
  CheckpointCounts counts;
  for (const lake::DeliveredFile& file : state.files) {
    const int64_t rows = file.is_whole ? file.num_rows : file.rows.num_rows();
    counts.rows += rows;
    counts.files += file.is_whole || rows > 0 ? 1 : 0;
  }
  return counts;
}

std::string ShowTime(int64_t unix_nano) {
  std::string text = ShowMoment(unix_nano);
  text[text.find(' ')] = 'T';
  return text;
}

Json AuditRecord(std::string_view action, const CheckpointCounts& before,
                 const CheckpointCounts& after) {
  return {{"time", ShowTime(NowNanos())}, {"action", action},           {"user", getuid()},
          {"process", getpid()},          {"rows_before", before.rows}, {"rows_after", after.rows},
          {"files_before", before.files}, {"files_after", after.files}};
}

Status ChangeOnRecord(const lake::Checkpoint& checkpoint, const Json& record,
                      const std::function<Status()>& change) {
  const auto line = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  ARROW_RETURN_NOT_OK(checkpoint.AppendToAudit(line(record)));
  const Status status = change();
  if (!status.ok()) {
    Json failed = {{"time", ShowTime(NowNanos())},
                   {"action", record.at("action")},
                   {"process", getpid()},
                   {"failed", status.message()}};
    // What went wrong first is what counts.
    (void)checkpoint.AppendToAudit(line(failed));
  }
  return status;
}

Status Confirm(std::string_view question, bool is_sure) {
  if (is_sure) {
    return Status::OK();
  }
  if (isatty(STDIN_FILENO) != 1) {
    return Status::Invalid("expected --yes, since nobody can be asked: stdin is not a terminal");
  }
  ARROW_RETURN_NOT_OK(PrintTo(stderr, fmt::format("{} [y/N] ", question)));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes"
             ? Status::OK()
             : Status::Cancelled("nothing was changed");
}

}  // namespace df::app
