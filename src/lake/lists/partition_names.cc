#include "lake/lists/partition_names.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/file_summary.h"
#include "lake/format/footer.h"
#include "lake/format/partition_value.h"

namespace df::lake {
namespace {

void Append(const std::string& name, std::string_view value, std::string* partition) {
  *partition +=
      fmt::format("{}{}={}", partition->empty() ? "" : "/", name, EscapePartitionValue(value));
}

}  // namespace

bool IsPartitionColumn(std::string_view name) {
  return std::find(std::begin(kPartitionColumns), std::end(kPartitionColumns), name) !=
         std::end(kPartitionColumns);
}

Result<std::optional<std::string>> OnlyValueOf(storage::Store& store, const std::string& full_path,
                                               const std::string& column) {
  const Location location{.file = full_path};
  ARROW_ASSIGN_OR_RAISE(const auto file, store.OpenFile(full_path));
  ARROW_ASSIGN_OR_RAISE(const Footer footer, ReadFooter(file.get(), location));
  return OnlyValueOf(*footer.metadata, column);
}

Result<std::optional<std::string>> PartitionNames::OnlyValue(const std::string& path,
                                                             const storage::DirectoryEntry& entry,
                                                             const std::string& column) {
  Known& known = files_[path];
  known.is_asked = true;
  if (known.size_bytes != entry.size_bytes || known.modified_nanos != entry.modified_nanos) {
    known.values.clear();
    known.size_bytes = entry.size_bytes;
    known.modified_nanos = entry.modified_nanos;
  }
  for (const auto& [name, value] : known.values) {
    if (name == column) {
      return value;
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto value, OnlyValueOf(*store_, FullPath(base_, path), column));
  known.values.emplace_back(column, value);
  return value;
}

Result<PartitionNames::Answer> PartitionNames::NameOf(const std::string& path,
                                                      const storage::DirectoryEntry& entry,
                                                      const std::vector<std::string>& columns,
                                                      const PartitionValues& known) {
  Answer answer;
  bool is_told = is_single_;
  for (const auto& [name, value] : known) {
    Append(name, value, &answer.partition);
    is_told = is_told || IsPartitionColumn(name);
  }
  for (const std::string& column : columns) {
    if (std::any_of(known.begin(), known.end(),
                    [&](const auto& given) { return given.first == column; })) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto value, OnlyValue(path, entry, column));
    if (!value.has_value()) {
      answer.refusal = fmt::format(
          "file {}: its statistics do not say that all rows have one {}, and ids of several may "
          "not be joined",
          PrintableText(path), column);
      return answer;
    }
    Append(column, *value, &answer.partition);
    is_told = true;
  }
  if (!is_told) {
    answer.refusal =
        "found no column _part_id or _otel_join_namespace, so which ids belong together cannot be "
        "told; where all rows come from one partition, say single_partition: true";
  }
  return answer;
}

void PartitionNames::Forget() {
  std::erase_if(files_, [](const auto& file) { return !file.second.is_asked; });
  for (auto& [path, known] : files_) {
    known.is_asked = false;
  }
}

}  // namespace df::lake
