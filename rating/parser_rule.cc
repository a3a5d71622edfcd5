// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The statements of a rule, and those about grants, which services and plans share.

#include <fmt/format.h>

#include "rating/parser.hh"

namespace tollgate::rating {

const std::array<Parser::Statement, 17> Parser::rule_statements = {{
    {"meter", &Parser::rule_meter, true},
    {"price", &Parser::price, true},
    {"round", &Parser::round, false},
    {"setup", &Parser::setup, true},
    {"pay", &Parser::pay, true},
    {"discount", &Parser::discount, true},
    {"tax", &Parser::tax, true},
    {"minimum", &Parser::minimum, true},
    {"cap", &Parser::cap, true},
    {"limit", &Parser::limit, true},
    {"steps", &Parser::steps_by, true},
    {"restart", &Parser::restart, true},
    {"grant", &Parser::grant, true},
    {"threshold", &Parser::threshold, true},
    {"validity", &Parser::validity, true},
    {"holding", &Parser::holding, true},
    {"final", &Parser::final_unit, true},
}};

bool Parser::rule_match(RuleText& result) {
  if (peek().kind == Token::Kind::text && !name(result.name.emplace(), "a name")) return false;
  if (accept("default")) {
    result.is_default = true;
    return rule_conditions(result.conditions);
  }
  if (!peek().is_word("group") && !peek().is_word("identifier")) {
    return fail("what the rule is for: group N, identifier N or default",
                "a name of a rule stands in quotes");
  }
  if (accept("group") && !numbers(result.groups, "a rating group")) return false;
  if (accept("identifier") && !numbers(result.identifiers, "a service identifier")) return false;
  return rule_conditions(result.conditions);
}

bool Parser::rule_conditions(ConditionsText& result) {
  const auto zones = [&](NumberRole role) -> std::vector<NameText>& {
    return result.zones[static_cast<std::size_t>(role)];
  };
  for (;;) {
    if (accept("to")) {
      if (!names(zones(NumberRole::destination), "a zone of the called number")) return false;
    } else if (accept("from")) {
      if (!names(zones(NumberRole::origin), "a zone of the calling number")) return false;
    } else if (accept("in")) {
      if (!names(zones(NumberRole::network), "a zone of networks")) return false;
    } else if (accept("during")) {
      if (!names(result.bands, "a time band")) return false;
    } else if (accept("with")) {
      if (!names(result.products, "a product")) return false;
    } else if (accept("priority")) {
      if (!number(result.priority.emplace(), "a priority, the lowest counts")) return false;
    } else {
      return true;
    }
  }
}

bool Parser::rule() {
  RuleText& made = service_->rules.emplace_back();
  made.at = peek().at;
  rule_ = &made;
  policy_ = &made.policy;
  terms_ = &made.terms;
  made.is_whole = rule_match(made);
  bool is_good = made.is_whole || header_failed();
  if (is_good && accept("free")) made.verdict = Verdict::free;
  if (is_good && accept("barred")) made.verdict = Verdict::barred;
  const bool may_end = made.verdict != Verdict::charged && peek().ends_statement();
  if (is_good && !may_end) {
    if (!opens_on_next_line()) {
      fail("'{' and the statements of a rule, or free, or barred");
      made.is_whole = false;
      is_good = header_failed();
    }
    is_good = is_good && block(rule_statements, "a rule");
  }
  rule_ = nullptr;
  policy_ = &service_->policy;
  terms_ = &service_->terms;
  return is_good;
}

bool Parser::rule_meter() {
  rule_->meter_at = peek().at;
  return meter(rule_->meter);
}

bool Parser::segment(SegmentText& result) {
  result.at = peek().at;
  if (accept("first") || accept("next")) {
    if (!amount(result.length.emplace(), "how long this price holds, such as 60s or 10MB")) {
      return false;
    }
  }
  if (accept("free")) return true;
  if (!money(result.price, "a price")) return false;
  if (!accept("per")) return true;
  return amount(result.block.emplace(), "a block, such as 1MB, 100KiB, 60s or 1event");
}

bool Parser::python(PythonText& result) {
  if (peek().kind != Token::Kind::text) return fail("the name of a Python file in quotes");
  if (!name(result.file, "a Python file")) return false;
  if (!name(result.function, "a function of the file")) return false;
  return !accept("by") || names(result.counters, "the name of a counter");
}

bool Parser::price() {
  rule_->price_at = peek().at;
  if (accept("python")) return python(rule_->python.emplace());
  do {
    SegmentText one;
    if (!segment(one)) return false;
    rule_->price.push_back(one);
  } while (accept_then());
  return true;
}

bool Parser::round() {
  const Place at = peek().at;
  const bool is_money = accept("money");
  if (is_money ? rule_->round_money.has_value() : rule_->round.has_value()) {
    report_.add(at, fmt::format("'round{}' stands twice in this rule", is_money ? " money" : ""));
  }
  if (!is_money) {
    BlockRounding rounding{};
    if (!one_of<BlockRounding>({{"up", BlockRounding::up},
                                {"down", BlockRounding::down},
                                {"half_up", BlockRounding::half_up},
                                {"half_even", BlockRounding::half_even},
                                {"exact", BlockRounding::exact}},
                               rounding)) {
      return false;
    }
    rule_->round = rounding;
    return true;
  }
  MoneyRoundingText made;
  if (!one_of<Rounding>({{"up", Rounding::up},
                         {"down", Rounding::down},
                         {"half_up", Rounding::half_up},
                         {"half_even", Rounding::half_even}},
                        made.rounding)) {
    return false;
  }
  if (accept("to") && !money(made.step.emplace(), "the smallest step of a cost")) return false;
  rule_->round_money = made;
  return true;
}

bool Parser::setup() {
  return money(rule_->setup.emplace(), "a fee");
}

bool Parser::source(SourceText& result) {
  result.at = peek().at;
  if (peek().kind == Token::Kind::word) {
    result.unit = unit_from_name(peek().text);
    if (result.unit == Unit::none) {
      return fail("a unit that pays: octets, seconds, events, EUR or unit4097");
    }
    next();
  } else {
    if (!amount(result.amount.emplace(), "a unit, or an amount of it a block")) return false;
    result.unit = result.amount->unit;
    if (!peek().is_word("per")) return fail("per and a block, such as 1unit4097 per 1MB");
  }
  if (!accept("per")) return true;
  if (!amount(result.block.emplace(), "a block, such as 100KiB")) return false;
  if (peek().ends_statement() || peek().is_word("then")) return true;
  return one_of<BlockRounding>({{"up", BlockRounding::up},
                                {"down", BlockRounding::down},
                                {"half_up", BlockRounding::half_up},
                                {"half_even", BlockRounding::half_even},
                                {"exact", BlockRounding::exact}},
                               result.rounding);
}

bool Parser::pay() {
  if (!accept("with")) return fail("with");
  do {
    SourceText one;
    if (!source(one)) return false;
    rule_->sources.push_back(one);
  } while (accept_then());
  return true;
}

// policies

bool Parser::grant() {
  PolicyText::Grant made;
  policy_->grant.emplace();  // what is wrong is told once, and nothing is made of it
  if (peek().ends_statement()) return fail("a quantity, min or max");
  while (!peek().ends_statement()) {
    if (accept("min")) {
      if (!amount(made.smallest.emplace(), "the smallest grant")) return false;
    } else if (accept("max")) {
      if (!amount(made.largest.emplace(), "the largest grant")) return false;
    } else if (made.size) {
      return fail("min, max or the end of the statement");
    } else if (!amount(made.size.emplace(), "a quantity, such as 10MiB, 60s or 1event")) {
      return false;
    }
  }
  policy_->grant = made;
  return true;
}

bool Parser::threshold() {
  const Token& token = peek();
  if (token.kind != Token::Kind::number || !token.text.ends_with('%')) {
    return amount(policy_->threshold.emplace(), "what is left of the grant: 20% or 1MiB");
  }
  u32 percent = 0;
  for (const char c : token.text.substr(0, token.text.size() - 1)) {
    if (c < '0' || c > '9') percent = 1000;  // a point: not a whole number
    percent = percent * 10 + static_cast<u32>(c - '0');
    if (percent > 99) return fail("a whole share of the grant, from 0% to 99%");
  }
  policy_->threshold_permille = percent * 10;
  next();
  return true;
}

bool Parser::validity() {
  return duration(policy_->validity.emplace(), "a duration");
}

bool Parser::holding() {
  return duration(policy_->holding.emplace(), "a duration");
}

bool Parser::final_unit() {
  PolicyText::Final made;
  if (!one_of<FinalAction>({{"terminate", FinalAction::terminate},
                            {"redirect", FinalAction::redirect},
                            {"restrict", FinalAction::restrict_access}},
                           made.action)) {
    return false;
  }
  if (made.action == FinalAction::redirect) {
    NameText url;
    if (peek().kind != Token::Kind::text) return fail("an address in quotes");
    if (!name(url, "an address")) return false;
    made.url = url.text;
  } else if (made.action == FinalAction::restrict_access && peek().kind == Token::Kind::text) {
    NameText filter;
    if (!name(filter, "a filter of the gateway")) return false;
    made.action = FinalAction::restrict_to_filter;
    made.url = filter.text;
  }
  policy_->final_unit = made;
  return true;
}

}  // namespace tollgate::rating
