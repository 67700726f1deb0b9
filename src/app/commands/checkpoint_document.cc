#include "app/commands/checkpoint_document.h"

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
  Json content = {{"version", lake::Checkpoint::kVersion},
                  {"base", state.subject.base},
                  {"selection", state.subject.selection},
                  {"saved_unix_nano", nullptr},
                  {"files", std::move(files)}};
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
  return state;
}

}  // namespace df::app
