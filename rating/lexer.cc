// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lexer.hh"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace tollgate::rating {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool joins_digits(char c) {  // of a date, or of hours
  return c == '-' || c == ':';
}
bool is_word_part(char c) {
  return is_letter(c) || is_digit(c) || c == '-';
}

std::string show(char c) {
  const auto octet = static_cast<u8>(c);
  if (octet >= 0x20 && octet < 0x7f) return fmt::format("'{}'", c);
  return fmt::format("octet 0x{:02x}", octet);
}

class Lexer {
 public:
  Lexer(std::string_view text, u32 file, Report& report)
      : text_(text), file_(file), report_(report) {}

  std::vector<Token> run() {
    if (text_.starts_with(byte_order_mark)) at_ = line_begin_ = byte_order_mark.size();
    while (at_ < text_.size()) step();
    push(Token::Kind::end, 0);
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  Place place() const { return {file_, line_, static_cast<u32>(at_ - line_begin_) + 1}; }

  void push(Token::Kind kind, std::size_t length) {
    tokens_.push_back({kind, text_.substr(at_, length), place()});
    at_ += length;
  }

  void step() {
    const char c = peek();
    if (c == '\n') {
      push(Token::Kind::newline, 1);
      ++line_;
      line_begin_ = at_;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (c == '#') {
      while (at_ < text_.size() && peek() != '\n') ++at_;
    } else if (c == '"') {
      lex_text();
    } else if (is_letter(c)) {
      std::size_t length = 1;
      while (is_word_part(peek(length))) ++length;
      push(Token::Kind::word, length);
    } else if (is_digit(c)) {
      lex_number();
    } else if (c == '{' || c == '}' || c == ',' || c == ';') {
      push(Token::Kind::symbol, 1);
    } else {
      lex_stranger();
    }
  }

  void lex_number() {
    std::size_t length = 1;
    while (is_digit(peek(length)) || (peek(length) == '.' && is_digit(peek(length + 1)))) ++length;
    if (peek(length) == '%') {
      ++length;
    } else if (joins_digits(peek(length)) && is_digit(peek(length + 1))) {
      while (is_digit(peek(length)) ||
             ((joins_digits(peek(length)) || peek(length) == 'T') && is_digit(peek(length + 1)))) {
        ++length;
      }
    } else {
      while (is_letter(peek(length)) || is_digit(peek(length))) ++length;
    }
    push(Token::Kind::number, length);
  }

  void lex_text() {
    const std::size_t end = text_.find_first_of("\"\n", at_ + 1);
    if (end == std::string_view::npos || text_[end] == '\n') {
      report_.add(place(), "found a text without end, expected '\"' on the same line");
      const std::size_t stop = std::min(end, text_.size());
      at_ += 1;
      push(Token::Kind::text, stop - at_);
      return;
    }
    const Place at = place();
    tokens_.push_back({Token::Kind::text, text_.substr(at_ + 1, end - at_ - 1), at});
    while (++at_ < end) {
      const std::size_t length = utf8_length(text_.substr(at_, end - at_));
      if (length == 0) {
        report_.add(place(), fmt::format("found {} in a text, expected UTF-8", show(peek())),
                    "save the file as UTF-8: names are compared octet by octet");
        break;
      }
      at_ += length - 1;
    }
    at_ = end + 1;
  }

  void lex_stranger() {
    const bool is_minus = peek() == '-' && is_digit(peek(1));
    report_.add(place(),
                fmt::format("found {}, expected a word, a number, a text or one of {{ }} , ;",
                            show(peek())),
                is_minus        ? "amounts in a tariff are never negative"
                : peek() == '+' ? "numbers are written without it, amounts too"
                                : "");
    ++at_;
    // One mistake for a run of such octets, not one each.
    while (at_ < text_.size() && static_cast<u8>(peek()) >= 0x80) ++at_;
  }

  std::string_view text_;
  u32 file_;
  Report& report_;
  std::size_t at_ = 0;
  std::size_t line_begin_ = 0;
  u32 line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto octet = [&](std::size_t at) -> u32 {
    return at < text.size() ? static_cast<u8>(text[at]) : 0;
  };
  const u32 first = octet(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  u32 code = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (octet(i) & 0x3f);
  }
  constexpr u32 least[] = {0, 0, 0x80, 0x800, 0x10000};  // shorter ones have shorter forms
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  return first >= 0xc2 && code >= least[length] && code < 0x110000 && !is_surrogate ? length : 0;
}

void Report::add(Place at, std::string message, std::string hint) {
  diagnostics_.push_back({at, std::move(message), std::move(hint)});
}

std::vector<Diagnostic> Report::take() {
  std::ranges::stable_sort(diagnostics_, {}, [](const Entry& entry) {
    return std::tuple(entry.at.file, entry.at.line, entry.at.column);
  });
  std::vector<Diagnostic> result;
  for (Entry& entry : diagnostics_) {
    result.push_back({texts_[entry.at.file].name, entry.at.line, entry.at.column,
                      std::move(entry.message), std::move(entry.hint)});
  }
  diagnostics_.clear();
  return result;
}

std::string Report::line_of(Place at) const {
  return fmt::format("{}:{}", texts_[at.file].name, at.line);
}

std::vector<Token> lex(std::string_view text, u32 file, Report& report) {
  return Lexer(text, file, report).run();
}

}  // namespace tollgate::rating
