// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/shard.hh"

namespace tollgate::ledger {
namespace {

// The wheel's first session of a slot remembers the slot instead of a predecessor.
constexpr u32 slot_mark = 0x8000'0000U;

// A slot of the session table: the session's index above its hash. Index 0: nobody.
constexpr u64 make_slot(u32 hash, u32 index) {
  return u64{index} << 32 | hash;
}
constexpr u32 slot_hash(u64 slot) {
  return static_cast<u32>(slot);
}
constexpr u32 slot_index(u64 slot) {
  return static_cast<u32>(slot >> 32);
}

template <class Record, class Link>
u32 take(PoolState& pool, Record* records, u32 capacity, Link link) {
  u32 index = pool.free_first;
  if (index != 0) {
    pool.free_first = link(records[index]);
  } else if (pool.used_end <= capacity) {
    index = pool.used_end++;
  } else {
    return 0;
  }
  ++pool.used_count;
  return index;
}

template <class Record, class Link>
void give(PoolState& pool, Record* records, u32 index, Link link) {
  check(index != 0 && index < pool.used_end, "only what was taken is given back");
  link(records[index]) = pool.free_first;
  pool.free_first = index;
  --pool.used_count;
}

u32& account_link(Account& record) {
  return record.open_sessions;
}
u32& bucket_link(Bucket& record) {
  return record.next_free;
}
u32& session_link(Session& record) {
  return record.closed_next;
}
u32& extension_link(Extension& record) {
  return record.next_free;
}

void end_version(u32& version) {
  version += version & 1;
}

}  // namespace

u32 Shard::take_account() {
  const u32 index =
      take(memory_.header->accounts, memory_.accounts, memory_.sizes.accounts, account_link);
  if (index != 0) memory_.accounts[index].open_sessions = 0;
  return index;
}

u32 Shard::take_bucket() {
  return take(memory_.header->buckets, memory_.buckets, memory_.sizes.buckets, bucket_link);
}

u32 Shard::take_extension() {
  return take(memory_.header->extensions, memory_.extensions, memory_.sizes.extensions,
              extension_link);
}

void Shard::give_account(u32 index) {
  give(memory_.header->accounts, memory_.accounts, index, account_link);
}

void Shard::give_bucket(u32 index) {
  give(memory_.header->buckets, memory_.buckets, index, bucket_link);
}

void Shard::give_extension(u32 index) {
  give(memory_.header->extensions, memory_.extensions, index, extension_link);
}

u32 Shard::find_by_hash(u32 hash) const {
  for (u64 at = hash & slot_mask();; at = (at + 1) & slot_mask()) {
    const u64 slot = __atomic_load_n(&memory_.session_slots[at], __ATOMIC_RELAXED);
    if (slot == 0) return 0;
    if (slot_hash(slot) == hash) return slot_index(slot);
  }
}

u32 Shard::find_session(u32 hash, std::string_view session_id) const {
  for (u64 at = hash & slot_mask();; at = (at + 1) & slot_mask()) {
    const u64 slot = __atomic_load_n(&memory_.session_slots[at], __ATOMIC_RELAXED);
    if (slot == 0) return 0;
    if (slot_hash(slot) != hash) continue;
    const Session& session = memory_.sessions[slot_index(slot)];
    if (session.session_id_text() == session_id) return slot_index(slot);
  }
}

void Shard::prefetch_session(u32 index) const {
  const auto* line = reinterpret_cast<const u8*>(&memory_.sessions[index]);
  for (u64 at = 0; at < sizeof(Session); at += cache_line_bytes) __builtin_prefetch(line + at);
}

void Shard::insert_slot(u32 hash, u32 index) {
  u64 at = hash & slot_mask();
  while (memory_.session_slots[at] != 0) at = (at + 1) & slot_mask();
  __atomic_store_n(&memory_.session_slots[at], make_slot(hash, index), __ATOMIC_RELEASE);
}

// Closes the gap by moving back what may stand nearer to its home (no tombstones).
void Shard::remove_slot(u32 hash, u32 index) {
  const u64 mask = slot_mask();
  u64* slots = memory_.session_slots;
  u64 gap = hash & mask;
  while (slots[gap] != make_slot(hash, index)) {
    check(slots[gap] != 0, "a session that exists is in the table");
    gap = (gap + 1) & mask;
  }
  for (u64 at = (gap + 1) & mask; slots[at] != 0; at = (at + 1) & mask) {
    const u64 home = slot_hash(slots[at]) & mask;
    if (((at - home) & mask) < ((at - gap) & mask)) continue;  // it would stand before its home
    __atomic_store_n(&slots[gap], slots[at], __ATOMIC_RELEASE);
    gap = at;
  }
  __atomic_store_n(&slots[gap], u64{0}, __ATOMIC_RELEASE);
}

void Shard::put_on_wheel(u32 index, Instant due) {
  // Never into the slot that is being emptied, nor further than a turn ahead.
  const i64 first = memory_.header->wheel_second + 1;
  const i64 last = memory_.header->wheel_second + wheel_slot_count - 1;
  i64 second = due.whole_seconds();
  second = second < first ? first : second > last ? last : second;
  const u32 number = static_cast<u32>(static_cast<u64>(second) % wheel_slot_count);
  Session& session = memory_.sessions[index];
  session.wheel_next = memory_.wheel[number];
  session.wheel_prev = number | slot_mark;
  if (session.wheel_next != 0) memory_.sessions[session.wheel_next].wheel_prev = index;
  memory_.wheel[number] = index;
}

void Shard::take_off_wheel(u32 index) {
  Session& session = memory_.sessions[index];
  if (session.wheel_prev == 0) return;
  if ((session.wheel_prev & slot_mark) != 0) {
    memory_.wheel[session.wheel_prev & ~slot_mark] = session.wheel_next;
  } else {
    memory_.sessions[session.wheel_prev].wheel_next = session.wheel_next;
  }
  if (session.wheel_next != 0) memory_.sessions[session.wheel_next].wheel_prev = session.wheel_prev;
  session.wheel_next = 0;
  session.wheel_prev = 0;
}

u32 Shard::take_session(Operation& op, const NewSession& fresh) {
  check(fresh.session_id.size() <= session_id_bytes_max, "its length was looked at before");
  u32 index =
      take(memory_.header->sessions, memory_.sessions, memory_.sizes.sessions, session_link);
  if (index == 0) {
    if (memory_.header->closed_first == 0) return 0;
    forget_oldest_closed();
    index = take(memory_.header->sessions, memory_.sessions, memory_.sizes.sessions, session_link);
  }
  check(index != 0, "a forgotten session gives its place back");
  Session& session = memory_.sessions[index];
  op.change_all(session, Pool::session, index);
  session = Session{};
  session.hash = fresh.hash;
  session.session_id_bytes = static_cast<u16>(fresh.session_id.size());
  fresh.session_id.copy(session.session_id.data(), fresh.session_id.size());
  session.started_ns = op.now().ns;
  session.deadline_ns = fresh.deadline.ns;
  insert_slot(fresh.hash, index);
  put_on_wheel(index, fresh.deadline);
  ++memory_.header->open_sessions;
  return index;
}

void Shard::queue_closed(u32 index) {
  ShardHeader& header = *memory_.header;
  take_off_wheel(index);
  memory_.sessions[index].closed_next = 0;
  if (header.closed_last != 0) {
    memory_.sessions[header.closed_last].closed_next = index;
  } else {
    header.closed_first = index;
  }
  header.closed_last = index;
  --header.open_sessions;
}

// Freeing is not journaled: recovery brings the session back as a closed one whose time is over.
void Shard::forget_oldest_closed() {
  ShardHeader& header = *memory_.header;
  const u32 index = header.closed_first;
  Session& session = memory_.sessions[index];
  header.closed_first = session.closed_next;
  if (header.closed_first == 0) header.closed_last = 0;
  remove_slot(session.hash, index);
  for (u32 at = session.first_extension; at != 0;) {
    const u32 next = memory_.extensions[at].quota.next;
    give_extension(at);
    at = next;
  }
  for (const Answer& answer : session.answers) {
    for (u32 at = answer.next; at != 0;) {
      const u32 next = memory_.extensions[at].services.next;
      give_extension(at);
      at = next;
    }
  }
  session.state = SessionState::free;
  give(header.sessions, memory_.sessions, index, session_link);
}

u32 Shard::forget_closed(Instant now, u32 visit_max) {
  u32 visited = 0;
  while (memory_.header->closed_first != 0 && visited < visit_max &&
         memory_.sessions[memory_.header->closed_first].deadline_ns <= now.ns) {
    forget_oldest_closed();
    ++visited;
  }
  return visited;
}

void Shard::rebuild(Instant now) {
  ShardHeader& header = *memory_.header;
  std::memset(memory_.session_slots, 0, memory_.session_slot_count * sizeof(u64));
  std::memset(memory_.wheel, 0, wheel_slot_count * sizeof(u32));
  header.closed_first = 0;
  header.closed_last = 0;
  header.open_sessions = 0;
  header.wheel_second = now.whole_seconds() - 1;
  rebuild_accounts();
  rebuild_sessions(now);
}

// Buckets belong to who links to them: what no account reaches is free.
void Shard::rebuild_accounts() {
  PoolState& accounts = memory_.header->accounts;
  PoolState& buckets = memory_.header->buckets;
  for (u32 i = 1; i < buckets.used_end; ++i) memory_.buckets[i].next_free = 0;
  constexpr u32 reached = UINT32_MAX;
  accounts.free_first = 0;
  accounts.used_count = 0;
  for (u32 i = accounts.used_end; i-- > 1;) {
    Account& account = memory_.accounts[i];
    end_version(account.version);
    account.open_sessions = 0;
    if (account.state == AccountState::free) {
      account_link(account) = accounts.free_first;
      accounts.free_first = i;
      continue;
    }
    ++accounts.used_count;
    for (u32 at = account.first_bucket; at != 0; at = memory_.buckets[at].next) {
      memory_.buckets[at].next_free = reached;
    }
  }
  buckets.free_first = 0;
  buckets.used_count = 0;
  for (u32 i = buckets.used_end; i-- > 1;) {
    Bucket& bucket = memory_.buckets[i];
    end_version(bucket.version);
    if (bucket.next_free == reached) {
      bucket.next_free = 0;
      ++buckets.used_count;
    } else {
      bucket.next_free = buckets.free_first;
      buckets.free_first = i;
    }
  }
}

void Shard::rebuild_session(u32 index, Instant now) {
  ShardHeader& header = *memory_.header;
  constexpr u32 reached = UINT32_MAX;
  Session& session = memory_.sessions[index];
  session.hash = session_hash(session.session_id_text());
  session.wheel_next = 0;
  session.wheel_prev = 0;
  insert_slot(session.hash, index);
  ++header.open_sessions;  // queue_closed takes it back
  for (u32 at = session.first_extension; at != 0; at = memory_.extensions[at].quota.next) {
    memory_.extensions[at].next_free = reached;
  }
  for (const Answer& answer : session.answers) {
    for (u32 at = answer.next; at != 0; at = memory_.extensions[at].services.next) {
      memory_.extensions[at].next_free = reached;
    }
  }
  if (session.state == SessionState::closed) {
    queue_closed(index);
    return;
  }
  ++memory_.accounts[session.account].open_sessions;
  // What ran out while nobody was there is ended in the first turns of the wheel.
  const Instant due{session.deadline_ns};
  put_on_wheel(index, due < now ? now : due);
}

void Shard::rebuild_sessions(Instant now) {
  PoolState& sessions = memory_.header->sessions;
  PoolState& extensions = memory_.header->extensions;
  for (u32 i = 1; i < extensions.used_end; ++i) memory_.extensions[i].next_free = 0;
  sessions.free_first = 0;
  sessions.used_count = 0;
  for (u32 i = sessions.used_end; i-- > 1;) {
    Session& session = memory_.sessions[i];
    if (session.state == SessionState::free) {
      session_link(session) = sessions.free_first;
      sessions.free_first = i;
      continue;
    }
    ++sessions.used_count;
    rebuild_session(i, now);
  }
  extensions.free_first = 0;
  extensions.used_count = 0;
  for (u32 i = extensions.used_end; i-- > 1;) {
    Extension& extension = memory_.extensions[i];
    if (extension.next_free == UINT32_MAX) {
      extension.next_free = 0;
      ++extensions.used_count;
    } else {
      extension.next_free = extensions.free_first;
      extensions.free_first = i;
    }
  }
}

}  // namespace tollgate::ledger
