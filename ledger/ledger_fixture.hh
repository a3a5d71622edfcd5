// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the ledger's tests share: memory that is aligned and zero, a small ledger with its undo log
// and its link to the journal, operations at random, and a check of everything that is derived.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ledger/balance.hh"
#include "ledger/shard.hh"

namespace tollgate::ledger {

class ZeroMemory {
 public:
  explicit ZeroMemory(u64 bytes)
      : bytes_(round_up(bytes, page_bytes)),
        memory_(static_cast<u8*>(std::aligned_alloc(page_bytes, bytes_)), std::free) {
    std::memset(memory_.get(), 0, bytes_);
  }
  u8* get() const { return memory_.get(); }

 private:
  u64 bytes_;
  std::unique_ptr<u8, void (*)(void*)> memory_;
};

inline constexpr Instant test_begin = Instant::from_seconds(1'800'000'000);

class LedgerFixture {
 public:
  static constexpr LedgerSizes small = {
      .accounts = 48, .buckets = 96, .sessions = 64, .extensions = 96};
  static constexpr u64 link_bytes = 4_MiB;

  explicit LedgerFixture(const LedgerSizes& sizes = small)
      : space_(LedgerMemory::footprint(sizes)),
        undo_space_(sizeof(UndoMemory)),
        link_space_(LinkMemory::footprint(link_bytes)),
        memory(LedgerMemory::format(space_.get(), sizes, 7)),
        undo(*reinterpret_cast<UndoMemory*>(undo_space_.get())),
        link(LinkMemory::format(link_space_.get(), link_bytes)),
        producer(link),
        consumer(link) {}

  // A writer that was killed forgets what it had not published.
  void lose_unpublished() { producer = LinkProducer(link); }

 private:
  ZeroMemory space_;
  ZeroMemory undo_space_;
  ZeroMemory link_space_;

 public:
  LedgerMemory memory;
  UndoMemory& undo;
  LinkMemory* link;
  LinkProducer producer;
  LinkConsumer consumer;
};

// The words of all records of a shard that are journaled, used or not.
std::vector<u64> journaled_words(const Shard& shard);
std::vector<u64> journaled_words(const LedgerMemory& memory);

// Compares every derived structure of a shard with its records. An empty text, or the first fault.
std::string check_shard_consistency(const Shard& shard);

// What a charge tile does with a shard, at random: accounts, buckets, sessions with several rating
// groups, stored answers of several pieces, holds, debits, ends, removals.
class Workload {
 public:
  Workload(Burst& burst, Shard& shard, u64 seed) : burst_(burst), shard_(shard), random_(seed) {}

  // One operation, with its entry.
  void step(Instant now);
  u64 next_random() { return random_(); }
  u64 operations() const { return operations_; }

 private:
  void create_account(Operation& op);
  void remove_account(Operation& op, u32 index);
  void move_money(Operation& op, u32 account);
  void begin_session(Operation& op, u32 account);
  void add_quota(Operation& op, u32 session);
  void store_answer(Operation& op, u32 session);
  void end_session(Operation& op, u32 session);
  u32 any_account();
  u32 any_open_session();

  Burst& burst_;
  Shard& shard_;
  std::mt19937_64 random_;
  u64 operations_ = 0;
  u64 sessions_ = 0;
};

}  // namespace tollgate::ledger
