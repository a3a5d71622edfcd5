// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// LedgerView: the ledger for those who only read: net tiles, control, tools.
//
// It looks at memory that somebody else writes. Accounts and buckets carry a version that is odd
// while they change; a copy is good if the version was even and the same before and after. A reader
// never makes a writer wait. Sessions are copied as they are: good for looking, not for deciding.
#pragma once

#include <cstring>

#include "ledger/layout.hh"

namespace tollgate::ledger {

// Copies a record with a version. False if it changed in all of some hundred attempts.
template <class Record>
[[nodiscard]] bool read_record(const Record& record, Record& copy) {
  for (int attempt = 0; attempt < 256; ++attempt) {
    const u32 before = __atomic_load_n(&record.version, __ATOMIC_ACQUIRE);
    if ((before & 1) != 0) {
      __builtin_ia32_pause();
      continue;
    }
    std::memcpy(static_cast<void*>(&copy), &record, sizeof copy);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&record.version, __ATOMIC_RELAXED) == before) return true;
  }
  return false;
}

class LedgerView {
 public:
  LedgerView() = default;
  explicit LedgerView(const LedgerMemory& memory) : memory_(memory) {}

  const LedgerHeader& header() const { return memory_.header(); }
  ShardMemory shard(u32 number) const { return memory_.shard(number); }

  // False if there is no such account (any more).
  [[nodiscard]] bool read(AccountRef ref, Account& copy) const {
    const ShardMemory shard = memory_.shard(ref.shard());
    if (ref.index() == 0 || ref.index() >= shard.header->accounts.used_end) return false;
    return read_record(shard.accounts[ref.index()], copy) && copy.state != AccountState::free;
  }

  // fn(const Bucket&) for each bucket of the account, in order of payment.
  template <class Fn>
  void for_each_bucket_of(AccountRef ref, Fn fn) const {
    Account account;
    if (!read(ref, account)) return;
    const ShardMemory shard = memory_.shard(ref.shard());
    u32 left = buckets_per_account_max;  // a chain that changes meanwhile must still end
    for (u32 at = account.first_bucket; at != 0 && left-- > 0;) {
      Bucket bucket;
      if (at >= shard.header->buckets.used_end || !read_record(shard.buckets[at], bucket)) return;
      if (bucket.account != ref.index()) return;
      fn(static_cast<const Bucket&>(bucket));
      at = bucket.next;
    }
  }

  // fn(AccountRef, const Account&)
  template <class Fn>
  void for_each_account(u32 number, Fn fn) const {
    const ShardMemory shard = memory_.shard(number);
    const u32 end = __atomic_load_n(&shard.header->accounts.used_end, __ATOMIC_ACQUIRE);
    for (u32 i = 1; i < end; ++i) {
      Account copy;
      if (read_record(shard.accounts[i], copy) && copy.state != AccountState::free) {
        fn(AccountRef::make(number, i), static_cast<const Account&>(copy));
      }
    }
  }

  // fn(index, const Bucket&), those that no account has any more as well.
  template <class Fn>
  void for_each_bucket(u32 number, Fn fn) const {
    const ShardMemory shard = memory_.shard(number);
    const u32 end = __atomic_load_n(&shard.header->buckets.used_end, __ATOMIC_ACQUIRE);
    for (u32 i = 1; i < end; ++i) {
      Bucket copy;
      if (read_record(shard.buckets[i], copy) && copy.state != BucketState::free) {
        fn(i, static_cast<const Bucket&>(copy));
      }
    }
  }

  // fn(index, const Session&) for open and closed ones.
  template <class Fn>
  void for_each_session(u32 number, Fn fn) const {
    const ShardMemory shard = memory_.shard(number);
    const u32 end = __atomic_load_n(&shard.header->sessions.used_end, __ATOMIC_ACQUIRE);
    for (u32 i = 1; i < end; ++i) {
      const Session copy = shard.sessions[i];
      if (copy.state != SessionState::free) fn(i, copy);
    }
  }

  // fn(const Quota&) for each rating group of a session (a copy from for_each_session).
  template <class Fn>
  void for_each_quota(u32 number, const Session& session, Fn fn) const {
    if (session.quota_count == 0) return;
    fn(session.quota);
    const ShardMemory shard = memory_.shard(number);
    u32 left = quotas_per_session_max;
    for (u32 at = session.first_extension; at != 0 && left-- > 0;) {
      if (at >= shard.header->extensions.used_end) return;
      const Quota copy = shard.extensions[at].quota;
      fn(copy);
      at = copy.next;
    }
  }

 private:
  LedgerMemory memory_;
};

}  // namespace tollgate::ledger
