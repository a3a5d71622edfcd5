// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// IdentityIndex: from an identity to the place of its account, in one cache line.
//
// A table of lines of 64 octets, three entries each; a key lives in its home line or in one of the
// next few. It is derived data: recovery fills it from the accounts, after that `control` is its
// one writer. Net tiles read it while it changes: each line has a sequence that is odd during a
// change. At 20 million accounts with two identities it takes 20 octets an entry at three quarters
// full.
#pragma once

#include "ledger/records.hh"

namespace tollgate::ledger {

inline constexpr u32 identity_index_layout = 1;

class IdentityIndex {
 public:
  IdentityIndex() = default;
  explicit IdentityIndex(u8* memory) : header_(reinterpret_cast<Header*>(memory)) {}

  static u64 footprint(u64 identities_max);
  // Lays out an empty index in zeroed memory of `footprint` octets on a cache line.
  static IdentityIndex format(u8* memory, u64 identities_max);

  void prefetch(IdentityKey key) const { __builtin_prefetch(&lines()[home(key)]); }

  // The account's place, or none.
  AccountRef find(IdentityKey key) const;

  // One writer. False if the key is there already or there is no room near its home.
  [[nodiscard]] bool insert(IdentityKey key, AccountRef account);
  // False if it was not there.
  bool remove(IdentityKey key);

  u64 count() const { return header_->count; }
  u64 line_count() const { return header_->line_mask + 1; }

 private:
  static constexpr u32 entries_per_line = 3;
  static constexpr u32 lines_probed_max = 16;

  struct alignas(64) Header {
    u64 line_mask;
    u64 count;
    u64 reserved[6];
  };
  struct alignas(64) Line {
    IdentityKey key[entries_per_line];
    AccountRef account[entries_per_line];
    u32 sequence;
  };
  static_assert(sizeof(Line) == 64);

  Line* lines() const { return reinterpret_cast<Line*>(header_ + 1); }
  u64 home(IdentityKey key) const { return key.hash() & header_->line_mask; }

  Header* header_ = nullptr;
};

}  // namespace tollgate::ledger
