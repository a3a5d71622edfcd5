// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/patcher.hh"

#include <fmt/format.h>

#include <cstring>

#include "ledger/journal_reader.hh"

namespace tollgate::ledger {
namespace {

// Beyond the last pool for what is none.
u32 pool_number(const PartHeader& part) {
  return static_cast<u32>(part.pool) - static_cast<u32>(Pool::account);
}

bool fits(const PoolPlace& pool, const PartHeader& part) {
  return part.index != 0 && part.index <= pool.capacity &&
         (u32{part.at_word} + part.word_count) * 8 <= pool.record_bytes;
}

u8* place_of(const PoolPlace& pool, const PartHeader& part) {
  return pool.records + u64{part.index} * pool.record_bytes + u64{part.at_word} * 8;
}

std::string why_not(const PoolPlace* pool, const PartHeader& part) {
  if (pool == nullptr || part.index == 0 || part.index > pool->capacity) {
    return fmt::format(
        "record {} of pool {} lies outside the configured ledger: configure it at least as large "
        "as it was",
        part.index, static_cast<unsigned>(part.pool));
  }
  return fmt::format("a patch reaches over the end of record {}", part.index);
}

}  // namespace

Patcher::Patcher(const LedgerMemory& memory) {
  for (u32 number = 0; number < shard_count; ++number) {
    const ShardMemory shard = memory.shard(number);
    shards_[number] = {.sequence = &shard.header->sequence, .pools = pools_of(shard)};
  }
}

std::string Patcher::apply(const EntryHeader& header, Bytes entry) {
  if (header.kind == EntryKind::answer_only) return {};
  if (header.shard >= shard_count) return fmt::format("there is no shard {}", header.shard);
  Places& shard = shards_[header.shard];
  if (header.sequence <= *shard.sequence) return {};  // packed twice by a writer that was killed
  if (header.sequence != *shard.sequence + 1) {
    return fmt::format("shard {} jumps from entry {} to entry {}", header.shard, *shard.sequence,
                       header.sequence);
  }
  std::string why;
  const bool is_exact = for_each_part(header, entry, [&](const PartHeader& part, Bytes words) {
    if (part.pool == Pool::note) return;
    const u32 number = pool_number(part);
    const PoolPlace* pool = number < pool_count ? &shard.pools[number] : nullptr;
    if (pool == nullptr || !fits(*pool, part)) {
      if (why.empty()) why = why_not(pool, part);
      return;
    }
    u8* const to = place_of(*pool, part);
    for (u64 at = 0; at < words.size(); at += 8) std::memcpy(to + at, words.data() + at, 8);
    if (part.index >= pool->state->used_end) pool->state->used_end = part.index + 1;
  });
  if (!is_exact)
    return fmt::format("entry {} of shard {} is malformed", header.sequence, header.shard);
  if (!why.empty()) return fmt::format("shard {}: {}", header.shard, why);
  *shard.sequence = header.sequence;
  return {};
}

void Patcher::prefetch(const EntryHeader& header, Bytes entry) const {
  if (header.shard >= shard_count) return;
  const Places& shard = shards_[header.shard];
  (void)for_each_part(header, entry, [&](const PartHeader& part, Bytes words) {
    const u32 number = pool_number(part);
    if (number >= pool_count || !fits(shard.pools[number], part)) return;
    const u8* const at = place_of(shard.pools[number], part);
    for (u64 k = 0; k < words.size(); k += cache_line_bytes) __builtin_prefetch(at + k, 1);
  });
}

}  // namespace tollgate::ledger
