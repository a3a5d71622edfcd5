// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Parser: tokens to syntax, by recursive descent over the grammar of docs/tariffs.md.
//
// Each block is a table of statements by their first word. A function of the grammar returns false
// once it has told a mistake; the block then skips to the end of that statement and goes on, so
// that one mistake is told once and the next is found.
#pragma once

#include <fmt/format.h>

#include <array>
#include <initializer_list>

#include "rating/syntax.hh"

namespace tollgate::rating {

class Parser {
 public:
  Parser(std::span<const Token> tokens, TariffSyntax& syntax, Report& report)
      : tokens_(tokens), syntax_(syntax), report_(report) {}

  void parse_file();

 private:
  struct Statement {
    std::string_view word;
    bool (Parser::*parse)();
    bool is_once;  // may stand once in a block
  };
  struct Seen {
    std::string_view word;
    Place at;
  };
  static const std::array<Statement, 8> file_statements;
  static const std::array<Statement, 19> plan_statements;
  static const std::array<Statement, 13> service_statements;
  static const std::array<Statement, 17> rule_statements;
  static const std::array<Statement, 15> example_statements;
  static const std::array<Statement, 13> product_statements;

  static const std::array<Statement, 1> zones_statements;
  static const std::array<Statement, 4> calendar_statements;
  static const std::array<Statement, 2> band_statements;

  // tokens
  const Token& peek() const { return tokens_[at_]; }
  const Token& next();
  bool accept(std::string_view word);
  bool accept_symbol(char symbol);
  bool accept_then();  // also at the beginning of the next line
  void skip_newlines();
  bool fail(std::string expected, std::string hint = {});  // always false

  // blocks (parser.cc)
  bool block(std::span<const Statement> statements, std::string_view what);
  bool statement(std::span<const Statement> statements, std::string_view what,
                 std::vector<Seen>& seen);
  void one_statement(std::span<const Statement> statements, std::string_view what,
                     std::vector<Seen>& seen);
  bool opens_on_next_line() const;
  bool header_failed();  // goes on at the block that follows a broken header
  void recover();

  // words and numbers (parser.cc)
  bool name(NameText& result, std::string_view what);
  bool number(NumberText& result, std::string_view what);
  bool numbers(std::vector<NumberText>& result, std::string_view what);
  bool amount(AmountText& result, std::string_view what);
  bool duration(AmountText& result, std::string_view what);
  bool money(AmountText& result, std::string_view what);
  template <class Value>
  bool one_of(std::initializer_list<std::pair<std::string_view, Value>> words, Value& result);

  // files, plans, services, examples (parser.cc)
  bool language();
  bool plan();
  bool currency();
  bool balance() { return bucket(true); }
  bool allowance() { return bucket(false); }
  bool bucket(bool is_balance);
  bool bucket_terms(BucketText& result);
  bool service();
  bool default_group();
  bool service_meter();
  bool meter(std::optional<Meter>& result);
  bool example();
  bool example_plan();
  bool example_service();
  bool example_group();
  bool example_identifier();
  bool example_use();
  bool example_have();
  bool example_expect();
  bool example_at();
  bool example_from() { return example_number(NumberRole::origin); }
  bool example_to() { return example_number(NumberRole::destination); }
  bool example_in() { return example_number(NumberRole::network); }
  bool example_number(NumberRole role);
  bool example_counted();
  bool example_direction();
  bool example_location();
  bool example_with() { return names(example_->products, "a product"); }

  // zones, calendars, bands (parser_time.cc)
  bool timezone();
  bool zones();
  bool zone();
  bool prefix(PrefixText& result);
  bool calendar();
  bool calendar_day();
  bool calendar_easter();
  bool calendar_before() { return calendar_from_easter(-1); }
  bool calendar_after() { return calendar_from_easter(1); }
  bool calendar_from_easter(i64 sign);
  bool band();
  bool band_every();
  bool band_on();
  bool band_days(BandLineText& line);
  bool band_rest(BandLineText& line);
  bool names(std::vector<NameText>& result, std::string_view what);

  // terms and counters (parser_terms.cc)
  bool origin() { return map(NumberRole::origin); }
  bool destination() { return map(NumberRole::destination); }
  bool network() { return map(NumberRole::network); }
  bool map(NumberRole role);
  bool percent(PercentText& result, std::string_view what);
  bool sessions();
  bool discount();
  bool is_amount_ahead() const;
  bool python(PythonText& result);
  bool tax();
  bool counter();
  bool exchange();
  bool bonus();
  bool minimum();
  bool cap() { return bound(rule_->cap.emplace()); }
  bool limit() { return bound(rule_->limit.emplace()); }
  bool bound(BoundText& result);
  bool steps_by();
  bool restart();

  // products (parser_product.cc)
  bool product();
  bool product_plans() { return names(product_->plans, "a plan that may buy it"); }
  bool product_needs() { return names(product_->needs, "a product that one must have"); }
  bool product_excludes() { return names(product_->excludes, "a product that one may not have"); }
  bool product_includes() { return names(product_->includes, "a product that comes with it"); }
  bool product_allowance();
  bool product_fee();
  bool product_day(ProductText::Recurring& result);
  bool product_prorate();
  bool product_lasts() { return duration(product_->lasts.emplace(), "how long it lasts"); }
  bool product_retry();
  bool product_grace() { return duration(product_->grace.emplace(), "how long it may be unpaid"); }
  bool product_renews();
  bool product_repeatable();

  // rules (parser_rule.cc)
  bool rule();
  bool rule_match(RuleText& result);
  bool rule_conditions(ConditionsText& result);
  bool rule_meter();
  bool price();
  bool segment(SegmentText& result);
  bool round();
  bool setup();
  bool pay();
  bool source(SourceText& result);

  // policies (parser_rule.cc)
  bool grant();
  bool threshold();
  bool validity();
  bool holding();
  bool final_unit();

  std::span<const Token> tokens_;
  TariffSyntax& syntax_;
  Report& report_;
  std::size_t at_ = 0;
  PlanText* plan_ = nullptr;  // what the statements of a block belong to
  ServiceText* service_ = nullptr;
  RuleText* rule_ = nullptr;
  ExampleText* example_ = nullptr;
  ProductText* product_ = nullptr;
  PolicyText* policy_ = nullptr;
  TermsText* terms_ = nullptr;
  MapsText* maps_ = nullptr;
};

// A file of prefixes, `NAME.prefixes`: a line for each, `4670,nordic`. It makes the zones NAME.
void parse_prefixes(const TariffText& text, u32 file, TariffSyntax& syntax, Report& report);
bool is_prefix_file(std::string_view name);

// "'pric'", "the end of the line": how a token is named in a mistake.
std::string describe(const Token& token);

// " (did you mean 'price'?)" or nothing: the candidate that is nearest to `word`, if one is near.
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

template <class Value>
bool Parser::one_of(std::initializer_list<std::pair<std::string_view, Value>> words,
                    Value& result) {
  std::string expected;
  std::vector<std::string_view> candidates;
  for (const auto& [word, value] : words) {
    if (accept(word)) {
      result = value;
      return true;
    }
    expected += fmt::format("{}{}", expected.empty() ? "" : ", ", word);
    candidates.push_back(word);
  }
  const Token& found = peek();
  return fail("one of " + expected,
              found.kind == Token::Kind::word ? nearest(found.text, candidates) : std::string{});
}

}  // namespace tollgate::rating
