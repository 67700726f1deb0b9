// Attributes of items, of their resources or scopes.
#pragma once

#include <memory>

#include <arrow/type_fwd.h>

#include "select/source.h"

namespace df::select {

/// Returns what reads the attribute of a key, or with no keys all attributes as a map. Of several
/// attributes with one key the first counts. `ids` ties the rows to the attributes; `attributes` is
/// their table. Either may be null: then no row has any.
std::unique_ptr<Source> MakeAttributeSource(std::shared_ptr<arrow::Array> ids,
                                            const std::shared_ptr<arrow::RecordBatch>& attributes,
                                            const std::vector<KeySyntax>& keys);

/// Returns what reads the value of a body, or a member of it; as text where `is_text`.
std::unique_ptr<Source> MakeBodySource(const std::shared_ptr<arrow::Array>& body,
                                       const std::vector<KeySyntax>& keys, bool is_text);

}  // namespace df::select
