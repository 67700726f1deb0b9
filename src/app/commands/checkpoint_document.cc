#include "app/commands/checkpoint_document.h"

#include <cstddef>
#include <iterator>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/receipt.h"
#include "base/text.h"
#include "lake/ledger/progress.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kContent = "df_engine_checkpoint";

/// Of the content without white space, whatever stands between its tokens in the document.
std::string DigestOf(const Json& content) { return "sha256:" + Sha256(content.dump()); }

Status NotUtf8(std::string_view what) {
  return Status::Invalid(
      fmt::format("{} is not UTF-8, which the JSON of an export has to be", what));
}

/// Returns a text of the content. Errors: Invalid naming the key.
Result<std::string> TextAt(const Json& content, const char* key) {
  const auto found = content.find(key);
  return found != content.end() && found->is_string()
             ? Result<std::string>(found->get<std::string>())
             : Status::Invalid(fmt::format("{}: found no text", key));
}

}  // namespace

Result<std::string> WriteCheckpointDocument(const lake::CheckpointState& state) {
  if (!IsValidUtf8(state.subject.base)) {
    return NotUtf8("the base");
  }
  if (!IsValidUtf8(state.subject.selection)) {
    return NotUtf8("the selection");
  }
  int64_t num_left_out = 0;
  Json files = Json::parse(lake::WriteProgress(state.files, &num_left_out));
  if (num_left_out > 0) {
    return NotUtf8("the name of a file");
  }
  Json quarantine = Json::array();
  std::unordered_map<int64_t, size_t> positions;  // from 1 on, by number
  for (const lake::DeliveredFile& file : state.files) {
    positions.emplace(file.number, positions.size() + 1);
  }
  for (lake::QuarantineEntry entry : state.quarantine) {
    const auto position = positions.find(entry.file);
    if (entry.file > 0 && position == positions.end()) {
      entry.rows = {};  // the file is forgotten: only people are told
    }
    entry.file = position == positions.end() ? 0 : static_cast<int64_t>(position->second);
    const auto text = lake::WriteQuarantineEntry(entry);
    if (!text.ok()) {
      return NotUtf8("the name of a file in quarantine");
    }
    quarantine.push_back(Json::parse(*text));
  }
  Json content = {{"version", lake::Checkpoint::kVersion},
                  {"base", state.subject.base},
                  {"selection", state.subject.selection},
                  {"saved_unix_nano", nullptr},
                  {"files", std::move(files)},
                  {"quarantine", std::move(quarantine)}};
  if (state.saved_unix_nano.has_value()) {
    content["saved_unix_nano"] = *state.saved_unix_nano;
  }
  const std::string digest = DigestOf(content);
  const Json document = {{kContent, std::move(content)}, {"digest", digest}};
  return document.dump() + "\n";
}

Result<lake::CheckpointState> ReadCheckpointDocument(std::string_view text) {
  const Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return Status::Invalid("found no JSON: it is damaged, or not an export of a checkpoint");
  }
  const auto found = document.is_object() ? document.find(kContent) : document.end();
  if (!document.is_object() || found == document.end() || !found->is_object()) {
    return Status::Invalid(
        fmt::format("found no '{}': it is not an export of a checkpoint", kContent));
  }
  const Json& content = *found;
  const auto version = content.find("version");
  if (version == content.end() || !version->is_number_integer() || *version < 1) {
    return Status::Invalid("version: found no number of 1 or more");
  }
  if (*version > lake::Checkpoint::kVersion) {
    return Status::Invalid(
        fmt::format("found version {}, expected {} at most: it is of a newer "
                    "program",
                    version->dump(), lake::Checkpoint::kVersion));
  }
  ARROW_ASSIGN_OR_RAISE(const std::string digest, TextAt(document, "digest"));
  if (const std::string expected = DigestOf(content); digest != expected) {
    return Status::Invalid(
        fmt::format("it is damaged, or was changed: found digest '{}', expected '{}'",
                    PrintableText(digest.substr(0, expected.size())), expected));
  }
  lake::CheckpointState state;
  ARROW_ASSIGN_OR_RAISE(state.subject.base, TextAt(content, "base"));
  ARROW_ASSIGN_OR_RAISE(state.subject.selection, TextAt(content, "selection"));
  if (state.subject.base.empty()) {
    return Status::Invalid("base: found nothing, expected what the checkpoint is of");
  }
  const auto saved = content.find("saved_unix_nano");
  if (saved != content.end() && saved->is_number_integer()) {
    state.saved_unix_nano = saved->get<int64_t>();
  }
  const auto files = content.find("files");
  ARROW_ASSIGN_OR_RAISE(state.files,
                        lake::ReadProgress(files == content.end() ? "" : files->dump()));
  const auto quarantine = content.find("quarantine");
  if (quarantine == content.end() || !quarantine->is_array()) {
    return Status::Invalid("quarantine: found no list");
  }
  for (const Json& json : *quarantine) {
    auto entry = lake::ReadQuarantineEntry(json.dump());
    if (!entry.ok() || entry->file > std::ssize(state.files)) {
      return Status::Invalid(fmt::format(
          "quarantine: entry {} of the list: {}", state.quarantine.size() + 1,
          entry.ok() ? "file_number: there is no such file" : entry.status().message()));
    }
    entry->number = std::ssize(state.quarantine) + 1;
    state.quarantine.push_back(*std::move(entry));
  }
  return state;
}

}  // namespace df::app
