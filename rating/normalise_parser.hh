// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// NormaliseParser: tokens to syntax, by recursive descent over the grammar of docs/normalise.md.
// As in parser.hh a function returns false once it has told a mistake, and the block goes on with
// the next statement.
#pragma once

#include <string>

#include "rating/normalise_compile.hh"
#include "rating/normalise_syntax.hh"

namespace tollgate::rating {

class NormaliseParser {
 public:
  NormaliseParser(std::span<const Token> tokens, const AvpNames& names, NormaliseSyntax& syntax,
                  Report& report)
      : tokens_(tokens), names_(names), syntax_(syntax), report_(report) {}

  void parse_file();

 private:
  const Token& peek() const { return tokens_[at_]; }
  const Token& next() {
    const Token& token = tokens_[at_];
    if (token.kind != Token::Kind::end) ++at_;
    return token;
  }
  bool accept(std::string_view word);
  bool accept_symbol(char symbol);
  bool fail(std::string_view expected, std::string hint = {});
  void skip_newlines();
  void recover();
  template <class Statement>
  bool block(const Statement& statement);

  bool text(std::string& result, std::string_view what);
  bool texts(std::vector<std::string>& result, std::string_view what);
  bool digits(std::string& result, std::string_view what);
  bool number(u64& result, std::string_view what);

  bool file_statement();
  bool numbers();
  bool numbers_statement();
  bool number_pairs(std::vector<NumberPair>& pairs);
  bool fields(std::vector<FieldText>& result);
  bool service();
  bool service_statement(NormaliseServiceText& service);
  bool contexts(NormaliseServiceText& service);
  bool rule(NormaliseServiceText& service);
  bool rule_statement(NormaliseRuleText& rule);
  bool field(FieldText& result);
  bool path(std::vector<AvpStep>& steps, FieldForm& form);
  bool form(FieldForm& result);
  bool test(NormaliseRuleText& rule);
  bool test_values(TestText& test);
  bool in_values(TestText& test);
  bool between(TestText& test);
  bool within(TestText& test);
  bool setting(NormaliseRuleText& rule);
  bool setting_value(SettingText& setting);
  bool attribute(Attribute& result);
  bool enumerator(SettingText& setting);
  bool example();
  bool example_statement(NormaliseExampleText& example);
  bool example_avp(NormaliseExampleText& example);
  bool example_expect(NormaliseExampleText& example);

  std::span<const Token> tokens_;
  const AvpNames& names_;
  NormaliseSyntax& syntax_;
  Report& report_;
  std::size_t at_ = 0;
};

template <class Statement>
bool NormaliseParser::block(const Statement& statement) {
  if (!accept_symbol('{')) return fail("'{'");
  for (skip_newlines(); !peek().is_symbol('}'); skip_newlines()) {
    if (peek().kind == Token::Kind::end) return fail("'}'");
    const bool is_read = statement();
    if (is_read && !peek().ends_statement()) fail("the end of the statement");
    recover();
  }
  next();
  return true;
}

// "10.0.0.0/8", "2001:db8::/32", "192.0.2.1". False if it is no address.
bool parse_address_range(std::string_view text, AddressRange& range);

}  // namespace tollgate::rating
