// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/identity_index.hh"

#include <array>
#include <atomic>

#include "base/check.hh"

namespace tollgate::ledger {
namespace {

// A change of a line takes nanoseconds, unless its writer lost the processor or its life.
constexpr int line_attempts_max = 1024;
constexpr int search_attempts_max = 64;

// The tag of an entry that is being written. No identity has type 0, so it is nobody's, and the
// place does not look free either.
constexpr u64 half_written = 1;

constexpr u32 type_shift = 60;  // the rest of a tag is a number, or hash
constexpr u32 digits_max = 18;

// How many strings of digits are shorter than each length: with them, a string's value becomes a
// number that no other string has, and all of up to 18 digits stay below 2^60.
constexpr std::array<u64, digits_max + 1> shorter_strings = [] {
  std::array<u64, digits_max + 1> counts{};
  u64 strings = 10;
  for (u32 length = 2; length <= digits_max; ++length, strings *= 10) {
    counts[length] = counts[length - 1] + strings;
  }
  return counts;
}();
static_assert(shorter_strings[digits_max] + 1'000'000'000'000'000'000 <= u64{1} << type_shift);

template <class T>
void store(T& to, T value) {
  __atomic_store_n(&to, value, __ATOMIC_RELEASE);
}

}  // namespace

u64 IdentityIndex::tag_of(IdentityKey key) {
  const u64 type = static_cast<u64>(key.type()) << type_shift;
  if (key.type() != IdentityType::msisdn && key.type() != IdentityType::imsi) {
    return type | key.low >> (64 - type_shift);
  }
  const u64 digits = key.high & 0xff;
  check(digits <= digits_max, "number_key makes no longer ones");
  return type | (shorter_strings[digits] + key.low);
}

u64 IdentityIndex::footprint(u64 identities_max) {
  constexpr u64 percent_used_max = 75;
  const u64 places_needed = identities_max * 100 / percent_used_max;
  const u64 lines_needed = (places_needed + entries_per_line) / entries_per_line;
  return sizeof(Header) + (lines_needed + lines_probed_max) * sizeof(Line);
}

IdentityIndex IdentityIndex::format(u8* memory, u64 identities_max) {
  IdentityIndex index(memory);
  index.header_->line_count = (footprint(identities_max) - sizeof(Header)) / sizeof(Line);
  index.header_->count = 0;
  index.header_->moves = 0;
  return index;
}

IdentityIndex::Lookup IdentityIndex::probe(u64 tag, AccountRef& account) const {
  u64 at = home(tag);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = next(at)) {
    const Line& line = lines()[at];
    bool has_room = false;
    bool is_read = false;
    for (int attempt = 0; attempt < line_attempts_max && !is_read; ++attempt) {
      const u32 before = __atomic_load_n(&line.sequence, __ATOMIC_ACQUIRE);
      account = {};
      has_room = false;
      for (u32 i = 0; i < entries_per_line; ++i) {
        if (line.tag[i] == tag) account = line.account[i];
        has_room |= line.tag[i] == 0;
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
  const u64 tag = tag_of(key);
  for (int attempt = 0; attempt < search_attempts_max; ++attempt) {
    const u64 moves = __atomic_load_n(&header_->moves, __ATOMIC_ACQUIRE);
    const Lookup result = probe(tag, account);
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
void IdentityIndex::write(Line& line, u32 entry, u64 tag, AccountRef account) {
  store(line.sequence, line.sequence | 1);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  store(line.tag[entry], half_written);
  store(line.account[entry].value, account.value);
  store(line.tag[entry], tag);
  store(line.sequence, line.sequence + 1);
}

bool IdentityIndex::insert(IdentityKey key, AccountRef account) {
  check(key.type() != IdentityType::none, "a none key marks an empty place");
  check(!account.is_none(), "an identity leads to an account");
  const u64 tag = tag_of(key);
  Place there{};
  if (find_place(tag, there)) return false;
  u64 at = home(tag);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = next(at)) {
    Line& line = lines()[at];
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (line.tag[i] != 0) continue;
      write(line, i, tag, account);
      ++header_->count;
      return true;
    }
  }
  return false;
}

// Where the key lies; for the writer, whom nothing disturbs.
bool IdentityIndex::find_place(u64 tag, Place& place) const {
  u64 at = home(tag);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = next(at)) {
    bool has_room = false;
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (lines()[at].tag[i] == tag) {
        place = {at, i};
        return true;
      }
      has_room = has_room || lines()[at].tag[i] == 0;
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
      const u64 tag = lines()[at].tag[i];
      has_room = has_room || tag == 0;
      if (tag >> type_shift == 0 || distance(home(tag), at) < ahead) continue;
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
    write(lines()[gap.line], gap.entry, from.tag[filler.entry], from.account[filler.entry]);
    store(header_->moves, header_->moves + 1);
    gap = filler;
  }
  write(lines()[gap.line], gap.entry, {}, {});
}

bool IdentityIndex::remove(IdentityKey key) {
  Place place{};
  bool was_there = false;
  // More than once only after a writer was killed between the two halves of a move.
  while (find_place(tag_of(key), place)) {
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
      if (line.tag[i] == half_written) close_gap({at, i});
    }
    if ((line.sequence & 1) != 0) store(line.sequence, line.sequence + 1);
  }
  if (mended != 0) {
    header_->count = 0;
    for (u64 at = 0; at < header_->line_count; ++at) {
      for (u32 i = 0; i < entries_per_line; ++i) {
        if (lines()[at].tag[i] != 0) ++header_->count;
      }
    }
  }
  return mended;
}

}  // namespace tollgate::ledger
