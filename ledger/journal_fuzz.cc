// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Whatever a group holds, reading it writes inside the ledger only, and inside the records that its
// patches name: each is applied or refused with a text. The ledger lies in the middle of its
// memory, with a strip on both sides that must stay as it is.

#include <cstdlib>
#include <cstring>

#include "base/check.hh"
#include "ledger/journal_reader.hh"
#include "ledger/patcher.hh"
#include "ledger/recovery.hh"

namespace tollgate::ledger {
namespace {

constexpr u64 strip_bytes = 8_KiB;
constexpr LedgerSizes sizes = {.accounts = 3, .buckets = 3, .sessions = 2, .extensions = 2};

struct Target {
  Target() {
    const u64 bytes = LedgerMemory::footprint(sizes) + 2 * strip_bytes;
    space = static_cast<u8*>(std::aligned_alloc(page_bytes, bytes));
    check(space != nullptr, "memory for the fuzzer");
    std::memset(space, 0, bytes);
    ledger = LedgerMemory::format(space + strip_bytes, sizes, 1);
  }
  bool is_clean(const u8* strip) const {
    for (u64 i = 0; i < strip_bytes; ++i) {
      if (strip[i] != 0) return false;
    }
    return true;
  }
  // What lies between and behind the pools, where no patch belongs.
  void check_fences(u64 touched_shards) const {
    check(is_clean(space), "nothing was written before the ledger");
    check(is_clean(space + strip_bytes + LedgerMemory::footprint(sizes)),
          "nothing was written behind the ledger");
    for (u32 number = 0; number < shard_count; ++number) {
      if ((touched_shards >> number & 1) == 0) continue;
      const ShardMemory shard = ledger.shard(number);
      for (u32 i = 0; i < wheel_slot_count; ++i) check(shard.wheel[i] == 0, "no patch of a wheel");
      check(shard.accounts[0].id == 0, "nobody is not patched");
      check(shard.header->accounts.used_end <= sizes.accounts + 1, "a pool keeps its size");
      check(shard.header->buckets.used_end <= sizes.buckets + 1, "a pool keeps its size");
      check(shard.header->sessions.used_end <= sizes.sessions + 1, "a pool keeps its size");
      check(shard.header->extensions.used_end <= sizes.extensions + 1, "a pool keeps its size");
    }
  }

  u8* space = nullptr;
  LedgerMemory ledger;
};

}  // namespace
}  // namespace tollgate::ledger

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  using namespace tollgate::ledger;  // NOLINT: a fuzzer's one function lies outside
  static const Target target;
  std::size_t seen = 0;
  tollgate::u64 touched_shards = 0;
  const bool is_exact = for_each_entry(
      tollgate::Bytes(data, size), [&](const EntryHeader& header, tollgate::Bytes entry) {
        seen += entry.size();
        // So that the fuzzer gets behind the check of the sequence.
        if (header.shard < shard_count) {
          touched_shards |= tollgate::u64{1} << header.shard;
          target.ledger.shard(header.shard).header->sequence = header.sequence - 1;
        }
        (void)Patcher(target.ledger).apply(header, entry);
      });
  tollgate::check(seen <= size, "entries lie in their group");
  tollgate::check(!is_exact || seen == size, "entries fill their group");
  target.check_fences(touched_shards);
  return 0;
}
