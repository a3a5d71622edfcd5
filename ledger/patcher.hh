// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Patcher: puts the words of journal entries back into their records.
//
// It is the inner loop of recovery: places are looked up once for all, records are sent for some
// entries before they are written, and words are copied one by one, since a patch has few.
#pragma once

#include <array>
#include <string>

#include "ledger/journal_format.hh"
#include "ledger/layout.hh"

namespace tollgate::ledger {

class Patcher {
 public:
  // It keeps places in `memory`, which must outlive it.
  explicit Patcher(const LedgerMemory& memory);

  // Puts an entry's words into their records, and counts the pools up to them. An entry that the
  // shard has had already changes nothing. Returns an empty text, or why the entry cannot be right.
  [[nodiscard]] std::string apply(const EntryHeader& header, Bytes entry);

  // Sends for the records of an entry that will be applied soon, right or not.
  void prefetch(const EntryHeader& header, Bytes entry) const;

  // Of the last entry that the shard has had.
  u64& sequence(u32 shard) { return *shards_[shard].sequence; }

 private:
  struct Places {
    u64* sequence = nullptr;
    std::array<PoolPlace, pool_count> pools{};
  };

  std::array<Places, shard_count> shards_;
};

}  // namespace tollgate::ledger
