#include "app/commands/explain_command.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/text_table.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "engine/node_registry.h"
#include "nodes/registry.h"

namespace df::app {
namespace {

/// Codes of problems: of reports, receipts and counters.
constexpr auto kCodes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"query", "A condition or a question cannot be answered. Look at the place it names."},
    {"io",
     "The file system or the network refused. The message has its words; try again when the "
     "cause is gone."},
    {"arrow", "An array or offset is wrong: what was read does not fit together."},
    {"parquet",
     "A footer, page, codec or checksum is wrong: the file is damaged, or still being "
     "written. What can be read of it is read."},
    {"config", "A document is wrong, at the line and column that is named."},
    {"file_discovery", "A folder cannot be listed, or does not hold what was listed."},
    {"schema_reconstruction",
     "A column is missing, stands twice or has a type that cannot be read "
     "exactly. The file is left out as a whole."},
    {"missing_file",
     "Rows refer to a table, file or range of ids that is not there: something was "
     "removed, or has not come yet."},
    {"invalid_partition", "A folder of a partition has a value that cannot be used."},
    {"reconstruction",
     "Ids repeat, point nowhere or cannot be told: records go out without what "
     "is not certain."},
    {"orphan", "Child rows whose parent_id names no row. Their file of records is missing."},
    {"null_parent", "Child rows without a parent_id: nobody knows whose they are."},
    {"unreadable", "Rows of a row group that cannot be decoded."},
    {"lost_parent", "Rows whose parent was left out."},
    {"wrong_statistics",
     "Rows that wrong statistics of their file hid until their parent was "
     "sent."},
    {"refused",
     "Rows that a setting forbids to send (resource_join: fail), or that a destination "
     "refused."},
    {"quarantined",
     "Rows, or a file, that failed permanently in an earlier run with the same checkpoint, and are "
     "not "
     "tried again: df_engine quarantine."},
    {"dropped", "Rows that an operator has dropped from the quarantine: nobody misses them."},
    {"selected_out", "Rows that nobody asked for: no fault."},
    {"misplaced",
     "Data points that their metric has no place for: its type has them in another table, is not "
     "known, or has none."},
    {"unanswered",
     "Rows for which the condition has no answer: a function was given what it does "
     "not take."},
});

std::string KeysText(const engine::NodeDescriptor& node) {
  TextTable table({{"KEY"}, {"DEFAULT"}, {"MEANING"}});
  if (node.fields == nullptr) {
    return "";
  }
  for (const config::FieldDescription& field : node.fields()) {
    if (field.older_form_of.empty()) {
      table.Add(
          {field.name, field.is_required ? "required" : field.default_text, field.description});
    }
  }
  return table.ToText();
}

/// "exporter:parquet" of "urn:otel:exporter:parquet" or "urn:otel:otap:parquet:exporter".
std::string ShortName(const engine::NodeDescriptor& node) {
  std::vector<std::string> parts;
  std::string_view rest = node.urn;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    parts.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto is_kind = [](const std::string& part) {
    return part == "receiver" || part == "processor" || part == "exporter";
  };
  if (parts.size() < 3) {
    return std::string(node.urn);
  }
  const std::string& last = parts.back();
  const std::string& before = parts[parts.size() - 2];
  return is_kind(last) ? last + ":" + before : before + ":" + last;
}

}  // namespace

int NodesCommand(int argc, char** argv) {
  CLI::App command("Lists the nodes that pipelines are made of.", "df_engine nodes");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  TextTable table({{"TYPE"}, {"MEANING"}});
  for (const engine::NodeDescriptor* node : nodes::AllDescriptors()) {
    table.Add({ShortName(*node), std::string(node->summary)});
  }
  return PrintAnswer(table.ToText());
}

int ExplainCommand(int argc, char** argv) {
  CLI::App command("Describes a node and its keys, or what a code of a problem means.",
                   "df_engine explain");
  std::string name;
  command.add_option("NAME", name, "A node, like exporter:parquet, or a code, like missing_file")
      ->required()
      ->type_name("");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  std::vector<std::string> known;
  for (const engine::NodeDescriptor* node : nodes::AllDescriptors()) {
    const std::string short_name = ShortName(*node);
    if (name == node->urn || name == short_name ||
        (name.find(':') == std::string::npos && short_name.ends_with(":" + name))) {
      return PrintAnswer(
          fmt::format("{} ({}): {}\n\n{}", short_name, node->urn, node->summary, KeysText(*node)));
    }
    known.push_back(short_name);
  }
  for (const auto& [code, meaning] : kCodes) {
    if (name == code) {
      return PrintAnswer(fmt::format("{}: {}\n", code, meaning));
    }
    known.emplace_back(code);
  }
  const std::string nearest = NearestName(name, known);
  return FailCommand(
      "df_engine explain",
      Status::Invalid(fmt::format("'{}' is neither a node nor a code{}", PrintableText(name),
                                  nearest.empty() ? "; 'df_engine nodes' lists the nodes"
                                                  : fmt::format("; did you mean '{}'?", nearest))));
}

}  // namespace df::app
