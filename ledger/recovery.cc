// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/recovery.hh"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/check.hh"
#include "ledger/member_counts.hh"
#include "ledger/shard.hh"
#include "ledger/snapshot_reader.hh"

namespace tollgate::ledger {
namespace {

// Whether the journal has all that was ever in it.
std::string check_beginning(const JournalFolder& journal) {
  for (u32 stream = 0; stream < journal.stream_count; ++stream) {
    const std::vector<u64> numbers = list_segments(journal.path, stream);
    if (numbers.empty() || numbers.front() == 1) continue;
    return fmt::format(
        "stream {} begins with segment {}, and there is no whole snapshot of what was before it; "
        "restore a snapshot or the missing segments from a replica or a backup",
        stream, numbers.front());
  }
  return {};
}

void start_from(const SnapshotHeader& header, RecoveryStart& start) {
  start.snapshot_number = header.number;
  for (u32 number = 0; number < header.stream_count; ++number) {
    const SnapshotStream& stream = header.streams[number];
    start.positions.push_back({.segment_number = stream.segment_number,
                               .offset = stream.offset,
                               .next_sequence = stream.next_sequence,
                               .previous_hash = stream.previous_hash});
    start.durable_sequences.push_back(stream.durable_sequence);
  }
}

// Shards have nothing in common: several threads take one after the other.
void rebuild_shards(const LedgerMemory& memory, Instant now) {
  std::atomic<u32> next = 0;
  const auto work = [&] {
    for (u32 number = next.fetch_add(1); number < shard_count; number = next.fetch_add(1)) {
      Shard(memory, number).rebuild(now);
    }
  };
  constexpr u32 threads_max = 8;
  const u32 thread_count = std::clamp(std::thread::hardware_concurrency(), 1U, threads_max);
  std::vector<std::thread> threads;
  for (u32 i = 1; i < thread_count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

// The identities of a shard's accounts, some accounts ahead of the hand that writes.
std::string index_shard(const Shard& shard, IdentityIndex& index, RecoveryReport& report) {
  constexpr u32 accounts_ahead = 16;
  MemberCounts families;
  const u32 end = shard.header().accounts.used_end;
  for (u32 i = 1; i < end; ++i) {
    if (i + accounts_ahead < end) {
      const Account& ahead = shard.account(i + accounts_ahead);
      for (u32 k = 0; k < ahead.identity_count; ++k) index.prefetch(ahead.identities[k]);
    }
    const Account& account = shard.account(i);
    if (account.state == AccountState::free) continue;
    ++report.account_count;
    families.add(i, account);
    for (u32 k = 0; k < account.identity_count; ++k) {
      if (index.insert(account.identities[k], AccountRef::make(shard.number(), i))) continue;
      return fmt::format(
          "the identity {} of account {} finds no place in the index, or is there "
          "twice: configure more identities",
          to_text(account.identities[k]), account.id);
    }
  }
  families.for_each_difference([&](u32 payer, u32 counted, u32 found) {
    report.warnings.push_back(fmt::format("account {} counts {} members, {} name it as their payer",
                                          shard.account(payer).id, counted, found));
  });
  return {};
}

}  // namespace

std::string load_newest_snapshot(const JournalFolder& journal, const std::string& snapshot_folder,
                                 const LedgerMemory& memory, RecoveryStart& start,
                                 RecoveryReport& report, const RecoveryProgress& progress) {
  start = {};
  std::vector<u64> numbers = list_snapshots(snapshot_folder);
  for (; !numbers.empty(); numbers.pop_back()) {
    SnapshotHeader header;
    std::string why = read_snapshot_header(snapshot_folder, numbers.back(), journal, header);
    if (why.empty()) {
      why = load_snapshot(snapshot_folder, header, memory, [&](u64 bytes, u64 bytes_of_all) {
        progress({.doing = "loading a snapshot", .bytes = bytes, .bytes_of_all = bytes_of_all});
      });
    }
    if (why.empty()) {
      start_from(header, start);
      report.snapshot_bytes = header.file_bytes;
      return {};
    }
    report.warnings.push_back(why + "; trying what is older");
  }
  start.positions.resize(journal.stream_count);
  std::string why = check_beginning(journal);
  if (why.empty() || report.warnings.empty()) return why;
  return report.warnings.front() + ". " + why;
}

std::string rebuild_derived(const LedgerMemory& memory, IdentityIndex& index, Instant now,
                            RecoveryReport& report) {
  rebuild_shards(memory, now);
  for (u32 number = 0; number < shard_count; ++number) {
    std::string why = index_shard(Shard(memory, number), index, report);
    if (!why.empty()) return why;
  }
  return {};
}

}  // namespace tollgate::ledger
