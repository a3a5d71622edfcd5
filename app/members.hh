// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Members: accounts that another one of their shard pays for, which counts them.
//
// A member's `payer` and the payer's `member_count` change together, in one entry of the journal.
// As long as it counts any, a payer is not removed; so a member's payer is always who it was.
#pragma once

#include "ledger/operation.hh"
#include "ledger/shard.hh"

namespace tollgate::app {

// The account becomes a member of `payer`, which has room for one more. It has no other payer.
void join_payer(ledger::Operation& op, ledger::Shard& shard, u32 index, u32 payer);

// It pays for itself again; nothing happens if it does so already.
void leave_payer(ledger::Operation& op, ledger::Shard& shard, u32 index);

}  // namespace tollgate::app
