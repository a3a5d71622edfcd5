// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/sqlite.hh"

#include <fmt/format.h>

namespace tollgate::control {
namespace {

[[noreturn]] void fail(sqlite3* database, std::string_view doing) {
  throw SqlError(fmt::format("the provisioning database, {}: {}", doing, sqlite3_errmsg(database)));
}

}  // namespace

Sqlite::Sqlite(const std::string& path) {
  if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) {
    const std::string why = sqlite3_errmsg(handle_);
    sqlite3_close(handle_);
    throw SqlError(fmt::format("cannot open {}: {}", path, why));
  }
  sqlite3_busy_timeout(handle_, 5000);
  try {
    execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
        "PRAGMA cache_size=-262144; PRAGMA temp_store=MEMORY");
  } catch (const SqlError&) {
    sqlite3_close(handle_);
    throw;
  }
}

Sqlite::~Sqlite() {
  sqlite3_close(handle_);
}

void Sqlite::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(handle_, sql);
  }
}

Statement::Statement(Sqlite& database, std::string_view sql) : database_(database.handle()) {
  if (sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK) {
    fail(database_, sql);
  }
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  const bool is_done = result == SQLITE_DONE;
  if (!is_done) {
    const std::string why = sqlite3_errmsg(database_);
    reset();
    throw SqlError(fmt::format("the provisioning database, {}: {}", sqlite3_sql(statement_), why));
  }
  reset();
  return false;
}

void Statement::run() {
  step();
  reset();
}

std::string Statement::text(int column) const {
  const auto* begin = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return begin == nullptr ? std::string() : std::string(begin, size);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

void Statement::bind(int index, i64 value) {
  if (sqlite3_bind_int64(statement_, index, value) != SQLITE_OK) fail(database_, "a parameter");
}

void Statement::bind(int index, std::string_view value) {
  if (sqlite3_bind_text(statement_, index, value.data() == nullptr ? "" : value.data(),
                        static_cast<int>(value.size()), SQLITE_TRANSIENT) != SQLITE_OK) {
    fail(database_, "a parameter");
  }
}

void Statement::bind(int index, std::nullptr_t) {
  if (sqlite3_bind_null(statement_, index) != SQLITE_OK) fail(database_, "a parameter");
}

void Statement::bind(int index, Bytes value) {
  if (sqlite3_bind_blob(statement_, index, value.data(), static_cast<int>(value.size()),
                        SQLITE_TRANSIENT) != SQLITE_OK) {
    fail(database_, "a parameter");
  }
}

Transaction::~Transaction() {
  if (!is_open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const SqlError&) {
    // A failed commit may have rolled back by itself; there is nothing left to undo.
    is_open_ = false;
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  is_open_ = false;
}

}  // namespace tollgate::control
