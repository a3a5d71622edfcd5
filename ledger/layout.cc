// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/layout.hh"

#include <cmath>

namespace tollgate::ledger {
namespace {

// A share with what it may be above the mean.
u32 share(u64 mean, u64 slack) {
  const u64 with_slack = mean + slack + 64;
  return static_cast<u32>(with_slack < accounts_per_shard_max ? with_slack
                                                              : accounts_per_shard_max);
}

// Offsets inside a shard, in the order of ShardMemory.
struct Places {
  u64 accounts, buckets, sessions, extensions, slots, wheel, end;
};

Places places_of(const LedgerSizes& sizes) {
  Places at{};
  u64 next = sizeof(ShardHeader);
  const auto take = [&next](u64 bytes) {
    const u64 begin = next;
    next = round_up(next + bytes, cache_line_bytes);
    return begin;
  };
  at.accounts = take((u64{sizes.accounts} + 1) * sizeof(Account));
  at.buckets = take((u64{sizes.buckets} + 1) * sizeof(Bucket));
  at.sessions = take((u64{sizes.sessions} + 1) * sizeof(Session));
  at.extensions = take((u64{sizes.extensions} + 1) * sizeof(Extension));
  at.slots = take(sizes.session_slots() * sizeof(u64));
  at.wheel = take(u64{wheel_slot_count} * sizeof(u32));
  at.end = round_up(next, page_bytes);
  return at;
}

}  // namespace

std::array<PoolPlace, pool_count> pools_of(const ShardMemory& shard) {
  const auto place = [](auto* records, PoolState& state, u32 capacity) {
    return PoolPlace{reinterpret_cast<u8*>(records), &state, sizeof *records, capacity};
  };
  ShardHeader& header = *shard.header;
  return {place(shard.accounts, header.accounts, shard.sizes.accounts),
          place(shard.buckets, header.buckets, shard.sizes.buckets),
          place(shard.sessions, header.sessions, shard.sizes.sessions),
          place(shard.extensions, header.extensions, shard.sizes.extensions)};
}

LedgerSizes LedgerSizes::share_of(const Totals& totals) {
  const auto mean_of = [](u64 total) { return (total + shard_count - 1) / shard_count; };
  // Accounts fall into shards as if by chance, and their buckets with them: shares vary around the
  // mean by a few times its root. Sessions follow what their subscribers do.
  const auto root_of = [](u64 mean) { return static_cast<u64>(std::sqrt(mean)); };
  const u64 accounts = mean_of(totals.accounts_max);
  const u64 buckets = mean_of(totals.buckets_max);
  const u64 sessions = mean_of(totals.sessions_max);
  const u64 extensions = sessions / 4;  // most sessions have one rating group and need none
  return {.accounts = share(accounts, 6 * root_of(accounts)),
          .buckets = share(buckets, 12 * root_of(buckets)),
          .sessions = share(sessions, sessions / 8),
          .extensions = share(extensions, extensions / 8)};
}

u64 LedgerMemory::footprint(const LedgerSizes& sizes) {
  return page_bytes + u64{shard_count} * places_of(sizes).end;
}

LedgerMemory LedgerMemory::format(u8* base, const LedgerSizes& sizes, u64 appliance) {
  const LedgerMemory memory(base);
  LedgerHeader& header = memory.header();
  header.appliance = appliance;
  header.sizes = sizes;
  header.shard_bytes = places_of(sizes).end;
  for (u32 number = 0; number < shard_count; ++number) {
    ShardHeader& shard = *memory.shard(number).header;
    shard.accounts.used_end = 1;
    shard.buckets.used_end = 1;
    shard.sessions.used_end = 1;
    shard.extensions.used_end = 1;
  }
  return memory;
}

ShardMemory LedgerMemory::shard(u32 number) const {
  check(number < shard_count, "a shard has a number below shard_count");
  const LedgerSizes sizes = header().sizes;
  const Places at = places_of(sizes);
  u8* begin = base_ + page_bytes + number * header().shard_bytes;
  return {.header = reinterpret_cast<ShardHeader*>(begin),
          .accounts = reinterpret_cast<Account*>(begin + at.accounts),
          .buckets = reinterpret_cast<Bucket*>(begin + at.buckets),
          .sessions = reinterpret_cast<Session*>(begin + at.sessions),
          .extensions = reinterpret_cast<Extension*>(begin + at.extensions),
          .session_slots = reinterpret_cast<u64*>(begin + at.slots),
          .session_slot_count = sizes.session_slots(),
          .wheel = reinterpret_cast<u32*>(begin + at.wheel),
          .sizes = sizes};
}

}  // namespace tollgate::ledger
