// The malformed id columns of upstream files: declared as fixed binary, stored like byte arrays.
#pragma once

#include <string>
#include <string_view>

#include <arrow/status.h>

#include "otap/schema.h"

namespace df::testing {

/// Tells whether upstream stores a column malformed when a file starts with it as a dictionary.
/// Source: format reference 3.8.
bool IsMalformedUpstream(otap::TableKind kind, std::string_view column);

/// Changes the footer of a whole Parquet file, which has BYTE_ARRAY columns named trace_id and
/// span_id, so that it declares them FIXED_LEN_BYTE_ARRAY of 16 and 8 bytes; the pages stay as they
/// are. Errors: Invalid when the file has no footer.
arrow::Status DeclareIdsFixed(std::string& file);

/// Undoes DeclareIdsFixed, except that the lengths stay in the schema, where they mean nothing.
arrow::Status DeclareIdsBinary(std::string& file);

}  // namespace df::testing
