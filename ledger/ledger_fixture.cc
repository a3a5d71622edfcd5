// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/ledger_fixture.hh"

#include <fmt/format.h>

#include <set>

namespace tollgate::ledger {
namespace {

template <class Record>
void append_words(std::vector<u64>& to, const Record* records, u32 capacity, u32 derived_words) {
  for (u32 i = 1; i <= capacity; ++i) {
    const auto* words = reinterpret_cast<const u64*>(&records[i]);
    to.insert(to.end(), words + derived_words, words + sizeof(Record) / 8);
  }
}

// Walks a pool's free chain. An empty text, or what is wrong with it.
template <class Link>
std::string check_pool(const char* name, const PoolState& pool, u32 capacity, Link link,
                       std::set<u32>& free) {
  if (pool.used_end > capacity + 1) return fmt::format("{}: used beyond its capacity", name);
  for (u32 at = pool.free_first; at != 0; at = link(at)) {
    if (at >= pool.used_end) return fmt::format("{}: {} is free and never was used", name, at);
    if (!free.insert(at).second) return fmt::format("{}: {} is free twice", name, at);
  }
  if (pool.used_count + free.size() != pool.used_end - 1) {
    return fmt::format("{}: {} used and {} free of {}", name, pool.used_count, free.size(),
                       pool.used_end - 1);
  }
  return {};
}

// Follows a session's chains. Every extension has one owner.
std::string reach(const Shard& shard, const Session& session, std::set<u32>& reached) {
  const u32 end = shard.header().extensions.used_end;
  for (u32 at = session.first_extension; at != 0; at = shard.extension(at).quota.next) {
    if (at >= end) return "a quota lies outside the pool";
    if (!reached.insert(at).second) return fmt::format("extension {} has two owners", at);
  }
  for (const Answer& answer : session.answers) {
    for (u32 at = answer.next; at != 0; at = shard.extension(at).services.next) {
      if (at >= end) return "an answer lies outside the pool";
      if (!reached.insert(at).second) return fmt::format("extension {} has two owners", at);
    }
  }
  return {};
}

std::string check_accounts(const Shard& shard) {
  const ShardHeader& header = shard.header();
  std::set<u32> free_accounts;
  std::set<u32> free_buckets;
  std::string why = check_pool(
      "accounts", header.accounts, shard.memory().sizes.accounts,
      [&](u32 at) { return shard.account(at).open_sessions; }, free_accounts);
  if (!why.empty()) return why;
  why = check_pool(
      "buckets", header.buckets, shard.memory().sizes.buckets,
      [&](u32 at) { return shard.bucket(at).next_free; }, free_buckets);
  if (!why.empty()) return why;
  std::set<u32> reached;
  for (u32 i = 1; i < header.accounts.used_end; ++i) {
    const Account& account = shard.account(i);
    if ((account.version & 1) != 0) return fmt::format("account {} is open", i);
    if ((account.state == AccountState::free) != free_accounts.contains(i)) {
      return fmt::format("account {} is free or not", i);
    }
    if (account.state == AccountState::free) continue;
    u32 count = 0;
    for (u32 at = account.first_bucket; at != 0; at = shard.bucket(at).next, ++count) {
      const Bucket& bucket = shard.bucket(at);
      if (!reached.insert(at).second) return fmt::format("bucket {} has two owners", at);
      if (free_buckets.contains(at)) return fmt::format("bucket {} is free and owned", at);
      if (bucket.account != i) return fmt::format("bucket {} names another account", at);
      if ((bucket.version & 1) != 0) return fmt::format("bucket {} is open", at);
      if (bucket.put_in.count !=
          bucket.balance.count + bucket.reserved.count + bucket.consumed.count) {
        return fmt::format("bucket {} lost something", at);
      }
    }
    if (count != account.bucket_count) return fmt::format("account {} counts its buckets", i);
  }
  if (reached.size() != header.buckets.used_count) return "a bucket is neither owned nor free";
  return {};
}

std::string check_wheel(const Shard& shard, const std::set<u32>& open) {
  std::set<u32> seen;
  for (u32 slot = 0; slot < wheel_slot_count; ++slot) {
    u32 previous = slot | 0x8000'0000U;
    for (u32 at = shard.memory().wheel[slot]; at != 0; at = shard.session(at).wheel_next) {
      if (!open.contains(at)) return fmt::format("session {} is on the wheel, not open", at);
      if (!seen.insert(at).second) return fmt::format("session {} is on the wheel twice", at);
      if (shard.session(at).wheel_prev != previous) {
        return fmt::format("session {} knows another predecessor", at);
      }
      previous = at;
    }
  }
  return seen == open ? std::string() : "an open session is not on the wheel";
}

std::string check_closed_queue(const Shard& shard, const std::set<u32>& closed) {
  std::set<u32> seen;
  u32 last = 0;
  for (u32 at = shard.header().closed_first; at != 0; at = shard.session(at).closed_next) {
    if (!closed.contains(at)) return fmt::format("session {} is queued, not closed", at);
    if (!seen.insert(at).second) return fmt::format("session {} is queued twice", at);
    last = at;
  }
  if (shard.header().closed_last != last) return "the queue of closed ones has another end";
  return seen == closed ? std::string() : "a closed session is not queued";
}

std::string check_sessions(const Shard& shard) {
  const ShardHeader& header = shard.header();
  std::set<u32> free;
  std::set<u32> open;
  std::set<u32> closed;
  std::set<u32> reached;
  std::vector<u32> of_account(header.accounts.used_end);
  std::string why = check_pool(
      "sessions", header.sessions, shard.memory().sizes.sessions,
      [&](u32 at) { return shard.session(at).closed_next; }, free);
  for (u32 i = 1; i < header.sessions.used_end && why.empty(); ++i) {
    const Session& session = shard.session(i);
    if ((session.state == SessionState::free) != free.contains(i)) {
      return fmt::format("session {} is free or not", i);
    }
    if (session.state == SessionState::free) continue;
    if (shard.find_session(session.hash, session.session_id_text()) != i) {
      return fmt::format("session {} is not found by its name", i);
    }
    (session.state == SessionState::open ? open : closed).insert(i);
    if (session.state == SessionState::open) ++of_account[session.account];
    why = reach(shard, session, reached);
  }
  if (!why.empty()) return why;
  u64 slots = 0;
  for (u64 i = 0; i < shard.memory().session_slot_count; ++i) {
    slots += shard.memory().session_slots[i] != 0 ? 1U : 0U;
  }
  if (slots != open.size() + closed.size()) return "the session table has another count";
  if (header.open_sessions != open.size()) return "the shard counts its open sessions";
  for (u32 i = 1; i < header.accounts.used_end; ++i) {
    const Account& account = shard.account(i);
    if (account.state != AccountState::free && account.open_sessions != of_account[i]) {
      return fmt::format("account {} counts its open sessions", i);
    }
  }
  std::set<u32> free_extensions;
  why = check_pool(
      "extensions", header.extensions, shard.memory().sizes.extensions,
      [&](u32 at) { return shard.extension(at).next_free; }, free_extensions);
  if (!why.empty()) return why;
  for (const u32 at : reached) {
    if (free_extensions.contains(at)) return fmt::format("extension {} is free and owned", at);
  }
  if (header.extensions.used_count != reached.size()) return "an extension is lost";
  why = check_wheel(shard, open);
  return why.empty() ? check_closed_queue(shard, closed) : why;
}

}  // namespace

std::vector<u64> journaled_words(const Shard& shard) {
  const ShardMemory& memory = shard.memory();
  std::vector<u64> words{memory.header->sequence};
  append_words(words, memory.accounts, memory.sizes.accounts, 1);
  append_words(words, memory.buckets, memory.sizes.buckets, 1);
  append_words(words, memory.sessions, memory.sizes.sessions, 2);
  append_words(words, memory.extensions, memory.sizes.extensions, 1);
  return words;
}

std::vector<u64> journaled_words(const LedgerMemory& memory) {
  std::vector<u64> all;
  for (u32 number = 0; number < shard_count; ++number) {
    const std::vector<u64> words = journaled_words(Shard(memory, number));
    all.insert(all.end(), words.begin(), words.end());
  }
  return all;
}

std::string check_shard_consistency(const Shard& shard) {
  const std::string why = check_accounts(shard);
  return why.empty() ? check_sessions(shard) : why;
}

u32 Workload::any_account() {
  const u32 end = shard_.header().accounts.used_end;
  for (u32 i = 0; i < 16 && end > 1; ++i) {
    const u32 index = static_cast<u32>(1 + random_() % (end - 1));
    if (shard_.is_account(index)) return index;
  }
  return 0;
}

u32 Workload::any_open_session() {
  const u32 end = shard_.header().sessions.used_end;
  for (u32 i = 0; i < 16 && end > 1; ++i) {
    const u32 index = static_cast<u32>(1 + random_() % (end - 1));
    if (shard_.session(index).state == SessionState::open) return index;
  }
  return 0;
}

void Workload::step(Instant now) {
  ++operations_;
  Operation op(burst_, shard_.number(), shard_.header(), now);
  const u32 account = any_account();
  const u32 session = any_open_session();
  const u64 dice = random_() % 16;
  if (account == 0 || dice == 0) {
    create_account(op);
  } else if (dice == 1) {
    remove_account(op, account);
  } else if (dice < 5) {
    begin_session(op, account);
  } else if (session == 0 || dice < 8) {
    move_money(op, account);
  } else if (dice < 11) {
    end_session(op, session);
  } else {
    add_quota(op, session);
    store_answer(op, session);
  }
  u64 answer = operations_;
  if (!op.has_changes()) op.set_answer_in_note({reinterpret_cast<const u8*>(&answer), 8});
  op.finish(EntryKind::request, AnswerTag::net(1, operations_));
}

void Workload::create_account(Operation& op) {
  const u32 buckets = static_cast<u32>(1 + random_() % 3);
  if (shard_.free_accounts() == 0 || shard_.free_buckets() < buckets) return;
  const u32 index = shard_.take_account();
  Account& account = shard_.account(index);
  op.change_all(account, Pool::account, index);
  const u32 version = account.version;
  account = Account{};
  account.version = version;
  account.id = operations_;
  account.state = AccountState::active;
  for (u32 i = 0; i < buckets; ++i) {
    const u32 bucket = add_bucket(op, shard_, index,
                                  {.unit = Unit::eur,
                                   .priority = static_cast<u8>(random_() % 3),
                                   .product = i,
                                   .expires_s = static_cast<Second>(random_() % 3 * 1000),
                                   .valid_from_s = 0});
    check(bucket != 0, "a bucket was free");
    check(put_in(op, {shard_, bucket}, {static_cast<i64>(random_() % 1'000'000)}) == Outcome::ok,
          "an empty bucket takes any amount");
  }
}

void Workload::remove_account(Operation& op, u32 index) {
  Account& account = shard_.account(index);
  if (account.open_sessions != 0) return;
  op.change_all(account, Pool::account, index);
  for (u32 at = account.first_bucket; at != 0;) {
    Bucket& bucket = shard_.bucket(at);
    const u32 next = bucket.next;
    op.change_all(bucket, Pool::bucket, at);
    bucket.state = BucketState::free;
    shard_.give_bucket(at);
    at = next;
  }
  account.state = AccountState::free;
  account.first_bucket = 0;
  shard_.give_account(index);
}

void Workload::move_money(Operation& op, u32 account) {
  const u32 bucket = shard_.account(account).first_bucket;
  if (bucket == 0) return;
  const Amount amount{static_cast<i64>(random_() % 5000)};
  switch (random_() % 4) {
    case 0:
      check(put_in(op, {shard_, bucket}, amount) == Outcome::ok, "small amounts fit");
      break;
    case 1:
      check(debit(op, {shard_, bucket}, amount) == Outcome::ok, "small amounts fit");
      break;
    case 2:
      check(refund(op, {shard_, bucket}, amount) == Outcome::ok, "small amounts fit");
      break;
    default:
      check(take_out(op, {shard_, bucket}, amount) == Outcome::ok, "small amounts fit");
  }
}

void Workload::begin_session(Operation& op, u32 account) {
  if (!shard_.has_free_session()) return;
  const std::string name = fmt::format("client;{};{}", shard_.number(), ++sessions_);
  const u32 index = shard_.take_session(
      op, {.session_id = name,
           .hash = Shard::session_hash(name),
           .deadline = op.now() + Duration::seconds(static_cast<i64>(random_() % 10'000))});
  Session& session = shard_.session(index);
  session.account = account;
  session.state = SessionState::open;
  ++shard_.account(account).open_sessions;
}

// One more rating group, with a hold on the account's first bucket.
void Workload::add_quota(Operation& op, u32 index) {
  Session& session = shard_.session(index);
  constexpr u32 head_words = (offsetof(Session, started_ns) - 16) / 8;
  op.change(session,
            {.pool = Pool::session, .index = index, .at_word = 2, .word_count = head_words});
  session.deadline_ns = (op.now() + Duration::seconds(static_cast<i64>(random_() % 500))).ns;
  const u32 bucket = shard_.account(session.account).first_bucket;
  Quota* quota = &session.quota;
  if (session.quota_count == 0) {
    op.change(session, {.pool = Pool::session,
                        .index = index,
                        .at_word = offsetof(Session, quota) / 8,
                        .word_count = sizeof(Quota) / 8});
  } else {
    const u32 at = session.quota_count < 8 ? shard_.take_extension() : 0;
    if (at == 0) return;
    Extension& extension = shard_.extension(at);
    op.change_all(extension, Pool::extension, at);
    extension.use = Extension::Use::quota;
    extension.quota = Quota{};
    extension.quota.next = session.first_extension;
    session.first_extension = at;
    quota = &extension.quota;
  }
  ++session.quota_count;
  quota->rating_group = static_cast<u32>(random_());
  quota->hold_count = 1;
  quota->hold_bucket[0] = bucket;
  quota->hold_amount[0] = {static_cast<i64>(random_() % 100)};
  check(hold(op, {shard_, bucket}, quota->hold_amount[0]) == Outcome::ok, "small amounts fit");
}

void Workload::store_answer(Operation& op, u32 index) {
  Session& session = shard_.session(index);
  const u32 turn = static_cast<u32>(random_() % answers_per_session);
  Answer& stored = session.answers[turn];
  op.change(session, {.pool = Pool::session,
                      .index = index,
                      .at_word = static_cast<u32>(offsetof(Session, answers) / 8 +
                                                  turn * sizeof(Answer) / 8),
                      .word_count = sizeof(Answer) / 8});
  for (u32 at = stored.next; at != 0;) {
    const u32 next = shard_.extension(at).services.next;
    shard_.give_extension(at);
    at = next;
  }
  stored = Answer{.number = static_cast<u32>(operations_)};
  for (u64 pieces = random_() % 3; pieces-- > 0;) {
    const u32 at = shard_.take_extension();
    if (at == 0) break;
    Extension& extension = shard_.extension(at);
    op.change_all(extension, Pool::extension, at);
    extension.use = Extension::Use::services;
    extension.services = {};
    extension.services.service[0].rating_group = static_cast<u32>(random_());
    extension.services.next = stored.next;
    stored.next = at;
  }
  op.set_answer_in_record(&stored, sizeof(Answer) / 8);
}

void Workload::end_session(Operation& op, u32 index) {
  Session& session = shard_.session(index);
  op.change_all(session, Pool::session, index);
  const auto release_hold = [&](Quota& quota) {
    for (u32 i = 0; i < quota.hold_count; ++i) {
      check(release(op, {shard_, quota.hold_bucket[i]}, quota.hold_amount[i]) == Outcome::ok,
            "what was held fits back");
    }
    quota.hold_count = 0;
  };
  release_hold(session.quota);
  for (u32 at = session.first_extension; at != 0; at = shard_.extension(at).quota.next) {
    op.change_all(shard_.extension(at), Pool::extension, at);
    release_hold(shard_.extension(at).quota);
  }
  session.state = SessionState::closed;
  session.deadline_ns = (op.now() + Duration::seconds(60)).ns;
  shard_.queue_closed(index);
  --shard_.account(session.account).open_sessions;
}

}  // namespace tollgate::ledger
