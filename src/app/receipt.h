// The receipt of a run: what was asked for, delivered and left out, as JSON (docs/receipt.md).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "controller/run_result.h"
#include "runtime/clock.h"

namespace df::app {

/// What a receipt says that the result of a run does not.
struct ReceiptFacts {
  std::string version;
  std::string document;         ///< its name, as in messages
  std::string document_sha256;  ///< of its text as it was read, in hexadecimal
  bool is_changed_by_flags = false;
  runtime::WallTime started;
  runtime::WallTime ended;
  int exit_code = 0;
};

/// Returns "3fa9..." of a text.
std::string Sha256(std::string_view text);

/// Returns a line for every sum of every source that does not hold.
std::vector<std::string> BrokenSumsOf(const controller::RunResult& result);

/// Writes the receipt as JSON. Shape: docs/receipt.schema.json.
std::string FormatReceipt(const controller::RunResult& result, const ReceiptFacts& facts);

/// Where a receipt is written. What is no file (a pipe, /dev/stdout) is written into as it is.
class ReceiptFile {
 public:
  /// Finds out whether `path` can be written, by writing an empty file beside it and removing it.
  /// Errors: IOError with the cause.
  static Result<ReceiptFile> Make(const std::string& path);

  /// Puts `text` in place of whatever the file holds: at every moment, and after a loss of power,
  /// it is the old text or the new one. Errors: IOError with the cause.
  Status Write(std::string_view text) const;

 private:
  ReceiptFile(std::string path, bool is_replaced)
      : path_(std::move(path)), is_replaced_(is_replaced) {}

  std::string path_;
  bool is_replaced_;
};

}  // namespace df::app
