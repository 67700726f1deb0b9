// What is known of a file as bytes, for keeping it.
#pragma once

#include <string>
#include <string_view>

#include "lake/catalog/file_summary.h"
#include "lake/catalog/schema_registry.h"

namespace df::lake {

/// The form of the bytes and the meaning of what they say. It rises whenever Summarise finds out
/// more, or something else, from the same footer.
inline constexpr int kSummaryFormat = 1;

/// Returns everything that Summarise found, without the entry of the listing.
std::string EncodeSummary(const FileSummary& file);

/// Returns the summary that these bytes were made of, with its schema from the registry. Returns
/// null where the bytes are no summary of this table, or its schema is not known.
std::shared_ptr<FileSummary> DecodeSummary(std::string_view bytes, otap::TableKind table,
                                           const SchemaRegistry& schemas);

}  // namespace df::lake
