// Items as rows of one table, for tools that know nothing of stars.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "otap/batch.h"
#include "select/expression.h"

namespace df::app {

/// What a column of a flat table holds.
enum class FlatType : uint8_t {
  kTime,     ///< timestamp of nanoseconds, UTC; 0 and nothing are null
  kInteger,  ///< 64 bits
  kCount,    ///< 64 bits without a sign
  kDouble,
  kBoolean,
  kText,    ///< an empty one is null
  kId,      ///< hexadecimal digits; one of zeros is null
  kValue,   ///< a text as it is, bytes in base64, all else as JSON; nothing is null
  kJson,    ///< a map or list; an empty one is null
  kCounts,  ///< a list of counts as JSON; an empty one is null
};

struct FlatColumn {
  std::string_view name;
  FlatType type;
  /// As in conditions; or, where those have none, what FlatRows finds itself: "#events", "#links",
  /// "#quantiles", "#table" and "#number".
  std::string_view path;
};

/// The columns of a signal, the same for every archive.
std::span<const FlatColumn> FlatColumnsOf(otap::Signal signal);

/// Makes rows of batches. Calls: from any thread.
class FlatRows {
 public:
  static Result<FlatRows> Make(otap::Signal signal);

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// Returns a row for each row of a table of items of a batch (ItemTablesOf). Errors: those of
  /// Arrow.
  Result<std::shared_ptr<arrow::RecordBatch>> Convert(const otap::Batch& batch,
                                                      otap::TableKind table) const;

 private:
  explicit FlatRows(otap::Signal signal) : signal_(signal) {}

  otap::Signal signal_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<select::Expression> expressions_;  ///< of the columns that have a path
};

}  // namespace df::app
