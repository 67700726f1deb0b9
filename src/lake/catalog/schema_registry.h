// Which schemas the tables of a tree have had.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/catalog/table_schema.h"

namespace df::lake {

/// What happens to a file with a schema that no file of its table has had before.
enum class UnknownSchemas : uint8_t {
  kAccept,  ///< it is read
  kWarn,    ///< it is read, and what differs is named
  kRefuse,  ///< it is not read
};

/// One schema of a table. First and last are by the time at which files were modified.
struct SchemaVersion {
  TableSchemaPtr schema;
  std::string first_file;
  int64_t first_modified_nanos = 0;
  std::string last_file;
  int64_t last_modified_nanos = 0;
};

/// Keeps one object a schema, whatever the number of files. Calls: from any thread.
class SchemaRegistry {
 public:
  /// A tree that has more is written by somebody who invents columns.
  static constexpr size_t kMostSchemas = 10'000;

  /// Adds a version that was known before.
  void Restore(SchemaVersion version);

  /// Returns the schema with this fingerprint, or null.
  TableSchemaPtr Find(otap::TableKind table, std::string_view fingerprint) const;

  /// Returns the one object for this schema, or null where kMostSchemas others are known.
  TableSchemaPtr Intern(TableSchema schema);

  /// Counts a file among those of its schema, when the policy lets it.
  /// Returns: what is to be said of a schema that is new, once each; nothing otherwise.
  /// Errors: schema_reconstruction, for a schema that is not known and refused.
  Result<std::optional<Status>> Admit(const FileSummary& file, const std::string& partition,
                                      UnknownSchemas policy);

  /// All versions, by table, the oldest first.
  std::vector<SchemaVersion> Versions() const;

  /// Versions that were added or have other files since the last call.
  std::vector<SchemaVersion> TakeChanged();

 private:
  using Key = std::pair<otap::TableKind, std::string>;
  struct Known {
    SchemaVersion version;
    bool has_changed = false;
  };
  const SchemaVersion* LatestOf(otap::TableKind table) const;
  void NoteLatest(const SchemaVersion& version);

  mutable std::mutex mutex_;
  std::map<Key, TableSchemaPtr> schemas_;
  std::map<Key, Known> versions_;
  std::map<otap::TableKind, const SchemaVersion*> latest_;  ///< of versions_
};

}  // namespace df::lake
