// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/parser.hh"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hh"

namespace tollgate::rating {
namespace {

// How many letters must be changed, added or taken away to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

bool is_unit_word(std::string_view word) {
  Amount amount;
  Unit unit = Unit::none;
  return parse_amount(fmt::format("1{}", word), amount, unit).empty();
}

// What other systems call so and this language does not have: said, so that nobody looks for how it
// is spelled. Empty for all other words.
std::string_view missing_feature(std::string_view word) {
  struct Missing {
    std::string_view word;
    std::string_view hint;
  };
  constexpr std::string_view fees =
      "fees belong to a product: product NAME { plans ...; fee 5.00EUR per month }";
  constexpr std::string_view products =
      "a package is a product that 'includes' others, written beside the plans";
  constexpr std::array all = {
      Missing{"fee", fees},
      Missing{"fees", fees},
      Missing{"recurring", fees},
      Missing{"package", products},
      Missing{"bundle", products},
      Missing{"rollover",
              "it stands behind the allowance of a product: allowance 5GiB rollover 1GiB"},
      Missing{"bonus", "a bonus on top-ups belongs to a plan; 'restart after' makes each nth free"},
      Missing{"speed",
              "a lower speed after use is a filter of the gateway: final restrict \"NAME\""},
  };
  for (const Missing& one : all) {
    if (one.word == word) return one.hint;
  }
  return {};
}

constexpr std::size_t shown_max = 40;  // octets of a token that a mistake shows

}  // namespace

std::string describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::newline:
      return "the end of the line";
    case Token::Kind::end:
      return "the end of the file";
    case Token::Kind::text:
      return fmt::format("the text \"{}\"", token.text.substr(0, shown_max));
    default:
      return fmt::format("'{}'", token.text.substr(0, shown_max));
  }
}

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::size_t best = word.size() < 4 ? 2 : 3;  // one change in a short word, two in a longer one
  std::string_view found;
  if (word.size() > shown_max) return {};
  for (const std::string_view candidate : candidates) {
    const std::size_t changes = distance(word, candidate);
    if (changes < best) {
      best = changes;
      found = candidate;
    }
  }
  return found.empty() ? std::string{} : fmt::format("did you mean '{}'?", found);
}

const std::array<Parser::Statement, 8> Parser::file_statements = {{
    {"language", &Parser::language, true},
    {"plan", &Parser::plan, false},
    {"product", &Parser::product, false},
    {"example", &Parser::example, false},
    {"zones", &Parser::zones, false},
    {"calendar", &Parser::calendar, false},
    {"band", &Parser::band, false},
    {"timezone", &Parser::timezone, true},
}};
const std::array<Parser::Statement, 19> Parser::plan_statements = {{
    {"currency", &Parser::currency, true},
    {"balance", &Parser::balance, false},
    {"allowance", &Parser::allowance, false},
    {"service", &Parser::service, false},
    {"timezone", &Parser::timezone, true},
    {"counter", &Parser::counter, false},
    {"exchange", &Parser::exchange, false},
    {"bonus", &Parser::bonus, false},
    {"sessions", &Parser::sessions, true},
    {"origin", &Parser::origin, true},
    {"destination", &Parser::destination, true},
    {"network", &Parser::network, true},
    {"discount", &Parser::discount, true},
    {"tax", &Parser::tax, true},
    {"grant", &Parser::grant, true},
    {"threshold", &Parser::threshold, true},
    {"validity", &Parser::validity, true},
    {"holding", &Parser::holding, true},
    {"final", &Parser::final_unit, true},
}};
const std::array<Parser::Statement, 13> Parser::service_statements = {{
    {"default", &Parser::default_group, true},
    {"meter", &Parser::service_meter, true},
    {"rule", &Parser::rule, false},
    {"origin", &Parser::origin, true},
    {"destination", &Parser::destination, true},
    {"network", &Parser::network, true},
    {"discount", &Parser::discount, true},
    {"tax", &Parser::tax, true},
    {"grant", &Parser::grant, true},
    {"threshold", &Parser::threshold, true},
    {"validity", &Parser::validity, true},
    {"holding", &Parser::holding, true},
    {"final", &Parser::final_unit, true},
}};
const std::array<Parser::Statement, 15> Parser::example_statements = {{
    {"plan", &Parser::example_plan, true},
    {"service", &Parser::example_service, true},
    {"group", &Parser::example_group, true},
    {"identifier", &Parser::example_identifier, true},
    {"use", &Parser::example_use, false},
    {"have", &Parser::example_have, false},
    {"expect", &Parser::example_expect, false},
    {"at", &Parser::example_at, true},
    {"from", &Parser::example_from, true},
    {"to", &Parser::example_to, true},
    {"in", &Parser::example_in, true},
    {"counted", &Parser::example_counted, false},
    {"with", &Parser::example_with, true},
    {"direction", &Parser::example_direction, true},
    {"location", &Parser::example_location, true},
}};

// tokens

const Token& Parser::next() {
  const Token& token = tokens_[at_];
  if (token.kind != Token::Kind::end) ++at_;
  return token;
}

bool Parser::accept(std::string_view word) {
  if (!peek().is_word(word)) return false;
  next();
  return true;
}

bool Parser::accept_symbol(char symbol) {
  if (!peek().is_symbol(symbol)) return false;
  next();
  return true;
}

bool Parser::accept_then() {
  const std::size_t before = at_;
  skip_newlines();
  if (accept("then")) {
    skip_newlines();
    return true;
  }
  at_ = before;
  return false;
}

void Parser::skip_newlines() {
  while (peek().kind == Token::Kind::newline) next();
}

bool Parser::fail(std::string expected, std::string hint) {
  report_.add(peek().at, fmt::format("found {}, expected {}", describe(peek()), expected),
              std::move(hint));
  return false;
}

// blocks

void Parser::recover() {
  std::size_t depth = 0;
  for (;; next()) {
    const Token& token = peek();
    if (token.kind == Token::Kind::end) return;
    if (depth == 0 && token.ends_statement()) return;
    if (token.is_symbol('{')) ++depth;
    if (token.is_symbol('}')) --depth;
  }
}

bool Parser::opens_on_next_line() const {
  std::size_t at = at_;
  while (tokens_[at].kind == Token::Kind::newline) ++at;
  return tokens_[at].is_symbol('{');
}

bool Parser::header_failed() {
  while (!peek().ends_statement() && !peek().is_symbol('{')) next();
  return peek().is_symbol('{');
}

bool Parser::statement(std::span<const Statement> statements, std::string_view what,
                       std::vector<Seen>& seen) {
  const Token& first = peek();
  for (const Statement& candidate : statements) {
    if (!first.is_word(candidate.word)) continue;
    const auto same = std::ranges::find(seen, candidate.word, &Seen::word);
    if (same == seen.end()) {
      seen.push_back({candidate.word, first.at});
    } else if (candidate.is_once) {
      report_.add(first.at, fmt::format("'{}' stands twice here; the first is at {}",
                                        candidate.word, report_.line_of(same->at)));
    }
    next();
    return (this->*candidate.parse)();
  }
  std::string list;
  std::vector<std::string_view> words;
  for (const Statement& candidate : statements) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", candidate.word);
    words.push_back(candidate.word);
  }
  if (first.kind != Token::Kind::word) {
    return fail(fmt::format("a statement of {}: {}", what, list), std::string{});
  }
  const std::string_view missing = missing_feature(first.text);
  return fail(fmt::format("a statement of {}: {}", what, list),
              missing.empty() ? nearest(first.text, words) : std::string(missing));
}

bool Parser::block(std::span<const Statement> statements, std::string_view what) {
  if (opens_on_next_line()) skip_newlines();
  const Place open = peek().at;
  if (!accept_symbol('{')) return fail(fmt::format("'{{' and the statements of {}", what));
  std::vector<Seen> seen;
  for (;;) {
    while (peek().kind == Token::Kind::newline || peek().is_symbol(';')) next();
    if (accept_symbol('}')) return true;
    if (peek().kind == Token::Kind::end) {
      return fail(fmt::format("'}}' that closes the '{{' at {}", report_.line_of(open)));
    }
    one_statement(statements, what, seen);
  }
}

void Parser::one_statement(std::span<const Statement> statements, std::string_view what,
                           std::vector<Seen>& seen) {
  if (!statement(statements, what, seen)) {
    if (rule_ != nullptr) {
      rule_->is_whole = false;
    } else if (plan_ != nullptr) {
      plan_->is_whole = false;
    } else if (product_ != nullptr) {
      product_->is_whole = false;
    }
    recover();
  } else if (!peek().ends_statement() && !tokens_[at_ - 1].is_symbol('}')) {
    fail("the end of the statement", "each statement stands on a line of its own, or ends with ;");
    recover();
  }
}

void Parser::parse_file() {
  std::vector<Seen> seen;
  for (;;) {
    while (peek().kind == Token::Kind::newline || peek().is_symbol(';')) next();
    if (peek().kind == Token::Kind::end) return;
    if (peek().is_symbol('}')) {
      fail("a plan or an example", "this '}' closes nothing");
      next();
    } else {
      one_statement(file_statements, "a tariff file", seen);
    }
  }
}

// words and numbers

bool Parser::name(NameText& result, std::string_view what) {
  const Token& token = peek();
  const bool is_quoted = token.kind == Token::Kind::text;
  if (token.kind != Token::Kind::word && !is_quoted) return fail(std::string(what));
  if (token.text.empty() || token.text.size() > 128) {
    return fail(fmt::format("{} of 1 to 128 octets", what));
  }
  result = {std::string(token.text), token.at, is_quoted};
  next();
  return true;
}

bool Parser::number(NumberText& result, std::string_view what) {
  const Token& token = peek();
  const auto expected = fmt::format("{}: a whole number from 0 to 4294967295", what);
  if (token.kind != Token::Kind::number) return fail(expected);
  u64 value = 0;
  for (const char c : token.text) {
    if (c < '0' || c > '9') return fail(expected);
    value = value * 10 + static_cast<u64>(c - '0');
    if (value > 0xffffffff) return fail(expected);
  }
  result = {static_cast<u32>(value), token.at};
  next();
  return true;
}

bool Parser::numbers(std::vector<NumberText>& result, std::string_view what) {
  do {
    skip_newlines();
    NumberText one;
    if (!number(one, what)) return false;
    result.push_back(one);
  } while (accept_symbol(','));
  return true;
}

bool Parser::amount(AmountText& result, std::string_view what) {
  const Token& token = peek();
  if (token.kind == Token::Kind::word && is_unit_word(token.text)) {  // `per event`
    report_.add(token.at, fmt::format("found '{}', expected {}", token.text, what),
                fmt::format("write the number too: 1{}", token.text));
    return false;
  }
  if (token.kind != Token::Kind::number) return fail(std::string(what));
  std::string text(token.text);
  const Token& after = tokens_[at_ + 1];
  // `10 min`, but not the `min` of `10MiB min 1MiB`.
  const bool has_unit = text.find_last_not_of("0123456789.-") != std::string::npos;
  const bool is_apart = !has_unit && after.kind == Token::Kind::word && is_unit_word(after.text);
  if (is_apart) text += after.text;
  Amount value;
  Unit unit = Unit::none;
  const std::string wrong = parse_amount(text, value, unit);
  if (!wrong.empty()) {
    return fail(std::string(what), wrong);
  }
  result = {value.count, unit, token.at};
  next();
  if (is_apart) next();
  return true;
}

bool Parser::duration(AmountText& result, std::string_view what) {
  const std::size_t before = at_;
  if (!amount(result, what)) return false;
  if (result.unit == Unit::milliseconds && result.count % 1000 == 0) return true;
  at_ = before;
  return fail(fmt::format("{} in whole seconds, such as 90s, 10min, 1h or 30d", what));
}

bool Parser::money(AmountText& result, std::string_view what) {
  const std::size_t before = at_;
  if (!amount(result, what)) return false;
  if (is_money(result.unit)) return true;
  at_ = before;
  return fail(fmt::format("{} in money, such as 0.05EUR", what));
}

// files, plans, services

bool Parser::language() {
  NumberText version;
  if (!number(version, "the version of the tariff language")) return false;
  if (version.value == 1) return true;
  report_.add(version.at, fmt::format("found language {}, expected 1", version.value),
              "this file was written for a newer version of the program");
  return true;
}

bool Parser::plan() {
  PlanText& made = syntax_.plans.emplace_back();
  made.name.at = peek().at;
  plan_ = &made;
  policy_ = &made.policy;
  terms_ = &made.terms;
  maps_ = &made.maps;
  const bool is_good = (name(made.name, "the name of the plan") || header_failed()) &&
                       block(plan_statements, "a plan");
  made.is_whole = made.is_whole && is_good;
  plan_ = nullptr;
  return is_good;
}

bool Parser::sessions() {
  return one_of<bool>({{"keep", true}, {"change", false}}, plan_->keeps_sessions);
}

bool Parser::currency() {
  const Token& token = peek();
  const Unit unit = token.kind == Token::Kind::word ? unit_from_name(token.text) : Unit::none;
  if (!is_money(unit)) return fail("a currency, such as EUR");
  plan_->currency = unit;
  plan_->currency_at = token.at;
  next();
  return true;
}

bool Parser::bucket(bool is_balance) {
  BucketText made;
  if (is_balance) {
    if (!money(made.amount, "the balance that an account begins with")) return false;
  } else {
    const std::size_t before = at_;
    if (!amount(made.amount, "an amount of octets, time or events, such as 1GiB")) return false;
    if (is_money(made.amount.unit)) {
      at_ = before;
      return fail("an amount of octets, time or events", "money is given with 'balance'");
    }
  }
  if (!bucket_terms(made)) return false;
  plan_->buckets.push_back(made);
  return true;
}

bool Parser::bucket_terms(BucketText& made) {
  while (!peek().ends_statement()) {
    if (accept("priority")) {
      NumberText priority;
      if (!number(priority, "a priority from 0 (pays first) to 255")) return false;
      if (priority.value > 255) {
        report_.add(priority.at,
                    fmt::format("found {}, expected a priority from 0 to 255", priority.value));
      }
      made.priority = static_cast<u8>(priority.value);
    } else if (accept("expires")) {
      if (!duration(made.lifetime.emplace(), "a duration")) return false;
    } else if (product_ != nullptr && accept("rollover")) {
      if (!amount(made.rollover.emplace(), "how much of what is left comes along")) return false;
    } else {
      return fail(product_ != nullptr ? "priority, expires, rollover or the end of the statement"
                                      : "priority, expires or the end of the statement");
    }
  }
  return true;
}

bool Parser::service() {
  ServiceText& made = plan_->services.emplace_back();
  made.at = peek().at;
  service_ = &made;
  policy_ = &made.policy;
  terms_ = &made.terms;
  maps_ = &made.maps;
  bool is_good = true;
  do {
    skip_newlines();
    NameText one;
    is_good = name(one, "a service: data, voice, sms, mms or \"a service context\"");
    if (is_good) made.names.push_back(std::move(one));
  } while (is_good && accept_symbol(','));
  const bool is_block = (is_good || header_failed()) && block(service_statements, "a service");
  service_ = nullptr;
  policy_ = &plan_->policy;
  terms_ = &plan_->terms;
  maps_ = &plan_->maps;
  return is_block;
}

bool Parser::default_group() {
  if (!accept("group")) return fail("group", "a rule for all that no other fits is 'rule default'");
  return number(service_->default_group.emplace(), "a rating group");
}

bool Parser::service_meter() {
  return meter(service_->meter);
}

bool Parser::meter(std::optional<Meter>& result) {
  return one_of<Meter>({{"volume", Meter::volume},
                        {"upload", Meter::upload},
                        {"download", Meter::download},
                        {"time", Meter::time},
                        {"events", Meter::events},
                        {"money", Meter::money}},
                       result.emplace());
}

// examples

bool Parser::example() {
  ExampleText& made = syntax_.examples.emplace_back();
  made.at = peek().at;
  example_ = &made;
  NameText text;
  if (!name(text, "the name of the example, in quotes") && !header_failed()) return false;
  made.name = text.text;
  return block(example_statements, "an example");
}

bool Parser::example_plan() {
  return name(example_->plan.emplace(), "the name of a plan");
}

bool Parser::example_service() {
  return name(example_->service.emplace(), "a service");
}

bool Parser::example_group() {
  return number(example_->group.emplace(), "a rating group");
}

bool Parser::example_identifier() {
  return number(example_->identifier.emplace(), "a service identifier");
}

bool Parser::example_use() {
  do {
    skip_newlines();
    ExampleText::Use one;
    if (!amount(one.amount, "what is used, such as 3MiB, 61s or 1event")) return false;
    if (accept("after") && !duration(one.after.emplace(), "how long after the piece before")) {
      return false;
    }
    example_->use.push_back(one);
  } while (accept_then());
  return true;
}

bool Parser::example_have() {
  do {
    skip_newlines();
    AmountText one;
    if (!amount(one, "what there is to pay with, such as 1GiB or 5.00EUR")) return false;
    example_->have.push_back(one);
  } while (accept_symbol(','));
  return true;
}

bool Parser::example_expect() {
  if (accept("cost")) {
    example_->expects_cost = true;
    do {
      skip_newlines();
      AmountText one;
      if (!amount(one, "what it costs, such as 0.31EUR")) return false;
      example_->costs.push_back(one);
    } while (accept_symbol(','));
    return true;
  }
  if (accept("covered")) {
    return amount(example_->covered.emplace(), "how much can be paid for, such as 2MiB");
  }
  Verdict verdict{};
  if (!peek().is_word("free") && !peek().is_word("barred")) {
    return fail("cost, covered, free or barred");
  }
  verdict = next().is_word("free") ? Verdict::free : Verdict::barred;
  example_->verdict = verdict;
  return true;
}

}  // namespace tollgate::rating
