// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the model does when it is commanded: accounts and their balances. Transfers, families and
// products have files of their own.

#include <algorithm>

#include "base/check.hh"
#include "tests/sim/model.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

using ledger::CommandKind;
using Role = ModelBucket::Role;

Model::CommandReply Model::carry_out(const ledger::Command& command, ledger::AccountRef place,
                                     Instant at, bool may_move) {
  const std::map<u64, i64> before = worths();
  const CommandReply reply =
      may_move ? obey(command, place, at) : CommandReply{.outcome = Outcome::too_busy};
  look_for_crossings(before);
  return reply;
}

Model::CommandReply Model::obey(const ledger::Command& command, ledger::AccountRef place,
                                Instant at) {
  CommandReply reply;
  if (command.kind == CommandKind::create_account) {
    command_create(command, place, reply);
    return reply;
  }
  if (command.kind == CommandKind::drop_session) {
    command_drop(command, at, reply);
    return reply;
  }
  const auto found = accounts_.find(static_cast<u32>(command.account_id));
  if (found == accounts_.end()) {
    reply.outcome = Outcome::account_unknown;
    return reply;
  }
  ModelAccount& account = found->second;
  switch (command.kind) {
    case CommandKind::remove_account:
      command_remove(found->first, reply);
      break;
    case CommandKind::set_account:
      command_set(account, command, reply);
      break;
    case CommandKind::top_up:
      command_top_up(account, command.buckets[0], reply);
      break;
    case CommandKind::adjust:
      command_adjust(account, command, at, reply);
      break;
    case CommandKind::refund:
      command_refund(account, command, at, reply);
      break;
    case CommandKind::set_payer:
      command_payer(account, command, reply);
      break;
    case CommandKind::set_limit:
      command_limit(account, command, reply);
      break;
    case CommandKind::product_turn:
      command_turn(account, command, at, reply);
      break;
    case CommandKind::product_suspend:
    case CommandKind::product_resume:
    case CommandKind::product_end:
      command_product(account, command, at, reply);
      break;
    case CommandKind::transfer:
      command_transfer(account, command, at, reply);
      break;
    case CommandKind::transfer_receive:
      command_receive(account, command, at, reply);
      break;
    default:
      command_end_transfer(account, command, at, reply);
  }
  return reply;
}

void Model::command_set(ModelAccount& account, const ledger::Command& command,
                        CommandReply& reply) {
  if (command.state != ledger::AccountState::free) account.state = command.state;
  if (command.credit_limit >= 0) account.credit_limit = command.credit_limit;
  if ((command.flags & ledger::command_flag::has_valid_until) != 0) {
    account.valid_until_s = command.valid_until_s;
  }
  reply.has_effect = true;
}

void Model::command_remove(u32 number, CommandReply& reply) {
  ModelAccount& account = accounts_.at(number);
  bool is_held = has_open_session(number);
  bool is_moving = false;
  for (const ModelBucket& one : account.buckets) {
    is_held = is_held || one.reserved > 0;  // for a session of a member, perhaps
    is_moving = is_moving || one.role == Role::sent || one.role == Role::received;
  }
  const bool has_members = std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& other) {
    return other.second.payer == number;
  });
  if (is_held)
    reply.outcome = Outcome::account_has_sessions;
  else if (is_moving)
    reply.outcome = Outcome::transfer_pending;
  else if (has_members)
    reply.outcome = Outcome::account_has_members;
  if (reply.outcome != Outcome::ok) return;
  for (ModelBucket& one : account.buckets) {
    if (one.role == Role::pays) put(one, -one.put_in);
  }
  accounts_.erase(number);
  reply.has_effect = true;
}

void Model::command_create(const ledger::Command& command, ledger::AccountRef place,
                           CommandReply& reply) {
  ModelAccount& account = accounts_[static_cast<u32>(command.account_id)];
  if (!account.place.is_none()) fail("account {} was made twice", command.account_id);
  account.place = place;
  account.plan = command.plan;
  account.state = command.state;
  for (u32 i = 0; i < command.bucket_count; ++i) {
    ModelBucket& fresh = add_bucket(account, command.buckets[i]);
    put(fresh, command.buckets[i].amount.count);
    reply.has_balance = true;
    reply.balance = fresh.balance;
  }
  reply.has_effect = true;
}

void Model::command_top_up(ModelAccount& account, const ledger::NewBucket& wanted,
                           CommandReply& reply) {
  ModelBucket* target = same_terms(account, wanted);
  if (target == nullptr) target = &add_bucket(account, wanted);
  put(*target, wanted.amount.count);
  reply = {.has_balance = true, .balance = target->balance, .has_effect = true};
}

void Model::command_adjust(ModelAccount& account, const ledger::Command& command, Instant at,
                           CommandReply& reply) {
  const ledger::NewBucket& change = command.buckets[0];
  ModelBucket* target = first_of(account, change.unit, at);
  if (target == nullptr && change.amount.count > 0) {
    command_top_up(account, change, reply);
    return;
  }
  if (target == nullptr) {
    reply.outcome = Outcome::bucket_unknown;
    return;
  }
  if (target->balance + std::min<i64>(0, change.amount.count) < 0 && change.amount.count < 0) {
    reply.outcome = Outcome::credit_limit_reached;
    return;
  }
  put(*target, change.amount.count);
  reply = {.has_balance = true, .balance = target->balance, .has_effect = true};
}

void Model::command_drop(const ledger::Command& command, Instant at, CommandReply& reply) {
  const std::string session_id(command.session_id.data(), command.session_id_bytes);
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) {
    reply.outcome = Outcome::session_unknown;
  } else if (!found->second.is_open) {
    reply.outcome = Outcome::session_closed;
  } else {
    close(found->second, at);
    reply.has_effect = true;
  }
}

// What was charged comes back to a bucket that it may have been taken from.
void Model::command_refund(ModelAccount& account, const ledger::Command& command, Instant at,
                           CommandReply& reply) {
  const ledger::NewBucket& wanted = command.buckets[0];
  if (first_of(account, wanted.unit, at) == nullptr) {
    reply.outcome = Outcome::bucket_unknown;
    return;
  }
  for (ModelBucket& one : account.buckets) {
    if (one.terms.unit != wanted.unit || !is_usable(one, at)) continue;
    if (one.consumed < wanted.amount.count) continue;
    one.consumed -= wanted.amount.count;
    one.balance += wanted.amount.count;
    reply = {.has_balance = true, .balance = one.balance, .has_effect = true};
    return;
  }
  reply.outcome = Outcome::refund_too_large;
}

}  // namespace tollgate::sim
