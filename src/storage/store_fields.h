// The keys of a document that say where files lie and how they are reached.
#pragma once

#include <optional>
#include <string>

#include "config/field_table.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::storage {

/// Keys of `storage`.
const config::FieldTable<StoreOptions>& StoreFields();

/// Reads which tree a node means: `base_uri`, or the base_uri of one store in `storage`.
/// `section` is the node's. Adds what is missing, said twice or does not fit to its problems;
/// returns nothing then.
std::optional<StoreUri> ReadStoreUri(const config::Section& section, const std::string& base_uri,
                                     const std::optional<StoreOptions>& storage);

}  // namespace df::storage
