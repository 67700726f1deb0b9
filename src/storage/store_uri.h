// Where a tree of files lies: the one reader of paths and URIs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::storage {

enum class StoreKind : uint8_t { kLocal, kS3, kGcs, kAzure };

/// A path or URI, taken apart.
struct StoreUri {
  StoreKind kind = StoreKind::kLocal;
  /// The account of an abfs:// URI, "" where it names none.
  std::string account;
  /// The host of an abfs:// URI with its account, as in "logs.dfs.core.windows.net", "" where it
  /// names none.
  std::string host;
  /// Local: the path as it was given. Others: "bucket" or "bucket/prefix", without slashes at the
  /// end.
  std::string path;
  /// What stands behind '?', by key.
  std::map<std::string, std::string> query;

  bool is_local() const { return kind == StoreKind::kLocal; }
  /// Returns what people write for a path of this store, as in "s3://bucket/prefix/file"; nothing
  /// of the query is in it.
  std::string Describe(std::string_view store_path) const;
};

/// Takes a path or a URI apart. Schemes: file://, s3://, gs://, gcs://, abfs://, abfss://, az://.
/// What stands before '?' is taken as it is: names of objects are not escaped.
/// Errors: Invalid that says what was found and what is expected.
Result<StoreUri> ParseStoreUri(std::string_view uri);

}  // namespace df::storage
