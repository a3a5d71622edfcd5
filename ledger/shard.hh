// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Shard: a part of the accounts, with exactly one writer.
//
// It gives out and takes back records, finds sessions by their Session-Id, and ends them by timer.
// All changes to journaled fields go through an Operation; what Shard does to derived fields (free
// chains, session table, wheel) it does at once. Only the tile that owns the shard makes one of
// these; readers use LedgerView.
//
// A request goes through it in steps, a burst at a time, so that one memory access hides behind the
// next: prefetch_slot for all, then find for all (each touches one line that is on its way), then
// prefetch_session for all, and only then the work.
#pragma once

#include "base/hash.hh"
#include "base/time.hh"
#include "ledger/layout.hh"
#include "ledger/operation.hh"

namespace tollgate::ledger {

class Shard {
 public:
  Shard(const LedgerMemory& memory, u32 number) : number_(number), memory_(memory.shard(number)) {}

  u32 number() const { return number_; }
  ShardHeader& header() const { return *memory_.header; }
  const ShardMemory& memory() const { return memory_; }

  Account& account(u32 index) const { return memory_.accounts[index]; }
  Bucket& bucket(u32 index) const { return memory_.buckets[index]; }
  Session& session(u32 index) const { return memory_.sessions[index]; }
  Extension& extension(u32 index) const { return memory_.extensions[index]; }

  // An account index that came over a link: is it one that exists?
  bool is_account(u32 index) const {
    return index != 0 && index < memory_.header->accounts.used_end &&
           memory_.accounts[index].state != AccountState::free;
  }

  // A fresh record (zeroed but for what is derived), or 0 if the pool is full. The caller fills it
  // under Operation::change_all.
  u32 take_account();
  u32 take_bucket();
  u32 take_extension();
  void give_account(u32 index);
  void give_bucket(u32 index);
  void give_extension(u32 index);

  // How many more can be taken: for refusing before the first write.
  u32 free_accounts() const { return free_in(memory_.header->accounts, memory_.sizes.accounts); }
  u32 free_buckets() const { return free_in(memory_.header->buckets, memory_.sizes.buckets); }
  u32 free_extensions() const {
    return free_in(memory_.header->extensions, memory_.sizes.extensions);
  }
  bool has_free_session() const {
    return free_in(memory_.header->sessions, memory_.sizes.sessions) != 0 ||
           memory_.header->closed_first != 0;
  }

  static u32 session_hash(std::string_view session_id) {
    return static_cast<u32>(hash64(as_bytes(session_id)));
  }

  void prefetch_slot(u32 hash) const {
    __builtin_prefetch(&memory_.session_slots[hash & slot_mask()]);
  }
  // The session of that hash whose Session-Id is this text; open, or closed and not forgotten; 0 if
  // there is none. `find_by_hash` does not compare the text (nor touch the session): a hint for
  // prefetching.
  u32 find_session(u32 hash, std::string_view session_id) const;
  u32 find_by_hash(u32 hash) const;
  void prefetch_session(u32 index) const;
  void prefetch_account(u32 index) const { __builtin_prefetch(&memory_.accounts[index]); }
  void prefetch_bucket(u32 index) const { __builtin_prefetch(&memory_.buckets[index]); }

  // A session with its Session-Id set, in the table and in the wheel, under change_all of `op`; 0
  // if the pool is full. The oldest closed session is forgotten for it if need be.
  struct NewSession {
    std::string_view session_id;
    u32 hash;
    Instant deadline;
  };
  u32 take_session(Operation& op, const NewSession& session);

  // A session that was closed in an operation (its state and deadline are set): from now on it only
  // answers repeated requests, and is forgotten at its deadline or when room is needed.
  void queue_closed(u32 index);

  // Forgets closed sessions whose time is over, at most `visit_max` a call.
  u32 forget_closed(Instant now, u32 visit_max);

  // Turns the wheel up to `now`, at most `visit_max` sessions a call. `expired` is called for each
  // open session whose deadline has passed; it closes it in an operation of its own. Returns how
  // many sessions were visited.
  template <class Expired>
  u32 turn_wheel(Instant now, u32 visit_max, Expired expired);

  // `expired` could not end it now: it comes again then.
  void postpone(u32 index, Instant due) { put_on_wheel(index, due); }

  // Makes all derived fields anew from the journaled ones: after recovery and after a rollback.
  void rebuild(Instant now);

 private:
  u64 slot_mask() const { return memory_.session_slot_count - 1; }
  static u32 free_in(const PoolState& pool, u32 capacity) { return capacity - pool.used_count; }

  void insert_slot(u32 hash, u32 index);
  void remove_slot(u32 hash, u32 index);
  void put_on_wheel(u32 index, Instant due);
  void take_off_wheel(u32 index);
  void forget_oldest_closed();
  void rebuild_accounts();
  void rebuild_sessions(Instant now);
  void rebuild_session(u32 index, Instant now);

  u32 number_;
  ShardMemory memory_;
};

template <class Expired>
u32 Shard::turn_wheel(Instant now, u32 visit_max, Expired expired) {
  ShardHeader& header = *memory_.header;
  const i64 now_second = now.whole_seconds();
  // After a long pause one turn of the whole wheel visits everything.
  if (now_second - header.wheel_second > wheel_slot_count) {
    header.wheel_second = now_second - wheel_slot_count;
  }
  u32 visited = 0;
  for (; header.wheel_second < now_second; ++header.wheel_second) {
    u32& slot = memory_.wheel[static_cast<u64>(header.wheel_second) % wheel_slot_count];
    // Deadlines move with every update; the session's place on the wheel only when it comes by.
    // What belongs into this very slot again (a turn ahead) waits in `later`, to be visited once.
    u32 later = 0;
    while (slot != 0) {
      if (visited++ >= visit_max) return visited;
      const u32 index = slot;
      Session& session = memory_.sessions[index];
      take_off_wheel(index);
      if (session.deadline_ns <= now.ns) {
        expired(index);
        continue;
      }
      session.wheel_next = later;
      later = index;
    }
    while (later != 0) {
      const u32 index = later;
      later = memory_.sessions[index].wheel_next;
      put_on_wheel(index, Instant{memory_.sessions[index].deadline_ns});
    }
  }
  return visited;
}

}  // namespace tollgate::ledger
