// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Replay: the journal's entries, put into their records by several workers.
//
// Shards have nothing in common, so each worker takes the entries of its own shards, in the order
// of the journal, and passes over the others'.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/check.hh"
#include "ledger/group_feed.hh"
#include "ledger/patcher.hh"
#include "ledger/recovery.hh"

namespace tollgate::ledger {
namespace {

constexpr u32 workers_max = 8;

// Takes the next entry off the rest of a group. False if there is none in it.
bool split_entry(Bytes& rest, EntryHeader& header, Bytes& entry) {
  if (rest.size() < sizeof header) return false;
  std::memcpy(&header, rest.data(), sizeof header);
  if (header.bytes < sizeof header || header.bytes > rest.size() || header.bytes % 8 != 0) {
    return false;
  }
  entry = rest.first(header.bytes);
  rest = rest.subspan(header.bytes);
  return true;
}

// Replays the entries of its shards, in each stream as far as it can go before another must go on.
class Worker {
 public:
  Worker(GroupFeed& feed, u32 number, u32 worker_count, const LedgerMemory& memory)
      : feed_(feed),
        number_(number),
        worker_count_(worker_count),
        patcher_(memory),
        streams_(feed.stream_count()) {}

  // Until all streams have ended, or somebody has found why they cannot be replayed.
  void run(const RecoveryProgress* progress) {
    progress_ = progress;
    while (!has_ended()) {
      const u64 seen = feed_.changes();
      has_moved_ = false;
      for (u32 stream = 0; stream < streams_.size(); ++stream) go_on(stream);
      if (has_moved_ || has_ended()) continue;
      const GroupFeed::Wait wait = feed_.wait_for_change(seen);
      if (wait == GroupFeed::Wait::stuck) tell_what_waits();
      if (wait != GroupFeed::Wait::go_on) break;
    }
    feed_.leave();
  }

  u64 entry_count() const { return entry_count_; }

 private:
  struct Stream {
    const Group* group = nullptr;  // the feed's, until it is done with
    Bytes rest;                    // of the group's entries
    bool has_ended = false;
    std::string waits_for;
  };
  struct Ahead {
    EntryHeader header;
    Bytes entry;
  };

  bool has_ended() const {
    return std::all_of(streams_.begin(), streams_.end(),
                       [](const Stream& stream) { return stream.has_ended; });
  }

  void go_on(u32 number) {
    Stream& stream = streams_[number];
    stream.waits_for.clear();
    while (!stream.has_ended && stream.waits_for.empty()) {
      if (stream.group == nullptr && !take_group(number)) return;
      std::string why;
      while (!stream.rest.empty() && stream.waits_for.empty() && why.empty()) why = apply(stream);
      if (!why.empty()) {
        feed_.fail(at_group(why, number));
        stream.has_ended = true;
      } else if (stream.rest.empty()) {
        feed_.done_with(number_, number);
        stream.group = nullptr;
      }
    }
  }

  bool take_group(u32 number) {
    Stream& stream = streams_[number];
    const GroupFeed::Look look = feed_.look(number_, number, stream.group);
    stream.has_ended = look == GroupFeed::Look::ended;
    if (look != GroupFeed::Look::here) return false;
    stream.rest = stream.group->payload;
    has_moved_ = true;
    journal_bytes_ += round_up(sizeof(GroupHeader) + stream.rest.size(), page_bytes);
    if (progress_ != nullptr && ++group_count_ % 256 == 0) {
      (*progress_)({.doing = "replaying the journal", .bytes = journal_bytes_});
    }
    return true;
  }

  // Some entries of this worker's shards: sent for together, then written.
  std::string apply(Stream& stream) {
    std::array<Ahead, entries_ahead> ahead;
    u32 count = 0;
    while (!stream.rest.empty() && count < entries_ahead) {
      Ahead& next = ahead[count];
      if (!split_entry(stream.rest, next.header, next.entry)) {
        return "the entries do not fill their group";
      }
      if (next.header.shard % worker_count_ != number_) continue;
      patcher_.prefetch(next.header, next.entry);
      ++count;
    }
    for (u32 i = 0; i < count; ++i) {
      if (must_wait(ahead[i].header, stream)) {
        stream.rest = Bytes(ahead[i].entry.data(),
                            stream.group->payload.data() + stream.group->payload.size());
        return {};
      }
      std::string why = patcher_.apply(ahead[i].header, ahead[i].entry);
      if (!why.empty()) return why;
      ++entry_count_;
      has_moved_ = true;
    }
    return {};
  }

  bool must_wait(const EntryHeader& header, Stream& stream) {
    if (header.kind == EntryKind::answer_only || header.shard >= shard_count) return false;
    u64& sequence = patcher_.sequence(header.shard);
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

  void tell_what_waits() {
    for (u32 number = 0; number < streams_.size(); ++number) {
      const Stream& stream = streams_[number];
      if (!stream.waits_for.empty()) feed_.fail(at_group(stream.waits_for, number));
    }
  }

  std::string at_group(const std::string& why, u32 stream) const {
    const Group& group = *streams_[stream].group;
    return fmt::format("stream {} segment {} offset {}: {}", stream, group.segment_number,
                       group.offset, why);
  }

  static constexpr u32 entries_ahead = 16;

  GroupFeed& feed_;
  u32 number_;
  u32 worker_count_;
  Patcher patcher_;
  const RecoveryProgress* progress_ = nullptr;
  std::vector<Stream> streams_;
  std::array<bool, shard_count> is_known_{};
  bool has_moved_ = false;
  u64 entry_count_ = 0;
  u64 group_count_ = 0;
  u64 journal_bytes_ = 0;
};

// A snapshot knows of groups that had been on disk when it was taken: they must be there.
std::string end_of(const RecoveryStart& start, u32 stream, JournalReader& reader) {
  std::string why = reader.verify_end();
  if (!why.empty() || stream >= start.durable_sequences.size()) return why;
  const u64 known = start.durable_sequences[stream];
  const JournalPosition& end = reader.position();
  if (end.next_sequence > known) return {};
  return fmt::format(
      "stream {} is damaged: group {} should be in segment {} at offset {} and is not, but "
      "snapshot {} was taken when group {} was on disk; restore the file from a replica or a "
      "backup",
      stream, end.next_sequence, end.segment_number, end.offset, start.snapshot_number, known);
}

}  // namespace

std::string replay_journal(const JournalFolder& folder, const RecoveryStart& start,
                           const LedgerMemory& memory, RecoveryReport& report,
                           const RecoveryProgress& progress) {
  const u32 worker_count = std::clamp(std::thread::hardware_concurrency(), 1U, workers_max);
  const auto at_end = [&](u32 stream, JournalReader& reader) {
    return end_of(start, stream, reader);
  };
  GroupFeed feed(folder, {.positions = start.positions, .at_end = at_end}, worker_count);
  std::vector<Worker> workers;
  for (u32 i = 0; i < worker_count; ++i) workers.emplace_back(feed, i, worker_count, memory);
  std::vector<std::thread> threads;
  for (u32 i = 1; i < worker_count; ++i) {
    threads.emplace_back([&workers, i] { workers[i].run(nullptr); });
  }
  workers[0].run(&progress);
  for (std::thread& thread : threads) thread.join();
  report.snapshot_number = start.snapshot_number;
  report.group_count += feed.group_count();
  report.journal_bytes += feed.octets();
  for (const Worker& worker : workers) report.entry_count += worker.entry_count();
  std::string why = feed.why();
  for (u32 stream = 0; why.empty() && stream < feed.stream_count(); ++stream) {
    report.positions.push_back(feed.position(stream));
  }
  return why;
}

}  // namespace tollgate::ledger
