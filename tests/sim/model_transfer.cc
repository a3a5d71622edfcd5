// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The model's transfers: within a shard one movement, between two of them what each of the four
// steps has to find and to leave behind.

#include <algorithm>

#include "tests/sim/model.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

using Role = ModelBucket::Role;

// Behind all that pays, and in the order of the transfers' numbers.
ModelBucket& Model::add_end(ModelAccount& account, Role role, Unit unit, u64 transfer) {
  ModelBucket& end = add_bucket(account, {.unit = unit,
                                          .priority = 255,
                                          .expires_s = static_cast<u32>(transfer),
                                          .valid_from_s = static_cast<u32>(transfer >> 32)});
  end.role = role;
  end.transfer = transfer;
  return end;
}

ModelBucket* Model::end_of_transfer(ModelAccount& account, Role role, u64 transfer) {
  for (ModelBucket& one : account.buckets) {
    if (one.role == role && one.transfer == transfer) return &one;
  }
  return nullptr;
}

void Model::remove_bucket(ModelAccount& account, u64 id) {
  std::erase_if(account.buckets, [&](const ModelBucket& one) { return one.id == id; });
}

void Model::command_transfer(ModelAccount& account, const ledger::Command& command, Instant at,
                             CommandReply& reply) {
  if (command.other_account.shard() != command.shard) {
    command_send(account, command, at, reply);
    return;
  }
  const ledger::NewBucket& wanted = command.buckets[0];
  const auto other = accounts_.find(static_cast<u32>(command.other_account_id));
  if (other == accounts_.end()) {
    reply.outcome = Outcome::account_unknown;
    return;
  }
  ModelBucket* source = first_of(account, wanted.unit, at);
  if (source == nullptr) {
    reply.outcome = Outcome::bucket_unknown;
  } else if (source->balance < wanted.amount.count) {
    reply.outcome = Outcome::credit_limit_reached;
  } else if (&other->second != &account) {
    shift(*source, -wanted.amount.count);
    reply = {.has_balance = true, .balance = source->balance, .has_effect = true};
    ModelBucket* target = first_of(other->second, wanted.unit, at);
    if (target == nullptr) target = &add_bucket(other->second, wanted);
    shift(*target, wanted.amount.count);
  }
}

void Model::command_send(ModelAccount& account, const ledger::Command& command, Instant at,
                         CommandReply& reply) {
  const ledger::NewBucket& wanted = command.buckets[0];
  if (end_of_transfer(account, Role::sent, command.idempotency_key) != nullptr) {
    reply = {.is_repeated = true, .is_in_transit = true};
    return;
  }
  ModelBucket* source = first_of(account, wanted.unit, at);
  if (source == nullptr) {
    reply.outcome = Outcome::bucket_unknown;
  } else if (source->balance < wanted.amount.count) {
    reply.outcome = Outcome::credit_limit_reached;
  } else {
    shift(*source, -wanted.amount.count);
    reply = {
        .has_balance = true, .balance = source->balance, .has_effect = true, .is_in_transit = true};
    ModelBucket& sent = add_end(account, Role::sent, wanted.unit, command.idempotency_key);
    shift(sent, wanted.amount.count);
  }
}

void Model::command_receive(ModelAccount& account, const ledger::Command& command, Instant at,
                            CommandReply& reply) {
  const ledger::NewBucket& wanted = command.buckets[0];
  if (end_of_transfer(account, Role::received, command.transfer_id) != nullptr) {
    reply.is_repeated = true;
    return;
  }
  ModelBucket* target = first_of(account, wanted.unit, at);
  if (target == nullptr) target = &add_bucket(account, {.unit = wanted.unit});
  shift(*target, wanted.amount.count);
  reply = {.has_balance = true, .balance = target->balance, .has_effect = true};
  add_end(account, Role::received, wanted.unit, command.transfer_id);
}

void Model::command_end_transfer(ModelAccount& account, const ledger::Command& command, Instant at,
                                 CommandReply& reply) {
  const bool is_at_target = command.kind == ledger::CommandKind::transfer_forget;
  const ModelBucket* found =
      end_of_transfer(account, is_at_target ? Role::received : Role::sent, command.transfer_id);
  if (found == nullptr) {
    reply.is_repeated = true;
    return;
  }
  reply.has_effect = true;
  const ModelBucket end = *found;
  remove_bucket(account, end.id);
  if (command.kind != ledger::CommandKind::transfer_return) return;
  ModelBucket* home = first_of(account, end.terms.unit, at);
  if (home == nullptr) home = &add_bucket(account, {.unit = end.terms.unit});
  shift(*home, end.balance);
  reply.has_balance = true;
  reply.balance = home->balance;
}

}  // namespace tollgate::sim
