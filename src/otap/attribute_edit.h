// Changes of attributes: on columns, for all rows of a table at once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otap/any_value.h"
#include "otap/batch.h"

namespace df::otap {

/// Whose attributes a table holds.
enum class AttributeOwner : uint8_t {
  kSignal,  ///< log records, spans, data points: what is counted as an item
  kResource,
  kScope,
  kMetric,
  kSpanEvent,
  kSpanLink,
  kExemplar,
};

/// Returns the owner of the attributes in a table, or nothing for tables of other things.
std::optional<AttributeOwner> OwnerOf(const TableInfo& info);

enum class AttributeActionKind : uint8_t { kInsert, kUpdate, kUpsert, kRename, kDelete, kHash };
inline constexpr size_t kNumAttributeActions = 6;

/// Returns "insert", "update" and so on.
std::string_view Name(AttributeActionKind kind);

struct AttributeAction {
  AttributeActionKind kind = AttributeActionKind::kDelete;
  std::string key;
  AttributeValue value;  ///< insert, update, upsert
  std::string new_key;   ///< rename
  std::string salt;      ///< hash
};

/// Entries that each kind of action made, changed or took away.
using AttributeCounts = std::array<int64_t, kNumAttributeActions>;

/// Applies one action to a table of attributes.
///
///   insert  gives the value to every owner that has no attribute of the key
///   update  gives it to every attribute of the key
///   upsert  does both
///   rename  gives the key `new_key`; an attribute of that key that the owner had is replaced
///   delete  takes away every attribute of the key
///   hash    makes the value the lower-case hexadecimal SHA-256 of the salt and the value's bytes:
///           texts and bytes as they are, numbers and truth as written in decimal and as "true" and
///           "false", maps and slices as their CBOR; empty values stay empty
///
/// `owners` are the ids that insert and upsert give attributes to; `table` may be null. Adds to
/// `counts` unless it is null. Returns the table itself when nothing changes, null when no row is
/// left. Shape: changed and new rows stand last. Errors: those of Arrow. Cost: O(rows); a rename to
/// a key that the dictionary of keys lacks touches that dictionary only (and the rows, once, to
/// count them).
arrow::Result<std::shared_ptr<arrow::RecordBatch>> EditAttributeTable(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table,
    std::span<const uint32_t> owners, const AttributeAction& action, AttributeCounts* counts);

/// Applies actions in order to the attributes of some owners. Owners without an id get one where
/// insert and upsert need it, and a row without resource or scope gets an empty one. Returns
/// `batch` itself when nothing changes. Needs plain ids. Errors: those of Arrow, and Invalid when
/// no id is free.
arrow::Result<BatchPtr> EditAttributes(const BatchPtr& batch,
                                       std::span<const AttributeOwner> owners,
                                       std::span<const AttributeAction> actions,
                                       AttributeCounts* counts);

}  // namespace df::otap
