#include "app/commands/resume_flags.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "config/environment.h"
#include "otap/schema.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Escapes every text of a piece of configuration.
Json EscapedAll(Json json) {
  if (json.is_string()) {
    return config::EscapeReferences(json.get<std::string>());
  }
  for (Json& inner : json) {
    if (inner.is_structured() || inner.is_string()) {
      inner = EscapedAll(std::move(inner));
    }
  }
  return json;
}

bool SameSignals(const Json& left, const Json& right) {
  const std::set<Json> of_left(left.begin(), left.end());
  return of_left == std::set<Json>(right.begin(), right.end());
}

}  // namespace

Status CheckNotThere(const Destination& destination) {
  for (const std::string& path : FilesOf(destination)) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) {
      return Status::Invalid(
          fmt::format("--to: '{}' is there, and going on would write over what was delivered; name "
                      "another file",
                      PrintableText(path)));
    }
  }
  return Status::OK();
}

Status TakeResumed(const std::string& resume, bool has_signals, Json* config) {
  std::error_code error;
  if (!fs::is_regular_file(resume, error)) {
    return Status::Invalid(fmt::format("--resume: '{}' {}", PrintableText(resume),
                                       fs::exists(resume, error) ? "is no file" : "is not there"));
  }
  std::ifstream file(resume, std::ios::binary);
  const Json receipt = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!file.is_open() || !receipt.is_object() || !receipt.contains("pipelines")) {
    return Status::Invalid(fmt::format("--resume: '{}' {}", PrintableText(resume),
                                       file.is_open() ? "is no receipt" : "cannot be read"));
  }
  const Json none;
  const auto at = [&none](const Json& json, const char* key) -> const Json& {
    return json.is_object() && json.contains(key) ? json.at(key) : none;
  };
  for (const Json& pipeline : receipt["pipelines"]) {
    for (const Json& node : at(pipeline, "nodes")) {
      const Json& progress = at(at(node, "source"), "progress");
      if (const Json& select = at(progress, "select");
          select.is_object() && !config->contains("select")) {
        (*config)["select"] = EscapedAll(select);
      }
      const Json& signals = at(progress, "signals");
      if (signals.is_array() && has_signals && !SameSignals(signals, (*config)["signal_types"])) {
        return Status::Invalid(fmt::format(
            "--signal: the receipt is of a replay of {}; leave the flag out to go on with these",
            PrintableText(signals.dump())));
      }
      if (signals.is_array()) {
        (*config)["signal_types"] = signals;
      }
    }
  }
  return Status::OK();
}

}  // namespace df::app
