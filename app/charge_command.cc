// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/charge_command.hh"

#include "base/check.hh"
#include "ledger/balance.hh"

namespace tollgate::app {
namespace {

using ledger::Account;
using ledger::Command;
using ledger::CommandKind;
using ledger::NewBucket;
using ledger::Operation;
using ledger::Outcome;
using ledger::Pool;
using ledger::Shard;

// Words of an account from its plan to its credit limit.
constexpr u32 terms_word = offsetof(Account, plan) / 8;
constexpr u32 terms_word_count = offsetof(Account, reserved) / 8 - terms_word;
constexpr u32 identities_word = offsetof(Account, identities) / 8;

ledger::BucketTerms terms_of(const NewBucket& bucket) {
  return {.unit = bucket.unit,
          .priority = bucket.priority,
          .product = bucket.product,
          .expires_s = bucket.expires_s,
          .valid_from_s = bucket.valid_from_s};
}

// The bucket that an operator means by a unit alone: the first usable one, by priority.
u32 first_bucket_of(const Shard& shard, u32 account, Unit unit, ledger::Second now) {
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    if (shard.bucket(at).unit == unit && is_usable(shard.bucket(at), now)) return at;
  }
  return 0;
}

// The bucket that a top-up goes into: one of the same terms, or a new one.
u32 bucket_for(Operation& op, Shard& shard, u32 account, const NewBucket& wanted) {
  const u32 found = find_bucket(shard, account, terms_of(wanted));
  return found != 0 ? found : add_bucket(op, shard, account, terms_of(wanted));
}

bool is_of_session(CommandKind kind) {
  return kind == CommandKind::drop_session || kind == CommandKind::re_auth_session ||
         kind == CommandKind::abort_session;
}

// The account's place may have been given to another one since.
bool is_meant(const Shard& shard, const Command& command) {
  const u32 index = command.account.index();
  return shard.is_account(index) &&
         (command.account_id == 0 || shard.account(index).id == command.account_id);
}

bool fits(const Shard& shard, u32 bucket, Amount amount) {
  if (bucket == 0) return true;
  Amount unused;
  return add(shard.bucket(bucket).put_in, amount, unused) &&
         add(shard.bucket(bucket).balance, amount, unused);
}

}  // namespace

void Commander::carry_out(Shard& shard, Operation& op, const rating::Image& image,
                          const Command& command, bool may_move) {
  answer_ = {.kind = command.kind, .account = command.account, .account_id = command.account_id};
  answer_.outcome = may_move ? dispatch(shard, op, image, command) : Outcome::too_busy;
  op.set_answer_in_note({reinterpret_cast<const u8*>(&answer_), sizeof answer_});
  if (op.has_changes()) {
    op.add_note(ledger::NoteKind::command,
                {reinterpret_cast<const u8*>(&command), offsetof(Command, identities)});
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
  if (!is_meant(shard, command)) {
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

Outcome Commander::top_up(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& wanted = command.buckets[0];
  if (command.bucket_count != 1 || !wanted.amount.is_positive()) return Outcome::amount_invalid;
  const u32 index = command.account.index();
  const u32 found = find_bucket(shard, index, terms_of(wanted));
  if (!fits(shard, found, wanted.amount)) return Outcome::amount_overflow;
  if (found == 0 && (shard.free_buckets() == 0 ||
                     shard.account(index).bucket_count >= ledger::buckets_per_account_max)) {
    return Outcome::too_busy;
  }
  const u32 bucket = bucket_for(op, shard, index, wanted);
  const Outcome outcome = put_in(op, {shard, bucket}, wanted.amount);
  tell_balance(shard, bucket);
  return outcome;
}

// Up or down; down only as far as there is something free, whoever the operator is: what is held
// belongs to a session.
Outcome Commander::adjust(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& change = command.buckets[0];
  if (command.bucket_count != 1 || change.amount.is_zero()) return Outcome::amount_invalid;
  if (change.amount.count == INT64_MIN) return Outcome::amount_overflow;  // it has no opposite
  const u32 bucket = first_bucket_of(shard, command.account.index(), change.unit, op.now_second());
  if (bucket == 0) {
    return change.amount.is_positive() ? top_up(shard, op, command) : Outcome::bucket_unknown;
  }
  if (!fits(shard, bucket, change.amount)) return Outcome::amount_overflow;
  Outcome outcome = Outcome::ok;
  if (change.amount.is_positive()) {
    outcome = put_in(op, {shard, bucket}, change.amount);
  } else {
    const Amount less{-change.amount.count};
    if (shard.bucket(bucket).balance < less) return Outcome::credit_limit_reached;
    outcome = take_out(op, {shard, bucket}, less);
  }
  tell_balance(shard, bucket);
  return outcome;
}

// Between two accounts of one shard it is one entry. Further apart it is refused by name until both
// sides can be journaled as one.
Outcome Commander::transfer(Shard& shard, Operation& op, const Command& command) {
  const NewBucket& wanted = command.buckets[0];
  if (command.bucket_count != 1 || !wanted.amount.is_positive()) return Outcome::amount_invalid;
  if (command.other_account.shard() != shard.number()) return Outcome::other_shard;
  const u32 to = command.other_account.index();
  if (!shard.is_account(to)) return Outcome::account_unknown;
  const u32 source = first_bucket_of(shard, command.account.index(), wanted.unit, op.now_second());
  if (source == 0) return Outcome::bucket_unknown;
  if (shard.bucket(source).balance < wanted.amount) return Outcome::credit_limit_reached;
  u32 target = first_bucket_of(shard, to, wanted.unit, op.now_second());
  if (!fits(shard, target, wanted.amount)) return Outcome::amount_overflow;
  if (target == 0) {
    if (shard.free_buckets() == 0) return Outcome::too_busy;
    target = add_bucket(op, shard, to, terms_of(wanted));
    if (target == 0) return Outcome::too_busy;
  }
  if (source == target) return Outcome::ok;
  Outcome outcome = take_out(op, {shard, source}, wanted.amount);
  check(outcome == Outcome::ok, "the balance was looked at");
  outcome = put_in(op, {shard, target}, wanted.amount);
  check(outcome == Outcome::ok, "the sum was looked at");
  tell_balance(shard, source);
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
  const SessionOrder order{
      .origin_host = session.origin_host,
      .rating_group = is_abort ? SessionOrder::whole_session : command.rating_group,
      .way = Way{session.closed_next},
      .session_hash = hash,
      .kind = is_abort ? OrderKind::abort : OrderKind::re_auth,
      .shard = static_cast<u8>(shard.number()),
      .session_id_bytes = command.session_id_bytes,
      .session_id = command.session_id};
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
