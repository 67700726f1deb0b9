#include "lake/lists/delta_list.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/file_summary.h"
#include "lake/lists/listed_lake.h"
#include "lake/lists/place_in_base.h"

namespace df::lake {
namespace {

int HexDigit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/// Paths in a log are written as in URIs.
std::string Unescaped(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : HexDigit(text[i + 2]);
    if (low >= 0) {
      plain += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool Has(const std::vector<storage::DirectoryEntry>& entries, std::string_view name) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const auto& entry) { return entry.name == name; });
}

}  // namespace

Result<LakeListing> DeltaList::List(const std::vector<otap::Signal>& signals) {
  ARROW_ASSIGN_OR_RAISE(auto lake, ListedLake::Open(store_.get(), base_, signals));
  const auto entries = lake->ListFolder("");
  if (!entries.ok()) {
    const auto exists = store_->Exists(base_);
    return WithContext(entries.status(), ErrorKind::kFileDiscovery,
                       {.file = store_->Describe(base_)}, exists.ValueOr(true));
  }
  if (Has(*entries, "_delta_log")) {
    return MakeError(ErrorKind::kFileDiscovery,
                     "the base is a Delta table, expected a folder of such tables",
                     {.file = store_->Describe(base_)});
  }
  for (const storage::DirectoryEntry& entry : *entries) {
    const otap::TableInfo* table = otap::FindTable(entry.name);
    if (!entry.is_directory || entry.name.starts_with('.') || entry.name.starts_with('_')) {
      continue;
    }
    if (table == nullptr) {
      lake->AddNotice(MakeError(ErrorKind::kFileDiscovery,
                                "the directory is not named as a table of the model and is ignored",
                                {.file = entry.name}));
    } else if (lake->IsNeeded(table->kind)) {
      if (const Status status = ReadTable(table->kind, lake.get()); !status.ok()) {
        lake->Refuse(table->kind,
                     MakeError(ErrorKind::kFileDiscovery,
                               fmt::format("Delta table {}: {}", entry.name, status.message()), {},
                               IsRetryable(status)));
      }
    }
  }
  partitions_.Forget();
  LakeListing listing = lake->Finish();
  rewrites_.Look(&listing);
  return listing;
}

Status DeltaList::ReadTable(otap::TableKind table, ListedLake* lake) {
  const std::string folder(otap::GetTable(table).directory);
  const auto entries = lake->ListFolder(folder + "/_delta_log");
  if (!entries.ok()) {
    return Status::Invalid(
        fmt::format("found no _delta_log that can be listed: {}", entries.status().message()));
  }
  DeltaLog& log =
      logs_.try_emplace(table, store_.get(), FullPath(base_, folder), table).first->second;
  ARROW_RETURN_NOT_OK(log.Update(*entries));
  for (const auto& [path, file] : log.files()) {
    ARROW_RETURN_NOT_OK(AddFile(log, path, file, table, lake));
  }
  return Status::OK();
}

Status DeltaList::AddFile(const DeltaLog& log, const std::string& path, const DeltaFile& file,
                          otap::TableKind table, ListedLake* lake) {
  const std::string folder(otap::GetTable(table).directory);
  const std::string named_at = fmt::format("{} version {}", folder, file.version);
  const auto lose = [&](const Status& why) {
    lake->AddMissing(table);
    lake->AddProblem(MakeError(ErrorKind::kFileDiscovery,
                               fmt::format("{}: {}", named_at, why.message()),
                               {.table = folder, .file = path}, IsRetryable(why)));
    return Status::OK();
  };
  const std::string plain = Unescaped(path);
  const bool is_whole = plain.starts_with('/') || plain.find("://") != std::string::npos;
  const auto place =
      PlaceInBase(*store_, base_, is_whole ? plain : fmt::format("{}/{}", folder, plain));
  if (!place.ok()) {
    return lose(place.status());
  }
  const auto entry = lake->Find(*place);
  if (!entry.ok()) {
    return lose(entry.status());
  }
  PartitionValues values;
  for (const std::string& column : log.partition_columns()) {
    const auto value = file.values.find(column);
    values.emplace_back(column, value == file.values.end() ? "" : value->second);
  }
  const auto name = partitions_.NameOf(*place, *entry, log.columns(), values);
  if (!name.ok()) {
    return lose(name.status());
  }
  if (!name->refusal.empty()) {
    return Status::Invalid(
        log.columns().empty()
            ? name->refusal
            : fmt::format("{}: partition the table by {}", name->refusal, log.columns().front()));
  }
  lake->Add({.table = table,
             .partition = name->partition,
             .path = *place,
             .size_bytes = file.size_bytes,
             .num_rows = file.num_rows,
             .named_at = named_at});
  return Status::OK();
}

}  // namespace df::lake
