// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_rule.hh"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "rating/parser.hh"
#include "rating/services.hh"

namespace tollgate::rating {
namespace {

Unit unit_of(Meter meter, Unit currency) {
  switch (meter) {
    case Meter::volume:
    case Meter::upload:
    case Meter::download:
      return Unit::octets;
    case Meter::time:
      return Unit::milliseconds;
    case Meter::events:
      return Unit::events;
    case Meter::money:
      return currency;
  }
  return Unit::none;
}

std::string show(const AmountText& amount) {
  return to_text(Amount{amount.count}, amount.unit);
}

}  // namespace

Rule RuleLowering::run() {
  const Meter meter = text_.meter.value_or(scope_.meter);
  rule_.verdict = text_.verdict;
  rule_.meter = meter;
  rule_.currency = scope_.plan.currency;
  rule_.unit = unit_of(meter, rule_.currency);
  rule_.line = text_.at.line;
  rule_.file = builder_.add_text(scope_.file);
  rule_.name = builder_.add_text(scope_.name);
  if (rule_.verdict == Verdict::charged) {
    lower_sources();
    lower_price();
    lower_fees();
    lower_factor();
    lower_restart();
    lower_bounds();
    lower_functions();
  } else {
    refuse_charges();
  }
  lower_policy();
  return rule_;
}

void RuleLowering::refuse_charges() {
  const std::string_view is = rule_.verdict == Verdict::free ? "free" : "barred";
  const auto refuse = [&](Place at, std::string_view statement) {
    report_.add(at, fmt::format("found '{}' in a rule that is {}", statement, is),
                "nothing is charged here: take one of the two away");
  };
  if (!text_.price.empty() || text_.python) refuse(text_.price_at, "price");
  if (!text_.sources.empty()) refuse(text_.sources.front().at, "pay with");
  if (text_.setup) refuse(text_.setup->at, "setup");
  if (text_.minimum) refuse(text_.minimum->at, "minimum");
  if (text_.cap) refuse(text_.cap->amount.at, "cap");
  if (text_.limit) refuse(text_.limit->amount.at, "limit");
  if (text_.terms.discount) refuse(text_.terms.discount->at, "discount");
  if (text_.steps_by) refuse(text_.steps_by->at, "steps");
  if (text_.restart) refuse(text_.restart->at, "restart");
}

bool RuleLowering::is_quantity(const AmountText& amount, i64 most, std::string_view what) {
  if (amount.unit != rule_.unit) {
    report_.add(amount.at,
                fmt::format("found {}, expected {} in {}: the rule measures {}", show(amount), what,
                            unit_name(rule_.unit), to_text(rule_.meter)),
                "'meter' says what a rule or service measures");
    return false;
  }
  if (amount.count >= 1 && amount.count <= most) return true;
  report_.add(amount.at, fmt::format("found {}, expected {} from {} to {}", show(amount), what,
                                     show({1, amount.unit, {}}), show({most, amount.unit, {}})));
  return false;
}

bool RuleLowering::is_price(const AmountText& amount, std::string_view what) {
  if (amount.unit != rule_.currency) {
    report_.add(amount.at, fmt::format("found {}, expected {} in {}, the currency of the plan",
                                       show(amount), what, unit_name(rule_.currency)));
    return false;
  }
  if (amount.count >= 0 && amount.count <= price_max) return true;
  report_.add(amount.at, fmt::format("found {}, expected {} of at most {}", show(amount), what,
                                     show({price_max, amount.unit, {}})));
  return false;
}

// sources

void RuleLowering::lower_source(const SourceText& source) {
  const bool is_native = source.unit == rule_.unit;
  PaymentSource made;
  made.unit = source.unit;
  made.rounding = source.rounding;
  const auto same = std::ranges::find(rule_.sources(), source.unit, &PaymentSource::unit);
  if (same != rule_.sources().end()) {
    report_.add(source.at, fmt::format("found {} twice in one 'pay with'", unit_name(source.unit)));
    return;
  }
  if (made.is_money() && source.unit != rule_.currency && !lower_exchange(source, made)) return;
  if (made.is_money() && (source.block || source.amount)) {
    report_.add(source.at, "found a block for money, expected the unit alone",
                "'price' says what money pays");
    return;
  }
  if (!made.is_money() && !is_native && !source.amount) {
    report_.add(source.at,
                fmt::format("found {}, expected how much of it pays for a block of {}",
                            unit_name(source.unit), unit_name(rule_.unit)),
                fmt::format("for example: pay with 1{} per ...", unit_name(source.unit)));
    return;
  }
  if (source.block) {
    if (!is_quantity(*source.block, block_max, "a block")) return;
    made.block = {source.block->count};
    made.amount = {source.amount ? source.amount->count : source.block->count};
    if (made.amount.count < 1 || made.amount.count > price_max) {
      report_.add(source.at, "found an amount of nothing or beyond all bounds a block");
      return;
    }
  }
  rule_.source[rule_.source_count++] = made;
}

bool RuleLowering::lower_exchange(const SourceText& source, PaymentSource& made) {
  for (const ExchangeText& exchange : scope_.plan.exchanges) {
    if (exchange.foreign.unit != source.unit) continue;
    if (exchange.own.unit != rule_.currency) {
      report_.add(exchange.own.at,
                  fmt::format("found {}, expected {}, the currency of the plan",
                              unit_name(exchange.own.unit), unit_name(rule_.currency)));
      return false;
    }
    const i64 common = std::gcd(exchange.foreign.count, exchange.own.count);
    const i64 foreign = common == 0 ? 0 : exchange.foreign.count / common;
    const i64 own = common == 0 ? 0 : exchange.own.count / common;
    if (foreign < 1 || own < 1 || foreign > exchange_max || own > exchange_max) {
      report_.add(exchange.foreign.at, "found a rate of nothing or finer than can be calculated");
      return false;
    }
    made.amount = {foreign};
    made.block = {own};
    made.rounding = static_cast<BlockRounding>(exchange.rounding);
    return true;
  }
  report_.add(source.at,
              fmt::format("found {}, expected {}, the currency of the plan", unit_name(source.unit),
                          unit_name(rule_.currency)),
              fmt::format("or add to the plan: exchange 1{} ...{}", unit_name(source.unit),
                          unit_name(rule_.currency)));
  return false;
}

void RuleLowering::lower_sources() {
  if (text_.sources.empty()) {
    rule_.source[0].unit = rule_.currency;
    rule_.source_count = 1;
    return;
  }
  if (text_.sources.size() > sources_max) {
    report_.add(text_.sources[sources_max].at,
                fmt::format("found more than {} in 'pay with'", sources_max));
    return;
  }
  for (const SourceText& source : text_.sources) lower_source(source);
}

// price

void RuleLowering::lower_price() {
  const bool pays_money = std::ranges::any_of(rule_.sources(), &PaymentSource::is_money);
  if (rule_.meter == Meter::money) {
    if (!text_.price.empty() || text_.python) {
      report_.add(text_.price_at, "found a price in a rule that measures money",
                  "the service states its price itself");
    }
    rule_.step_count = 1;
    rule_.step[0] = {.start = {}, .block = {1}, .price = {1}, .cost_before = {}};
    return;
  }
  if (text_.price.empty() && !text_.python) {
    if (!pays_money || !text_.is_whole) return;
    report_.add(text_.at, "found a rule without a price, expected 'price', free or barred",
                "for example: price 0.01EUR per 1MB");
    return;
  }
  if (!pays_money && text_.is_whole) {
    report_.add(text_.price_at, "found a price, but no money in 'pay with'",
                fmt::format("add 'then {}'", unit_name(rule_.currency)));
  }
  if (text_.python) return lower_python();
  if (text_.price.size() > steps_max) {
    report_.add(text_.price[steps_max].at,
                fmt::format("found more than {} steps of a price", steps_max));
    return;
  }
  for (std::size_t i = 0; i < text_.price.size(); ++i) {
    lower_step(text_.price[i], i + 1 == text_.price.size());
  }
}

// The steps before have said where this one begins: rule_.step[step_count].start and cost_before.
void RuleLowering::lower_step(const SegmentText& segment, bool is_last) {
  const bool is_free = segment.price.unit == Unit::none;
  Step step = rule_.step[rule_.step_count];
  if (!is_free && !is_price(segment.price, "a price")) return;
  if (segment.length && !is_quantity(*segment.length, block_max, "a length")) return;
  if (segment.block && !is_quantity(*segment.block, block_max, "a block")) return;
  if (is_last && segment.length) {
    report_.add(segment.at, "found no price for what follows, expected 'then' and a price",
                "the last price has no 'first' or 'next'");
    return;
  }
  if (!is_last && !segment.length) {
    report_.add(segment.at, "found a price without end before another, expected 'first' or 'next'",
                "for example: first 60s 0.10EUR then 0.01EUR per 1s");
    return;
  }
  if (segment.block) {
    step.block = {segment.block->count};
  } else if (segment.length) {
    step.block = {segment.length->count};
  } else if (!is_free && rule_.meter != Meter::events) {
    report_.add(segment.price.at, "found a price without a block, expected 'per' and a block",
                "for example: per 1MB, per 100KiB, per 1s");
    return;
  }
  step.price = {segment.price.count};
  rule_.step[rule_.step_count++] = step;
  if (is_last) return;

  const i64 length = segment.length->count;
  if (length % step.block.count != 0) {
    report_.add(segment.length->at,
                fmt::format("found {}, expected a multiple of its block of {}",
                            show(*segment.length), show({step.block.count, rule_.unit, {}})));
    return;
  }
  const i128 cost = i128{length / step.block.count} * step.price.count + step.cost_before.count;
  if (cost > cost_before_max) {
    report_.add(segment.at, "found a step that costs more than can be counted");
    return;
  }
  if (rule_.step_count == steps_max) return;
  Step& next = rule_.step[rule_.step_count];
  next.start = {step.start.count + length};
  next.cost_before = {static_cast<i64>(cost)};
}

void RuleLowering::lower_fees() {
  rule_.usage_rounding = text_.round.value_or(BlockRounding::up);
  const bool pays_money = std::ranges::any_of(rule_.sources(), &PaymentSource::is_money);
  if (text_.setup && is_price(*text_.setup, "a fee")) {
    rule_.setup_fee = {text_.setup->count};
    if (!pays_money && text_.is_whole)
      report_.add(text_.setup->at, "found a fee, but no money in 'pay with'");
  }
  if (!text_.round_money) return;
  rule_.money_rounding = text_.round_money->rounding;
  const std::optional<AmountText>& step = text_.round_money->step;
  if (!step || !is_price(*step, "a step")) return;
  if (step->count == 0) {
    report_.add(step->at, "found a step of nothing, expected at least 0.000001");
    return;
  }
  rule_.money_step = {step->count};
}

// terms, bounds and counters

// Discount and tax are one factor, so that the price is rounded once.
void RuleLowering::lower_factor() {
  const TermsText* const inner_first[] = {&text_.terms, &scope_.service.terms, &scope_.plan.terms};
  const DiscountText* text = discount_text();
  const PercentText* discount = text != nullptr && text->share ? &*text->share : nullptr;
  const TaxText* tax = nullptr;
  for (const TermsText* terms : inner_first) {
    if (tax == nullptr && terms->tax) tax = &*terms->tax;
  }
  constexpr u64 whole = 1'000'000;
  u64 factor = 1;
  u64 by = 1;
  if (discount != nullptr) {
    factor = whole - discount->ppm;
    by = whole;
  }
  if (tax != nullptr) {
    rule_.tax_ppm = tax->rate.ppm;
    if (!tax->is_inclusive) {
      factor *= whole + tax->rate.ppm;
      by *= whole;
    }
  }
  const u64 common = std::gcd(factor, by);
  if (factor / common > factor_max || by / common > factor_max) {
    report_.add(discount != nullptr ? discount->at : tax->rate.at,
                "found a discount and a tax that together are finer than can be calculated",
                "whole percentages always can");
    return;
  }
  rule_.factor = static_cast<u32>(factor / common);
  rule_.factor_by = static_cast<u32>(by / common);
  if (rule_.factor == rule_.factor_by || rule_.usage_rounding != BlockRounding::exact) return;
  for (const Step& step : rule_.steps()) {
    if (step.block.count <= exact_block_max) continue;
    report_.add(text_.price_at,
                fmt::format("found a block of {} with 'round exact' and a discount or tax, "
                            "expected at most {}",
                            show({step.block.count, rule_.unit, {}}),
                            show({exact_block_max, rule_.unit, {}})));
    return;
  }
}

void RuleLowering::lower_restart() {
  if (!text_.restart || text_.python || !is_quantity(*text_.restart, block_max, "a quantity"))
    return;
  if (rule_.step_count == 0) {
    report_.add(text_.restart->at, "found 'restart' without a price");
    return;
  }
  const Step& last = rule_.step[rule_.step_count - 1];
  const i64 length = text_.restart->count - last.start.count;
  if (length <= 0 || length % last.block.count != 0) {
    report_.add(text_.restart->at,
                fmt::format("found {}, expected an end of the last step: {} and a multiple of {}",
                            show(*text_.restart), show({last.start.count, rule_.unit, {}}),
                            show({last.block.count, rule_.unit, {}})));
    return;
  }
  const i128 cost = i128{length / last.block.count} * last.price.count + last.cost_before.count;
  if (cost > cost_before_max) {
    report_.add(text_.restart->at, "found steps that cost more than can be counted");
    return;
  }
  rule_.cycle = {text_.restart->count};
  rule_.cycle_cost = {static_cast<i64>(cost)};
}

const PlanScope::Counter* RuleLowering::find_counter(const NameText& name, Unit unit) {
  const auto known = scope_.names.counters.find(name.text);
  if (known == scope_.names.counters.end()) {
    std::vector<std::string_view> words;
    for (const auto& [each, counter] : scope_.names.counters) words.push_back(each);
    const std::string near = nearest(name.text, words);
    report_.add(name.at, fmt::format("found '{}', expected a counter of the plan", name.text),
                near.empty() ? fmt::format("add to the plan: counter {} {} per month", name.text,
                                           unit_name(unit == Unit::none ? rule_.unit : unit))
                             : near);
    return nullptr;
  }
  if (known->second.unit == unit || unit == Unit::none) return &known->second;
  report_.add(name.at, fmt::format("found a counter of {}, expected one of {}",
                                   unit_name(known->second.unit), unit_name(unit)));
  return nullptr;
}

// What is nothing without its product must not be moved, or bound anything, without it.
const PlanScope::Counter* RuleLowering::moved_counter(const NameText& name, Unit unit) {
  const PlanScope::Counter* counter = find_counter(name, unit);
  if (counter == nullptr || counter->product.empty()) return counter;
  const std::vector<NameText>& with = text_.conditions.products;
  const auto is_it = [&](const NameText& each) { return each.text == counter->product; };
  if (!with.empty() && std::ranges::all_of(with, is_it)) return counter;
  report_.add(
      name.at,
      fmt::format("found counter '{}' of product '{}' in a rule that also fits who does not "
                  "have it",
                  name.text, counter->product),
      fmt::format("write the condition: with {}", counter->product));
  return nullptr;
}

void RuleLowering::lower_counted(const BoundText& bound, bool is_cap) {
  const PlanScope::Counter* counter = moved_counter(*bound.counter, rule_.currency);
  if (counter == nullptr) return;
  const auto is_foreign = [&](const PaymentSource& source) {
    return source.is_money() && source.unit != rule_.currency;
  };
  if (std::ranges::any_of(rule_.sources(), is_foreign)) {
    report_.add(bound.amount.at, "found a bound by a counter where another currency pays");
    return;
  }
  if (bound.amount.count < 1) {
    report_.add(bound.amount.at, "found a bound of nothing, expected at least 0.000001");
    return;
  }
  rule_.money_counter = static_cast<u16>(counter->number);
  rule_.counted_limit = {bound.amount.count};
  rule_.is_limit_cap = is_cap ? 1 : 0;
}

void RuleLowering::lower_bounds() {
  if (text_.steps_by) {
    const PlanScope::Counter* counter = moved_counter(*text_.steps_by, rule_.unit);
    if (counter != nullptr) rule_.usage_counter = static_cast<u16>(counter->number);
  }
  if (text_.minimum && is_price(*text_.minimum, "a minimum")) {
    rule_.minimum = {text_.minimum->count};
  }
  for (const auto& [bound, is_cap] :
       {std::pair(&text_.cap, true), std::pair(&text_.limit, false)}) {
    if (!*bound || !is_price((*bound)->amount, "a bound")) continue;
    if ((*bound)->counter) {
      lower_counted(**bound, is_cap);
    } else if (is_cap) {
      rule_.cap = {(*bound)->amount.count};
    } else {
      report_.add((*bound)->amount.at, "found a limit without a counter, expected 'by' and one",
                  "for example: limit 50EUR by spent-month");
    }
  }
  if (text_.cap && text_.cap->counter && text_.limit) {
    report_.add(text_.limit->amount.at, "found a limit and a cap by counters in one rule");
  }
  if (rule_.usage_counter != 0 && (rule_.minimum.is_positive() || rule_.cap.is_positive())) {
    report_.add(text_.steps_by->at,
                "found 'steps by' a counter and a minimum or cap of a session in one rule",
                "a cap by a counter is possible: cap 5EUR by spent-today");
  }
  if (rule_.cap.is_positive() && rule_.cap < rule_.minimum) {
    report_.add(text_.cap->amount.at, "found a cap below the minimum");
  }
  if (i128{rule_.cap.count} * rule_.factor_by > i128{INT64_MAX} * rule_.factor) {
    report_.add(text_.cap->amount.at, "found a cap beyond what can be calculated");
  }
}

// policy

template <class Field>
const Field* RuleLowering::inherited(std::optional<Field> PolicyText::*member) const {
  for (const PolicyText* policy : {&text_.policy, &scope_.service.policy, &scope_.plan.policy}) {
    if ((policy->*member).has_value()) return &*(policy->*member);
  }
  return nullptr;
}

Quantity RuleLowering::quantity_of(std::optional<AmountText> PolicyText::Grant::*member) const {
  for (const PolicyText* policy : {&text_.policy, &scope_.service.policy, &scope_.plan.policy}) {
    if (!policy->grant) continue;
    const std::optional<AmountText>& amount = (*policy->grant).*member;
    if (amount && amount->unit == rule_.unit) return {amount->count};
  }
  return {};
}

void RuleLowering::lower_quantities() {
  GrantPolicy& grant = rule_.grant;
  if (text_.policy.grant) {
    const PolicyText::Grant& own = *text_.policy.grant;
    if (own.size) (void)is_quantity(*own.size, block_max, "a grant");
    if (own.smallest) (void)is_quantity(*own.smallest, block_max, "the smallest grant");
    if (own.largest) (void)is_quantity(*own.largest, block_max, "the largest grant");
  }
  grant.size = quantity_of(&PolicyText::Grant::size);
  grant.smallest = quantity_of(&PolicyText::Grant::smallest);
  grant.largest = quantity_of(&PolicyText::Grant::largest);
  if (grant.largest.is_positive()) {
    const Quantity least = std::max(grant.size, grant.smallest);
    if (least > grant.largest) {
      report_.add(text_.at, fmt::format("found a grant of {} in this rule, above its max of {}",
                                        show({least.count, rule_.unit, {}}),
                                        show({grant.largest.count, rule_.unit, {}})));
    }
  }
  const std::optional<AmountText>& threshold = text_.policy.threshold;
  if (threshold && !is_quantity(*threshold, block_max, "a threshold")) return;
  if (text_.policy.threshold_permille) {
    grant.threshold_permille = *text_.policy.threshold_permille;
  } else if (threshold) {
    grant.threshold = {threshold->count};
  } else {
    for (const PolicyText* policy : {&scope_.service.policy, &scope_.plan.policy}) {
      if (policy->threshold && policy->threshold->unit != rule_.unit) continue;
      if (policy->threshold) grant.threshold = {policy->threshold->count};
      if (policy->threshold_permille) grant.threshold_permille = *policy->threshold_permille;
      if (policy->threshold || policy->threshold_permille) break;
    }
  }
}

void RuleLowering::lower_policy() {
  lower_quantities();
  const auto seconds = [&](const AmountText* duration) -> u32 {
    if (duration == nullptr) return 0;
    const i64 count = duration->count / 1000;
    if (count > 0 && count <= 0xffffffff) return static_cast<u32>(count);
    report_.add(duration->at, "found a duration of no second or of more than 136 years");
    return 0;
  };
  rule_.grant.validity_seconds = seconds(inherited(&PolicyText::validity));
  rule_.grant.holding_seconds = seconds(inherited(&PolicyText::holding));
  const PolicyText::Final* final_unit = inherited(&PolicyText::final_unit);
  if (final_unit == nullptr) return;
  rule_.grant.final_action = final_unit->action;
  if (final_unit->url.empty()) return;
  rule_.redirect = builder_.add_redirect(final_unit->url);
  if (rule_.redirect == 0)
    report_.add(text_.at, "found more than 65535 addresses to redirect to, and filters");
}

}  // namespace tollgate::rating
