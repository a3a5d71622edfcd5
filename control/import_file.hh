// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ImportFile: subscribers as comma separated values, read line by line, mistakes with their places.
//
//   account,msisdn,imsi,plan,balance
//   anna,46701234567,240011234567890,prepaid,10.00EUR
//
// The header names the columns, in any order: `account` and `plan` once, `balance` at most once,
// and identities: `msisdn`, `imsi`, `sip`, `nai`, `private` hold the bare value, `identity` one
// with its scheme; these may come several times, and a cell may be empty. Cells may stand in double
// quotes, a quote inside is doubled; a cell does not reach over lines. Any octets may be given.
#pragma once

#include <string>
#include <vector>

#include "control/accounts.hh"

namespace tollgate::control {

struct ImportMistake {
  u64 line = 0;    // from 1
  u32 column = 0;  // in octets, from 1
  std::string message;
};

struct ImportCell {
  std::string text;
  u32 column = 0;
};

// One line as it stands there: texts, and where they begin.
struct ImportRow {
  u64 line = 0;
  ImportCell account;
  ImportCell plan;
  ImportCell balance;
  std::vector<ImportCell> identities;  // with scheme; empty cells left out
};

// Cuts a line into cells. Returns an empty text, or what is wrong at `cells.back().column`.
[[nodiscard]] std::string split_csv(std::string_view line, std::vector<ImportCell>& cells);

class ImportFile {
 public:
  // Reads the header. has_columns() is false if it is wrong: mistakes() tells why.
  explicit ImportFile(std::string text);

  bool has_columns() const { return has_columns_; }

  enum class Next : u8 { row, bad_line, end };
  // bad_line: the line cannot be cut into the header's columns; the mistake was added.
  Next next(ImportRow& row);
  void rewind() { at_ = first_row_at_, line_ = 1; }

  u64 position_bytes() const { return at_; }
  u64 total_bytes() const { return text_.size(); }
  u64 line_count() const { return line_; }  // read so far

  void add_mistake(u64 line, u32 column, std::string message);
  // The first hundred, in the order of lines.
  std::vector<ImportMistake> mistakes() const;
  u64 mistake_count() const { return mistake_count_; }

 private:
  enum class Column : u8 { account, plan, balance, identity };
  struct ColumnSpec {
    Column kind;
    std::string scheme;  // put before a bare identity: "msisdn:"
  };
  bool next_line(std::string_view& line);
  void read_header();

  static constexpr std::size_t mistakes_kept_max = 1000;

  std::string text_;
  u64 at_ = 0;
  u64 first_row_at_ = 0;
  u64 line_ = 0;
  bool has_columns_ = false;
  std::vector<ColumnSpec> columns_;
  std::vector<ImportCell> cells_;
  std::vector<ImportMistake> mistakes_;
  u64 mistake_count_ = 0;
};

// What a row asks for.
AccountOrder to_order(const ImportRow& row);

}  // namespace tollgate::control
