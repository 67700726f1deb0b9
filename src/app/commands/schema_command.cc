#include "app/commands/schema_command.h"

#include <chrono>
#include <cstdio>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "app/commands/exit_codes.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "engine/checked_engine.h"

namespace df::app {

namespace {

/// "2026-11-29T08:30:00Z"
std::string Moment(int64_t nanos) {
  return fmt::format("{:%FT%TZ}", fmt::gmtime(static_cast<std::time_t>(nanos / 1'000'000'000)));
}

}  // namespace

int SchemaCommand(const engine::NodeRegistry& registry) {
  return PrintAnswer(engine::DocumentSchema(registry));
}

std::string DescribeSchemas(const std::vector<lake::FooterCache::TreeSchemas>& trees) {
  std::string text;
  for (const lake::FooterCache::TreeSchemas& tree : trees) {
    text += fmt::format("{}: footers of {} files\n", PrintableText(tree.tree), tree.num_files);
    const lake::SchemaVersion* before = nullptr;
    for (const lake::SchemaVersion& version : tree.versions) {
      const bool is_first = before == nullptr || before->schema->table != version.schema->table;
      text += fmt::format("  {} {}: {} columns, from {} {} to {} {}\n",
                          otap::GetTable(version.schema->table).directory,
                          version.schema->fingerprint, version.schema->columns.size(),
                          Moment(version.first_modified_nanos), PrintableText(version.first_file),
                          Moment(version.last_modified_nanos), PrintableText(version.last_file));
      if (!is_first) {
        text += fmt::format("    {}\n", lake::DescribeChange(*before->schema, *version.schema));
      }
      before = &version;
    }
  }
  return text;
}

int SchemasCommand(const std::string& directory) {
  const auto trees = lake::FooterCache::ReadSchemas(directory);
  if (!trees.ok()) {
    fmt::print(stderr, "df_engine schemas: {}\n", trees.status().message());
    return kExitFailed;
  }
  return PrintAnswer(DescribeSchemas(*trees));
}

}  // namespace df::app
