// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the ledger costs: a request that settles and holds again, in bursts of 32 as a charge tile
// makes them, at 100 000 accounts; a look into the identity index at a million; a checksum; the
// timer wheel while all sessions end within an hour.
//
//   ./ledger_bench --benchmark_filter=Update
//   ./ledger_bench --benchmark_filter=Wheel --benchmark_min_time=0

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <random>

#include "ledger/balance.hh"
#include "ledger/identity_index.hh"

namespace tollgate::ledger {
namespace {

constexpr u32 burst_max = 32;
constexpr Instant begin = Instant::from_seconds(1'800'000'000);

class Space {
 public:
  explicit Space(u64 bytes)
      : bytes_(bytes),
        memory_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    check(memory_ != MAP_FAILED, "memory for the bench");
    ::madvise(memory_, bytes, MADV_HUGEPAGE);
  }
  ~Space() { ::munmap(memory_, bytes_); }
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  u8* get() const { return static_cast<u8*>(memory_); }

 private:
  u64 bytes_;
  void* memory_;
};

struct Subscriber {
  u32 shard;
  u32 hash;
  std::string session_id;
};

// Accounts with one bucket and one open session each, over all shards.
class Town {
 public:
  explicit Town(u64 accounts)
      : space_(LedgerMemory::footprint(sizes_of(accounts))),
        undo_space_(sizeof(UndoMemory)),
        link_space_(LinkMemory::footprint(link_bytes)),
        memory(LedgerMemory::format(space_.get(), sizes_of(accounts), 1)),
        link(LinkMemory::format(link_space_.get(), link_bytes)),
        producer(link),
        consumer(link),
        burst(*reinterpret_cast<UndoMemory*>(undo_space_.get()), space_.get(), producer) {
    for (u32 number = 0; number < shard_count; ++number) {
      shards.push_back(std::make_unique<Shard>(memory, number));
      shards.back()->rebuild(begin);
    }
    for (u64 i = 0; i < accounts; ++i) settle_one(i);
  }
  void drain() {
    Bytes frame;
    while (consumer.next(frame)) entry_bytes += frame.size();
    consumer.release();
  }

 private:
  static constexpr u64 link_bytes = 8_MiB;
  static LedgerSizes sizes_of(u64 accounts) {
    return LedgerSizes::share_of(
        {.accounts_max = accounts, .buckets_max = accounts, .sessions_max = accounts});
  }
  void settle_one(u64 number) {
    const u32 home = static_cast<u32>(number % shard_count);
    Shard& shard = *shards[home];
    burst.begin();
    Operation op(burst, home, shard.header(), begin);
    const u32 account = shard.take_account();
    op.change_all(shard.account(account), Pool::account, account);
    shard.account(account).state = AccountState::active;
    const u32 bucket = add_bucket(
        op, shard, account,
        {.unit = Unit::eur, .priority = 0, .product = 0, .expires_s = 0, .valid_from_s = 0});
    check(put_in(op, {shard, bucket}, {1'000'000'000'000}) == Outcome::ok, "it fits");
    Subscriber one{.shard = home,
                   .hash = 0,
                   .session_id = fmt::format("gw01.operator.example;1732233600;{}", number)};
    one.hash = Shard::session_hash(one.session_id);
    const u32 index = shard.take_session(op, {.session_id = one.session_id,
                                              .hash = one.hash,
                                              .deadline = begin + Duration::seconds(3600)});
    Session& session = shard.session(index);
    session.account = account;
    session.state = SessionState::open;
    session.quota_count = 1;
    session.quota.hold_count = 1;
    session.quota.hold_bucket[0] = bucket;
    op.finish(EntryKind::command, AnswerTag::none());
    burst.commit();
    drain();
    people.push_back(std::move(one));
  }

  Space space_;
  Space undo_space_;
  Space link_space_;

 public:
  LedgerMemory memory;
  LinkMemory* link;
  LinkProducer producer;
  LinkConsumer consumer;
  Burst burst;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<Subscriber> people;
  u64 entry_bytes = 0;
};

// The ledger's part of an UPDATE: what was held goes back, what was used is debited, the next part
// is held, the answer is stored, the entry written.
void update(Town& town, const Subscriber& who, Instant now) {
  Shard& shard = *town.shards[who.shard];
  const u32 index = shard.find_session(who.hash, who.session_id);
  Session& session = shard.session(index);
  Operation op(town.burst, who.shard, shard.header(), now);
  constexpr u32 head_words = (offsetof(Session, started_ns) - 16) / 8;
  op.change(session,
            {.pool = Pool::session, .index = index, .at_word = 2, .word_count = head_words});
  session.deadline_ns = (now + Duration::seconds(3600)).ns;
  op.change(session, {.pool = Pool::session,
                      .index = index,
                      .at_word = offsetof(Session, quota) / 8,
                      .word_count = sizeof(Quota) / 8});
  Quota& quota = session.quota;
  const BucketPlace place{shard, quota.hold_bucket[0]};
  Outcome outcome = release(op, place, quota.hold_amount[0]);
  if (outcome == Outcome::ok) outcome = debit(op, place, {90});
  quota.hold_amount[0] = {100};
  if (outcome == Outcome::ok) outcome = hold(op, place, quota.hold_amount[0]);
  check(outcome == Outcome::ok, "there is enough");
  const u32 turn = session.answer_turn;
  session.answer_turn ^= 1;
  Answer& answer = session.answers[turn];
  op.change(session, {.pool = Pool::session,
                      .index = index,
                      .at_word = static_cast<u32>(offsetof(Session, answers) / 8 +
                                                  turn * sizeof(Answer) / 8),
                      .word_count = sizeof(Answer) / 8});
  answer = {.number = ++session.update_last, .type = 2, .service_count = 1};
  op.set_answer_in_record(&answer, sizeof(Answer) / 8);
  op.finish(EntryKind::request, AnswerTag::net(0, index));
}

void Update(benchmark::State& state) {
  Town town(static_cast<u64>(state.range(0)));
  std::mt19937_64 random(1);
  town.entry_bytes = 0;
  u64 updates = 0;
  for (auto _ : state) {
    std::array<const Subscriber*, burst_max> group;
    for (const Subscriber*& who : group) {
      who = &town.people[random() % town.people.size()];
      town.shards[who->shard]->prefetch_slot(who->hash);
    }
    std::array<u32, burst_max> sessions;
    for (u32 i = 0; i < burst_max; ++i) {
      Shard& shard = *town.shards[group[i]->shard];
      sessions[i] = shard.find_by_hash(group[i]->hash);
      shard.prefetch_session(sessions[i], group[i]->session_id.size());
    }
    for (u32 i = 0; i < burst_max; ++i) {
      Shard& shard = *town.shards[group[i]->shard];
      shard.prefetch_answer_place(sessions[i]);
      shard.prefetch_bucket(shard.session(sessions[i]).quota.hold_bucket[0]);
    }
    town.burst.begin();
    for (const Subscriber* who : group) update(town, *who, begin);
    town.burst.commit();
    updates += burst_max;
    if (updates % 1024 == 0) town.drain();
  }
  town.drain();
  state.SetItemsProcessed(static_cast<i64>(updates));
  state.counters["ns_per_update"] = benchmark::Counter(
      static_cast<double>(updates), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["entry_bytes"] =
      static_cast<double>(town.entry_bytes) / static_cast<double>(updates);
}
BENCHMARK(Update)->Arg(100'000)->Unit(benchmark::kMicrosecond);

// A session that its client forgot ends: its hold goes back, and it is kept to answer repetitions.
void end(Town& town, u32 number, u32 index, Instant now) {
  Shard& shard = *town.shards[number];
  Session& session = shard.session(index);
  town.burst.begin();
  Operation op(town.burst, number, shard.header(), now);
  op.change_all(session, Pool::session, index);
  const BucketPlace place{shard, session.quota.hold_bucket[0]};
  check(release(op, place, session.quota.hold_amount[0]) == Outcome::ok, "it was held");
  session.state = SessionState::closed;
  session.deadline_ns = (now + Duration::seconds(30)).ns;
  op.finish(EntryKind::timer, AnswerTag::none());
  shard.queue_closed(index);
  town.burst.commit();
}

// All sessions end within an hour, which passes in steps of a millisecond; in each of them the
// wheels of some shards are turned as a charge tile does it. What a request may have to wait for is
// the longest of these turns.
void Wheel(benchmark::State& state) {
  constexpr u32 shards_a_turn = 8;
  constexpr u32 visits_max = 16;
  constexpr u64 hour_ms = 3'600'000;
  for (auto _ : state) {
    Town town(static_cast<u64>(state.range(0)));
    std::mt19937_64 random(1);
    for (const Subscriber& who : town.people) {
      Shard& shard = *town.shards[who.shard];
      const u32 index = shard.find_by_hash(who.hash);
      shard.session(index).deadline_ns =
          (begin + Duration::milliseconds(static_cast<i64>(random() % hour_ms))).ns;
      shard.hasten(index);
    }
    u64 ended = 0;
    u64 turns = 0;
    std::chrono::nanoseconds longest{0};
    std::chrono::nanoseconds all{0};
    std::vector<i64> taken_ns;
    for (u64 ms = 0; ended < town.people.size(); ++ms) {
      check(ms < 2 * hour_ms, "all end in time");
      const Instant now = begin + Duration::milliseconds(static_cast<i64>(ms));
      const auto started = std::chrono::steady_clock::now();
      for (u32 i = 0; i < shards_a_turn; ++i) {
        const u32 number = static_cast<u32>((turns * shards_a_turn + i) % shard_count);
        town.shards[number]->forget_closed(now, visits_max);
        town.shards[number]->turn_wheel(now, visits_max, [&](u32 session) {
          end(town, number, session, now);
          ++ended;
        });
      }
      const std::chrono::nanoseconds taken = std::chrono::steady_clock::now() - started;
      longest = std::max(longest, taken);
      all += taken;
      taken_ns.push_back(taken.count());
      ++turns;
      town.drain();
    }
    const auto place = taken_ns.begin() + static_cast<i64>(taken_ns.size() * 999 / 1000);
    std::nth_element(taken_ns.begin(), place, taken_ns.end());
    state.counters["ns_per_end"] =
        static_cast<double>(all.count()) / static_cast<double>(town.people.size());
    state.counters["turn_p999_us"] = static_cast<double>(*place) / 1e3;
    state.counters["turn_max_us"] = static_cast<double>(longest.count()) / 1e3;
  }
}
BENCHMARK(Wheel)->Arg(100'000)->Arg(10'000'000)->Iterations(1)->Unit(benchmark::kSecond);

void IdentityFind(benchmark::State& state) {
  const u64 count = static_cast<u64>(state.range(0));
  const Space space(IdentityIndex::footprint(count));
  IdentityIndex index = IdentityIndex::format(space.get(), count);
  std::vector<IdentityKey> keys;
  for (u64 i = 0; i < count; ++i) {
    keys.push_back(number_key(IdentityType::msisdn, fmt::format("4670{:07}", i)));
    check(index.insert(keys.back(), AccountRef{static_cast<u32>(i + 1)}), "there is room");
  }
  std::mt19937_64 random(1);
  u64 sum = 0;
  for (auto _ : state) {
    std::array<IdentityKey, burst_max> group;
    for (IdentityKey& key : group) {
      key = keys[random() % count];
      index.prefetch(key);
    }
    for (const IdentityKey key : group) sum += index.find(key).value;
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(static_cast<i64>(state.iterations()) * burst_max);
}
BENCHMARK(IdentityFind)->Arg(1'000'000);

void Crc32c(benchmark::State& state) {
  const std::vector<u8> octets(static_cast<u64>(state.range(0)), 0x5a);
  u32 sum = 0;
  for (auto _ : state) sum ^= crc32c(octets, sum);
  benchmark::DoNotOptimize(sum);
  state.SetBytesProcessed(static_cast<i64>(state.iterations()) * state.range(0));
}
BENCHMARK(Crc32c)->Arg(512)->Arg(64 * 1024);

}  // namespace
}  // namespace tollgate::ledger

BENCHMARK_MAIN();
