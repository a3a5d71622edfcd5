// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/recovery.hh"

#include <fmt/format.h>

#include "base/check.hh"
#include "ledger/shard.hh"

namespace tollgate::ledger {
namespace {

// The words of a record in its pool, and the pool's high water, or nullptr if the index is beyond
// it.
struct RecordPlace {
  u64* words = nullptr;
  PoolState* pool = nullptr;
  u32 word_count = 0;
};

template <class Record>
RecordPlace place(Record* records, PoolState& pool, u32 capacity, u32 index) {
  if (index == 0 || index > capacity) return {};
  return {reinterpret_cast<u64*>(&records[index]), &pool, sizeof(Record) / 8};
}

RecordPlace find_record(const ShardMemory& shard, Pool pool, u32 index) {
  ShardHeader& header = *shard.header;
  switch (pool) {
    case Pool::account:
      return place(shard.accounts, header.accounts, shard.sizes.accounts, index);
    case Pool::bucket:
      return place(shard.buckets, header.buckets, shard.sizes.buckets, index);
    case Pool::session:
      return place(shard.sessions, header.sessions, shard.sizes.sessions, index);
    case Pool::extension:
      return place(shard.extensions, header.extensions, shard.sizes.extensions, index);
    case Pool::none:
    case Pool::note:
      break;
  }
  return {};
}

std::string apply_part(const ShardMemory& shard, const PartHeader& part, Bytes words) {
  const RecordPlace record = find_record(shard, part.pool, part.index);
  if (record.words == nullptr) {
    return fmt::format(
        "record {} of pool {} lies outside the configured ledger: configure it at "
        "least as large as it was",
        part.index, static_cast<unsigned>(part.pool));
  }
  if (u32{part.at_word} + part.word_count > record.word_count) {
    return fmt::format("a patch reaches over the end of record {}", part.index);
  }
  std::memcpy(record.words + part.at_word, words.data(), words.size());
  if (part.index >= record.pool->used_end) record.pool->used_end = part.index + 1;
  return {};
}

std::string at_group(const std::string& why, u32 stream, const Group& group) {
  return fmt::format("stream {} segment {} offset {}: {}", stream, group.segment_number,
                     group.offset, why);
}

std::string replay_stream(JournalReader& reader, u32 stream, const LedgerMemory& memory,
                          RecoveryReport& report, const std::function<void(u64 bytes)>& progress) {
  Group group;
  for (;;) {
    const ReadOutcome outcome = reader.next(group);
    if (outcome == ReadOutcome::failure) return reader.error();
    if (outcome == ReadOutcome::end) return reader.verify_end();
    std::string why;
    const bool is_exact =
        for_each_entry(group.payload, [&](const EntryHeader& header, Bytes entry) {
          ++report.entry_count;
          if (why.empty()) why = apply_entry(memory, header, entry);
        });
    if (!is_exact) why = "the entries do not fill their group";
    if (!why.empty()) return at_group(why, stream, group);
    ++report.group_count;
    report.journal_bytes += round_up(sizeof(GroupHeader) + group.payload.size(), page_bytes);
    if (report.group_count % 256 == 0) progress(report.journal_bytes);
  }
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
                           const std::function<void(u64 bytes)>& progress) {
  check(start.positions.size() == folder.stream_count, "every stream has a place to start from");
  for (u32 stream = 0; stream < folder.stream_count; ++stream) {
    JournalReader reader(folder, stream, start.positions[stream]);
    std::string why = replay_stream(reader, stream, memory, report, progress);
    if (!why.empty()) return why;
    report.positions.push_back(reader.position());
  }
  report.snapshot_number = start.snapshot_number;
  return {};
}

std::string rebuild_derived(const LedgerMemory& memory, IdentityIndex& index, Instant now,
                            RecoveryReport& report) {
  for (u32 number = 0; number < shard_count; ++number) {
    Shard shard(memory, number);
    shard.rebuild(now);
    const u32 end = shard.header().accounts.used_end;
    for (u32 i = 1; i < end; ++i) {
      const Account& account = shard.account(i);
      if (account.state == AccountState::free) continue;
      ++report.account_count;
      for (u32 k = 0; k < account.identity_count; ++k) {
        if (!index.insert(account.identities[k], AccountRef::make(number, i))) {
          return fmt::format(
              "the identity {} of account {} finds no place in the index, or is there "
              "twice: configure more identities",
              to_text(account.identities[k]), account.id);
        }
      }
    }
  }
  return {};
}

}  // namespace tollgate::ledger
