#include "lake/catalog/summary_codec.h"

#include <memory>
#include <utility>

#include <protozero/pbf_message.hpp>
#include <protozero/pbf_writer.hpp>

namespace df::lake {
namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;

enum Field : protozero::pbf_tag_type {
  kKind = 1,
  kDigest = 2,
  kHasPartitionScopeIds = 3,
  kIsParquetRs = 4,
  kFileSet = 5,
  kHasRowsOfSet = 6,
  kRowsOfSet = 7,
  kNumRepairedColumns = 8,
  kNotice = 9,
  kProblem = 10,
  kRowGroup = 11,
  kSchema = 12,
  kHoldsDeadLetters = 13,
};

enum RowsField : protozero::pbf_tag_type { kTable = 1, kRows = 2 };
enum StatusField : protozero::pbf_tag_type { kErrorKind = 1, kMessage = 2, kRetryable = 3 };
enum GroupField : protozero::pbf_tag_type {
  kNumRows = 1,
  kParentIds = 2,
  kClaimsNullParents = 3,
  kIds = 4,
  kResourceIds = 5,
  kScopeIds = 6,
  kTimes = 7,
  kNumBytes = 8,
};
enum RangeField : protozero::pbf_tag_type { kLeast = 1, kMost = 2 };

void AddIds(pbf_writer* group, GroupField field, const std::optional<IdRange>& ids) {
  if (ids.has_value()) {
    pbf_writer range(*group, field);
    range.add_fixed32(kLeast, ids->min);
    range.add_fixed32(kMost, ids->max);
  }
}

void AddStatus(pbf_writer* file, Field field, const Status& status) {
  pbf_writer told(*file, field);
  told.add_uint32(kErrorKind, static_cast<uint32_t>(KindOf(status)));
  told.add_string(kMessage, status.message());
  told.add_bool(kRetryable, IsRetryable(status));
}

void AddRowGroup(pbf_writer* file, const RowGroupSummary& group) {
  pbf_writer message(*file, kRowGroup);
  message.add_int64(kNumRows, group.num_rows);
  message.add_int64(kNumBytes, group.num_bytes);
  AddIds(&message, kParentIds, group.parent_ids);
  message.add_bool(kClaimsNullParents, group.claims_null_parents);
  AddIds(&message, kIds, group.ids);
  AddIds(&message, kResourceIds, group.resource_ids);
  AddIds(&message, kScopeIds, group.scope_ids);
  if (group.times.has_value()) {
    pbf_writer times(message, kTimes);
    times.add_fixed64(kLeast, static_cast<uint64_t>(group.times->least));
    times.add_fixed64(kMost, static_cast<uint64_t>(group.times->most));
  }
}

IdRange ReadIds(pbf_reader range) {
  IdRange ids;
  while (range.next()) {
    switch (range.tag()) {
      case kLeast:
        ids.min = range.get_fixed32();
        break;
      case kMost:
        ids.max = range.get_fixed32();
        break;
      default:
        range.skip();
    }
  }
  return ids;
}

EventTimeRange ReadTimes(pbf_reader range) {
  EventTimeRange times;
  while (range.next()) {
    switch (range.tag()) {
      case kLeast:
        times.least = static_cast<int64_t>(range.get_fixed64());
        break;
      case kMost:
        times.most = static_cast<int64_t>(range.get_fixed64());
        break;
      default:
        range.skip();
    }
  }
  return times;
}

RowGroupSummary ReadRowGroup(pbf_reader message) {
  RowGroupSummary group;
  while (message.next()) {
    switch (message.tag()) {
      case kNumRows:
        group.num_rows = message.get_int64();
        break;
      case kNumBytes:
        group.num_bytes = message.get_int64();
        break;
      case kParentIds:
        group.parent_ids = ReadIds(message.get_message());
        break;
      case kClaimsNullParents:
        group.claims_null_parents = message.get_bool();
        break;
      case kIds:
        group.ids = ReadIds(message.get_message());
        break;
      case kResourceIds:
        group.resource_ids = ReadIds(message.get_message());
        break;
      case kScopeIds:
        group.scope_ids = ReadIds(message.get_message());
        break;
      case kTimes:
        group.times = ReadTimes(message.get_message());
        break;
      default:
        message.skip();
    }
  }
  return group;
}

Status ReadStatus(pbf_reader message) {
  uint32_t kind = 0;
  std::string text;
  bool is_retryable = false;
  while (message.next()) {
    switch (message.tag()) {
      case kErrorKind:
        kind = message.get_uint32();
        break;
      case kMessage:
        text = message.get_string();
        break;
      case kRetryable:
        is_retryable = message.get_bool();
        break;
      default:
        message.skip();
    }
  }
  if (kind >= kErrorKindNames.size()) {
    throw protozero::exception();
  }
  return MakeError(static_cast<ErrorKind>(kind), std::move(text), {}, is_retryable);
}

std::pair<otap::TableKind, int64_t> ReadRowsOfSet(pbf_reader message) {
  uint32_t table = 0;
  int64_t rows = 0;
  while (message.next()) {
    switch (message.tag()) {
      case kTable:
        table = message.get_uint32();
        break;
      case kRows:
        rows = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  const otap::TableInfo* known = otap::FindTable(static_cast<int>(table));
  if (known == nullptr) {
    throw protozero::exception();
  }
  return {known->kind, rows};
}

/// Reads one field. Errors: throws what protozero throws.
void ReadField(pbf_reader* message, FileSummary* file, uint32_t* table, std::string* schema) {
  switch (message->tag()) {
    case kKind:
      *table = message->get_uint32();
      break;
    case kDigest:
      file->digest = message->get_string();
      break;
    case kHasPartitionScopeIds:
      file->has_partition_scope_ids = message->get_bool();
      break;
    case kIsParquetRs:
      file->is_parquet_rs = message->get_bool();
      break;
    case kHoldsDeadLetters:
      file->holds_dead_letters = message->get_bool();
      break;
    case kFileSet:
      file->file_set = message->get_string();
      break;
    case kHasRowsOfSet:
      file->rows_of_set.emplace();
      message->skip();
      break;
    case kRowsOfSet: {
      auto rows = ReadRowsOfSet(message->get_message());
      if (!file->rows_of_set.has_value()) {
        throw protozero::exception();
      }
      file->rows_of_set->push_back(rows);
      break;
    }
    case kNumRepairedColumns:
      file->num_repaired_columns = message->get_int64();
      break;
    case kNotice:
      file->notices.push_back(ReadStatus(message->get_message()));
      break;
    case kProblem:
      file->problems.push_back(ReadStatus(message->get_message()));
      break;
    case kRowGroup:
      file->row_groups.push_back(ReadRowGroup(message->get_message()));
      break;
    case kSchema:
      *schema = message->get_string();
      break;
    default:
      message->skip();
  }
}

}  // namespace

std::string EncodeSummary(const FileSummary& file) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_uint32(kKind, static_cast<uint32_t>(file.kind));
  message.add_string(kDigest, file.digest);
  message.add_bool(kHasPartitionScopeIds, file.has_partition_scope_ids);
  message.add_bool(kIsParquetRs, file.is_parquet_rs);
  message.add_bool(kHoldsDeadLetters, file.holds_dead_letters);
  message.add_string(kFileSet, file.file_set);
  if (file.rows_of_set.has_value()) {
    message.add_bool(kHasRowsOfSet, true);
    for (const auto& [table, rows] : *file.rows_of_set) {
      pbf_writer entry(message, kRowsOfSet);
      entry.add_uint32(kTable, static_cast<uint32_t>(table));
      entry.add_int64(kRows, rows);
    }
  }
  message.add_int64(kNumRepairedColumns, file.num_repaired_columns);
  for (const Status& notice : file.notices) {
    AddStatus(&message, kNotice, notice);
  }
  for (const Status& problem : file.problems) {
    AddStatus(&message, kProblem, problem);
  }
  for (const RowGroupSummary& group : file.row_groups) {
    AddRowGroup(&message, group);
  }
  message.add_string(kSchema, file.schema->fingerprint);
  return bytes;
}

std::shared_ptr<FileSummary> DecodeSummary(std::string_view bytes, otap::TableKind table,
                                           const SchemaRegistry& schemas) {
  auto file = std::make_shared<FileSummary>();
  uint32_t kind = 0;
  std::string schema;
  try {
    pbf_reader message(bytes.data(), bytes.size());
    while (message.next()) {
      ReadField(&message, file.get(), &kind, &schema);
    }
  } catch (const protozero::exception&) {
    return nullptr;
  }
  file->schema = schemas.Find(table, schema);
  if (kind != static_cast<uint32_t>(table) || file->schema == nullptr || file->digest.empty()) {
    return nullptr;
  }
  file->kind = table;
  return file;
}

}  // namespace df::lake
