// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Commands of a product: a turn with its fee and what it brings, a suspension, its end.
//
// A turn is one entry of the journal: the fee is debited, the allowances lie in their buckets and
// the prices count, or none of it. When it is due is for control to know.

#include <algorithm>

#include "app/account_counters.hh"
#include "app/charge_command.hh"
#include "app/command_bucket.hh"
#include "app/payers.hh"
#include "app/purse.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Account;
using ledger::Bucket;
using ledger::BucketRole;
using ledger::Command;
using ledger::NewBucket;
using ledger::Operation;
using ledger::Outcome;
using ledger::Shard;

static_assert(ledger::products_per_account_max == rating::priced_products_max,
              "what the tariff lets an account have fits into its record");

using Products = std::array<u32, ledger::products_per_account_max>;

std::span<const NewBucket> entries(const Command& command) {
  return {command.buckets.data(), command.bucket_count};
}

// The account's products with these as well; false if there is no room.
bool with_products(const Products& wanted, Products& products) {
  for (const u32 id : wanted) {
    if (id == 0 || std::ranges::find(products, id) != products.end()) continue;
    const auto place = std::ranges::find(products, 0U);
    if (place == products.end()) return false;
    *place = id;
  }
  return true;
}

void set_products(Operation& op, Shard& shard, u32 index, const Products& products) {
  Account& account = shard.account(index);
  if (account.products == products) return;
  constexpr u32 word = offsetof(Account, products) / 8;
  op.change(account, {.pool = ledger::Pool::account,
                      .index = index,
                      .at_word = word,
                      .word_count = sizeof products / 8});
  account.products = products;
}

void remove_products(Operation& op, Shard& shard, u32 index, const Products& unwanted) {
  Products products = shard.account(index).products;
  for (const u32 id : unwanted) {
    if (id != 0) std::ranges::replace(products, id, 0U);
  }
  set_products(op, shard, index, products);
}

// Every open bucket that the product brought.
template <class Do>
void for_each_bucket_of(const Shard& shard, u32 account, u32 product, Do do_with) {
  std::array<u32, ledger::buckets_per_account_max> found{};  // what is done may change their order
  std::size_t count = 0;
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    const Bucket& bucket = shard.bucket(at);
    const bool is_open = bucket.state == ledger::BucketState::open;
    if (is_open && bucket.product == product && count < found.size()) found[count++] = at;
  }
  for (std::size_t i = 0; i < count; ++i) do_with(found[i]);
}

void open_buckets(Operation& op, Shard& shard, u32 account, u32 product) {
  for_each_bucket_of(shard, account, product, [&](u32 at) {
    const Bucket& bucket = shard.bucket(at);
    if (bucket.valid_from_s == ledger::never_s) set_validity(op, shard, at, 0, bucket.expires_s);
  });
}

// The bucket of an earlier turn that this entry's turn takes over: it is over, and nothing of it is
// held any more. So an account has one or two buckets for an allowance, however many turns go by.
u32 find_earlier(const Shard& shard, u32 account, const NewBucket& entry, ledger::Second now) {
  for (u32 at = shard.account(account).first_bucket; at != 0; at = shard.bucket(at).next) {
    const Bucket& bucket = shard.bucket(at);
    const bool is_same = bucket.state == ledger::BucketState::open &&
                         bucket.product == entry.product && bucket.unit == entry.unit &&
                         bucket.priority == entry.priority;
    const bool is_over = bucket.expires_s != 0 && bucket.expires_s <= now;
    if (is_same && is_over && bucket.reserved.is_zero()) return at;
  }
  return 0;
}

// A rule that is paid with money of one currency: how a fee looks for its payers.
rating::Rule rule_of_fee(Unit currency) {
  rating::Rule rule;
  rule.currency = currency;
  rule.source_count = 1;
  rule.source[0].unit = currency;
  return rule;
}

// As a request's: nothing of the policy is asked for here.
ChargeContext context_of(Shard& shard, Operation& op, const rating::Image& image,
                         const Command& command) {
  static constexpr ChargePolicy policy;
  return {.shard = shard,
          .op = op,
          .image = image,
          .policy = policy,
          .account_index = command.account.index(),
          .service_context = 0};
}

Outcome state_outcome(const Account& account, ledger::Second now) {
  switch (state_at(account, now)) {
    case ledger::AccountState::active:
    case ledger::AccountState::inactive:
      return Outcome::ok;
    case ledger::AccountState::suspended:
      return Outcome::account_suspended;
    case ledger::AccountState::one_way:
      return Outcome::account_one_way;
    case ledger::AccountState::expired:
    case ledger::AccountState::free:
      break;
  }
  return Outcome::account_expired;
}

// What can be said of the entries alone, and of the buckets that they would go into.
Outcome entries_outcome(const Shard& shard, u32 account, const Command& command,
                        ledger::Second now) {
  u32 fees = 0;
  u32 added = 0;
  std::size_t number = 0;
  const NewBucket* before = nullptr;
  for (const NewBucket& entry : entries(command)) {
    if (entry.amount.is_negative() || entry.unit == Unit::none) return Outcome::amount_invalid;
    const bool is_put_in = entry.role == BucketRole::put_in;
    if (entry.role == BucketRole::fee && (++fees > 1 || !is_money(entry.unit))) {
      return Outcome::amount_invalid;
    }
    if (entry.role == BucketRole::rollover &&
        (before == nullptr || before->role != BucketRole::put_in || before->unit != entry.unit)) {
      return Outcome::amount_invalid;
    }
    if (entry.role > BucketRole::rollover) return Outcome::amount_invalid;
    if (is_put_in) {
      const u32 same = find_bucket(shard, account, terms_of(entry));
      const u32 bucket = same != 0 ? same : find_earlier(shard, account, entry, now);
      // Several entries may go into one bucket.
      Amount sum = entry.amount;
      for (const NewBucket& other : entries(command).first(number)) {
        if (other.unit == entry.unit && !add(sum, other.amount, sum)) {
          return Outcome::amount_overflow;
        }
      }
      if (!fits(shard, bucket, sum)) return Outcome::amount_overflow;
      if (bucket == 0) ++added;
    }
    before = &entry;
    ++number;
  }
  return has_room(shard, account, added) ? Outcome::ok : Outcome::too_busy;
}

// The turn goes on in the bucket of an earlier one. What is over there makes room for what comes in
// one movement: in two, the bucket would be empty in between, and thresholds would be crossed.
void take_over(Operation& op, Shard& shard, u32 bucket, const NewBucket& entry, Amount rollover) {
  const Amount left = shard.bucket(bucket).balance;
  const i64 lost = left > rollover ? left.count - rollover.count : 0;
  const Amount change{entry.amount.count - lost};  // neither of them is negative
  const Outcome outcome = change.is_negative()
                              ? take_out(op, {shard, bucket}, Amount{-change.count})
                              : put_in(op, {shard, bucket}, change);
  check(outcome == Outcome::ok, "the sum was looked at");
  set_validity(op, shard, bucket, entry.valid_from_s, entry.expires_s);
}

// Puts in what the turn brings; `rollover` is how much of the last turn may come along.
void bring(Operation& op, Shard& shard, u32 account, const NewBucket& entry, Amount rollover) {
  u32 bucket = find_bucket(shard, account, terms_of(entry));
  if (bucket == 0) {
    bucket = find_earlier(shard, account, entry, op.now_second());
    if (bucket != 0) {
      take_over(op, shard, bucket, entry, rollover);
      return;
    }
    bucket = add_bucket(op, shard, account, terms_of(entry));
    check(bucket != 0, "there was room");
  }
  const Outcome outcome = put_in(op, {shard, bucket}, entry.amount);
  check(outcome == Outcome::ok, "the sum was looked at");
}

}  // namespace

Outcome Commander::begin_turn(Shard& shard, Operation& op, const rating::Image& image,
                              const Command& command) {
  const u32 index = command.account.index();
  const Outcome state = state_outcome(shard.account(index), op.now_second());
  if (state != Outcome::ok) return state;
  Products products = shard.account(index).products;
  if (!with_products(command.products, products)) return Outcome::too_many_products;
  const Outcome possible = entries_outcome(shard, index, command, op.now_second());
  if (possible != Outcome::ok && possible != Outcome::too_busy) return possible;
  const Outcome paid = pay_fee(shard, op, image, command, possible == Outcome::ok);
  if (paid != Outcome::ok) return paid;
  if (possible != Outcome::ok) return possible;
  const auto all = entries(command);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].role != BucketRole::put_in) continue;
    const bool rolls = i + 1 < all.size() && all[i + 1].role == BucketRole::rollover;
    bring(op, shard, index, all[i], rolls ? all[i + 1].amount : Amount{});
  }
  set_products(op, shard, index, products);
  begin_counters(context_of(shard, op, image, command), command.products);
  open_buckets(op, shard, index, command.plan);  // it may have been suspended, for want of a fee
  return Outcome::ok;
}

// Takes the turn's fee, or only looks whether it could be taken.
Outcome Commander::pay_fee(Shard& shard, Operation& op, const rating::Image& image,
                           const Command& command, bool is_taken) {
  const ChargeContext context = context_of(shard, op, image, command);
  for (const NewBucket& entry : entries(command)) {
    if (entry.role != BucketRole::fee || entry.amount.is_zero()) continue;
    const Payers payers = find_payers(context, rule_of_fee(entry.unit), Payers::payers_max);
    if (payers.available[0] < entry.amount) return Outcome::credit_limit_reached;
    if (!is_taken) break;
    const Outcome paid = take_from(payers, 0, entry.amount, [&](u32 bucket, Amount part) {
      const Outcome debited = debit_in(context, bucket, part);
      tell_balance(shard, bucket);
      return debited;
    });
    check(paid == Outcome::ok, "what a payer offers can be debited");
  }
  return Outcome::ok;
}

// What it brought stays where it is and pays for nothing.
Outcome Commander::suspend_product(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  remove_products(op, shard, index, command.products);
  for_each_bucket_of(shard, index, command.plan, [&](u32 bucket) {
    set_validity(op, shard, bucket, ledger::never_s, shard.bucket(bucket).expires_s);
  });
  return Outcome::ok;
}

Outcome Commander::resume_product(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  Products products = shard.account(index).products;
  if (!with_products(command.products, products)) return Outcome::too_many_products;
  set_products(op, shard, index, products);
  open_buckets(op, shard, index, command.plan);
  return Outcome::ok;
}

// What it brought expires now; what sessions hold of it they may still use.
Outcome Commander::end_product(Shard& shard, Operation& op, const Command& command) {
  const u32 index = command.account.index();
  const ledger::Second now = op.now_second();
  remove_products(op, shard, index, command.products);
  for_each_bucket_of(shard, index, command.plan, [&](u32 at) {
    const Bucket& bucket = shard.bucket(at);
    const bool is_over = bucket.expires_s != 0 && bucket.expires_s <= now;
    if (!is_over) set_validity(op, shard, at, bucket.valid_from_s, now);
  });
  return Outcome::ok;
}

}  // namespace tollgate::app
