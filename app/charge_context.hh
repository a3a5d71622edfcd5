// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ChargeContext: what a charge tile has at hand while it works on one request.
#pragma once

#include "app/charge_request.hh"
#include "ledger/balance.hh"
#include "ledger/operation.hh"
#include "ledger/shard.hh"
#include "rating/image.hh"
#include "rating/price.hh"

namespace tollgate::app {

// How long things live; from the configuration.
struct ChargePolicy {
  // A session without Validity-Time is ended after so long a silence; one with it after twice that.
  Duration session_silence_max = Duration::seconds(7200);
  // How long a closed session (or event) still answers repeated requests: clients replay what they
  // kept on disk hours later. If room is needed, the oldest are forgotten sooner.
  Duration closed_linger = Duration::seconds(86'400);
  // Validity-Times are shortened by up to so much, so that sessions that began together do not all
  // come back together.
  u32 validity_jitter_percent = 0;
  // What counts as a low balance, one amount a currency; none: never told.
  static constexpr u32 low_balances_max = 4;
  struct LowBalance {
    Unit currency = Unit::none;
    Amount below;
  };
  std::array<LowBalance, low_balances_max> low_balances{};
  // Somebody is told when a bucket falls below one of these.
  ledger::Thresholds thresholds;
};

struct ChargeContext {
  ledger::Shard& shard;
  ledger::Operation& op;
  const rating::Image& image;
  const ChargePolicy& policy;
  u32 account_index;
  u32 session_hash = 0;  // of the session that is served; spreads Validity-Times
  u32 session_index = 0;
  u64 service_context;
  ledger::SessionNumbers numbers;  // by which zones are found
  u8 habits = 0;                   // habit
  // The change of tariff that usage before and after it is reported of, where it is known.
  static constexpr Instant no_change{INT64_MIN};
  Instant tariff_change = no_change;
  Instant began = op.now();             // the session, or this event
  rating::PriceFacts* facts = nullptr;  // room for what functions of a rule may ask

  ledger::Account& account() const { return shard.account(account_index); }
};

}  // namespace tollgate::app
