// Tables one below the other, whatever forms their columns have.
#pragma once

#include <memory>
#include <span>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otap {

/// Returns the rows of all tables, in order, with ids as they are. Shape: the columns that any of
/// them has; where one lacks a column its rows are null there (0 in a required column of an absent
/// struct). Dictionaries are unified by their entries, with u8 keys where the model allows them
/// and they suffice, else u16; a column is plain when any of the tables has it plain, or when the
/// entries are more than keys can count. Errors: those of Arrow, among them text of more than
/// 2 GiB in one column. Cost: O(rows + dictionary entries); no row is made text.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ConcatTables(
    TableKind kind, std::span<const std::shared_ptr<arrow::RecordBatch>> tables);

/// Returns a column under another name of the same type: names and nullability of list items differ
/// between writers.
std::shared_ptr<arrow::Array> WithType(const std::shared_ptr<arrow::Array>& array,
                                       const std::shared_ptr<arrow::DataType>& type);

/// Returns a dictionary column as a plain one; others as they are.
arrow::Result<std::shared_ptr<arrow::Array>> DecodeDictionary(
    const std::shared_ptr<arrow::Array>& array);

/// Returns the validity bits of an array from its first row on; null when all rows are valid.
arrow::Result<std::shared_ptr<arrow::Buffer>> CopyValidity(const arrow::Array& array);

}  // namespace df::otap
