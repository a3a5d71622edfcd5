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
  // How long a closed session (or event) still answers repeated requests.
  Duration closed_linger = Duration::seconds(60);
};

struct ChargeContext {
  ledger::Shard& shard;
  ledger::Operation& op;
  const rating::Image& image;
  const ChargePolicy& policy;
  u32 account_index;
  u64 service_context;

  ledger::Account& account() const { return shard.account(account_index); }
};

}  // namespace tollgate::app
