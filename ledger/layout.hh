// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// LedgerMemory: where everything lies in the ledger's segment.
//
// First a header with the sizes, then shard after shard, all alike: the shard's header, its pools
// of records, its session table and its timer wheel. Offsets follow from the sizes alone. Every
// process that joins computes the same places; nothing inside is a pointer.
//
// A pool is an array of records from index 1 on. What is free is chained through a derived field;
// what was never used lies behind `used_end`, untouched, so an empty ledger costs no page faults
// but one.
#pragma once

#include <array>
#include <atomic>

#include "base/check.hh"
#include "base/types.hh"
#include "ledger/records.hh"

namespace tollgate::ledger {

inline constexpr u32 ledger_layout = 5;
inline constexpr u32 wheel_slot_count = 4096;  // one a second: over an hour ahead

// Records in each shard. Configuration gives totals; a shard gets its share and some slack, because
// accounts are spread by hash.
struct LedgerSizes {
  u32 accounts = 0;
  u32 buckets = 0;
  u32 sessions = 0;
  u32 extensions = 0;

  struct Totals {
    u64 accounts_max = 0;
    u64 buckets_max = 0;
    u64 sessions_max = 0;
  };
  static LedgerSizes share_of(const Totals& totals);

  // Entries of a shard's session table, eight octets each: at most half full.
  u64 session_slots() const { return next_power_of_two(u64{sessions} * 2); }
  friend constexpr auto operator<=>(const LedgerSizes&, const LedgerSizes&) = default;
};

struct PoolState {
  u32 free_first;  // chain of freed records
  u32 used_end;    // records from here on were never used
  u32 used_count;
  u32 reserved;
};

// What a shard knows about itself; derived, but for the sequence.
struct alignas(64) ShardHeader {
  u64 sequence;    // of the last entry that was made
  u64 is_turning;  // derived fields change outside a burst: see Shard::needs_rebuild
  PoolState accounts;
  PoolState buckets;
  PoolState sessions;
  PoolState extensions;
  u32 closed_first;  // closed sessions, the oldest first: the reserve when the pool is empty
  u32 closed_last;
  i64 wheel_second;  // the wheel has been turned up to here
  u64 open_sessions;
  u64 reserved1[3];
};
static_assert(sizeof(ShardHeader) == 128);

struct LedgerHeader {
  u64 appliance;  // random number of this appliance's journal folder
  LedgerSizes sizes;
  u64 shard_bytes;  // distance from one shard to the next
  // Grows when a core that charges was restarted: a snapshot taken across it is thrown away.
  std::atomic<u64> rollback_count;
};

// The places of one shard.
struct ShardMemory {
  ShardHeader* header;
  Account* accounts;  // index 0 is nobody, in all pools
  Bucket* buckets;
  Session* sessions;
  Extension* extensions;
  u64* session_slots;  // session_slot_count of them: index << 32 | hash
  u64 session_slot_count;
  u32* wheel;  // wheel_slot_count list heads
  LedgerSizes sizes;
};

// A pool, whatever its records are: how recovery and snapshots go over them. A new kind of record
// gets a row in pools_of, and is recovered and kept from then on.
struct PoolPlace {
  u8* records;  // index 0 is nobody
  PoolState* state;
  u32 record_bytes;
  u32 capacity;  // the highest index
};
inline constexpr u32 pool_count = 4;

// In the order of enum Pool (ledger/journal_format.hh), which begins with 1.
std::array<PoolPlace, pool_count> pools_of(const ShardMemory& shard);

class LedgerMemory {
 public:
  LedgerMemory() = default;
  explicit LedgerMemory(u8* base) : base_(base) {}

  static u64 footprint(const LedgerSizes& sizes);

  // Lays out an empty ledger in zeroed memory of `footprint` octets on a page boundary.
  static LedgerMemory format(u8* base, const LedgerSizes& sizes, u64 appliance);

  LedgerHeader& header() const { return *reinterpret_cast<LedgerHeader*>(base_); }
  u8* base() const { return base_; }
  ShardMemory shard(u32 number) const;

 private:
  u8* base_ = nullptr;
};

}  // namespace tollgate::ledger
