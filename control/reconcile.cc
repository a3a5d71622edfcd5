// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/reconcile.hh"

#include <spdlog/spdlog.h>

#include <array>
#include <unordered_map>

namespace tollgate::control {

void Reconcile::begin_with_pending() {
  open_ = context_.store.pending_accounts();
  mark_ = quiet_.mark();
  if (!open_.empty()) {
    spdlog::info("{} accounts were being made when control ended: asking the ledger", open_.size());
  }
}

bool Reconcile::step() {
  if (open_.empty() || !quiet_.is_over(mark_)) return false;
  settle();
  return true;
}

void Reconcile::settle() {
  std::unordered_map<u64, ledger::AccountRef> found;
  std::array<bool, ledger::shard_count> is_wanted{};
  for (const AccountRow& account : open_) {
    found.emplace(account.id, ledger::AccountRef{});
    is_wanted[shard_of_account(account.id)] = true;
  }
  for (u32 shard = 0; shard < ledger::shard_count; ++shard) {
    if (!is_wanted[shard]) continue;
    context_.appliance.ledger().for_each_account(
        shard, [&](ledger::AccountRef place, const ledger::Account& account) {
          const auto open = found.find(account.id);
          if (open != found.end()) open->second = place;
        });
  }
  Store& store = context_.store;
  u64 active_count = 0;
  Transaction transaction(store.database());
  for (const AccountRow& account : open_) {
    const ledger::AccountRef place = found[account.id];
    if (place.is_none()) {
      store.erase_pending(account.id);
      continue;
    }
    ++active_count;
    if (!index_account(context_.appliance.index(), store.identities(account.id), place)) {
      spdlog::error(
          "the identity index is full: account '{}' is not found by all of its identities",
          account.name);
    }
    store.set_active(account.id, place);
    store.note_change("add", account.id, R"({"reconciled":true})");
  }
  transaction.commit();
  spdlog::info("{} of {} pending accounts are in the ledger and active now, {} were taken back",
               active_count, open_.size(), open_.size() - active_count);
  open_.clear();
}

}  // namespace tollgate::control
