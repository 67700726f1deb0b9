#include "lake/catalog/database.h"

#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

namespace df::lake {
namespace {

constexpr int kBusyMillis = 5000;

}  // namespace

void Query::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* connection) const { sqlite3_close(connection); }

Query& Query::Bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter + 1, value);
  return *this;
}

Query& Query::Bind(int parameter, std::string_view value) {
  sqlite3_bind_text(statement_.get(), parameter + 1, value.data(), static_cast<int>(value.size()),
                    SQLITE_STATIC);
  return *this;
}

Query& Query::BindBytes(int parameter, std::string_view value) {
  sqlite3_bind_blob(statement_.get(), parameter + 1, value.data(), static_cast<int>(value.size()),
                    SQLITE_STATIC);
  return *this;
}

Result<bool> Query::Next() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) {
    return true;
  }
  End();
  return code == SQLITE_DONE ? Result<bool>(false) : database_->Failure(code);
}

Status Query::Run() {
  ARROW_ASSIGN_OR_RAISE(const bool has_row, Next());
  if (has_row) {
    End();
  }
  return Status::OK();
}

void Query::End() { sqlite3_reset(statement_.get()); }

int64_t Query::Integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string_view Query::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr
             ? std::string_view()
             : std::string_view(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

Status Database::Failure(int code) const {
  return MakeError(ErrorKind::kIo,
                   fmt::format("{}: {}", path_,
                               connection_ == nullptr ? sqlite3_errstr(code)
                                                      : sqlite3_errmsg(connection_.get())));
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, bool is_read_only,
                                                 bool* is_damaged) {
  auto database = std::unique_ptr<Database>(new Database(path));
  sqlite3* connection = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX |
      (is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  database->connection_.reset(connection);
  if (code != SQLITE_OK) {
    return database->Failure(code);
  }
  sqlite3_busy_timeout(connection, kBusyMillis);
  // Reads the first page, which opening does not.
  const int first = sqlite3_exec(connection, "PRAGMA schema_version", nullptr, nullptr, nullptr);
  if (first != SQLITE_OK) {
    *is_damaged = first == SQLITE_NOTADB || first == SQLITE_CORRUPT;
    return database->Failure(first);
  }
  return database;
}

Status Database::Run(const char* statements) {
  const int code = sqlite3_exec(connection_.get(), statements, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status::OK() : Failure(code);
}

Result<Query> Database::Prepare(std::string_view statement) const {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), statement.data(),
                                      static_cast<int>(statement.size()), &prepared, nullptr);
  if (code != SQLITE_OK) {
    return Failure(code);
  }
  return Query(this, prepared);
}

int64_t Database::num_changed() const { return sqlite3_changes64(connection_.get()); }

}  // namespace df::lake
