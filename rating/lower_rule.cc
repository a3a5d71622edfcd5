// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_rule.hh"

#include <fmt/format.h>

#include <algorithm>

#include "rating/services.hh"

namespace tollgate::rating {
namespace {

Unit unit_of(Meter meter, Unit currency) {
  switch (meter) {
    case Meter::volume:
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
  if (!text_.price.empty()) refuse(text_.price_at, "price");
  if (!text_.sources.empty()) refuse(text_.sources.front().at, "pay with");
  if (text_.setup) refuse(text_.setup->at, "setup");
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
  if (made.is_money() && source.unit != rule_.currency) {
    report_.add(source.at, fmt::format("found {}, expected {}, the currency of the plan",
                                       unit_name(source.unit), unit_name(rule_.currency)));
    return;
  }
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
    if (!text_.price.empty()) {
      report_.add(text_.price_at, "found a price in a rule that measures money",
                  "the service states its price itself");
    }
    rule_.step_count = 1;
    rule_.step[0] = {.start = {}, .block = {1}, .price = {1}, .cost_before = {}};
    return;
  }
  if (text_.price.empty()) {
    if (!pays_money || !text_.is_whole) return;
    report_.add(text_.at, "found a rule without a price, expected 'price', free or barred",
                "for example: price 0.01EUR per 1MB");
    return;
  }
  if (!pays_money && text_.is_whole) {
    report_.add(text_.price_at, "found a price, but no money in 'pay with'",
                fmt::format("add 'then {}'", unit_name(rule_.currency)));
  }
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
  if (final_unit->action != FinalAction::redirect) return;
  rule_.redirect = builder_.add_redirect(final_unit->url);
  if (rule_.redirect == 0) report_.add(text_.at, "found more than 65535 addresses to redirect to");
}

}  // namespace tollgate::rating
