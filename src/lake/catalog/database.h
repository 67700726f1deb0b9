// One connection to a SQLite database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace df::lake {

class Database;

/// A prepared statement, run again and again. Columns and parameters count from 0.
class Query {
 public:
  Query& Bind(int parameter, int64_t value);
  /// `value` must live until the query has run.
  Query& Bind(int parameter, std::string_view value);
  Query& BindBytes(int parameter, std::string_view value);

  /// Returns whether there is a row (one more row). Errors: io; the query can be run again.
  Result<bool> Next();
  /// Runs to the end without rows, ready for the next parameters. Errors: io.
  Status Run();
  /// Ends a query whose rows are not all wanted.
  void End();

  int64_t Integer(int column) const;
  /// Valid until the next call.
  std::string_view Text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Query(const Database* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Not safe to use from two threads at once.
class Database {
 public:
  /// Opens a database, made when it is missing. Waits up to five seconds for other processes that
  /// write. Errors: io; `is_damaged` tells those of a file that is no database.
  static Result<std::unique_ptr<Database>> Open(const std::string& path, bool is_read_only,
                                                bool* is_damaged);

  Status Run(const char* statements);
  Result<Query> Prepare(std::string_view statement) const;
  /// Rows that the last statement changed.
  int64_t num_changed() const;
  const std::string& path() const { return path_; }

 private:
  friend class Query;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  explicit Database(std::string path) : path_(std::move(path)) {}
  Status Failure(int code) const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace df::lake
