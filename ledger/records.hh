// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The records of the ledger, as they lie in shared memory, in snapshots and in the journal.
//
// An Account pays. It has Buckets, each an amount of one unit. A Session is a credit-control
// session of a client; it has one Quota for each rating group, and a quota holds reserved parts of
// buckets. A session keeps its last Answers, so that a repeated request gets the same one and moves
// nothing.
//
// All of them are plain octets of fixed size in words of eight: a change is journaled as the words
// that it touched. Links between them are indexes into the shard's pools; index 0 is nobody. Fields
// under "derived" are not journaled: recovery makes them anew.
//
// One tile writes a shard. Anyone may read: accounts and buckets carry a version that is odd while
// they change (see read_record in ledger/ledger.hh).
#pragma once

#include <array>
#include <type_traits>

#include "base/amount.hh"
#include "base/types.hh"
#include "ledger/identity.hh"
#include "ledger/limits.hh"
#include "ledger/outcome.hh"

namespace tollgate::ledger {

// A second since 1970 in 32 bits, good until 2106; 0 means never.
using Second = u32;

// Where an account lies. Given out once, valid until the account is removed.
struct AccountRef {
  u32 value = 0;

  static constexpr AccountRef make(u32 shard, u32 index) { return {shard << 26 | index}; }
  constexpr u32 shard() const { return value >> 26; }
  constexpr u32 index() const { return value & accounts_per_shard_max; }
  constexpr bool is_none() const { return value == 0; }
  friend constexpr bool operator==(AccountRef, AccountRef) = default;
};

// inactive: not used yet; the first use makes it active. one_way: may receive, so gets only what
// costs nothing. An account is also over when its valid_until_s has come; see state_at.
enum class AccountState : u8 {
  free = 0,
  active = 1,
  inactive = 2,
  suspended = 3,
  expired = 4,
  one_way = 5,
};

struct alignas(64) Account {
  // derived
  u32 version = 0;
  u32 open_sessions = 0;
  // journaled
  u64 id = 0;  // given by provisioning, never reused
  u32 plan = 0;
  u32 first_bucket = 0;  // in order of priority, then expiry
  AccountState state = AccountState::free;
  u8 identity_count = 0;
  u8 bucket_count = 0;
  u8 member_count = 0;  // accounts whose payer this one is; it can't be removed while there are any
  Second created_s = 0;
  i64 credit_limit = 0;      // how far the last money bucket may go below zero, in its unit; >= 0
  u32 payer = 0;             // account of the same shard that pays when this one cannot; 0: none
  Second valid_until_s = 0;  // 0: for ever
  // The products whose prices count for it (rating/product.hh), in any place; 0: none.
  std::array<u32, products_per_account_max> products{};
  std::array<IdentityKey, identities_per_account_max> identities{};
};
static_assert(sizeof(Account) == 128);
static_assert(buckets_per_account_max <= UINT8_MAX && members_per_account_max <= UINT8_MAX,
              "both are counted in an octet");

// open        pays, while it is valid
// in_transit  on its way to an account of another shard: what was sent lies in its balance; product
//             is the AccountRef that it goes to, validity holds the transfer's number
// received    a transfer of that number has come in: empty, and only there to know it again
// limit       of a member: how much of the payer's unit it may use; no money of its own
enum class BucketState : u8 {
  free = 0,
  open = 1,
  expired = 2,
  in_transit = 3,
  received = 4,
  limit = 5,
};

// put_in = balance + reserved + consumed, at every moment between two operations. What lies in the
// balance of an expired bucket counts as expired.
struct alignas(64) Bucket {
  // derived
  u32 version = 0;
  u32 next_free = 0;
  // journaled
  u32 account = 0;
  u32 next = 0;     // of the same account
  u32 product = 0;  // the plan or product that it came from; 0: a top-up
  Unit unit = Unit::none;
  u8 priority = 0;  // lower pays first
  BucketState state = BucketState::free;
  Second expires_s = 0;
  Second valid_from_s = 0;
  Amount put_in;    // top-ups, adjustments and transfers, in minus out
  Amount balance;   // free
  Amount reserved;  // held for sessions
  Amount consumed;  // debited, minus refunded
};
static_assert(sizeof(Bucket) == 64);

// In what a service is counted and granted.
enum class UnitKind : u8 {
  none = 0,
  octets = 1,  // of both directions
  time = 2,
  events = 3,
  money = 4,
  input_octets = 5,   // from the user
  output_octets = 6,  // to the user
};

constexpr bool is_of_octets(UnitKind kind) {
  return kind == UnitKind::octets || kind == UnitKind::input_octets ||
         kind == UnitKind::output_octets;
}

// One rating group of a session.
struct Quota {
  u32 rating_group = 0;
  u32 service_identifier = 0;
  u8 flags = 0;  // service_flag below
  UnitKind kind = UnitKind::none;
  u8 hold_count = 0;
  u8 reserved0 = 0;
  u32 next = 0;            // extension record of the next quota of this session
  Quantity granted;        // octets, milliseconds, events; of the grant that is out
  Quantity used_by_money;  // charged in this session, in the unit that the price counts
  Quantity used_by_allowance;
  Money cost;  // charged in this session
  i64 used_input_octets = 0;
  i64 used_output_octets = 0;
  u32 used_seconds = 0;
  u32 used_events = 0;
  std::array<u32, holds_per_quota_max> hold_bucket{};
  std::array<Amount, holds_per_quota_max> hold_amount{};
  u32 reserved1 = 0;
  Unit cost_unit = Unit::none;
  Unit pool = Unit::none;  // the pool that its holds belong to, by its currency; none: its own
};
static_assert(sizeof(Quota) == 128);

// What a request's or an answer's service part carries.
namespace service_flag {
inline constexpr u8 has_rating_group = 1;
inline constexpr u8 has_service_identifier = 2;
inline constexpr u8 is_multiple_services = 4;  // came in an MSCC, not at command level
inline constexpr u8 is_free = 8;               // granted, and costs nothing
inline constexpr u8 is_implied_group = 16;     // the group is ours: the client named none
inline constexpr u8 has_tariff_change = 32;    // its price changes when the answer says so
inline constexpr u8 is_pooled = 64;            // granted into the session's pool
}  // namespace service_flag

enum class FinalAction : u8 {
  none = 0,
  terminate = 1,
  redirect = 2,
  restrict_access = 3,
  restrict_to_filter = 4,
};
// Whether an answer's text is of the tariff's: where to redirect to, or the name of a filter.
constexpr bool has_text(FinalAction action) {
  return action == FinalAction::redirect || action == FinalAction::restrict_to_filter;
}

// The answer for one service of a request.
struct ServiceAnswer {
  u32 rating_group = 0;
  u32 service_identifier = 0;
  Quantity granted;  // meaningful if has_grant
  u32 validity_s = 0;
  union {
    u32 threshold = 0;   // in the client's unit: octets, seconds, events; 0: none
    u32 multiplier_low;  // of a grant in a pool (app/quota_pool.hh)
  };
  Outcome outcome = Outcome::ok;
  u8 flags = 0;  // service_flag
  UnitKind kind = UnitKind::none;
  bool has_grant = false;
  FinalAction final_action = FinalAction::none;
  // Of the tariff's texts, if the final action has one (has_text); else after how many
  // seconds without use the client gives the grant back.
  union {
    u16 text = 0;
    u16 multiplier_high;  // of a grant in a pool
  };
};
static_assert(sizeof(ServiceAnswer) == 32);

// The answer to a request: what the client is told, apart from what it said itself. The first
// service lies in it, more of them follow in extension records (and directly behind it in the
// journal).
struct Answer {
  u32 number = 0;  // CC-Request-Number
  u8 type = 0;     // CC-Request-Type; 0: this place is empty
  u8 service_count = 0;
  Outcome outcome = Outcome::ok;  // of the whole request
  Money cost;                     // if answer_flag says of what
  Unit cost_unit = Unit::none;    // the currency of all money in the answer
  u16 flags = 0;                  // answer_flag
  u32 next = 0;                   // extension with further services
  union {
    i64 remaining = 0;    // money left, if answer_flag::has_remaining
    i64 tariff_change_s;  // since 1970, if answer_flag::has_tariff_change
  };
  ServiceAnswer first;
};
static_assert(sizeof(Answer) == 64);

namespace answer_flag {
inline constexpr u16 has_remaining = 1;
inline constexpr u16 check_balance = 2;  // answer to CHECK_BALANCE: outcome tells if enough
inline constexpr u16 is_repeated = 4;    // given for a repeated request
inline constexpr u16 has_cost = 8;       // of an event
inline constexpr u16 has_advice = 16;    // what the session has cost so far
inline constexpr u16 has_low_balance = 32;
inline constexpr u16 is_low_balance = 64;
inline constexpr u16 has_tariff_change = 128;  // never beside has_remaining
}  // namespace answer_flag

// Who calls, who is called, where the subscriber is, and the zone that rules have named, as prices
// look them up (rating/number.hh); to the ledger they are words. 0: not known. The top octet of
// `origin` is direction and location, for numbers need no more than 56 bits.
struct SessionNumbers {
  static constexpr u32 number_bits = 56;

  u64 origin = 0;
  u64 destination = 0;
  u32 network = 0;
  u32 zone = 0;

  u64 calling() const { return origin & ((u64{1} << number_bits) - 1); }
  u8 way() const { return static_cast<u8>(origin >> number_bits); }
  bool is_none() const { return (origin | destination | network | zone) == 0; }
  friend bool operator==(const SessionNumbers&, const SessionNumbers&) = default;
};
static_assert(sizeof(SessionNumbers) == 24);

enum class SessionState : u8 { free = 0, open = 1, closed = 2 };

struct alignas(64) Session {
  // derived
  u32 hash = 0;         // of the Session-Id, as in the session table
  u32 wheel_next = 0;   // in the timer wheel; open sessions only
  u32 wheel_prev = 0;   // likewise; of the first one: the slot, with the top bit set
  u32 closed_next = 0;  // in the queue of closed sessions; or next free; while it is open, the way
                        // that its client's last request came (for app to read)
  // journaled with every request
  u32 account = 0;
  SessionState state = SessionState::free;
  u8 quota_count = 0;
  u8 answer_turn = 0;       // where the next answer goes
  u8 type = 0;              // CC-Request-Type that it began with
  u32 update_last = 0;      // highest CC-Request-Number of an UPDATE
  u32 first_extension = 0;  // chain of extension records with further quotas
  u64 update_seen = 0;      // bit i: update_last - i has been answered
  i64 deadline_ns = 0;      // when it ends by itself, or when a closed one is forgotten
  // journaled once
  i64 started_ns = 0;
  u64 service_context = 0;
  Quota quota;
  std::array<Answer, answers_per_session> answers{};
  u64 origin_host = 0;  // hash of the client's Origin-Host
  u16 session_id_bytes = 0;
  u16 reserved1 = 0;
  u32 tariff_version = 0;  // tag of the tariff that it keeps; 0: whichever is in force
  SessionNumbers numbers;
  std::array<char, session_id_bytes_max> session_id{};

  std::string_view session_id_text() const { return {session_id.data(), session_id_bytes}; }
};
static_assert(sizeof(Session) == 512);

// Room for what did not fit into a session: one more quota, or three more services of an answer.
struct alignas(64) Extension {
  enum class Use : u8 { free = 0, quota = 1, services = 2 };
  struct Services {
    u32 next = 0;
    u32 count = 0;
    u64 reserved = 0;
    std::array<ServiceAnswer, 3> service{};
  };
  // derived
  u32 next_free = 0;
  u32 unused = 0;
  // journaled
  Use use = Use::free;
  u8 reserved[7] = {};
  union {
    Quota quota;
    Services services;
  };
  Extension() : quota{} {}
};
static_assert(sizeof(Extension) == 192);

template <class T>
inline constexpr bool is_record = std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0;
static_assert(is_record<Account> && is_record<Bucket> && is_record<Session> && is_record<Extension>,
              "records are copied and journaled as words");

}  // namespace tollgate::ledger
