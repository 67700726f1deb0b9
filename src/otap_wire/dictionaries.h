// The dictionaries of one Arrow stream, collected over its batches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <arrow/array/array_dict.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otap_wire {

/// Gives the columns of one table after the other the same dictionaries, which only grow.
/// Shape: entries are unique and never null; a column that had u16 keys, or no keys at all, keeps
/// to that.
class Dictionaries {
 public:
  /// Returns the table with collected dictionaries. Errors: those of Arrow.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Collect(
      otap::TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table);

  /// Forgets all entries; widths stay.
  void Forget();

  /// Bytes of all entries; those of a text count without its offset.
  int64_t size_bytes() const;

 private:
  using ArrayPtr = std::shared_ptr<arrow::Array>;

  struct ColumnState {
    std::unique_ptr<arrow::DictionaryUnifier> unifier;  ///< has what `entries` has
    ArrayPtr entries;                                   ///< the same array while nothing is added
    bool is_wide = false;
    bool is_native = false;

    void Forget();
    void BecomeNative();
  };

  arrow::Result<ArrayPtr> CollectColumn(const std::string& path, const otap::Column& column,
                                        const ArrayPtr& array);
  arrow::Result<ArrayPtr> CollectStruct(const std::string& path, const otap::Column& column,
                                        const ArrayPtr& array);
  arrow::Result<ArrayPtr> Unify(const ArrayPtr& array, bool may_be_narrow, ColumnState* state);

  std::map<std::string, ColumnState> columns_;
};

}  // namespace df::otap_wire
