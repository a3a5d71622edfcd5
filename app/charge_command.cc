// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/charge_command.hh"

#include "app/command_bucket.hh"
#include "app/members.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Account;
using ledger::Command;
using ledger::CommandKind;
using ledger::Operation;
using ledger::Outcome;
using ledger::Pool;
using ledger::Shard;

// Words of an account from its plan to its credit limit.
constexpr u32 terms_word = offsetof(Account, plan) / 8;
constexpr u32 terms_word_count = offsetof(Account, products) / 8 - terms_word;
constexpr u32 identities_word = offsetof(Account, identities) / 8;

bool is_of_session(CommandKind kind) {
  return kind == CommandKind::drop_session || kind == CommandKind::re_auth_session ||
         kind == CommandKind::abort_session;
}

bool has_pool(const Shard& shard, const ledger::Session& session, u32 identifier) {
  const Unit pool = money_unit(identifier);
  if (session.quota_count == 0) return false;
  if (session.quota.pool == pool) return true;
  for (u32 at = session.first_extension; at != 0;) {
    const ledger::Quota& quota = shard.extension(at).quota;
    if (quota.pool == pool) return true;
    at = quota.next;
  }
  return false;
}

// To the part of a session that a re_auth_session is about.
void narrow(const Command& command, SessionOrder& order) {
  if ((command.flags & ledger::command_flag::names_pool) != 0) {
    order.scope = OrderScope::pool;
    order.part = static_cast<u32>(command.pool);
  } else if (command.rating_group >= 0) {
    order.scope = OrderScope::rating_group;
    order.part = static_cast<u32>(command.rating_group);
  }
}

}  // namespace

void Commander::carry_out(Shard& shard, Operation& op, const rating::Image& image,
                          const Command& command, bool may_move) {
  answer_ = {.kind = command.kind, .account = command.account, .account_id = command.account_id};
  answer_.outcome = may_move ? dispatch(shard, op, image, command) : Outcome::too_busy;
  op.set_answer_in_note({reinterpret_cast<const u8*>(&answer_), sizeof answer_});
  if (op.has_changes()) {
    const bool is_on_bill = command.kind == ledger::CommandKind::product_turn ||
                            command.kind == ledger::CommandKind::refund;
    const u64 told = is_on_bill ? std::min<u64>(command.bucket_count, command.buckets.size()) : 0;
    op.add_note(
        ledger::NoteKind::command,
        {reinterpret_cast<const u8*>(&command), offsetof(Command, identities)},
        {reinterpret_cast<const u8*>(command.buckets.data()), told * sizeof(ledger::NewBucket)});
  }
  op.finish(ledger::EntryKind::command, command.tag);
}

Outcome Commander::dispatch(Shard& shard, Operation& op, const rating::Image& image,
                            const Command& command) {
  if (command.identity_count > ledger::identities_per_account_max) {
    return Outcome::too_many_identities;
  }
  if (command.bucket_count > ledger::initial_buckets_max) return Outcome::amount_invalid;
  if (command.kind == CommandKind::create_account) return create(shard, op, command);
  if (is_of_session(command.kind)) {
    if (command.kind != CommandKind::drop_session) return order_session(shard, command);
    return drop_session(shard, op, image, command);
  }
  if (!is_account(shard, command.account, command.account_id)) {
    return Outcome::account_unknown;
  }
  switch (command.kind) {
    case CommandKind::remove_account:
      return remove(shard, op, command);
    case CommandKind::set_account:
      return set(shard, op, command);
    case CommandKind::set_identities:
      return set_identities(shard, op, command);
    case CommandKind::top_up:
      return top_up(shard, op, command);
    case CommandKind::adjust:
      return adjust(shard, op, command);
    case CommandKind::transfer:
      return transfer(shard, op, command);
    case CommandKind::drop_session:
    case CommandKind::re_auth_session:
    case CommandKind::abort_session:
      break;
    case CommandKind::refund:
      return refund_charge(shard, op, command);
    case CommandKind::set_payer:
      return set_payer(shard, op, command);
    case CommandKind::set_limit:
      return set_limit(shard, op, command);
    case CommandKind::product_turn:
      return begin_turn(shard, op, image, command);
    case CommandKind::product_suspend:
      return suspend_product(shard, op, command);
    case CommandKind::product_resume:
      return resume_product(shard, op, command);
    case CommandKind::product_end:
      return end_product(shard, op, command);
    case CommandKind::transfer_receive:
      return receive(shard, op, command);
    case CommandKind::transfer_settle:
    case CommandKind::transfer_return:
    case CommandKind::transfer_forget:
      return end_transfer(shard, op, command);
    case CommandKind::create_account:
    case CommandKind::none:
      break;
  }
  return Outcome::amount_invalid;
}

Outcome Commander::create(Shard& shard, Operation& op, const Command& command) {
  for (u32 i = 0; i < command.bucket_count; ++i) {
    if (command.buckets[i].amount.is_negative() || command.buckets[i].unit == Unit::none) {
      return Outcome::amount_invalid;
    }
  }
  if (shard.free_accounts() == 0 || shard.free_buckets() < command.bucket_count) {
    return Outcome::too_busy;
  }
  const u32 index = shard.take_account();
  Account& account = shard.account(index);
  op.change_all(account, Pool::account, index);
  const u32 version = account.version;
  account = Account{};
  account.version = version;
  account.id = command.account_id;
  account.plan = command.plan;
  account.state =
      command.state == ledger::AccountState::free ? ledger::AccountState::active : command.state;
  account.identity_count = command.identity_count;
  account.created_s = op.now_second();
  account.credit_limit = command.credit_limit > 0 ? command.credit_limit : 0;
  account.identities = command.identities;
  account.valid_until_s = command.valid_until_s;
  for (u32 i = 0; i < command.bucket_count; ++i) {
    const u32 bucket = add_bucket(op, shard, index, terms_of(command.buckets[i]));
    check(bucket != 0, "free_buckets was asked");
    const Outcome outcome = put_in(op, {shard, bucket}, command.buckets[i].amount);
    check(outcome == Outcome::ok, "an empty bucket takes any amount");
    tell_balance(shard, bucket);
  }
  answer_.account = ledger::AccountRef::make(shard.number(), index);
  return Outcome::ok;
}

Outcome Commander::remove(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  Account& account = shard.account(index);
  if (account.open_sessions != 0) return Outcome::account_has_sessions;
  Outcome held = Outcome::ok;
  for (u32 at = account.first_bucket; at != 0; at = shard.bucket(at).next) {
    const ledger::Bucket& bucket = shard.bucket(at);
    const bool is_moving = bucket.state == ledger::BucketState::in_transit ||
                           bucket.state == ledger::BucketState::received;
    // Held, but by no session of its own: by one of somebody that it pays for.
    if (bucket.reserved.is_positive()) return Outcome::account_has_sessions;
    if (is_moving) held = Outcome::transfer_pending;
  }
  if (held != Outcome::ok) return held;
  if (account.member_count != 0) return Outcome::account_has_members;
  leave_payer(op, shard, index);
  op.change_all(account, Pool::account, index);
  for (u32 at = account.first_bucket; at != 0;) {
    ledger::Bucket& bucket = shard.bucket(at);
    const u32 next = bucket.next;
    op.change_all(bucket, Pool::bucket, at);
    bucket.state = ledger::BucketState::free;
    shard.give_bucket(at);
    at = next;
  }
  account.state = ledger::AccountState::free;
  account.first_bucket = 0;
  shard.give_account(index);
  return Outcome::ok;
}

Outcome Commander::set(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  Account& account = shard.account(index);
  op.change(account, {.pool = Pool::account,
                      .index = index,
                      .at_word = terms_word,
                      .word_count = terms_word_count});
  if (command.plan != 0) account.plan = command.plan;
  if (command.state != ledger::AccountState::free) account.state = command.state;
  if (command.credit_limit >= 0) account.credit_limit = command.credit_limit;
  if ((command.flags & ledger::command_flag::has_valid_until) != 0) {
    account.valid_until_s = command.valid_until_s;
  }
  return Outcome::ok;
}

Outcome Commander::set_identities(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  Account& account = shard.account(index);
  op.change(account, {.pool = Pool::account,
                      .index = index,
                      .at_word = terms_word,
                      .word_count = sizeof(Account) / 8 - terms_word});
  static_assert(identities_word >= terms_word);
  account.identity_count = command.identity_count;
  account.identities = command.identities;
  return Outcome::ok;
}

Outcome Commander::drop_session(Shard& shard, Operation& op, const rating::Image& image,
                                const Command& command) {
  if (command.session_id_bytes > command.session_id.size()) return Outcome::session_unknown;
  const std::string_view text(command.session_id.data(), command.session_id_bytes);
  const u32 index = shard.find_session(Shard::session_hash(text), text);
  if (index == 0) return Outcome::session_unknown;
  if (shard.session(index).state != ledger::SessionState::open) return Outcome::session_closed;
  charger_.drop(shard, op, image, index);
  return Outcome::ok;
}

// Asks the client. ok: the request is on its way to it; what comes of it is counted.
Outcome Commander::order_session(const Shard& shard, const Command& command) {
  if (command.session_id_bytes > command.session_id.size()) return Outcome::session_unknown;
  const std::string_view text(command.session_id.data(), command.session_id_bytes);
  const u32 hash = Shard::session_hash(text);
  const u32 index = shard.find_session(hash, text);
  if (index == 0) return Outcome::session_unknown;
  const ledger::Session& session = shard.session(index);
  if (session.state != ledger::SessionState::open) return Outcome::session_closed;
  const bool is_abort = command.kind == CommandKind::abort_session;
  SessionOrder order{.origin_host = session.origin_host,
                     .way = Way{session.closed_next},
                     .session_hash = hash,
                     .kind = is_abort ? OrderKind::abort : OrderKind::re_auth,
                     .shard = static_cast<u8>(shard.number()),
                     .session_id_bytes = command.session_id_bytes,
                     .session_id = command.session_id};
  if (!is_abort) narrow(command, order);
  if (order.scope == OrderScope::pool && !has_pool(shard, session, order.part)) {
    return Outcome::pool_unknown;
  }
  if (!orders_.send(order)) return Outcome::too_busy;
  ++counters_.orders;
  return Outcome::ok;
}

void Commander::tell_balance(const Shard& shard, u32 bucket) {
  if (bucket == 0) return;
  answer_.balance = shard.bucket(bucket).balance;
  answer_.unit = shard.bucket(bucket).unit;
}

}  // namespace tollgate::app
