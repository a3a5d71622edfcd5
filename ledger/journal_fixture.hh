// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the journal's tests share: a disk in memory whose writes end when and how the test says, and
// groups made by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/hash.hh"
#include "ledger/journal_reader.hh"
#include "ledger/ledger_fixture.hh"

namespace tollgate::ledger {

// Segments that outlive the writers that open them.
struct MemoryDisk {
  u64 segment_bytes = 8_MiB;
  std::map<u64, std::vector<u8>> segments;

  void make(u64 number) { segments[number].resize(segment_bytes); }
};

class MemoryStorage final : public JournalStorage {
 public:
  explicit MemoryStorage(MemoryDisk& disk) : disk_(disk) {}

  [[nodiscard]] bool open(u64 number) override {
    if (!disk_.segments.contains(number)) return false;
    open_.insert(number);
    return true;
  }
  void close(u64 number) override { open_.erase(number); }
  void write(const StorageWrite& write) override {
    check(open_.contains(write.segment_number), "a segment is opened before it is written");
    check(write.offset % page_bytes == 0, "writes begin at a page");
    check(write.pages.size() % page_bytes == 0, "writes are whole pages");
    check(write.offset + write.pages.size() <= disk_.segment_bytes, "writes fit their segment");
    in_flight.push_back(write);
  }
  [[nodiscard]] bool reap(StorageCompletion& completion) override {
    if (finished_.empty()) return false;
    completion = finished_.front();
    finished_.erase(finished_.begin());
    return true;
  }

  // Ends a write: its first `bytes` octets are on disk, and all of it if `is_durable`.
  void finish(std::size_t which, bool is_durable, u64 bytes = UINT64_MAX) {
    const StorageWrite write = in_flight[which];
    put(write, bytes);
    in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(which));
    finished_.push_back({.slot = write.slot, .is_durable = is_durable});
  }
  void put(const StorageWrite& write, u64 bytes) {
    std::memcpy(disk_.segments.at(write.segment_number).data() + write.offset, write.pages.data(),
                std::min(bytes, write.pages.size()));
  }
  void finish_all() {
    while (!in_flight.empty()) finish(0, true);
  }

  std::vector<StorageWrite> in_flight;

 private:
  MemoryDisk& disk_;
  std::set<u64> open_;
  std::vector<StorageCompletion> finished_;
};

// An entry with one note, the answer: eight octets that are the number, then filling.
inline std::vector<u8> make_entry(u64 sequence, u64 number, u64 filling_words = 0) {
  const u64 words = 1 + filling_words;
  std::vector<u8> entry(sizeof(EntryHeader) + sizeof(PartHeader) + words * 8);
  const EntryHeader header{.bytes = static_cast<u32>(entry.size()),
                           .kind = sequence == 0 ? EntryKind::answer_only : EntryKind::request,
                           .shard = 1,
                           .part_count = 1,
                           .sequence = sequence,
                           .tag = AnswerTag::net(1, number),
                           .answer_at = (sizeof(EntryHeader) + sizeof(PartHeader)) / 8,
                           .answer_words = static_cast<u16>(words)};
  const PartHeader part{.index = static_cast<u32>(NoteKind::answer),
                        .pool = Pool::note,
                        .word_count = static_cast<u16>(words)};
  std::memcpy(entry.data(), &header, sizeof header);
  std::memcpy(entry.data() + sizeof header, &part, sizeof part);
  std::memcpy(entry.data() + sizeof header + sizeof part, &number, sizeof number);
  return entry;
}

// The pages of a group, chained to the one whose header hash is `previous_hash`, which becomes its
// own.
struct GroupTerms {
  u64 sequence;
  u64 durable_sequence;
};
inline std::vector<u8> make_group(const GroupTerms& terms, u64 appliance, Bytes payload,
                                  u64& previous_hash) {
  std::vector<u8> pages(round_up(sizeof(GroupHeader) + payload.size(), page_bytes));
  GroupHeader header{.sequence = terms.sequence,
                     .durable_sequence = terms.durable_sequence,
                     .previous_hash = previous_hash,
                     .appliance = appliance,
                     .payload_bytes = static_cast<u32>(payload.size()),
                     .entry_count = 1,
                     .payload_crc = crc32c(payload)};
  const Bytes octets(reinterpret_cast<const u8*>(&header), sizeof header);
  header.header_crc = crc32c(octets.first(offsetof(GroupHeader, header_crc)));
  std::memcpy(pages.data(), &header, sizeof header);
  std::memcpy(pages.data() + sizeof header, payload.data(), payload.size());
  previous_hash = hash64(octets);
  return pages;
}

}  // namespace tollgate::ledger
