#include "lake/lists/ducklake_list.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/database.h"
#include "lake/lists/listed_lake.h"
#include "lake/lists/place_in_base.h"

namespace df::lake {
namespace {

constexpr std::string_view kCatalogVersion = "1.0";

std::string Quoted(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    text += c;
    if (c == '"') {
      text += c;
    }
  }
  return text + "\"";
}

std::string Lower(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool IsModelColumn(const otap::TableInfo& table, const std::string& name) {
  return otap::FindColumn(table.columns, name) != nullptr;
}

/// A path below another one, without slashes at its end.
std::string Joined(const std::string& parent, std::string_view path) {
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  return parent.empty() ? std::string(path) : fmt::format("{}/{}", parent, path);
}

/// A file of the catalog.
struct CatalogFile {
  int64_t id = 0;
  std::string path;
  bool is_relative = false;
  std::string format;
  int64_t num_rows = 0;
  int64_t size_bytes = 0;
  bool is_encrypted = false;
  int64_t mapping = -1;
  int64_t partial_max = -1;
  PartitionValues values;
};

/// A table of the catalog that is one of the model.
struct CatalogTable {
  const otap::TableInfo* info = nullptr;
  int64_t id = 0;
  std::string folder;                ///< below the base
  std::vector<std::string> columns;  ///< of kPartitionColumns, those that it has
  std::vector<CatalogFile> files;
};

/// One look at a catalog, inside one transaction.
class DuckLakeReader {
 public:
  DuckLakeReader(const Database& database, const storage::Store& store, const std::string& base,
                 const DuckLakeOptions& options, PartitionNames* partitions, ListedLake* lake)
      : database_(database),
        store_(store),
        base_(base),
        options_(options),
        partitions_(partitions),
        lake_(lake) {}

  /// Reads the catalog; looks at no file.
  Status Read() {
    ARROW_RETURN_NOT_OK(ReadMetadata());
    ARROW_RETURN_NOT_OK(FindSnapshot());
    ARROW_RETURN_NOT_OK(FindTables());
    for (CatalogTable& table : tables_) {
      ARROW_ASSIGN_OR_RAISE(const std::string refusal, ReadTable(&table));
      if (!refusal.empty()) {
        Refuse(table, refusal);
        table.files.clear();
      }
    }
    return Status::OK();
  }

  /// Looks the files up that the catalog has. Whoever writes the catalog does not wait for that.
  void AddFiles() {
    for (const CatalogTable& table : tables_) {
      for (const CatalogFile& file : table.files) {
        if (const std::string refusal = AddFile(table, file); !refusal.empty()) {
          Refuse(table, refusal);
          break;
        }
      }
    }
  }

 private:
  /// A condition on rows of the catalog: those of the snapshot.
  std::string Alive(std::string_view name = "") const {
    const std::string dot = name.empty() ? "" : fmt::format("{}.", name);
    return fmt::format(
        "{0}begin_snapshot <= {1} AND ({0}end_snapshot IS NULL OR {0}end_snapshot > {1})", dot,
        snapshot_);
  }

  Status Failed(std::string message) const {
    return MakeError(ErrorKind::kFileDiscovery, std::move(message), {.file = options_.catalog});
  }

  void Refuse(const CatalogTable& table, const std::string& why) {
    lake_->Refuse(table.info->kind, MakeError(ErrorKind::kFileDiscovery,
                                              fmt::format("DuckLake table {}.{} at snapshot {}: {}",
                                                          PrintableText(options_.schema),
                                                          table.info->directory, snapshot_, why)));
  }

  /// Returns the first column of the first row, nothing where there is no row.
  Result<std::optional<std::string>> First(const std::string& statement) const {
    ARROW_ASSIGN_OR_RAISE(Query query, database_.Prepare(statement));
    ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
    return has_row ? std::optional(std::string(query.Text(0))) : std::nullopt;
  }

  Result<int64_t> Count(const std::string& statement) const {
    ARROW_ASSIGN_OR_RAISE(Query query, database_.Prepare(statement));
    ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
    return has_row ? query.Integer(0) : 0;
  }

  Result<bool> HasTable(const std::string& name) const {
    ARROW_ASSIGN_OR_RAISE(
        Query query,
        database_.Prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"));
    return query.Bind(0, std::string_view(name)).Next();
  }

  Status ReadMetadata() {
    ARROW_ASSIGN_OR_RAISE(const bool has_metadata, HasTable("ducklake_metadata"));
    if (!has_metadata) {
      return Failed("found a SQLite file without ducklake_metadata, expected a DuckLake catalog");
    }
    std::map<std::string, std::string> values;
    ARROW_ASSIGN_OR_RAISE(
        Query query,
        database_.Prepare("SELECT key, value FROM ducklake_metadata WHERE scope IS NULL"));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
      if (!has_row) {
        break;
      }
      values[std::string(query.Text(0))] = std::string(query.Text(1));
    }
    if (values["version"] != kCatalogVersion) {
      return Failed(
          fmt::format("found a DuckLake catalog of version '{}', expected {}: attach it "
                      "with a DuckLake of that version, which migrates it",
                      PrintableText(values["version"]), kCatalogVersion));
    }
    if (values["encrypted"] == "true") {
      return Failed("found a DuckLake with encrypted files, expected plain ones");
    }
    const std::string& data_path = values["data_path"];
    if (data_path.starts_with('/') || data_path.find("://") != std::string::npos) {
      const auto place = PlaceInBase(store_, base_, data_path);
      if (place.ok()) {
        data_folder_ = *place;
      } else {
        lake_->AddNotice(MakeError(
            ErrorKind::kFileDiscovery,
            fmt::format("the catalog has DATA_PATH '{}', which is not below base_uri: its files "
                        "are looked for in base_uri itself",
                        PrintableText(data_path)),
            {.file = options_.catalog}));
      }
    }
    return Status::OK();
  }

  Status FindSnapshot() {
    ARROW_ASSIGN_OR_RAISE(Query query,
                          database_.Prepare("SELECT min(snapshot_id), max(snapshot_id), "
                                            "max(snapshot_id = ?) FROM ducklake_snapshot"));
    ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Bind(0, options_.snapshot).Next());
    if (!has_row || (options_.snapshot >= 0 && query.Integer(2) == 0)) {
      return Failed(
          fmt::format("found no snapshot {}, there are {} to {} of which some may have "
                      "expired",
                      options_.snapshot, query.Integer(0), query.Integer(1)));
    }
    snapshot_ = options_.snapshot >= 0 ? options_.snapshot : query.Integer(1);
    return Status::OK();
  }

  Status FindTables() {
    ARROW_ASSIGN_OR_RAISE(
        Query schema,
        database_.Prepare("SELECT schema_id, path, path_is_relative FROM ducklake_schema WHERE "
                          "schema_name = ? AND " +
                          Alive()));
    ARROW_ASSIGN_OR_RAISE(const bool has_schema,
                          schema.Bind(0, std::string_view(options_.schema)).Next());
    if (!has_schema) {
      return Failed(fmt::format("found no schema '{}' at snapshot {}",
                                PrintableText(options_.schema), snapshot_));
    }
    const auto schema_folder = Below(data_folder_, schema.Text(1), schema.Integer(2) != 0);
    ARROW_ASSIGN_OR_RAISE(
        Query tables,
        database_.Prepare("SELECT table_id, table_name, path, path_is_relative FROM ducklake_table "
                          "WHERE schema_id = ? AND " +
                          Alive() + " ORDER BY table_id"));
    tables.Bind(0, schema.Integer(0));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_row, tables.Next());
      if (!has_row) {
        return Status::OK();
      }
      AddTable(tables.Integer(0), std::string(tables.Text(1)), tables.Text(2),
               tables.Integer(3) != 0, schema_folder);
    }
  }

  void AddTable(int64_t id, const std::string& name, std::string_view path, bool is_relative,
                const Result<std::string>& schema_folder) {
    CatalogTable table{
        .info = otap::FindTable(Lower(name)), .id = id, .folder = "", .columns = {}, .files = {}};
    if (table.info == nullptr) {
      lake_->AddNotice(MakeError(ErrorKind::kFileDiscovery,
                                 fmt::format("DuckLake table {}.{} is not named as a table of "
                                             "the model and is ignored",
                                             PrintableText(options_.schema), PrintableText(name)),
                                 {.file = options_.catalog}));
      return;
    }
    if (!lake_->IsNeeded(table.info->kind)) {
      return;
    }
    const auto folder = is_relative && !schema_folder.ok()
                            ? schema_folder
                            : Below(schema_folder.ValueOr(""), path, is_relative);
    if (!folder.ok()) {
      Refuse(table, fmt::format("its folder: {}", folder.status().message()));
      return;
    }
    table.folder = *folder;
    tables_.push_back(std::move(table));
  }

  /// Returns a path of the catalog below the base.
  Result<std::string> Below(const std::string& parent, std::string_view path,
                            bool is_relative) const {
    return PlaceInBase(store_, base_, is_relative ? Joined(parent, path) : std::string(path));
  }

  /// Lists the files of a table; returns why it is refused, "" where it is not.
  Result<std::string> ReadTable(CatalogTable* table) {
    ARROW_ASSIGN_OR_RAISE(std::string refusal, FindRowsElsewhere(*table));
    if (refusal.empty()) {
      ARROW_ASSIGN_OR_RAISE(refusal, FindOtherColumns(*table));
    }
    if (!refusal.empty()) {
      return refusal;
    }
    for (const std::string_view column : kPartitionColumns) {
      ARROW_ASSIGN_OR_RAISE(
          const int64_t count,
          Count(fmt::format("SELECT count(*) FROM ducklake_column WHERE table_id = {} AND "
                            "parent_column IS NULL AND column_name = '{}' AND {}",
                            table->id, column, Alive())));
      if (count > 0) {
        table->columns.emplace_back(column);
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto values, ReadPartitionValues(*table));
    ARROW_ASSIGN_OR_RAISE(
        Query files,
        database_.Prepare(fmt::format(
            "SELECT data_file_id, path, path_is_relative, lower(file_format), record_count, "
            "file_size_bytes, encryption_key IS NOT NULL, coalesce(mapping_id, -1), "
            "coalesce(partial_max, -1) FROM ducklake_data_file WHERE table_id = {} AND {} ORDER BY "
            "data_file_id",
            table->id, Alive())));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_row, files.Next());
      if (!has_row) {
        return std::string();
      }
      CatalogFile file{.id = files.Integer(0),
                       .path = std::string(files.Text(1)),
                       .is_relative = files.Integer(2) != 0,
                       .format = std::string(files.Text(3)),
                       .num_rows = files.Integer(4),
                       .size_bytes = files.Integer(5),
                       .is_encrypted = files.Integer(6) != 0,
                       .mapping = files.Integer(7),
                       .partial_max = files.Integer(8),
                       .values = std::move(values[files.Integer(0)])};
      ARROW_ASSIGN_OR_RAISE(refusal, CheckFile(*table, file));
      if (!refusal.empty()) {
        return refusal;
      }
      table->files.push_back(std::move(file));
    }
  }

  /// Looks for rows that are deleted in files which still have them, and for rows without a file.
  Result<std::string> FindRowsElsewhere(const CatalogTable& table) const {
    ARROW_ASSIGN_OR_RAISE(
        const int64_t num_deletes,
        Count(fmt::format("SELECT count(*) FROM ducklake_delete_file WHERE table_id = {} AND {}",
                          table.id, Alive())));
    const std::string deletes = fmt::format("ducklake_inlined_delete_{}", table.id);
    ARROW_ASSIGN_OR_RAISE(const bool has_deletes, HasTable(deletes));
    int64_t num_inlined = 0;
    if (has_deletes) {
      ARROW_ASSIGN_OR_RAISE(num_inlined,
                            Count(fmt::format("SELECT count(*) FROM {} AS d JOIN "
                                              "ducklake_data_file AS f ON f.data_file_id = "
                                              "d.file_id WHERE d.begin_snapshot <= {} AND {}",
                                              Quoted(deletes), snapshot_, Alive("f"))));
    }
    if (num_deletes + num_inlined > 0) {
      return fmt::format(
          "found {} delete files and {} deleted rows in the catalog, expected none: files hold "
          "rows "
          "that are deleted; write them anew (CALL ducklake_flush_inlined_data, then CALL "
          "ducklake_rewrite_data_files with delete_threshold => 0)",
          num_deletes, num_inlined);
    }
    ARROW_ASSIGN_OR_RAISE(
        Query names,
        database_.Prepare(fmt::format(
            "SELECT table_name FROM ducklake_inlined_data_tables WHERE table_id = {}", table.id)));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_row, names.Next());
      if (!has_row) {
        return std::string();
      }
      const std::string name(names.Text(0));
      ARROW_ASSIGN_OR_RAISE(const bool is_there, HasTable(name));
      if (!is_there) {
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(
          const int64_t num_rows,
          Count(fmt::format("SELECT count(*) FROM {} WHERE {}", Quoted(name), Alive())));
      if (num_rows > 0) {
        return fmt::format(
            "found {} rows in the catalog itself ({}), expected all of them in files: "
            "CALL ducklake_flush_inlined_data",
            num_rows, PrintableText(name));
      }
    }
  }

  /// Files are read by the names that their columns have in them.
  Result<std::string> FindOtherColumns(const CatalogTable& table) const {
    ARROW_ASSIGN_OR_RAISE(
        const auto renamed,
        First(fmt::format("SELECT o.column_name || ''', now ''' || n.column_name FROM "
                          "ducklake_column AS n JOIN ducklake_column AS o ON o.table_id = "
                          "n.table_id AND o.column_id = n.column_id WHERE n.table_id = {} AND {} "
                          "AND o.begin_snapshot <= {} AND o.column_name <> n.column_name",
                          table.id, Alive("n"), snapshot_)));
    if (renamed.has_value()) {
      return fmt::format("column '{}', was renamed, and older files are read by the names in them",
                         PrintableText(*renamed));
    }
    // Dropped columns, which older files still have, and columns with a value in older files.
    ARROW_ASSIGN_OR_RAISE(
        Query query,
        database_.Prepare(fmt::format(
            "SELECT c.column_name, c.parent_column IS NOT NULL, {1} FROM ducklake_column AS c "
            "WHERE "
            "c.table_id = {0} AND c.begin_snapshot <= {2} AND CASE WHEN {1} THEN "
            "coalesce(c.initial_default, '') NOT IN ('', 'NULL') AND EXISTS (SELECT 1 FROM "
            "ducklake_data_file AS f WHERE f.table_id = {0} AND {3} AND f.begin_snapshot < "
            "c.begin_snapshot) ELSE NOT EXISTS (SELECT 1 FROM ducklake_column AS n WHERE "
            "n.table_id "
            "= {0} AND n.column_id = c.column_id AND {4}) AND EXISTS (SELECT 1 FROM "
            "ducklake_data_file AS f WHERE f.table_id = {0} AND {3} AND f.begin_snapshot < "
            "c.end_snapshot) END",
            table.id, "(" + Alive("c") + ")", snapshot_, Alive("f"), Alive("n"))));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
      if (!has_row) {
        return std::string();
      }
      const std::string name(query.Text(0));
      if (query.Integer(1) != 0 || IsModelColumn(*table.info, name)) {
        return query.Integer(2) != 0
                   ? fmt::format(
                         "column '{}' has a default in files that were there before it, "
                         "which do not say it",
                         PrintableText(name))
                   : fmt::format("column '{}' was dropped, and older files still have it",
                                 PrintableText(name));
      }
    }
  }

  /// By file: the values of the columns that the table is partitioned by as they are.
  Result<std::map<int64_t, PartitionValues>> ReadPartitionValues(const CatalogTable& table) const {
    std::map<int64_t, PartitionValues> values;
    ARROW_ASSIGN_OR_RAISE(
        Query query,
        database_.Prepare(fmt::format(
            "SELECT f.data_file_id, n.column_name, coalesce(v.partition_value, '') FROM "
            "ducklake_data_file AS f JOIN ducklake_file_partition_value AS v ON v.data_file_id = "
            "f.data_file_id JOIN ducklake_partition_column AS p ON p.partition_id = f.partition_id "
            "AND p.partition_key_index = v.partition_key_index JOIN (SELECT DISTINCT table_id, "
            "column_id, column_name FROM ducklake_column) AS n ON n.table_id = f.table_id AND "
            "n.column_id = p.column_id WHERE f.table_id = {} AND {} AND p.transform = 'identity' "
            "ORDER BY f.data_file_id, p.partition_key_index",
            table.id, Alive("f"))));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
      if (!has_row) {
        return values;
      }
      std::string name(query.Text(1));
      if (!IsModelColumn(*table.info, name)) {
        values[query.Integer(0)].emplace_back(std::move(name), std::string(query.Text(2)));
      }
    }
  }

  /// Tells whether columns of a file have other names than those of the table.
  Result<bool> HasOtherNames(const CatalogTable& table, int64_t mapping) {
    const auto [known, is_new] = mappings_.try_emplace(mapping, false);
    if (is_new) {
      ARROW_ASSIGN_OR_RAISE(
          const int64_t count,
          Count(fmt::format(
              // Items of lists have a name in files that means nothing.
              "SELECT (SELECT count(*) FROM ducklake_name_mapping AS m JOIN ducklake_column AS c "
              "ON c.table_id = {0} AND c.column_id = m.target_field_id WHERE m.mapping_id = {1} "
              "AND {2} AND m.source_name <> c.column_name AND NOT EXISTS (SELECT 1 FROM "
              "ducklake_column AS p WHERE p.table_id = {0} AND p.column_id = c.parent_column AND "
              "p.column_type = 'list')) + (SELECT count(*) FROM ducklake_column_mapping WHERE "
              "mapping_id = {1} AND type <> 'map_by_name')",
              table.id, mapping, Alive("c"))));
      known->second = count > 0;
    }
    return known->second;
  }

  /// Tells whether the rows of the snapshot are all rows of the file; returns why not, or "".
  Result<std::string> CheckFile(const CatalogTable& table, const CatalogFile& file) {
    const std::string shown = PrintableText(file.path);
    if (file.format != "parquet" || file.is_encrypted) {
      return fmt::format("file {}: found {}, expected plain Parquet", shown,
                         file.is_encrypted ? "an encrypted file" : PrintableText(file.format));
    }
    if (file.partial_max > snapshot_) {
      return fmt::format(
          "file {}: it was merged, and has rows up to snapshot {}: read that one or "
          "a later one",
          shown, file.partial_max);
    }
    if (file.mapping >= 0) {
      ARROW_ASSIGN_OR_RAISE(const bool has_other_names, HasOtherNames(table, file.mapping));
      if (has_other_names) {
        return fmt::format("file {}: its columns have other names than those of the table", shown);
      }
    }
    return std::string();
  }

  /// Lists a file; returns why its table is refused, or "".
  std::string AddFile(const CatalogTable& table, const CatalogFile& file) {
    const std::string named_at =
        fmt::format("{}: data file {} of snapshot {}", options_.catalog, file.id, snapshot_);
    const auto lose = [&](const std::string& path, const Status& why) {
      lake_->AddMissing(table.info->kind);
      lake_->AddProblem(
          MakeError(ErrorKind::kFileDiscovery, fmt::format("{}: {}", named_at, why.message()),
                    {.table = std::string(table.info->directory), .file = path}, IsRetryable(why)));
      return std::string();
    };
    const auto path = Below(table.folder, file.path, file.is_relative);
    if (!path.ok()) {
      return lose(file.path, path.status());
    }
    const auto entry = lake_->Find(*path);
    if (!entry.ok()) {
      return lose(*path, entry.status());
    }
    const auto name = partitions_->NameOf(*path, *entry, table.columns, file.values);
    if (!name.ok()) {
      return lose(*path, name.status());
    }
    if (!name->refusal.empty()) {
      return table.columns.empty()
                 ? name->refusal
                 : fmt::format(
                       "{}: ALTER TABLE {}.{} SET PARTITIONED BY ({}) and write the rows "
                       "again",
                       name->refusal, PrintableText(options_.schema), table.info->directory,
                       table.columns.front());
    }
    lake_->Add({.table = table.info->kind,
                .partition = name->partition,
                .path = *path,
                .size_bytes = file.size_bytes,
                .num_rows = file.num_rows,
                .named_at = named_at});
    return std::string();
  }

  const Database& database_;
  const storage::Store& store_;
  const std::string& base_;
  const DuckLakeOptions& options_;
  PartitionNames* partitions_;
  ListedLake* lake_;
  std::string data_folder_;  ///< below the base
  int64_t snapshot_ = 0;
  std::vector<CatalogTable> tables_;
  std::map<int64_t, bool> mappings_;  ///< by mapping: it has other names
};

}  // namespace

Result<LakeListing> DuckLakeList::List(const std::vector<otap::Signal>& signals) {
  bool is_damaged = false;
  auto database = Database::Open(options_.catalog, /*is_read_only=*/true, &is_damaged);
  if (!database.ok()) {
    return MakeError(
        ErrorKind::kIo,
        fmt::format("{}: expected a DuckLake catalog in SQLite", database.status().message()), {},
        !is_damaged);
  }
  ARROW_ASSIGN_OR_RAISE(auto lake, ListedLake::Open(store_.get(), base_, signals));
  DuckLakeReader reader(**database, *store_, base_, options_, &partitions_, lake.get());
  // A transaction sees one state of the catalog even if others write to it.
  ARROW_RETURN_NOT_OK((*database)->Run("BEGIN"));
  ARROW_RETURN_NOT_OK(reader.Read());
  ARROW_RETURN_NOT_OK((*database)->Run("COMMIT"));
  reader.AddFiles();
  partitions_.Forget();
  LakeListing listing = lake->Finish();
  rewrites_.Look(&listing);
  return listing;
}

}  // namespace df::lake
