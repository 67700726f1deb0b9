#include "lake/format/column_names.h"

#include <exception>

#include <fmt/format.h>

#include "base/text.h"

namespace df::lake {

std::string NameContradiction(const parquet::FileMetaData& metadata, int column) {
  try {
    if (metadata.num_row_groups() == 0 || column >= metadata.RowGroup(0)->num_columns()) {
      return "";
    }
    const std::string in_schema = metadata.schema()->Column(column)->path()->ToDotString();
    const std::string in_group =
        metadata.RowGroup(0)->ColumnChunk(column)->path_in_schema()->ToDotString();
    return in_schema == in_group
               ? ""
               : fmt::format(
                     "column {}: found this name in the schema, and {} in row group 0: the "
                     "footer is damaged",
                     PrintableText(in_schema), PrintableText(in_group));
  } catch (const std::exception&) {
    return "";  // of a column that is encrypted
  }
}

}  // namespace df::lake
