#include "app/receipt.h"

#include <array>
#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/sha.h>

#include "admin/status_json.h"
#include "app/commands/exit_codes.h"
#include "engine/account.h"

namespace df::app {
namespace {

using admin::Json;

Json ToJson(const engine::Reasons& reasons) {
  Json json = Json::object();
  for (const auto& [reason, count] : reasons) {
    json[reason] = count;
  }
  return json;
}

Json ToJson(const std::vector<engine::NamedCount>& named) {
  Json json = Json::array();
  for (const engine::NamedCount& one : named) {
    json.push_back({{"kind", one.kind}, {"message", one.message}, {"count", one.count}});
  }
  return json;
}

Json ToJson(const engine::SignalAccount& signal) {
  return {{"records",
           {{"listed", signal.listed},
            {"read", signal.read},
            {"sent", signal.sent},
            {"delivered", signal.delivered},
            {"refused", signal.refused},
            {"dead_letters", signal.dead_letters},
            {"in_flight", signal.in_flight},
            {"left_out", ToJson(signal.left_out)},
            {"missing", signal.listed - signal.selected_out - signal.delivered}}},
          {"items",
           {{"sent", signal.items_sent},
            {"delivered", signal.items_delivered},
            {"refused", signal.items_refused},
            {"dead_letters", signal.items_dead_letters},
            {"in_flight", signal.items_in_flight}}},
          {"digest", nullptr}};
}

/// A list that may end early, and how long it would be.
Json Bounded(Json listed, int64_t count) {
  const bool is_truncated = static_cast<int64_t>(listed.size()) < count;
  return {{"count", count}, {"truncated", is_truncated}, {"listed", std::move(listed)}};
}

Json UnfinishedOf(const engine::SourceAccount& source) {
  Json listed = Json::array();
  for (const engine::UnfinishedFile& file : source.unfinished) {
    Json json = {{"partition", file.partition},     {"file", file.file},
                 {"bytes", file.size_bytes},        {"records", nullptr},
                 {"delivered", file.num_delivered}, {"reason", file.reason}};
    if (file.num_records.has_value()) {
      json["records"] = *file.num_records;
    }
    listed.push_back(std::move(json));
  }
  return Bounded(std::move(listed), source.num_unfinished);
}

Json SendAgainOf(const engine::SourceAccount& source) {
  Json listed = Json::array();
  for (const engine::RecordRange& range : source.send_again) {
    listed.push_back({{"partition", range.partition},
                      {"file", range.file},
                      {"row_group", range.row_group},
                      {"first_row", range.first_row},
                      {"records", range.num_rows},
                      {"reason", range.reason}});
  }
  return Bounded(std::move(listed), source.num_send_again);
}

Json ToJson(const engine::SourceAccount& source) {
  Json signals = Json::object();
  for (const engine::SignalAccount& signal : source.signals) {
    signals[std::string(otap::Name(signal.signal))] = ToJson(signal);
  }
  for (const engine::SignalDigest& digest : source.digests) {
    signals[std::string(otap::Name(digest.signal))]["digest"] = {
        {"items", digest.num_items}, {"sum", digest.sum}, {"items_without", digest.num_without}};
  }
  Json tables = Json::object();
  for (const engine::TableAccount& table : source.tables) {
    tables[table.table] = {{"read", table.rows_read},
                           {"emitted", table.rows_emitted},
                           {"dropped", ToJson(table.dropped)}};
  }
  return {{"base", source.base},
          {"found_nothing", source.has_found_nothing},
          {"listed_all", source.has_listed_all},
          {"files",
           {{"count", source.num_files},
            {"bytes", source.num_bytes},
            {"delivered", source.num_files_delivered},
            {"unfinished", UnfinishedOf(source)}}},
          {"signals", std::move(signals)},
          {"tables", std::move(tables)},
          {"repaired_id_columns", source.num_repaired_columns},
          {"ambiguous_records", source.num_ambiguous},
          {"duplicate_ids", source.num_duplicate_ids},
          {"problems", ToJson(source.problems)},
          {"notices", ToJson(source.notices)},
          {"send_again", SendAgainOf(source)},
          {"progress", source.progress.empty() ? Json() : Json::parse(source.progress)}};
}

Json ToJson(const controller::NodeSummary& node, bool is_earlier) {
  Json json = {{"name", node.name},          {"urn", node.urn},
               {"earlier", is_earlier},      {"problems", node.report.num_problems},
               {"lines", node.report.lines}, {"source", nullptr}};
  if (node.report.source != nullptr) {
    json["source"] = ToJson(*node.report.source);
  }
  return json;
}

std::string_view OutcomeOf(int exit_code, int64_t num_problems) {
  switch (exit_code) {
    case kExitFailed:
      return "failed";
    case kExitForced:
      return "forced";
    case kExitNothingFound:
      return "nothing_found";
    default:
      return num_problems > 0 ? "incomplete" : "complete";
  }
}

Json ToJson(const controller::PipelineSummary& pipeline, int64_t* num_problems) {
  constexpr std::array<std::string_view, 3> kOutcomes = {"clean", "forced", "failed"};
  Json nodes = Json::array();
  const auto add = [&](const std::vector<controller::NodeSummary>& summaries, bool is_earlier) {
    for (const controller::NodeSummary& node : summaries) {
      nodes.push_back(ToJson(node, is_earlier));
      *num_problems += node.report.num_problems;
    }
  };
  for (const auto& earlier : pipeline.earlier) {
    add(earlier, true);
  }
  add(pipeline.nodes, false);
  return {{"group", pipeline.key.group},
          {"pipeline", pipeline.key.pipeline},
          {"outcome", kOutcomes[static_cast<size_t>(pipeline.outcome)]},
          {"errors", pipeline.errors},
          {"restarts", pipeline.num_restarts},
          {"batches_without_outcome", pipeline.num_abandoned},
          {"nodes", std::move(nodes)}};
}

}  // namespace

std::string Sha256(std::string_view text) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

std::vector<std::string> BrokenSumsOf(const controller::RunResult& result) {
  std::vector<std::string> broken;
  const auto check = [&](const std::vector<controller::NodeSummary>& nodes) {
    for (const controller::NodeSummary& node : nodes) {
      if (node.report.source == nullptr) {
        continue;
      }
      for (const std::string& line : engine::BrokenSums(*node.report.source)) {
        broken.push_back(fmt::format("{}: {}", node.name, line));
      }
    }
  };
  for (const controller::PipelineSummary& pipeline : result.pipelines) {
    check(pipeline.nodes);
    for (const auto& earlier : pipeline.earlier) {
      check(earlier);
    }
  }
  return broken;
}

std::string FormatReceipt(const controller::RunResult& result, const ReceiptFacts& facts) {
  Json pipelines = Json::array();
  int64_t num_problems = 0;
  for (const controller::PipelineSummary& pipeline : result.pipelines) {
    pipelines.push_back(ToJson(pipeline, &num_problems));
  }
  Json stopped_by = nullptr;
  if (result.signal.has_value()) {
    stopped_by = *result.signal == SIGINT ? "SIGINT" : "SIGTERM";
  } else if (!result.reason.empty()) {
    stopped_by = result.reason;
  }
  const Json receipt = {{"receipt", 1},
                        {"program", {{"name", "df_engine"}, {"version", facts.version}}},
                        {"document",
                         {{"name", facts.document},
                          {"sha256", facts.document_sha256},
                          {"changed_by_flags", facts.is_changed_by_flags}}},
                        {"started", admin::FormatTime(facts.started)},
                        {"ended", admin::FormatTime(facts.ended)},
                        {"seconds", std::chrono::duration<double>(result.elapsed).count()},
                        {"outcome", OutcomeOf(facts.exit_code, num_problems)},
                        {"exit_code", facts.exit_code},
                        {"stopped_by", std::move(stopped_by)},
                        {"problems", num_problems},
                        {"broken_sums", BrokenSumsOf(result)},
                        {"pipelines", std::move(pipelines)}};
  return admin::ToText(receipt);
}

}  // namespace df::app
