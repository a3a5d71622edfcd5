// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Quota work: where price and balance meet, for one rating group of one session.
//
// settle gives the holds of the last grant back and debits what was used; grant holds what the next
// grant costs. Between the two nothing else can touch the account, so a settle may use what a hold
// has just freed. The buckets pay in the order of the rule's sources, and inside a source in the
// account's order (priority, then expiry).
#pragma once

#include "app/charge_context.hh"

namespace tollgate::app {

inline constexpr i64 ms_per_second = 1000;  // rules count time in milliseconds, clients in seconds

// The rule for a service, or the refusal.
struct ServiceRule {
  const rating::Rule* rule = nullptr;
  ledger::Outcome outcome = ledger::Outcome::ok;
  Instant since = {INT64_MIN};       // when its time band began,
  Instant until = Instant::never();  // and when another rule counts
  bool may_tell_change = false;      // the client may be granted beyond that, and be told of it
};
ServiceRule find_rule(const ChargeContext& context, const ChargeService& service);
// By what its rule is found.
rating::RuleKey key_of(const ChargeContext& context, const ChargeService& service);

// How much of the rule's unit a report or a wish means. False if it has no value in that unit.
[[nodiscard]] bool used_quantity(const rating::Rule& rule, const ChargeService& service,
                                 Quantity& quantity);
[[nodiscard]] bool asked_quantity(const rating::Rule& rule, const ChargeService& service,
                                  Quantity& quantity);

// The quota of that rating group and identifier, or nullptr.
struct QuotaPlace {
  ledger::Quota* quota = nullptr;
  ledger::Pool pool = ledger::Pool::none;
  u32 index = 0;  // of the session or extension that it lies in
};
QuotaPlace find_quota(const ChargeContext& context, u32 session_index,
                      const ChargeService& service);
// A new quota in the session; the session is under change. nullptr: no room.
QuotaPlace add_quota(const ChargeContext& context, u32 session_index, const ChargeService& service);

// All quotas of the session that is served, by `visit(QuotaPlace)`.
template <class Visit>
void each_quota(const ChargeContext& context, Visit visit) {
  ledger::Session& session = context.shard.session(context.session_index);
  if (session.quota_count == 0) return;
  visit(QuotaPlace{&session.quota, ledger::Pool::session, context.session_index});
  for (u32 at = session.first_extension; at != 0;) {
    ledger::Quota& quota = context.shard.extension(at).quota;
    visit(QuotaPlace{&quota, ledger::Pool::extension, at});
    at = quota.next;
  }
}

// The quota's words that change are about to.
void change_quota(const ChargeContext& context, const QuotaPlace& place);

// Adds to what the quota holds of a bucket, or begins with it.
void add_hold(u32 bucket, Amount amount, ledger::Quota& quota);

// All holds of the quota go back to their buckets.
void release_holds(const ChargeContext& context, ledger::Quota& quota);

// Books a report. What no bucket covers is debited all the same, from the account's money, which
// goes below zero: it was used. The quota is under change, its holds are gone afterwards.
ledger::Outcome settle(const ChargeContext& context, const ServiceRule& found,
                       const ChargeService& service, ledger::Quota& quota);

// Holds a grant and describes it in `answer`. The quota is under change; a grant that it has
// already is added to. `so_far`: where the price goes on, and afterwards where it will be when the
// grant is used.
void grant(const ChargeContext& context, const ServiceRule& found, const ChargeService& service,
           rating::UsageSoFar& so_far, ledger::Quota& quota, ledger::ServiceAnswer& answer);

// The same into the session's pool, for clients that know pools: before the others are granted, so
// that who leaves the pool finds those who join it. False: that is not possible, and nothing was
// touched.
[[nodiscard]] bool grant_pooled(const ChargeContext& context, const ServiceRule& found,
                                const ChargeService& service, rating::UsageSoFar& so_far,
                                ledger::Quota& quota, ledger::ServiceAnswer& answer);

// Debits at once, all or nothing: events.
ledger::Outcome debit_at_once(const ChargeContext& context, const ChargeService& service,
                              const rating::Rule& rule, Quantity quantity, ledger::Quota& quota);

// What services would take that are asked about together, by unit.
class Promised {
 public:
  // Of a unit beyond the sixteenth nothing is known: it is the last one's, together with it.
  Amount& of(Unit unit);

 private:
  struct One {
    Unit unit = Unit::none;
    Amount amount;
  };
  std::array<One, 16> all_{};
};

// Whether debit_at_once would succeed now, beside all that is promised; then its cost is as well.
bool can_afford(const ChargeContext& context, const ChargeService& service,
                const rating::Rule& rule, Quantity quantity, Promised& promised);

// What all usable buckets of a currency have, below zero included.
Amount money_left(const ChargeContext& context, Unit currency);

ledger::UnitKind kind_of(const rating::Rule& rule);

}  // namespace tollgate::app
