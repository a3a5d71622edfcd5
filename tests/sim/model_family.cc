// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The model's families: whose buckets pay, what a limit leaves of them, and what falls below a
// threshold.

#include <algorithm>

#include "base/check.hh"
#include "tests/sim/model.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

using Role = ModelBucket::Role;

bool Model::has_open_session(u32 number) const {
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& one) {
    return one.second.is_open && one.second.subscriber == number;
  });
}

ModelBucket* Model::limit_of(ModelAccount& account, Unit unit) {
  for (ModelBucket& one : account.buckets) {
    if (one.role == Role::limit && one.terms.unit == unit) return &one;
  }
  return nullptr;
}

// Its own, and its payer's as long as that is active.
std::vector<ModelAccount*> Model::purses_of(ModelAccount& account, Instant at) {
  std::vector<ModelAccount*> purses{&account};
  if (account.payer == 0) return purses;
  const auto payer = accounts_.find(account.payer);
  if (payer == accounts_.end()) fail("a payer was removed under its member");
  if (state_at(payer->second, at) == ledger::AccountState::active) {
    purses.push_back(&payer->second);
  }
  return purses;
}

// Of a payer's bucket no more than the member's limit leaves, beside what was offered before.
void Model::offer(ModelAccount& account, const Payer& payer, Payers& payers) {
  Payer offered = payer;
  const ModelBucket* limit = limit_of(account, payer.bucket->terms.unit);
  if (payer.purse != &account && limit != nullptr) {
    i64 left = limit->balance;
    for (const Payer& one : payers.all) {
      if (one.purse != &account && one.is_money == payer.is_money) left -= one.available;
    }
    offered.available = std::min(offered.available, left);
  }
  if (offered.available <= 0) return;
  payers.all.push_back(offered);
  (offered.is_money ? payers.money : payers.octets) += offered.available;
}

Model::Payers Model::find_payers(ModelAccount& account, const Rule& rule, Instant at,
                                 std::size_t payers_max,
                                 const std::vector<ModelQuota::Hold>& held) {
  Payers payers;
  const auto consider = [&](const Payer& payer) {
    if (payers.all.size() < payers_max) {
      offer(account, payer, payers);
    } else if (payer.available > 0) {
      payers.is_cut = true;
    }
  };
  for (const bool is_money : {false, true}) {
    if (!is_money && !rule.pays_with_octets) continue;
    for (ModelAccount* purse : purses_of(account, at)) {
      ModelBucket* last = nullptr;
      for (ModelBucket& one : purse->buckets) {
        if (one.terms.unit != (is_money ? Unit::eur : Unit::octets)) continue;
        const bool is_held = std::any_of(held.begin(), held.end(),
                                         [&](const auto& hold) { return hold.bucket == one.id; });
        if (!is_usable(one, at) && !is_held) continue;
        last = &one;
        consider({purse, &one, one.balance, is_money});
      }
      if (!is_money || last == nullptr) continue;
      payers.last_purse = purse;
      payers.last_money = last;
      // The last one may go below zero, as far as its account's credit limit says.
      if (purse->credit_limit == 0) continue;
      consider({purse, last, purse->credit_limit + std::min<i64>(last->balance, 0), is_money});
    }
  }
  return payers;
}

// What moves in a payer's bucket moves in the member's limit as well.
void Model::move(ModelAccount& account, const Payer& payer, i64 amount, i64 ModelBucket::*from,
                 i64 ModelBucket::*to) {
  payer.bucket->*from -= amount;
  payer.bucket->*to += amount;
  if (payer.purse == &account) return;
  ModelBucket* limit = limit_of(account, payer.bucket->terms.unit);
  if (limit == nullptr) return;
  limit->*from -= amount;
  limit->*to += amount;
}

void Model::take(ModelAccount& account, const Payers& payers, const Cover& cover,
                 i64 ModelBucket::*into, std::vector<ModelQuota::Hold>* holds) {
  i64 octets = cover.octets;
  i64 money = cover.cost;
  for (const Payer& payer : payers.all) {
    i64& left = payer.is_money ? money : octets;
    const i64 part = std::min(left, payer.available);
    if (part == 0) continue;
    move(account, payer, part, &ModelBucket::balance, into);
    left -= part;
    if (holds == nullptr) continue;
    const auto known = std::find_if(holds->begin(), holds->end(), [&](const auto& hold) {
      return hold.bucket == payer.bucket->id;
    });
    if (known != holds->end()) {
      known->amount += part;
    } else {
      holds->push_back({.bucket = payer.bucket->id, .amount = part});
    }
  }
  check(octets == 0 && money == 0, "the model takes what is there");
}

Model::Payer Model::held_bucket(ModelAccount& account, u64 id) {
  const auto payer = accounts_.find(account.payer);
  for (ModelAccount* purse : {&account, payer == accounts_.end() ? nullptr : &payer->second}) {
    if (purse == nullptr) continue;
    for (ModelBucket& one : purse->buckets) {
      if (one.id == id) return {.purse = purse, .bucket = &one};
    }
  }
  fail("a hold of a bucket that is gone");
}

void Model::command_payer(ModelAccount& account, const ledger::Command& command,
                          CommandReply& reply) {
  const bool has_payer = !command.other_account.is_none();
  const bool is_here = has_payer && command.other_account.shard() == command.shard;
  const auto number = static_cast<u32>(command.other_account_id);
  const auto is_member = [&](const auto& one) { return one.second.payer == number; };
  if (is_here && !accounts_.contains(number)) {
    reply.outcome = Outcome::account_unknown;
  } else if (has_open_session(static_cast<u32>(command.account_id))) {
    reply.outcome = Outcome::account_has_sessions;
  } else if (has_payer && !is_here) {
    reply.outcome = Outcome::other_shard;
  } else if (has_payer && command.other_account_id == command.account_id) {
    reply.outcome = Outcome::account_has_members;
  } else if (has_payer && account.payer != number &&
             std::count_if(accounts_.begin(), accounts_.end(), is_member) >= 255) {
    reply.outcome = Outcome::too_many_members;
  } else {
    reply.has_effect = has_payer || account.payer != 0;
    account.payer = has_payer ? number : 0;
  }
}

void Model::command_limit(ModelAccount& account, const ledger::Command& command,
                          CommandReply& reply) {
  const ledger::NewBucket& wanted = command.buckets[0];
  ModelBucket* limit = limit_of(account, wanted.unit);
  if (wanted.amount.count < 0) {
    if (limit == nullptr) {
      reply.outcome = Outcome::bucket_unknown;
    } else if (limit->reserved != 0) {
      reply.outcome = Outcome::account_has_sessions;
    } else {
      remove_bucket(account, limit->id);
      reply.has_effect = true;
    }
    return;
  }
  if (limit == nullptr) {
    if (has_open_session(static_cast<u32>(command.account_id))) {
      reply.outcome = Outcome::account_has_sessions;
      return;
    }
    limit = &add_bucket(account, {.unit = wanted.unit, .priority = 255});
    limit->role = Role::limit;
  }
  shift(*limit, wanted.amount.count - limit->balance);
  reply = {.has_balance = true, .balance = limit->balance, .has_effect = true};
}

// What each bucket is worth: free and held.
std::map<u64, i64> Model::worths() const {
  std::map<u64, i64> all;
  for (const auto& [number, account] : accounts_) {
    for (const ModelBucket& one : account.buckets) {
      if (one.role == Role::pays) all[one.id] = one.balance + one.reserved;
    }
  }
  return all;
}

void Model::look_for_crossings(const std::map<u64, i64>& before) {
  crossings_.clear();
  for (const auto& [number, account] : accounts_) {
    for (const ModelBucket& one : account.buckets) {
      const auto old = before.find(one.id);
      if (one.role != Role::pays || old == before.end()) continue;
      for (u32 i = 0; i < thresholds.count; ++i) {
        const ledger::Threshold& threshold = thresholds.all[i];
        const i64 worth = one.balance + one.reserved;
        if (threshold.unit != one.terms.unit || old->second < threshold.below.count) continue;
        if (worth >= threshold.below.count) continue;
        crossings_.push_back({number, threshold.unit, threshold.below.count});
      }
    }
  }
  std::sort(crossings_.begin(), crossings_.end());
}

}  // namespace tollgate::sim
