// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// IdentityIndex: from an identity to the place of its account, in one cache line.
//
// A table of lines of 64 octets, five entries each; a key lives in its home line or in one of the
// next few, and all lines before the one where it lives are full. It is derived data: recovery
// fills it from the accounts, after that `control` is its one writer. Net tiles read it while it
// changes: each line has a sequence that is odd during a change, and a key that moves nearer to its
// home is seen in one of the two places.
//
// Entries hold tags of eight octets. Those of numbers are exact; those of texts have 60 bits of
// hash: provisioning refuses a text whose tag is taken, and the charge tile compares the account's
// own identities with the key when a session begins.
//
// The writer may be killed at any instruction, or lose the processor there. A reader that finds a
// line left odd gives up after a moment and says that it could not know; no reader ever takes one
// account for another, or one that is there for unknown. The next writer calls `mend` first. An
// entry takes 17 octets: 13 in its line, of which up to 75 % are used, so that nine keys of ten are
// found in the first line.
#pragma once

#include "ledger/records.hh"

namespace tollgate::ledger {

inline constexpr u32 identity_index_layout = 4;

class IdentityIndex {
 public:
  IdentityIndex() = default;
  explicit IdentityIndex(u8* memory) : header_(reinterpret_cast<Header*>(memory)) {}

  static u64 footprint(u64 identities_max);
  // Lays out an empty index in zeroed memory of `footprint` octets on a cache line.
  static IdentityIndex format(u8* memory, u64 identities_max);

  // What stands for a key in the index; 0 for none.
  static u64 tag_of(IdentityKey key);

  void prefetch(IdentityKey key) const { __builtin_prefetch(&lines()[home(tag_of(key))]); }

  // What a reader learns. `changing`: the writer is in the middle of a change here and does not go
  // on; ask again later.
  enum class Lookup : u8 { found, absent, changing };

  // `account` is the account's place, or none.
  [[nodiscard]] Lookup look_up(IdentityKey key, AccountRef& account) const;

  // The account's place, or none; for the writer and for whoever knows that nothing changes.
  AccountRef find(IdentityKey key) const;

  // One writer. False if the key is there already or there is no room near its home.
  [[nodiscard]] bool insert(IdentityKey key, AccountRef account);
  // False if it was not there.
  bool remove(IdentityKey key);

  // For a writer that comes after one that was killed: takes out what that one left half written.
  // The identity that it was about to write is not there then, or there still: write it again.
  // Returns how many lines were left so.
  u64 mend();

  u64 count() const { return header_->count; }
  u64 line_count() const { return header_->line_count; }

 private:
  static constexpr u32 entries_per_line = 5;
  // The longest run of full lines grows with the logarithm of the table.
  static constexpr u32 lines_probed_max = 1024;

  struct alignas(64) Header {
    u64 line_count;
    u64 count;
    u64 moves;  // grows before a key's old place is given up for one nearer to its home
    u64 reserved[5];
  };
  struct alignas(64) Line {
    u64 tag[entries_per_line];
    AccountRef account[entries_per_line];
    u32 sequence;
  };
  static_assert(sizeof(Line) == 64);

  struct Place {
    u64 line;
    u32 entry;
  };

  Line* lines() const { return reinterpret_cast<Line*>(header_ + 1); }
  // Any number of lines will do: the hash is scaled to them.
  u64 home(u64 tag) const { return static_cast<u64>(u128{mix64(tag)} * header_->line_count >> 64); }
  u64 next(u64 line) const { return line + 1 == header_->line_count ? 0 : line + 1; }
  // How many lines `line` lies behind `from`, around the end.
  u64 distance(u64 from, u64 line) const {
    return line >= from ? line - from : line + header_->line_count - from;
  }
  Lookup probe(u64 tag, AccountRef& account) const;
  bool find_place(u64 tag, Place& place) const;
  bool find_filler(Place gap, Place& filler) const;
  void close_gap(Place gap);
  static void write(Line& line, u32 entry, u64 tag, AccountRef account);

  Header* header_ = nullptr;
};

}  // namespace tollgate::ledger
