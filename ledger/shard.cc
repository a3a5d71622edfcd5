// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/shard.hh"

#include <algorithm>
#include <atomic>
#include <vector>

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

// A record has eight lines, and fetching all of them for each of a burst takes longer than the
// burst.
void Shard::prefetch_session(u32 index, u64 session_id_bytes) const {
  const auto* begin = reinterpret_cast<const u8*>(&memory_.sessions[index]);
  constexpr u64 quota_end = offsetof(Session, quota) + sizeof(Quota);
  for (u64 at = 0; at < quota_end; at += cache_line_bytes) __builtin_prefetch(begin + at);
  const u64 id_end = offsetof(Session, session_id) + session_id_bytes;
  constexpr u64 id_line = offsetof(Session, session_id_bytes) / cache_line_bytes * cache_line_bytes;
  for (u64 at = id_line; at < id_end; at += cache_line_bytes) __builtin_prefetch(begin + at);
}

void Shard::prefetch_answer_place(u32 index) const {
  const Session& session = memory_.sessions[index];
  __builtin_prefetch(&session.answers[session.answer_turn % answers_per_session]);
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

// Forgetting is not journaled: recovery may find the session closed as it was; see rebuild_closed.
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

u32 Shard::make_extensions(u32 wanted) {
  constexpr u32 forgotten_max = 64;  // in one request
  for (u32 i = 0; i < forgotten_max && free_extensions() < wanted; ++i) {
    if (memory_.header->closed_first == 0) break;
    forget_oldest_closed();
  }
  return free_extensions();
}

u32 Shard::forget_closed(Instant now, u32 visit_max) {
  begin_turning();
  u32 visited = 0;
  while (memory_.header->closed_first != 0 && visited < visit_max &&
         memory_.sessions[memory_.header->closed_first].deadline_ns <= now.ns) {
    forget_oldest_closed();
    ++visited;
  }
  end_turning();
  return visited;
}

void Shard::begin_turning() {
  memory_.header->is_turning = 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void Shard::end_turning() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  memory_.header->is_turning = 0;
}

void Shard::rebuild(Instant now) {
  ShardHeader& header = *memory_.header;
  begin_turning();
  std::memset(memory_.session_slots, 0, memory_.session_slot_count * sizeof(u64));
  std::memset(memory_.wheel, 0, wheel_slot_count * sizeof(u32));
  header.closed_first = 0;
  header.closed_last = 0;
  header.open_sessions = 0;
  header.wheel_second = now.whole_seconds() - 1;
  rebuild_accounts();
  rebuild_sessions(now);
  end_turning();
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

namespace {

// Marks in an extension's derived link while its owner is looked for.
constexpr u32 nobodys = 0;
constexpr u32 tried = UINT32_MAX - 1;  // reached by the session that is being looked at
constexpr u32 owned = UINT32_MAX;

}  // namespace

// Marks a chain of extensions. False if it leads to one that is not of this use, lies outside the
// pool or bears a mark already: then the chain is not this session's (any more).
template <class Next>
bool Shard::claim_chain(u32 first, u32 mark, Extension::Use use, Next next) {
  const u32 from_mark = mark == tried ? nobodys : tried;
  for (u32 at = first; at != 0;) {
    if (at >= memory_.header->extensions.used_end) return false;
    Extension& extension = memory_.extensions[at];
    if (extension.use != use || extension.next_free != from_mark) return false;
    extension.next_free = mark;
    at = next(extension);
  }
  return true;
}

bool Shard::claim_extensions(const Session& session, u32 mark) {
  const auto next_quota = [](const Extension& extension) { return extension.quota.next; };
  const auto next_services = [](const Extension& extension) { return extension.services.next; };
  bool is_claimed = claim_chain(session.first_extension, mark, Extension::Use::quota, next_quota);
  for (const Answer& answer : session.answers) {
    is_claimed =
        is_claimed && claim_chain(answer.next, mark, Extension::Use::services, next_services);
  }
  return is_claimed;
}

void Shard::rebuild_open(u32 index, Instant now) {
  Session& session = memory_.sessions[index];
  bool is_claimed = claim_extensions(session, tried);
  is_claimed = is_claimed && claim_extensions(session, owned);
  check(is_claimed, "an open session owns its extensions");
  session.closed_next = 0;
  session.wheel_next = 0;
  session.wheel_prev = 0;
  insert_slot(session.hash, index);
  ++memory_.header->open_sessions;
  ++memory_.accounts[session.account].open_sessions;
  // What ran out while nobody was there is ended in the first turns of the wheel.
  const Instant due{session.deadline_ns};
  put_on_wheel(index, due < now ? now : due);
}

// Forgetting is not journaled. So a closed session may come back from the journal although its
// extensions, or its Session-Id, have been given to others since: then it is not one any more.
bool Shard::rebuild_closed(u32 index) {
  Session& session = memory_.sessions[index];
  if (find_session(session.hash, session.session_id_text()) != 0) return false;
  if (!claim_extensions(session, tried)) {
    // What it reached and nobody owns is nobody's again.
    const u32 end = memory_.header->extensions.used_end;
    for (u32 i = 1; i < end; ++i) {
      if (memory_.extensions[i].next_free == tried) memory_.extensions[i].next_free = nobodys;
    }
    return false;
  }
  const bool is_claimed = claim_extensions(session, owned);
  check(is_claimed, "what was tried can be owned");
  session.wheel_next = 0;
  session.wheel_prev = 0;
  insert_slot(session.hash, index);
  return true;
}

void Shard::collect_free_extensions() {
  PoolState& extensions = memory_.header->extensions;
  extensions.free_first = 0;
  extensions.used_count = 0;
  for (u32 i = extensions.used_end; i-- > 1;) {
    Extension& extension = memory_.extensions[i];
    if (extension.next_free == owned) {
      extension.next_free = 0;
      ++extensions.used_count;
    } else {
      extension.next_free = extensions.free_first;
      extensions.free_first = i;
    }
  }
}

// Open sessions own what they reach. Then the closed ones, those that were closed last first.
void Shard::rebuild_sessions(Instant now) {
  ShardHeader& header = *memory_.header;
  PoolState& sessions = header.sessions;
  for (u32 i = 1; i < header.extensions.used_end; ++i) memory_.extensions[i].next_free = nobodys;
  std::vector<u32> closed;
  for (u32 i = 1; i < sessions.used_end; ++i) {
    Session& session = memory_.sessions[i];
    if (session.state == SessionState::free) continue;
    session.hash = session_hash(session.session_id_text());
    if (session.state == SessionState::open) rebuild_open(i, now);
    if (session.state != SessionState::closed) continue;
    if (session.deadline_ns > now.ns) {
      closed.push_back(i);
    } else {
      session.state = SessionState::free;
    }
  }
  std::stable_sort(closed.begin(), closed.end(), [&](u32 a, u32 b) {
    return memory_.sessions[a].deadline_ns > memory_.sessions[b].deadline_ns;
  });
  for (const u32 index : closed) {
    if (!rebuild_closed(index)) memory_.sessions[index].state = SessionState::free;
  }
  header.open_sessions += closed.size();  // queue_closed takes each of them back
  for (std::size_t i = closed.size(); i-- > 0;) {
    if (memory_.sessions[closed[i]].state == SessionState::closed) {
      queue_closed(closed[i]);
    } else {
      --header.open_sessions;
    }
  }
  sessions.free_first = 0;
  sessions.used_count = 0;
  for (u32 i = sessions.used_end; i-- > 1;) {
    Session& session = memory_.sessions[i];
    if (session.state != SessionState::free) {
      ++sessions.used_count;
      continue;
    }
    session.wheel_next = 0;
    session.wheel_prev = 0;
    session_link(session) = sessions.free_first;
    sessions.free_first = i;
  }
  collect_free_extensions();
}

}  // namespace tollgate::ledger
