// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Outcome: how a request or a command ended. Every refusal has its own name.
//
// Ordered by precedence: where several would be true, the one that stands first is told. All
// refusals are decided before the first write, so a refused operation has changed nothing. The
// numbers are stored in answers and in the journal and never change meaning.
#pragma once

#include <array>
#include <string_view>

#include "base/types.hh"

namespace tollgate::ledger {

enum class [[nodiscard]] Outcome : u16{
    ok = 0,
    // the request cannot be looked at
    too_busy = 1,             // a link or a pool is full, or the journal has no room: try again
    session_id_too_long = 2,  // longer than a session record holds
    too_many_quotas = 3,      // more rating groups in one session than limits.hh allows
    // who
    account_unknown = 10, session_unknown = 11,
    session_forgotten = 12,  // the session is known, the answer to that old number no more
    session_closed = 13,     // an update after the end of its session
    account_exists = 14, identity_taken = 15, bucket_unknown = 16, account_has_sessions = 17,
    too_many_identities = 18, other_shard = 19,
    // may he
    account_inactive = 20, account_suspended = 21, account_expired = 22, service_barred = 23,
    account_one_way = 24,      // it may receive only, and this costs something
    transfer_pending = 25,     // a transfer of the account is still on its way
    account_has_members = 26,  // others are paid for by this account
    too_many_products = 27,    // with prices of their own
    too_many_members = 28,     // of one payer
    pool_unknown = 29,         // the session has no such pool
    // how much
    rating_failed = 30,    // the tariff has no price for this
    unit_mismatch = 31,    // asked for a unit in which the service is not counted
    amount_invalid = 32,   // zero or negative where a positive amount is needed
    amount_overflow = 33,  // a sum left 64 bits
    credit_limit_reached = 34,
    refund_too_large = 35,  // more than was ever charged
    // settled without a grant
    free_of_charge = 40,  // this service costs nothing
};

struct OutcomeRow {
  Outcome outcome;
  std::string_view name;
  std::string_view sentence;
};

inline constexpr std::array outcome_table = {
    OutcomeRow{Outcome::ok, "ok", "done"},
    OutcomeRow{Outcome::too_busy, "too_busy", "a queue, a pool or the journal is full; try again"},
    OutcomeRow{Outcome::session_id_too_long, "session_id_too_long",
               "the Session-Id is longer than a session record holds"},
    OutcomeRow{Outcome::too_many_quotas, "too_many_quotas",
               "the session has more rating groups than the limit"},
    OutcomeRow{Outcome::account_unknown, "account_unknown", "no account has this identity"},
    OutcomeRow{Outcome::session_unknown, "session_unknown", "no such session"},
    OutcomeRow{Outcome::session_forgotten, "session_forgotten",
               "the answer to that old request is no longer kept"},
    OutcomeRow{Outcome::session_closed, "session_closed", "the session has ended"},
    OutcomeRow{Outcome::account_exists, "account_exists", "the account is there already"},
    OutcomeRow{Outcome::identity_taken, "identity_taken", "another account has this identity"},
    OutcomeRow{Outcome::bucket_unknown, "bucket_unknown", "the account has no bucket of that unit"},
    OutcomeRow{Outcome::account_has_sessions, "account_has_sessions",
               "the account has open sessions"},
    OutcomeRow{Outcome::too_many_identities, "too_many_identities",
               "an account has at most four identities"},
    OutcomeRow{Outcome::other_shard, "other_shard",
               "the two accounts lie in different shards: only a transfer reaches over"},
    OutcomeRow{Outcome::account_inactive, "account_inactive", "the account is not active yet"},
    OutcomeRow{Outcome::account_suspended, "account_suspended", "the account is suspended"},
    OutcomeRow{Outcome::account_expired, "account_expired", "the account has expired"},
    OutcomeRow{Outcome::service_barred, "service_barred", "the plan bars this service"},
    OutcomeRow{Outcome::account_one_way, "account_one_way",
               "the account may receive only, and this costs something"},
    OutcomeRow{Outcome::transfer_pending, "transfer_pending",
               "a transfer of the account is still on its way"},
    OutcomeRow{Outcome::account_has_members, "account_has_members",
               "other accounts are paid for by this one"},
    OutcomeRow{Outcome::too_many_products, "too_many_products",
               "an account has at most four products with prices of their own"},
    OutcomeRow{Outcome::too_many_members, "too_many_members",
               "an account pays for at most 255 others"},
    OutcomeRow{Outcome::pool_unknown, "pool_unknown",
               "no quota of the session is in a pool of that currency"},
    OutcomeRow{Outcome::rating_failed, "rating_failed", "the tariff has no price for this service"},
    OutcomeRow{Outcome::unit_mismatch, "unit_mismatch",
               "the service is not counted in the unit asked for"},
    OutcomeRow{Outcome::amount_invalid, "amount_invalid", "the amount must be positive"},
    OutcomeRow{Outcome::amount_overflow, "amount_overflow", "the sum is larger than 64 bits hold"},
    OutcomeRow{Outcome::credit_limit_reached, "credit_limit_reached",
               "the balance does not cover the smallest part of it"},
    OutcomeRow{Outcome::refund_too_large, "refund_too_large",
               "no bucket of that unit was charged so much"},
    OutcomeRow{Outcome::free_of_charge, "free_of_charge", "the service costs nothing"},
};

constexpr std::string_view to_text(Outcome outcome) {
  for (const OutcomeRow& row : outcome_table) {
    if (row.outcome == outcome) return row.name;
  }
  return "unknown";
}

constexpr std::string_view sentence(Outcome outcome) {
  for (const OutcomeRow& row : outcome_table) {
    if (row.outcome == outcome) return row.sentence;
  }
  return "unknown";
}

}  // namespace tollgate::ledger
