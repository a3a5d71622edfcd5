// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Sqlite: one connection to a database file, its statements and its transactions.
//
// All failures are SqlError with the database's own sentence: control answers `internal` and goes
// on. Statements are prepared once and used again; they must not outlive their connection.
#pragma once

#include <sqlite3.h>

#include <stdexcept>
#include <string>

#include "base/types.hh"

namespace tollgate::control {

struct SqlError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Sqlite {
 public:
  // Opens or makes the file. Write-ahead log; a commit is on disk when it returns.
  explicit Sqlite(const std::string& path);
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;
  ~Sqlite();

  void execute(const std::string& sql);
  sqlite3* handle() const { return handle_; }
  u64 changed_rows() const { return static_cast<u64>(sqlite3_changes(handle_)); }

 private:
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(Sqlite& database, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  // Binds all parameters, in order, and makes it ready to be stepped.
  template <class... Values>
  Statement& with(const Values&... values) {
    reset();
    int index = 0;
    (bind(++index, values), ...);
    return *this;
  }
  bool step();  // true: a row is there
  void run();   // steps once, and is ready again
  // Of a query whose further rows nobody wants: as long as it is open, it holds the log.
  void reset();

  i64 integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  void bind(int index, i64 value);
  void bind(int index, std::string_view value);
  void bind(int index, std::nullptr_t);
  void bind(int index, Bytes value);
  void bind(int index, u64 value) { bind(index, static_cast<i64>(value)); }
  void bind(int index, u32 value) { bind(index, i64{value}); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

// Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Sqlite& database) : database_(database) { database_.execute("BEGIN"); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Sqlite& database_;
  bool is_open_ = true;
};

}  // namespace tollgate::control
