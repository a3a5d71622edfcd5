// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// JournalReader: the groups of a stream, one after the other, checked.
//
// Recovery, the CDR writer, `tollctl journal verify` and every later reader go through it. It reads
// past the page cache, so that it can follow a stream that is being written; `limit` is the
// sequence up to which groups are known to be durable, and it never looks beyond.
#pragma once

#include <memory>
#include <string>

#include "ledger/journal_segments.hh"
#include "ledger/journal_writer.hh"

namespace tollgate::ledger {

struct Group {
  GroupHeader header;
  Bytes payload;  // its entries; valid until the next call
  u64 segment_number = 0;
  u64 offset = 0;
};

enum class ReadOutcome : u8 {
  group,    // here is one
  end,      // nothing (more) at this place
  failure,  // a file cannot be read or is not what it should be: see error()
};

class JournalReader {
 public:
  JournalReader(JournalFolder folder, u32 stream, const JournalPosition& from);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  // Groups beyond this sequence are not looked for, and one up to it that is not found is a
  // failure. UINT64_MAX: read what is there.
  void set_limit(u64 durable_sequence) { limit_ = durable_sequence; }

  [[nodiscard]] ReadOutcome next(Group& group);

  // Where the next group is looked for; at the end of a stream, where it goes on.
  const JournalPosition& position() const { return position_; }
  const std::string& error() const { return error_; }

  // After `end` in a stream that nobody writes: is this really the end? A torn tail is: groups that
  // were in flight together may be there in part, and none of them was answered. A whole group
  // behind the gap that says the missing ones had been durable is proof of damage, and then this
  // returns what and where. Of damage in the groups that were in flight last there is no proof.
  [[nodiscard]] std::string verify_end();

 private:
  bool open_segment(u64 number);
  bool load(u64 offset, u64 bytes);
  bool read_group(u64 offset, Group& group);
  bool is_next(const GroupHeader& header) const;
  bool next_segment_continues();
  ReadOutcome nothing_there();
  [[nodiscard]] std::string find_proof_of_damage(u64 begin);

  static constexpr u64 read_bytes = 1_MiB;

  JournalFolder folder_;
  u32 stream_;
  JournalPosition position_;
  u64 limit_ = UINT64_MAX;
  std::string error_;
  int fd_ = -1;
  u64 open_number_ = 0;
  JournalPosition left_;  // where the segment before was left for the next one
  std::unique_ptr<u8[], void (*)(u8*)> window_;
  u64 window_at_ = 0;  // offset in the segment of what is in the window
  u64 window_filled_ = 0;
};

// Calls fn(const EntryHeader&, Bytes entry) for each entry of a group's payload. False if the
// entries do not fill the payload exactly: the checksum was right, so this is a fault of the
// writer.
template <class Fn>
[[nodiscard]] bool for_each_entry(Bytes payload, Fn fn) {
  while (!payload.empty()) {
    EntryHeader header;
    if (payload.size() < sizeof header) return false;
    std::memcpy(&header, payload.data(), sizeof header);
    if (header.bytes < sizeof header || header.bytes > payload.size()) return false;
    if (header.bytes % 8 != 0) return false;
    fn(static_cast<const EntryHeader&>(header), payload.first(header.bytes));
    payload = payload.subspan(header.bytes);
  }
  return true;
}

// Calls fn(const PartHeader&, Bytes words) for each part of an entry. False if they do not fill it.
template <class Fn>
[[nodiscard]] bool for_each_part(const EntryHeader& entry, Bytes bytes, Fn fn) {
  u64 at = sizeof(EntryHeader);
  for (u32 i = 0; i < entry.part_count; ++i) {
    PartHeader part;
    if (at + sizeof part > bytes.size()) return false;
    std::memcpy(&part, bytes.data() + at, sizeof part);
    at += sizeof part;
    const u64 size = u64{part.word_count} * 8;
    if (at + size > bytes.size()) return false;
    fn(static_cast<const PartHeader&>(part), bytes.subspan(at, size));
    at += size;
  }
  return at == bytes.size();
}

}  // namespace tollgate::ledger
