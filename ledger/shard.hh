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
// prefetch_session for all, prefetch_answer_place for all, and only then the work.
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
  // The same, after closed sessions were forgotten, the oldest first, for as many as are wanted.
  u32 make_extensions(u32 wanted);
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
  // What each request looks at: the head, the first quota, and a Session-Id of so many octets. When
  // that is there, prefetch_answer_place fetches where the next answer goes.
  void prefetch_session(u32 index, u64 session_id_bytes) const;
  void prefetch_answer_place(u32 index) const;
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

  // Turns the wheel up to `now`, at most `visit_max` sessions a call; the next call goes on where
  // this one stopped. `expired` is called for each open session whose deadline has passed, within a
  // second after it; it closes it in an operation of its own. Returns how many sessions were
  // visited.
  //
  // Only deadlines decide. If the clock jumps ahead, every session whose deadline lies before the
  // new time ends, as if the time had passed in silence. If it jumps back, the whole wheel is
  // looked through once and set to the new time: nothing ends before its deadline.
  template <class Expired>
  u32 turn_wheel(Instant now, u32 visit_max, Expired expired);

  // Its deadline is earlier than it was: the wheel has to come by in time.
  void hasten(u32 index) {
    take_off_wheel(index);
    put_on_wheel(index, Instant{memory_.sessions[index].deadline_ns});
  }

  // `expired` could not end it now: it comes again then.
  void postpone(u32 index, Instant due) { put_on_wheel(index, due); }

  // Makes all derived fields anew from the journaled ones: after recovery, after a rollback, and if
  // needs_rebuild says so. A closed session whose time is over, or whose extensions have another
  // owner by now, had been forgotten and is forgotten again.
  void rebuild(Instant now);

  // True if the last writer died while it turned the wheel or forgot sessions, which no burst
  // guards.
  void demand_rebuild() { memory_.header->is_turning = 1; }
  bool needs_rebuild() const { return memory_.header->is_turning != 0; }

 private:
  u64 slot_mask() const { return memory_.session_slot_count - 1; }
  static u32 free_in(const PoolState& pool, u32 capacity) { return capacity - pool.used_count; }

  void insert_slot(u32 hash, u32 index);
  void remove_slot(u32 hash, u32 index);
  void put_on_wheel(u32 index, Instant due);
  void take_off_wheel(u32 index);
  void forget_oldest_closed();
  void begin_turning();
  void end_turning();
  void rebuild_accounts();
  void rebuild_sessions(Instant now);
  void rebuild_open(u32 index, Instant now);
  bool rebuild_closed(u32 index);
  bool claim_extensions(const Session& session, u32 mark);
  template <class Next>
  bool claim_chain(u32 first, u32 mark, Extension::Use use, Next next);
  void collect_free_extensions();

  u32 number_;
  ShardMemory memory_;
};

template <class Expired>
u32 Shard::turn_wheel(Instant now, u32 visit_max, Expired expired) {
  constexpr i64 jitter_s = 2;  // a clock that is set right by less is waited for
  ShardHeader& header = *memory_.header;
  const i64 now_second = now.whole_seconds();
  // After a long pause, and after the clock was set back, one turn of the whole wheel visits
  // everything.
  if (now_second - header.wheel_second > wheel_slot_count ||
      now_second < header.wheel_second - jitter_s) {
    header.wheel_second = now_second - wheel_slot_count;
  }
  begin_turning();
  u32 visited = 0;
  bool has_more = false;
  while (header.wheel_second < now_second && !has_more) {
    const u32& slot = memory_.wheel[static_cast<u64>(header.wheel_second) % wheel_slot_count];
    // Deadlines move with every update; the session's place on the wheel only when it comes by, or
    // when it would come by too late. It never goes back into this very slot, so the slot empties.
    while (slot != 0 && !has_more) {
      const u32 index = slot;
      take_off_wheel(index);
      if (memory_.sessions[index].deadline_ns <= now.ns) {
        expired(index);
      } else {
        put_on_wheel(index, Instant{memory_.sessions[index].deadline_ns});
      }
      has_more = ++visited >= visit_max;
    }
    if (slot == 0) ++header.wheel_second;
  }
  end_turning();
  return visited;
}

}  // namespace tollgate::ledger
