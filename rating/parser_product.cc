// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The statements of a product.

#include "rating/parser.hh"

namespace tollgate::rating {

const std::array<Parser::Statement, 13> Parser::product_statements = {{
    {"plans", &Parser::product_plans, true},
    {"needs", &Parser::product_needs, true},
    {"excludes", &Parser::product_excludes, true},
    {"includes", &Parser::product_includes, true},
    {"fee", &Parser::product_fee, false},
    {"prorate", &Parser::product_prorate, true},
    {"allowance", &Parser::product_allowance, false},
    {"lasts", &Parser::product_lasts, true},
    {"renews", &Parser::product_renews, true},
    {"repeatable", &Parser::product_repeatable, true},
    {"retry", &Parser::product_retry, true},
    {"grace", &Parser::product_grace, true},
    {"timezone", &Parser::timezone, true},
}};

bool Parser::product() {
  ProductText& made = syntax_.products.emplace_back();
  made.name.at = peek().at;
  product_ = &made;
  const bool is_good = (name(made.name, "the name of the product") || header_failed()) &&
                       block(product_statements, "a product");
  made.is_whole = made.is_whole && is_good;
  product_ = nullptr;
  return is_good;
}

bool Parser::product_allowance() {
  BucketText made;
  if (!amount(made.amount, "an amount, such as 1GiB, 600s or 2.00EUR")) return false;
  if (!bucket_terms(made)) return false;
  product_->allowances.push_back(made);
  return true;
}

// `fee 5EUR` when it is bought, `fee 5EUR per month [on 1]` with each turn.
bool Parser::product_fee() {
  const Place at = peek().at;
  AmountText fee;
  if (!money(fee, "a fee")) return false;
  const bool is_recurring = accept("per");
  if (is_recurring ? product_->recurring.has_value() : product_->fee.has_value()) {
    report_.add(at, fmt::format("found a second {} fee in this product",
                                is_recurring ? "recurring" : "one-time"));
  }
  if (!is_recurring) {
    product_->fee = fee;
    return true;
  }
  ProductText::Recurring& made = product_->recurring.emplace(ProductText::Recurring{});
  made.fee = fee;
  if (!one_of<Period>({{"day", Period::day}, {"week", Period::week}, {"month", Period::month}},
                      made.period)) {
    return false;
  }
  return !accept("on") || product_day(made);
}

// When turns begin: a day of the week, a day of the month, or its last.
bool Parser::product_day(ProductText::Recurring& result) {
  if (result.period == Period::week) {
    return one_of<u8>({{"mon", u8{1}},
                       {"tue", u8{2}},
                       {"wed", u8{3}},
                       {"thu", u8{4}},
                       {"fri", u8{5}},
                       {"sat", u8{6}},
                       {"sun", u8{7}}},
                      result.day);
  }
  if (result.period == Period::day) return fail("the end of the statement: a day begins as bought");
  if (accept("last")) {
    result.day = Product::last_day;
    return true;
  }
  NumberText day;
  const Place at = peek().at;
  if (!number(day, "a day of the month, or last")) return false;
  if (day.value < 1 || day.value > 31) {
    report_.add(at, fmt::format("found {}, expected a day from 1 to 31, or last", day.value));
  }
  result.day = static_cast<u8>(day.value);
  return true;
}

bool Parser::product_prorate() {
  product_->proration_at = peek().at;
  MoneyRoundingText& made = product_->proration.emplace();
  if (!one_of<Rounding>({{"up", Rounding::up},
                         {"down", Rounding::down},
                         {"half_up", Rounding::half_up},
                         {"half_even", Rounding::half_even}},
                        made.rounding)) {
    return false;
  }
  return !accept("to") || money(made.step.emplace(), "what it is rounded to a multiple of");
}

bool Parser::product_retry() {
  if (!duration(product_->retry.emplace(), "after how long")) return false;
  return !accept("for") || duration(product_->retry_for.emplace(), "for how long");
}

bool Parser::product_renews() {
  product_->flags_at = peek().at;
  product_->renews = true;
  return true;
}

bool Parser::product_repeatable() {
  product_->flags_at = peek().at;
  product_->is_repeatable = true;
  return true;
}

}  // namespace tollgate::rating
