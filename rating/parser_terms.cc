// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The statements about discounts, taxes, bounds, counters and currencies.

#include "rating/parser.hh"

namespace tollgate::rating {

bool Parser::map(NumberRole role) {
  return name((*maps_)[static_cast<std::size_t>(role)].emplace(), "the name of zones");
}

// Whole percent or with up to four digits after the point: 7%, 12.5%.
bool Parser::percent(PercentText& result, std::string_view what) {
  const Token& token = peek();
  const auto expected = fmt::format("{} as a percentage, such as 10% or 12.5%", what);
  if (token.kind != Token::Kind::number || !token.text.ends_with('%')) return fail(expected);
  u64 ppm = 0;
  int digits_after = -1;
  for (const char c : token.text.substr(0, token.text.size() - 1)) {
    if (c == '.') {
      if (digits_after >= 0) return fail(expected);
      digits_after = 0;
      continue;
    }
    ppm = ppm * 10 + static_cast<u64>(c - '0');
    if (digits_after >= 0) ++digits_after;
    if (digits_after > 2 || ppm > 1'000'000) {
      return fail(expected, "at most two digits after the point");
    }
  }
  for (int i = digits_after < 0 ? 0 : digits_after; i < 4; ++i) ppm *= 10;
  if (ppm > 10'000'000) return fail(expected, "at most 1000%");
  result = {static_cast<u32>(ppm), token.at};
  next();
  return true;
}

// A number with a unit, in one word or two.
bool Parser::is_amount_ahead() const {
  const Token& token = tokens_[at_];
  if (token.kind != Token::Kind::number || token.text.ends_with('%')) return false;
  return token.text.find_first_not_of("0123456789.") != std::string_view::npos ||
         tokens_[at_ + 1].kind == Token::Kind::word;
}

bool Parser::discount() {
  DiscountText made;
  made.at = peek().at;
  if (accept("python")) {
    if (!python(made.python.emplace())) return false;
  } else if (is_amount_ahead()) {
    if (!money(made.amount.emplace(), "what is taken off")) return false;
  } else if (!percent(made.share.emplace(), "what is taken off")) {
    return false;
  }
  if (made.share && made.share->ppm >= 1'000'000) {
    report_.add(made.at, "found a discount of everything, expected less than 100%",
                "a rule whose use costs nothing is 'free'");
    return true;
  }
  terms_->discount = std::move(made);
  return true;
}

bool Parser::tax() {
  TaxText made;
  if (!percent(made.rate, "the rate")) return false;
  if (!one_of<bool>({{"inclusive", true}, {"exclusive", false}}, made.is_inclusive)) return false;
  terms_->tax = made;
  return true;
}

bool Parser::counter() {
  CounterText made;
  if (!name(made.name, "the name of the counter")) return false;
  made.unit = peek().kind == Token::Kind::word ? unit_from_name(peek().text) : Unit::none;
  if (made.unit == Unit::none) {
    return fail("what it counts: octets, seconds, events or a currency");
  }
  next();
  if (accept("per")) {
    constexpr Period of_product = Period::ever;
    if (!one_of<Period>({{"day", Period::day},
                         {"week", Period::week},
                         {"month", Period::month},
                         {"product", of_product}},
                        made.period)) {
      return false;
    }
    if (made.period == of_product && !name(made.product.emplace(), "the name of the product")) {
      return false;
    }
  }
  if (made.product && peek().text == "shared") {
    return fail("the end of a counter of a product",
                "a family has no turns: counters are shared per day, week or month");
  }
  made.is_shared = accept("shared");
  plan_->counters.push_back(std::move(made));
  return true;
}

bool Parser::exchange() {
  ExchangeText made;
  if (!money(made.foreign, "an amount of another currency, such as 1USD")) return false;
  if (!money(made.own, "what it pays for in the plan's currency, such as 0.92EUR")) return false;
  if (!peek().ends_statement() && !one_of<Rounding>({{"up", Rounding::up},
                                                     {"down", Rounding::down},
                                                     {"half_up", Rounding::half_up},
                                                     {"half_even", Rounding::half_even}},
                                                    made.rounding)) {
    return false;
  }
  plan_->exchanges.push_back(made);
  return true;
}

bool Parser::bonus() {
  BonusText made;
  const bool is_share = peek().kind == Token::Kind::number && peek().text.ends_with('%');
  made.bucket.amount.at = peek().at;
  if (is_share) {
    if (!percent(made.share.emplace(), "a share of the top-up")) return false;
  } else if (!amount(made.bucket.amount, "a share such as 10%, or an amount such as 500MiB")) {
    return false;
  }
  if (!accept("from")) return fail("from and a top-up", "for example: bonus 10% from 20EUR");
  if (!money(made.from, "the least top-up that brings it")) return false;
  if (!bucket_terms(made.bucket)) return false;
  plan_->bonuses.push_back(std::move(made));
  return true;
}

bool Parser::minimum() {
  return money(rule_->minimum.emplace(), "the least that a session costs");
}

bool Parser::bound(BoundText& result) {
  if (!money(result.amount, "the most that it costs")) return false;
  if (!accept("by")) return true;
  return name(result.counter.emplace(), "the name of a counter");
}

bool Parser::steps_by() {
  if (!accept("by")) return fail("by and the name of a counter", "for example: steps by used-data");
  return name(rule_->steps_by.emplace(), "the name of a counter");
}

bool Parser::restart() {
  if (!accept("after")) return fail("after and a quantity", "for example: restart after 10events");
  return amount(rule_->restart.emplace(), "after how much the steps begin anew");
}

}  // namespace tollgate::rating
