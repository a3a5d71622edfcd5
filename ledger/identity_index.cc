// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/identity_index.hh"

#include <atomic>

#include "base/check.hh"

namespace tollgate::ledger {
namespace {

// A change of a line takes nanoseconds, unless its writer lost the processor or its life.
constexpr int line_attempts_max = 1024;
constexpr int search_attempts_max = 64;

// The upper half of a key that is being written. No identity has type 0, so it is nobody's, and the
// place does not look free either.
constexpr u64 half_written = 1;

template <class T>
void store(T& to, T value) {
  __atomic_store_n(&to, value, __ATOMIC_RELEASE);
}

}  // namespace

u64 IdentityIndex::footprint(u64 identities_max) {
  // On average at most 85 % full.
  const u64 lines_needed = (identities_max * 100 / 85 + entries_per_line) / entries_per_line;
  return sizeof(Header) + (lines_needed + lines_probed_max) * sizeof(Line);
}

IdentityIndex IdentityIndex::format(u8* memory, u64 identities_max) {
  IdentityIndex index(memory);
  index.header_->line_count = (footprint(identities_max) - sizeof(Header)) / sizeof(Line);
  index.header_->count = 0;
  index.header_->moves = 0;
  return index;
}

IdentityIndex::Lookup IdentityIndex::probe(IdentityKey key, AccountRef& account) const {
  u64 at = home(key);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = next(at)) {
    const Line& line = lines()[at];
    bool has_room = false;
    bool is_read = false;
    for (int attempt = 0; attempt < line_attempts_max && !is_read; ++attempt) {
      const u32 before = __atomic_load_n(&line.sequence, __ATOMIC_ACQUIRE);
      account = {};
      has_room = false;
      for (u32 i = 0; i < entries_per_line; ++i) {
        if (line.key[i] == key) account = line.account[i];
        has_room = has_room || line.key[i].is_none();
      }
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      is_read = (before & 1) == 0 && __atomic_load_n(&line.sequence, __ATOMIC_RELAXED) == before;
      if (!is_read) __builtin_ia32_pause();
    }
    if (!is_read) {
      account = {};
      return Lookup::changing;
    }
    if (!account.is_none()) return Lookup::found;
    if (has_room) return Lookup::absent;  // an insert would have put it here
  }
  return Lookup::absent;
}

IdentityIndex::Lookup IdentityIndex::look_up(IdentityKey key, AccountRef& account) const {
  for (int attempt = 0; attempt < search_attempts_max; ++attempt) {
    const u64 moves = __atomic_load_n(&header_->moves, __ATOMIC_ACQUIRE);
    const Lookup result = probe(key, account);
    if (result != Lookup::absent) return result;
    // It may have moved from a line not yet looked at to one looked at already.
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&header_->moves, __ATOMIC_RELAXED) == moves) return result;
  }
  return Lookup::changing;
}

AccountRef IdentityIndex::find(IdentityKey key) const {
  AccountRef account;
  return look_up(key, account) == Lookup::found ? account : AccountRef{};
}

// Each store in its turn: whoever comes after a kill finds the old entry, the new one, or one that
// is marked as half written.
void IdentityIndex::write(Line& line, u32 entry, IdentityKey key, AccountRef account) {
  store(line.sequence, line.sequence | 1);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  store(line.key[entry].high, half_written);
  store(line.account[entry].value, account.value);
  store(line.key[entry].low, key.low);
  store(line.key[entry].high, key.high);
  store(line.sequence, line.sequence + 1);
}

bool IdentityIndex::insert(IdentityKey key, AccountRef account) {
  check(key.type() != IdentityType::none, "a none key marks an empty place");
  check(!account.is_none(), "an identity leads to an account");
  Place there{};
  if (find_place(key, there)) return false;
  u64 at = home(key);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = next(at)) {
    Line& line = lines()[at];
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (!line.key[i].is_none()) continue;
      write(line, i, key, account);
      ++header_->count;
      return true;
    }
  }
  return false;
}

// Where the key lies; for the writer, whom nothing disturbs.
bool IdentityIndex::find_place(IdentityKey key, Place& place) const {
  u64 at = home(key);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = next(at)) {
    bool has_room = false;
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (lines()[at].key[i] == key) {
        place = {at, i};
        return true;
      }
      has_room = has_room || lines()[at].key[i].is_none();
    }
    if (has_room) return false;
  }
  return false;
}

// An entry further on that may live in the gap's line: its home is that line or one before.
bool IdentityIndex::find_filler(Place gap, Place& filler) const {
  for (u32 ahead = 1; ahead < lines_probed_max; ++ahead) {
    const u64 at = (gap.line + ahead) % header_->line_count;
    bool has_room = false;
    for (u32 i = 0; i < entries_per_line; ++i) {
      const IdentityKey key = lines()[at].key[i];
      has_room = has_room || key.is_none();
      if (key.type() == IdentityType::none || distance(home(key), at) < ahead) continue;
      filler = {at, i};
      return true;
    }
    if (has_room) return false;  // nothing behind it comes from before it
  }
  return false;
}

// Frees a place. Every line but the last of a key's probe is full, so the gap is filled from the
// lines behind, and the filler's place in turn. A filler is written to its new place before it
// leaves its old one: at every moment, and after a kill, it is found.
void IdentityIndex::close_gap(Place gap) {
  Place filler{};
  while (find_filler(gap, filler)) {
    const Line& from = lines()[filler.line];
    write(lines()[gap.line], gap.entry, from.key[filler.entry], from.account[filler.entry]);
    store(header_->moves, header_->moves + 1);
    gap = filler;
  }
  write(lines()[gap.line], gap.entry, {}, {});
}

bool IdentityIndex::remove(IdentityKey key) {
  Place place{};
  bool was_there = false;
  // More than once only after a writer was killed between the two halves of a move.
  while (find_place(key, place)) {
    close_gap(place);
    was_there = true;
  }
  if (was_there) --header_->count;
  return was_there;
}

u64 IdentityIndex::mend() {
  u64 mended = 0;
  for (u64 at = 0; at < header_->line_count; ++at) {
    Line& line = lines()[at];
    if ((line.sequence & 1) == 0) continue;
    ++mended;
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (line.key[i].high == half_written) close_gap({at, i});
    }
    if ((line.sequence & 1) != 0) store(line.sequence, line.sequence + 1);
  }
  if (mended != 0) {
    header_->count = 0;
    for (u64 at = 0; at < header_->line_count; ++at) {
      for (u32 i = 0; i < entries_per_line; ++i) {
        if (!lines()[at].key[i].is_none()) ++header_->count;
      }
    }
  }
  return mended;
}

}  // namespace tollgate::ledger
