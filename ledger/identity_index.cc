// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/identity_index.hh"

#include "base/check.hh"

namespace tollgate::ledger {

u64 IdentityIndex::footprint(u64 identities_max) {
  // A power of two of lines, on average at most 85 % full.
  const u64 lines_needed = (identities_max * 100 / 85 + entries_per_line) / entries_per_line;
  return sizeof(Header) + next_power_of_two(lines_needed + lines_probed_max) * sizeof(Line);
}

IdentityIndex IdentityIndex::format(u8* memory, u64 identities_max) {
  IdentityIndex index(memory);
  index.header_->line_mask = (footprint(identities_max) - sizeof(Header)) / sizeof(Line) - 1;
  index.header_->count = 0;
  return index;
}

AccountRef IdentityIndex::find(IdentityKey key) const {
  u64 at = home(key);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = (at + 1) & header_->line_mask) {
    const Line& line = lines()[at];
    for (;;) {
      const u32 before = __atomic_load_n(&line.sequence, __ATOMIC_ACQUIRE);
      AccountRef found;
      bool has_room = false;
      for (u32 i = 0; i < entries_per_line; ++i) {
        if (line.key[i] == key) found = line.account[i];
        has_room = has_room || line.key[i].is_none();
      }
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if ((before & 1) != 0 || __atomic_load_n(&line.sequence, __ATOMIC_RELAXED) != before) {
        __builtin_ia32_pause();
        continue;  // it is being written, which takes nanoseconds
      }
      if (!found.is_none()) return found;
      if (has_room) return {};  // an insert would have put it here
      break;
    }
  }
  return {};
}

bool IdentityIndex::insert(IdentityKey key, AccountRef account) {
  check(!key.is_none(), "a none key marks an empty place");
  if (!find(key).is_none()) return false;
  u64 at = home(key);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = (at + 1) & header_->line_mask) {
    Line& line = lines()[at];
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (!line.key[i].is_none()) continue;
      __atomic_store_n(&line.sequence, line.sequence + 1, __ATOMIC_RELEASE);
      __atomic_thread_fence(__ATOMIC_RELEASE);
      line.key[i] = key;
      line.account[i] = account;
      __atomic_store_n(&line.sequence, line.sequence + 1, __ATOMIC_RELEASE);
      ++header_->count;
      return true;
    }
  }
  return false;
}

bool IdentityIndex::remove(IdentityKey key) {
  // Every line but the last of a key's probe is full. So the gap is filled from the lines behind:
  // else a key that lives there would no longer be found.
  const u64 mask = header_->line_mask;
  u64 at = home(key);
  for (u32 probed = 0; probed < lines_probed_max; ++probed, at = (at + 1) & mask) {
    Line& line = lines()[at];
    for (u32 i = 0; i < entries_per_line; ++i) {
      if (line.key[i] != key) continue;
      IdentityKey moved;
      AccountRef moved_account;
      for (u32 ahead = 1; ahead < lines_probed_max && moved.is_none(); ++ahead) {
        const Line& other = lines()[(at + ahead) & mask];
        for (u32 k = 0; k < entries_per_line; ++k) {
          const u64 distance = (at + ahead - home(other.key[k])) & mask;
          if (other.key[k].is_none() || distance < ahead || distance >= lines_probed_max) continue;
          moved = other.key[k];
          moved_account = other.account[k];
          break;
        }
      }
      // Take the other one out first (which fills its gap in turn), then overwrite this one: for a
      // moment it is not found, and its request is answered as by an unknown user.
      if (!moved.is_none()) {
        remove(moved);
        ++header_->count;
      }
      __atomic_store_n(&line.sequence, line.sequence + 1, __ATOMIC_RELEASE);
      __atomic_thread_fence(__ATOMIC_RELEASE);
      line.key[i] = moved;
      line.account[i] = moved_account;
      __atomic_store_n(&line.sequence, line.sequence + 1, __ATOMIC_RELEASE);
      --header_->count;
      return true;
    }
  }
  return false;
}

}  // namespace tollgate::ledger
