// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The model's products: a turn pays its fee and brings what it brings, or does nothing; what a
// product brought can be laid aside, taken up again, and ended.

#include <algorithm>

#include "ledger/balance.hh"
#include "tests/sim/model.hh"

namespace tollgate::sim {

using ledger::AccountState;
using ledger::BucketRole;
using ledger::CommandKind;
using Role = ModelBucket::Role;

namespace {

bool is_over(const ModelBucket& bucket, Instant at) {
  return bucket.terms.expires_s != 0 && bucket.terms.expires_s <= at.whole_seconds();
}

Outcome turn_outcome(AccountState state) {
  if (state == AccountState::suspended) return Outcome::account_suspended;
  if (state == AccountState::one_way) return Outcome::account_one_way;
  return state == AccountState::expired ? Outcome::account_expired : Outcome::ok;
}

}  // namespace

void Model::set_validity(ModelAccount& account, u64 id, u32 valid_from_s, u32 expires_s) {
  const auto found = std::find_if(account.buckets.begin(), account.buckets.end(),
                                  [&](const ModelBucket& one) { return one.id == id; });
  ModelBucket bucket = *found;
  account.buckets.erase(found);
  bucket.terms.valid_from_s = valid_from_s;
  bucket.terms.expires_s = expires_s;
  insert(account, bucket);
}

// A turn takes over the bucket of one that is over, if nobody holds any of it.
void Model::bring(ModelAccount& account, const ledger::NewBucket& entry, i64 rollover, Instant at) {
  if (ModelBucket* same = same_terms(account, entry)) {
    put(*same, entry.amount.count);
    return;
  }
  for (ModelBucket& one : account.buckets) {
    const ledger::NewBucket& terms = one.terms;
    if (one.role != Role::pays || terms.product != entry.product || terms.unit != entry.unit ||
        terms.priority != entry.priority || !is_over(one, at) || one.reserved != 0) {
      continue;
    }
    put(one, entry.amount.count - std::max<i64>(one.balance - rollover, 0));
    set_validity(account, one.id, entry.valid_from_s, entry.expires_s);
    return;
  }
  put(add_bucket(account, entry), entry.amount.count);
}

void Model::command_turn(ModelAccount& account, const ledger::Command& command, Instant at,
                         CommandReply& reply) {
  reply.outcome = turn_outcome(state_at(account, at));
  if (reply.outcome != Outcome::ok) return;
  const ledger::NewBucket& fee = command.buckets[0];
  if (fee.amount.count != 0) {
    const Payers payers = find_payers(account, {.verdict = Verdict::charged}, at, 64, {});
    if (payers.money < fee.amount.count) {
      reply.outcome = Outcome::credit_limit_reached;
      return;
    }
    i64 left = fee.amount.count;
    for (const Payer& payer : payers.all) {
      const i64 part = std::min(left, payer.available);
      if (part == 0) continue;
      move(account, payer, part, &ModelBucket::balance, &ModelBucket::consumed);
      left -= part;
      reply.has_balance = true;
      reply.balance = payer.bucket->balance;
    }
  }
  const bool rolls = command.bucket_count == 3;
  bring(account, command.buckets[1], rolls ? command.buckets[2].amount.count : 0, at);
  reply.has_effect = true;
  CommandReply opened;
  ledger::Command open = command;
  open.kind = CommandKind::product_resume;
  command_product(account, open, at, opened);
}

void Model::command_product(ModelAccount& account, const ledger::Command& command, Instant at,
                            CommandReply& reply) {
  const std::vector<ModelBucket> all = account.buckets;
  for (const ModelBucket& one : all) {
    const ledger::NewBucket& terms = one.terms;
    if (one.role != Role::pays || terms.product != command.plan) continue;
    if (command.kind == CommandKind::product_suspend) {
      set_validity(account, one.id, ledger::never_s, terms.expires_s);
    } else if (command.kind == CommandKind::product_resume) {
      if (terms.valid_from_s != ledger::never_s) continue;
      set_validity(account, one.id, 0, terms.expires_s);
    } else {
      if (is_over(one, at)) continue;
      set_validity(account, one.id, terms.valid_from_s, static_cast<u32>(at.whole_seconds()));
    }
    reply.has_effect = true;
  }
}

}  // namespace tollgate::sim
