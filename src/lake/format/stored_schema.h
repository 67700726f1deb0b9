// The schema that some writers store in a Parquet file beside Parquet's own: it says what Parquet
// has no type for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>
#include <arrow/type.h>

#include "lake/format/footer.h"

namespace df::lake {

/// Decodes base64 with its padding. Every file that is opened has a schema to decode: this takes a
/// tenth of the time of Arrow's. Errors: Invalid.
arrow::Result<std::string> DecodeBase64(std::string_view text);

/// A stretch of time as a writer's own schema declares it.
struct StoredDuration {
  std::string type;            ///< as the schema has it
  int64_t nanos_per_unit = 0;  ///< 0: its length depends on a calendar
};

/// What the stored Arrow schema, or the schema that Spark stores as JSON, says of durations.
/// Nothing else of them is used: what is read follows from the Parquet schema.
class StoredSchema {
 public:
  explicit StoredSchema(const Footer& footer);

  /// Returns what is said of a column, or of a child of a struct; nothing where it is no duration.
  std::optional<StoredDuration> DurationOf(std::string_view top, std::string_view child = "") const;

  /// Says which of them is damaged and not used; "" when none is.
  const std::string& problem() const { return problem_; }

 private:
  void ReadSpark(const std::string& json);

  std::shared_ptr<arrow::Schema> arrow_;
  std::map<std::string, std::string, std::less<>> spark_intervals_;  ///< type by column
  std::string problem_;
};

}  // namespace df::lake
