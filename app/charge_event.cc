// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// One-time events (RFC 8506 section 6): debit, refund, check, price. All or nothing for each
// service.

#include <algorithm>

#include "app/account_counters.hh"
#include "app/charge.hh"
#include "app/purse.hh"
#include "app/quota.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Outcome;

// What an event is about: what was asked for, or what was reported as used, or one of it.
Outcome event_quantity(const rating::Rule& rule, const ChargeService& service, Quantity& quantity) {
  if (service.asked_kinds != 0) {
    return asked_quantity(rule, service, quantity) ? Outcome::ok : Outcome::unit_mismatch;
  }
  if (service.used_kinds != 0) {
    return used_quantity(rule, service, quantity) ? Outcome::ok : Outcome::unit_mismatch;
  }
  quantity = rating::grant_size(rule.grant, {});
  if (quantity.is_zero() && rule.meter == rating::Meter::events) quantity = {1};
  return quantity.is_positive() ? Outcome::ok : Outcome::unit_mismatch;
}

// Money given back goes where it was taken from: to usable buckets of its currency, the account's
// own first, each as far as it was charged, and to a payer's as far as it was charged for this
// account. fn(bucket, part) for each. Not ok: they were not charged so much, all of them together.
template <class Fn>
Outcome each_refund(const ChargeContext& context, Unit currency, Amount left, Fn fn) {
  if (!left.is_positive()) return Outcome::amount_invalid;
  const ledger::Second now = context.op.now_second();
  Amount payers_left = member_consumed(context, currency);
  bool has_bucket = false;
  const Purses purses = purses_of(context);
  for (const u32 purse : purses.all()) {
    for (u32 at = context.shard.account(purse).first_bucket; at != 0;
         at = context.shard.bucket(at).next) {
      const ledger::Bucket& bucket = context.shard.bucket(at);
      if (bucket.unit != currency || !is_usable(bucket, now)) continue;
      has_bucket = true;
      Amount part = std::min(left, bucket.consumed);
      if (is_payers(context, at)) part = std::min(part, payers_left);
      if (!part.is_positive()) continue;
      if (is_payers(context, at)) payers_left.count -= part.count;
      left.count -= part.count;
      const Outcome outcome = fn(at, part);
      if (outcome != Outcome::ok) return outcome;
    }
  }
  if (!has_bucket) return Outcome::bucket_unknown;
  return left.is_zero() ? Outcome::ok : Outcome::refund_too_large;
}

Outcome refund_money(const ChargeContext& context, Unit currency, Amount amount) {
  return each_refund(context, currency, amount,
                     [&](u32 bucket, Amount part) { return refund_in(context, bucket, part); });
}

// Whether refund_money would succeed now.
Outcome can_refund(const ChargeContext& context, Unit currency, Amount amount) {
  return each_refund(context, currency, amount, [](u32, Amount) { return Outcome::ok; });
}

// One service of an event, looked at before anything is written.
struct EventPlan {
  Outcome outcome = Outcome::ok;
  const rating::Rule* rule = nullptr;  // nullptr: a refund of so much money
  Quantity quantity;
  Money cost;
  Unit currency = Unit::none;
};

// Money without a currency is that of the plan.
Unit refund_currency(const ChargeContext& context, const ChargeService& service) {
  if (service.money_unit != Unit::none) return service.money_unit;
  const rating::Plan* plan = context.image.find_plan(context.account().plan);
  return plan != nullptr ? plan->currency : Unit::none;
}

EventPlan plan_service(const ChargeContext& context, EventAction action,
                       const ChargeService& service, Promised& promised) {
  EventPlan plan;
  const bool is_refund = action == EventAction::refund_account;
  if (is_refund && (service.asked_kinds & unit_bit::money) != 0) {
    plan.cost = service.asked.money;
    plan.currency = refund_currency(context, service);
    plan.outcome = can_refund(context, plan.currency, Amount{plan.cost.count});
    return plan;
  }
  const ServiceRule found = find_rule(context, service);
  plan.outcome = found.outcome;
  // What comes back costs nothing.
  if (is_refund && plan.outcome == Outcome::account_one_way) plan.outcome = Outcome::ok;
  plan.rule = found.rule;
  if (found.rule != nullptr) plan.currency = found.rule->currency;
  if (plan.outcome != Outcome::ok) return plan;
  plan.outcome = event_quantity(*found.rule, service, plan.quantity);
  if (plan.outcome != Outcome::ok) return plan;
  if (found.rule->verdict == rating::Verdict::charged && found.rule->step_count != 0 &&
      rating::price(*found.rule, with_counters(context, service, *found.rule, {}), plan.quantity,
                    plan.cost) != rating::Outcome::ok) {
    plan.outcome = Outcome::amount_overflow;
    return plan;
  }
  if (is_refund) {
    plan.outcome = can_refund(context, plan.currency, Amount{plan.cost.count});
    return plan;
  }
  const bool needs_credit =
      action == EventAction::direct_debiting || action == EventAction::check_balance;
  if (needs_credit && !can_afford(context, service, *found.rule, plan.quantity, promised)) {
    plan.outcome = Outcome::credit_limit_reached;
  }
  return plan;
}

}  // namespace

// Every service is planned before the first is carried out. If none can be, nothing is written and
// no session remembers it: asked again, it is looked at again.
Outcome Charger::event(const ChargeContext& context, ChargeRequestView request) {
  const ChargeRequest& head = request.head();
  const Outcome account = account_outcome(context);
  if (account != Outcome::ok) return account;
  Outcome refusal = Outcome::ok;
  bool any_possible = false;
  // A check is of all services together. What is debited is: each for itself, one after the other.
  Promised checked;
  u32 number = 0;
  for (const ChargeService& service : request.services()) {
    ledger::ServiceAnswer& answer = frame_.service(number++);
    answer = {};
    answer.rating_group = service.rating_group;
    answer.service_identifier = service.service_identifier;
    answer.flags = service.flags;
    Promised alone;
    const bool is_check = head.action == EventAction::check_balance;
    const EventPlan plan = plan_service(context, head.action, service, is_check ? checked : alone);
    answer.outcome = plan.outcome;
    any_possible = any_possible || plan.outcome == Outcome::ok;
    const bool is_part = (service.flags & ledger::service_flag::is_multiple_services) != 0;
    if (plan.outcome != Outcome::ok && !is_part) refusal = plan.outcome;
    if (head.action == EventAction::price_enquiry && plan.outcome == Outcome::ok) {
      add_cost(plan.currency, plan.cost);
    }
  }
  frame_.answer.type = static_cast<u8>(head.kind);
  frame_.answer.number = head.number;
  frame_.answer.service_count = static_cast<u8>(head.service_count);
  if (head.action == EventAction::check_balance) {
    frame_.answer.flags |= ledger::answer_flag::check_balance;
    return Outcome::ok;
  }
  if (head.action == EventAction::price_enquiry || !any_possible) return refusal;
  return carry_out_event(context, request);
}

// Cost-Information of the answer: what was paid (or would be) in money, over all its services.
void Charger::add_cost(Unit currency, Money cost) {
  if (currency == Unit::none) return;
  frame_.answer.cost_unit = currency;
  frame_.answer.flags |= ledger::answer_flag::has_cost;
  Money sum;
  if (add(frame_.answer.cost, cost, sum)) frame_.answer.cost = sum;
}

Outcome Charger::carry_out_event(const ChargeContext& context, ChargeRequestView request) {
  u32 session_index = 0;
  const Outcome begun = begin_session(context, request, session_index);
  if (begun != Outcome::ok) return begun;
  u32 number = 0;
  for (const ChargeService& service : request.services()) {
    ledger::ServiceAnswer& answer = frame_.service(number++);
    if (answer.outcome != Outcome::ok) continue;
    // An earlier service of the same request may have used up what the plan counted on.
    Promised promised;
    const EventPlan plan = plan_service(context, request.head().action, service, promised);
    answer.outcome = plan.outcome;
    if (plan.outcome != Outcome::ok) continue;
    if (request.head().action == EventAction::refund_account) {
      answer.outcome = refund_money(context, plan.currency, Amount{plan.cost.count});
      if (answer.outcome == Outcome::ok) add_cost(plan.currency, plan.cost);
      continue;
    }
    const QuotaPlace place = add_quota(context, session_index, service);
    check(place.quota != nullptr, "begin_session asked for room");
    place.quota->kind = kind_of(*plan.rule);
    if (plan.rule->meter == rating::Meter::events) {
      place.quota->used_events = static_cast<u32>(plan.quantity.count);
    }
    answer.outcome = debit_at_once(context, service, *plan.rule, plan.quantity, *place.quota);
    if (answer.outcome != Outcome::ok) continue;
    answer.kind = kind_of(*plan.rule);
    answer.granted = plan.quantity;
    answer.has_grant = true;
    add_cost(plan.currency, place.quota->cost);
  }
  touch_head(context, session_index);
  close(context, session_index);
  note_charging_data(context, session_index, ledger::ClosingCause::normal_release);
  store_answer(context, session_index);
  return Outcome::ok;
}

}  // namespace tollgate::app
