// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/recovery.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "base/check.hh"
#include "ledger/shard.hh"
#include "ledger/snapshot_reader.hh"

namespace tollgate::ledger {
namespace {

std::string apply_part(const ShardMemory& shard, const PartHeader& part, Bytes words) {
  const u32 number = static_cast<u32>(part.pool) - static_cast<u32>(Pool::account);
  const bool is_pool = number < pool_count;
  const PoolPlace pool = pools_of(shard)[is_pool ? number : 0];
  if (!is_pool || part.index == 0 || part.index > pool.capacity) {
    return fmt::format(
        "record {} of pool {} lies outside the configured ledger: configure it at "
        "least as large as it was",
        part.index, static_cast<unsigned>(part.pool));
  }
  if ((u32{part.at_word} + part.word_count) * 8 > pool.record_bytes) {
    return fmt::format("a patch reaches over the end of record {}", part.index);
  }
  std::memcpy(pool.records + u64{part.index} * pool.record_bytes + u64{part.at_word} * 8,
              words.data(), words.size());
  if (part.index >= pool.state->used_end) pool.state->used_end = part.index + 1;
  return {};
}

std::string at_group(const std::string& why, u32 stream, const Group& group) {
  return fmt::format("stream {} segment {} offset {}: {}", stream, group.segment_number,
                     group.offset, why);
}

// Replays all streams, each as far as it can go before another must go on.
class Replay {
 public:
  Replay(const JournalFolder& folder, const RecoveryStart& start, const LedgerMemory& memory,
         RecoveryReport& report, const RecoveryProgress& progress)
      : start_(start), memory_(memory), report_(report), progress_(progress) {
    for (u32 number = 0; number < folder.stream_count; ++number) {
      streams_.push_back(
          {.reader = std::make_unique<JournalReader>(folder, number, start.positions[number])});
    }
  }

  std::string run() {
    bool is_moving = true;
    while (is_moving) {
      is_moving = false;
      for (u32 number = 0; number < streams_.size(); ++number) {
        std::string why = go_on(number, is_moving);
        if (!why.empty()) return why;
      }
    }
    for (u32 number = 0; number < streams_.size(); ++number) {
      if (!streams_[number].is_at_end) {
        return at_group(streams_[number].waits_for, number, streams_[number].group);
      }
      report_.positions.push_back(streams_[number].reader->position());
    }
    return {};
  }

 private:
  struct Stream {
    std::unique_ptr<JournalReader> reader;
    Group group;
    Bytes rest;  // of the group's entries
    bool is_at_end = false;
    std::string waits_for;
  };

  // Until the stream's end, or an entry that must wait.
  std::string go_on(u32 number, bool& is_moving) {
    Stream& stream = streams_[number];
    while (!stream.is_at_end) {
      if (stream.rest.empty()) {
        std::string why = next_group(number);
        if (!why.empty()) return why;
        is_moving = true;
        continue;
      }
      stream.waits_for.clear();
      std::string why = apply_group(stream, is_moving);
      if (!why.empty()) return at_group(why, number, stream.group);
      if (!stream.waits_for.empty()) return {};
    }
    return {};
  }

  std::string next_group(u32 number) {
    Stream& stream = streams_[number];
    switch (stream.reader->next(stream.group)) {
      case ReadOutcome::failure:
        return stream.reader->error();
      case ReadOutcome::end:
        stream.is_at_end = true;
        return end_of(number);
      case ReadOutcome::group:
        break;
    }
    stream.rest = stream.group.payload;
    ++report_.group_count;
    report_.journal_bytes += round_up(sizeof(GroupHeader) + stream.rest.size(), page_bytes);
    if (report_.group_count % 256 == 0) {
      progress_({.doing = "replaying the journal", .bytes = report_.journal_bytes});
    }
    return {};
  }

  // A snapshot knows of groups that had been on disk when it was taken: they must be there.
  std::string end_of(u32 number) {
    const JournalReader& reader = *streams_[number].reader;
    std::string why = streams_[number].reader->verify_end();
    if (!why.empty() || number >= start_.durable_sequences.size()) return why;
    const u64 known = start_.durable_sequences[number];
    if (reader.position().next_sequence > known) return {};
    return fmt::format(
        "stream {} is damaged: group {} should be in segment {} at offset {} and is not, but "
        "snapshot {} was taken when group {} was on disk; restore the file from a replica or a "
        "backup",
        number, reader.position().next_sequence, reader.position().segment_number,
        reader.position().offset, start_.snapshot_number, known);
  }

  // Records lie anywhere in memory: those of some entries are sent for before the first of them is
  // written.
  void prefetch(Bytes rest) const {
    EntryHeader header;
    for (u32 i = 0; i < entries_ahead && rest.size() >= sizeof header; ++i) {
      std::memcpy(&header, rest.data(), sizeof header);
      if (header.bytes < sizeof header || header.bytes > rest.size()) return;
      if (header.shard >= shard_count) return;
      const auto pools = pools_of(memory_.shard(header.shard));
      const Bytes entry = rest.first(header.bytes);
      (void)for_each_part(header, entry, [&](const PartHeader& part, Bytes words) {
        const u32 pool = static_cast<u32>(part.pool) - static_cast<u32>(Pool::account);
        if (pool >= pool_count || part.index > pools[pool].capacity) return;
        const u8* at = pools[pool].records + u64{part.index} * pools[pool].record_bytes +
                       u64{part.at_word} * 8;
        for (u64 k = 0; k < words.size(); k += cache_line_bytes) __builtin_prefetch(at + k, 1);
      });
      rest = rest.subspan(header.bytes);
    }
  }

  std::string apply_group(Stream& stream, bool& is_moving) {
    std::string why;
    const u64 before = stream.rest.size();
    for (u32 count = 0; !stream.rest.empty() && why.empty(); ++count) {
      if (count % entries_ahead == 0) prefetch(stream.rest);
      EntryHeader header;
      if (stream.rest.size() < sizeof header) return "the entries do not fill their group";
      std::memcpy(&header, stream.rest.data(), sizeof header);
      if (header.bytes < sizeof header || header.bytes > stream.rest.size() ||
          header.bytes % 8 != 0) {
        return "the entries do not fill their group";
      }
      if (must_wait(header, stream)) break;
      ++report_.entry_count;
      why = apply_entry(memory_, header, stream.rest.first(header.bytes));
      stream.rest = stream.rest.subspan(header.bytes);
    }
    is_moving = is_moving || stream.rest.size() != before;
    return why;
  }

  bool must_wait(const EntryHeader& header, Stream& stream) {
    if (header.kind == EntryKind::answer_only || header.shard >= shard_count) return false;
    u64& sequence = memory_.shard(header.shard).header->sequence;
    if (header.sequence > sequence + 1) {
      stream.waits_for = fmt::format("shard {} jumps from entry {} to entry {}", header.shard,
                                     sequence, header.sequence);
      return true;
    }
    // A snapshot has noted the last entry whose effects it may have; the journal behind its place
    // begins with that one, or before.
    if (!is_known_[header.shard]) {
      is_known_[header.shard] = true;
      sequence = header.sequence - 1;
    }
    return false;
  }

  static constexpr u32 entries_ahead = 16;

  const RecoveryStart& start_;
  const LedgerMemory& memory_;
  RecoveryReport& report_;
  const RecoveryProgress& progress_;
  std::vector<Stream> streams_;
  std::array<bool, shard_count> is_known_{};
};

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
  const u32 end = shard.header().accounts.used_end;
  for (u32 i = 1; i < end; ++i) {
    if (i + accounts_ahead < end) {
      const Account& ahead = shard.account(i + accounts_ahead);
      for (u32 k = 0; k < ahead.identity_count; ++k) index.prefetch(ahead.identities[k]);
    }
    const Account& account = shard.account(i);
    if (account.state == AccountState::free) continue;
    ++report.account_count;
    for (u32 k = 0; k < account.identity_count; ++k) {
      if (index.insert(account.identities[k], AccountRef::make(shard.number(), i))) continue;
      return fmt::format(
          "the identity {} of account {} finds no place in the index, or is there "
          "twice: configure more identities",
          to_text(account.identities[k]), account.id);
    }
  }
  return {};
}

}  // namespace

std::string apply_entry(const LedgerMemory& memory, const EntryHeader& header, Bytes entry) {
  if (header.kind == EntryKind::answer_only) return {};
  if (header.shard >= shard_count) return fmt::format("there is no shard {}", header.shard);
  const ShardMemory shard = memory.shard(header.shard);
  u64& sequence = shard.header->sequence;
  if (header.sequence <= sequence) return {};  // packed twice by a writer that was killed
  if (header.sequence != sequence + 1) {
    return fmt::format("shard {} jumps from entry {} to entry {}", header.shard, sequence,
                       header.sequence);
  }
  std::string why;
  const bool is_exact = for_each_part(header, entry, [&](const PartHeader& part, Bytes words) {
    if (part.pool != Pool::note && why.empty()) why = apply_part(shard, part, words);
  });
  if (!is_exact)
    return fmt::format("entry {} of shard {} is malformed", header.sequence, header.shard);
  if (!why.empty()) return fmt::format("shard {}: {}", header.shard, why);
  sequence = header.sequence;
  return {};
}

std::string replay_journal(const JournalFolder& folder, const RecoveryStart& start,
                           const LedgerMemory& memory, RecoveryReport& report,
                           const RecoveryProgress& progress) {
  check(start.positions.size() == folder.stream_count, "every stream has a place to start from");
  std::string why = Replay(folder, start, memory, report, progress).run();
  report.snapshot_number = start.snapshot_number;
  return why;
}

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
