// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Command: what provisioning and operators ask of a shard, and what it answers.
//
// `control` puts commands on the control_charge link of the tile that owns the account's shard and
// gets one CommandAnswer for each on journal_control, after its effects are on disk. The tile
// carries out what it is sent, once even over its own death; that a command is not sent twice is
// for control, which finds its idempotency key in the journal.
#pragma once

#include <array>

#include "base/amount.hh"
#include "ledger/identity.hh"
#include "ledger/journal_format.hh"
#include "ledger/limits.hh"
#include "ledger/records.hh"

namespace tollgate::ledger {

enum class CommandKind : u8 {
  none = 0,
  create_account = 1,  // account_id, plan, identities, buckets; answers with the account's place
  remove_account = 2,  // account; refused while it has sessions
  set_account = 3,     // account: plan (if not 0), state (if not free), credit_limit (if >= 0)
  set_identities = 4,  // account, identities: replaces all of them
  top_up = 5,          // account, buckets[0]: adds to the bucket of that unit, product, expiry
  adjust = 6,          // account, buckets[0].amount may be negative, unit
  transfer = 7,        // account, other_account, buckets[0]; to another shard it is step 1 of four
  drop_session = 8,    // session_id in account's shard; reservations go back, a CDR is written
  refund = 9,          // account, buckets[0]: what was charged comes back
  set_payer = 10,      // account, other_account of the same shard, or none
  set_limit = 11,      // account, buckets[0]: how much of its payer's unit it may use from now on
  // Further steps of a transfer between shards; see app/charge_transfer.cc.
  transfer_receive = 12,  // account (that gets it), transfer_id, buckets[0]
  transfer_settle = 13,   // account (that sent it), transfer_id: it has arrived
  transfer_return = 14,   // account (that sent it), transfer_id: it was refused, and comes back
  transfer_forget = 15,   // account (that got it), transfer_id: the sender knows
  // Of a product; `plan` has its number, `products` those of the prices that go with it.
  product_turn = 16,     // account, buckets by their role: pays the fee, puts in what it brings
  product_suspend = 17,  // account: its prices and what it brought do not count until
  product_resume = 18,   // account: they do again
  product_end = 19,      // account: they are gone
  re_auth_session =
      30,              // session_id, rating_group (-1: all) or pool: the client is asked to report
  abort_session = 31,  // session_id: the client is asked to end it
};

namespace command_flag {
inline constexpr u8 extend = 1;           // top_up: the bucket's validity is extended
inline constexpr u8 has_valid_until = 2;  // set_account: valid_until_s is meant, even if 0
inline constexpr u8 names_pool = 4;       // re_auth_session: pool is meant, not rating_group
}  // namespace command_flag

// What an entry of a product_turn is. All other commands put in.
enum class BucketRole : u8 {
  put_in = 0,
  fee = 1,       // so much money is debited, wherever the account has it
  rollover = 2,  // of the entry before: so much of what the last turn has left comes along
};

struct NewBucket {
  Amount amount;
  u32 product = 0;
  Unit unit = Unit::none;
  u8 priority = 0;
  BucketRole role = BucketRole::put_in;
  Second expires_s = 0;
  Second valid_from_s = 0;
};
static_assert(sizeof(NewBucket) == 24);

struct Command {
  AnswerTag tag;            // AnswerTag::control(...)
  u64 idempotency_key = 0;  // 0: none
  CommandKind kind = CommandKind::none;
  u8 shard = 0;
  u8 identity_count = 0;
  u8 bucket_count = 0;
  u32 plan = 0;
  u64 account_id = 0;
  AccountRef account;
  AccountRef other_account;
  AccountState state = AccountState::free;
  u8 session_id_bytes = 0;
  u8 flags = 0;  // command_flag
  u8 reserved = 0;
  Second valid_until_s = 0;
  union {
    i64 credit_limit = -1;  // of set_account
    i64 rating_group;       // of re_auth_session
    i64 pool;               // likewise: the number of its currency
  };
  u64 transfer_id = 0;       // of the steps of a transfer after the first: its idempotency_key
  u64 other_account_id = 0;  // so that a place that was given to another since is not taken for it
  std::array<IdentityKey, identities_per_account_max> identities{};
  std::array<NewBucket, initial_buckets_max> buckets{};
  std::array<u32, products_per_account_max> products{};
  std::array<char, session_id_bytes_max> session_id{};
};
static_assert(sizeof(Command) == 72 + 64 + 192 + 16 + session_id_bytes_max);

struct CommandAnswer {
  Outcome outcome = Outcome::ok;
  CommandKind kind = CommandKind::none;
  u8 is_repeated = 0;
  AccountRef account;
  u64 account_id = 0;
  Amount balance;  // of the bucket that was touched, afterwards
  Unit unit = Unit::none;
  u16 is_in_transit = 0;  // of a transfer: it has left, and has not arrived yet
  u16 reserved[2] = {};
};
static_assert(sizeof(CommandAnswer) == 32);

// What journal_control and journal_net carry: the waiter's tag, then a CommandAnswer or an Answer.
struct AnswerFrameHead {
  AnswerTag tag;
};

}  // namespace tollgate::ledger
