// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Lexer: a tariff text to tokens, each with its place.
//
// Blanks separate; a line's end is a token, because it ends a statement; `#` begins a comment that
// goes to the end of the line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types.hh"
#include "rating/compile.hh"

namespace tollgate::rating {

struct Place {
  u32 file = 0;  // index of the TariffText
  u32 line = 0;
  u32 column = 0;
};

struct Token {
  enum class Kind : u8 {
    word,    // letter, then letters, digits, '_' and '-'
    number,  // digits with at most one point, with what is written onto it: 10, 0.01EUR, 20%;
             // also dates and hours: 2026-12-24, 12-24, 2026-12-24T18:00, 20:00-06:00
    text,    // "...", `text` is what is between
    symbol,  // { } , ;
    newline,
    end,
  };
  Kind kind = Kind::end;
  std::string_view text;
  Place at;

  bool is_word(std::string_view word) const { return kind == Kind::word && text == word; }
  bool is_symbol(char symbol) const { return kind == Kind::symbol && text[0] == symbol; }
  bool ends_statement() const {
    return kind == Kind::newline || kind == Kind::end || is_symbol(';') || is_symbol('}');
  }
};

// Collects mistakes; knows the names of the files.
class Report {
 public:
  explicit Report(std::span<const TariffText> texts) : texts_(texts) {}

  void add(Place at, std::string message, std::string hint = {});
  bool is_empty() const { return diagnostics_.empty(); }
  std::size_t count() const { return diagnostics_.size(); }
  // In the order of files, lines and columns.
  std::vector<Diagnostic> take();
  // "demo.tariff:12"
  std::string line_of(Place at) const;

 private:
  struct Entry {
    Place at;
    std::string message;
    std::string hint;
  };
  std::span<const TariffText> texts_;
  std::vector<Entry> diagnostics_;
};

// What editors of some systems begin a file with.
inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// How many octets the first character has; 0: they are none of UTF-8.
std::size_t utf8_length(std::string_view text);

// The last token is always `end`. The tokens point into `text`.
std::vector<Token> lex(std::string_view text, u32 file, Report& report);

}  // namespace tollgate::rating
