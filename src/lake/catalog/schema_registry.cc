#include "lake/catalog/schema_registry.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include <fmt/format.h>

namespace df::lake {

void SchemaRegistry::Restore(SchemaVersion version) {
  const std::lock_guard lock(mutex_);
  const Key key{version.schema->table, version.schema->fingerprint};
  schemas_.try_emplace(key, version.schema);
  const auto [known, is_new] = versions_.try_emplace(key, Known{.version = std::move(version)});
  NoteLatest(known->second.version);
}

TableSchemaPtr SchemaRegistry::Find(otap::TableKind table, std::string_view fingerprint) const {
  const std::lock_guard lock(mutex_);
  const auto found = schemas_.find(Key{table, std::string(fingerprint)});
  return found == schemas_.end() ? nullptr : found->second;
}

TableSchemaPtr SchemaRegistry::Intern(TableSchema schema) {
  const std::lock_guard lock(mutex_);
  const Key key{schema.table, schema.fingerprint};
  if (const auto known = schemas_.find(key); known != schemas_.end()) {
    return known->second;
  }
  if (schemas_.size() >= kMostSchemas) {
    return nullptr;
  }
  return schemas_.emplace(key, std::make_shared<const TableSchema>(std::move(schema)))
      .first->second;
}

const SchemaVersion* SchemaRegistry::LatestOf(otap::TableKind table) const {
  const auto found = latest_.find(table);
  return found == latest_.end() ? nullptr : found->second;
}

void SchemaRegistry::NoteLatest(const SchemaVersion& version) {
  const SchemaVersion*& latest = latest_[version.schema->table];
  if (latest == nullptr || version.last_modified_nanos > latest->last_modified_nanos) {
    latest = &version;
  }
}

Result<std::optional<Status>> SchemaRegistry::Admit(const FileSummary& file,
                                                    const std::string& partition,
                                                    UnknownSchemas policy) {
  const std::lock_guard lock(mutex_);
  const TableSchemaPtr& schema = file.schema;
  const FileEntry& entry = file.entry;
  const auto known = versions_.find({schema->table, schema->fingerprint});
  std::optional<Status> news;
  if (known == versions_.end()) {
    const SchemaVersion* latest = LatestOf(schema->table);
    if (policy != UnknownSchemas::kAccept &&
        (latest != nullptr || policy == UnknownSchemas::kRefuse)) {
      const std::string difference =
          latest == nullptr
              ? "no schema of this table is known yet"
              : fmt::format("beside {} of {}: {}", latest->schema->fingerprint, latest->last_file,
                            DescribeChange(*latest->schema, *schema));
      Status told = MakeError(
          ErrorKind::kSchemaReconstruction,
          fmt::format("found schema {}, which no file of the table has had before; {}{}",
                      schema->fingerprint, difference,
                      policy == UnknownSchemas::kRefuse
                          ? ". The file is not read; a run with catalog.unknown_schemas: accept "
                            "makes the schema known"
                          : ""),
          {.partition = partition,
           .table = std::string(otap::GetTable(schema->table).directory),
           .file = entry.path});
      if (policy == UnknownSchemas::kRefuse) {
        return told;
      }
      news = std::move(told);
    }
    Known& added = versions_[{schema->table, schema->fingerprint}];
    added = {.version = {.schema = schema,
                         .first_file = entry.path,
                         .first_modified_nanos = entry.modified_nanos,
                         .last_file = entry.path,
                         .last_modified_nanos = entry.modified_nanos},
             .has_changed = true};
    NoteLatest(added.version);
    return news;
  }
  SchemaVersion& version = known->second.version;
  if (std::tie(entry.modified_nanos, entry.path) <
      std::tie(version.first_modified_nanos, version.first_file)) {
    version.first_file = entry.path;
    version.first_modified_nanos = entry.modified_nanos;
    known->second.has_changed = true;
  }
  if (std::tie(entry.modified_nanos, entry.path) >
      std::tie(version.last_modified_nanos, version.last_file)) {
    version.last_file = entry.path;
    version.last_modified_nanos = entry.modified_nanos;
    known->second.has_changed = true;
    NoteLatest(version);
  }
  return news;
}

std::vector<SchemaVersion> SchemaRegistry::Versions() const {
  const std::lock_guard lock(mutex_);
  std::vector<SchemaVersion> versions;
  versions.reserve(versions_.size());
  for (const auto& [key, known] : versions_) {
    versions.push_back(known.version);
  }
  std::stable_sort(versions.begin(), versions.end(),
                   [](const SchemaVersion& a, const SchemaVersion& b) {
                     return std::tie(a.schema->table, a.first_modified_nanos, a.first_file) <
                            std::tie(b.schema->table, b.first_modified_nanos, b.first_file);
                   });
  return versions;
}

std::vector<SchemaVersion> SchemaRegistry::TakeChanged() {
  const std::lock_guard lock(mutex_);
  std::vector<SchemaVersion> changed;
  for (auto& [key, known] : versions_) {
    if (std::exchange(known.has_changed, false)) {
      changed.push_back(known.version);
    }
  }
  return changed;
}

}  // namespace df::lake
