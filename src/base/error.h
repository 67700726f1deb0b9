// The error kinds of the product and how they travel inside an arrow::Status.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>
#include <arrow/status.h>

namespace df {

using arrow::Result;
using arrow::Status;

/// Names what went wrong, independent of where. The text form is a stable code: it labels counters
/// and log lines.
enum class ErrorKind : uint8_t {
  kQuery,                 ///< selection or projection cannot be planned or run
  kIo,                    ///< the file system or network refused
  kArrow,                 ///< an array, type or offset is wrong
  kParquet,               ///< magic, footer, page, codec or checksum is wrong
  kConfig,                ///< a configuration document is wrong
  kFileDiscovery,         ///< a directory or name cannot be listed
  kSchemaReconstruction,  ///< a required column is missing or of an impossible type
  kMissingFile,           ///< rows refer to a table or id range that is absent
  kInvalidPartition,      ///< a partition directory has an unusable value
  kReconstruction,        ///< ids overflow, repeat or point nowhere
};

inline constexpr std::array<std::string_view, 10> kErrorKindNames = {"query",
                                                                     "io",
                                                                     "arrow",
                                                                     "parquet",
                                                                     "config",
                                                                     "file_discovery",
                                                                     "schema_reconstruction",
                                                                     "missing_file",
                                                                     "invalid_partition",
                                                                     "reconstruction"};

/// Returns the stable code of a kind.
inline std::string_view Name(ErrorKind kind) { return kErrorKindNames[static_cast<size_t>(kind)]; }

/// Says where an error happened; empty fields are unknown and are not printed.
struct Location {
  std::string partition;
  std::string table;
  std::string file;
  int row_group = -1;

  /// Returns "partition=.. table=.. file=.. row_group=..", or "" when nothing is known.
  std::string ToString() const;
};

/// Builds an error status of a kind. `message` says what was found and what was expected.
/// Retryable means that the same call may succeed later (a busy disk, a file still being written).
Status MakeError(ErrorKind kind, std::string message, const Location& location = {},
                 bool retryable = false);

/// Returns the kind of a status made by MakeError; for other statuses a kind is derived from the
/// code (IOError -> io, everything else -> arrow). Must not be called with an OK status.
ErrorKind KindOf(const Status& status);

/// Tells whether the same operation may succeed later. False for statuses not made by MakeError
/// unless they are IOError.
bool IsRetryable(const Status& status);

/// Tells whether the same operation is known to fail again: made by MakeError, and not retryable.
bool IsPermanent(const Status& status);

/// Returns `status` with kind and location attached, unless it carries a kind already; OK stays OK.
Status WithContext(const Status& status, ErrorKind kind, const Location& location,
                   bool retryable = false);

}  // namespace df
