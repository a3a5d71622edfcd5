// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// JournalWriter: the only way out. An answer leaves when what it tells is on disk.
//
// Entries come from the charge tiles over links and are packed into groups: the next group is
// whatever queued while the last ones were being written. One write is in flight at once, a second
// from 96 KB on, up to four from 192 KB on (WriteSizes): a small group at once when there is little
// to do, large ones when there is much: a write costs some 30 us. Answers leave for the durable
// prefix only.
//
// All state lies in shared memory, the groups as well: a writer that was killed continues where it
// stood, and writes again, to the same place, what it does not know to be durable. Entries that it
// had packed but not yet released from the link are packed twice then, and answers whose taking
// was not noted any more are given twice; whoever reads the journal goes by their sequence, whoever
// takes answers by their tag.
//
// A failed write stops the stream: nothing behind it is written or released, and charge tiles
// refuse. A writer that comes later over the same memory finds it stopped.
#pragma once

#include <atomic>
#include <vector>

#include "base/check.hh"
#include "base/link.hh"
#include "base/time.hh"
#include "ledger/journal_format.hh"
#include "ledger/journal_storage.hh"

namespace tollgate::ledger {

inline constexpr u32 journal_memory_layout = 2;

enum class GroupState : u32 { free = 0, filling = 1, submitted = 2, durable = 3 };

struct GroupSlot {
  GroupState state;
  u32 entry_count;   // all of them
  u32 effect_count;  // those that must be on disk
  u32 payload_bytes;
  u64 sequence;  // 0 for a group without effects, which is not written
  u64 segment_number;
  u64 offset;
  u64 submitted_tsc;
  u64 released_bytes;  // of the payload: answers given out so far
};

// Where a stream stands; what control and tools read.
struct JournalPosition {
  u64 segment_number = 1;
  u64 offset = page_bytes;  // in that segment, of the next group
  u64 next_sequence = 1;
  u64 previous_hash = 0;
};

struct JournalMemory {
  static constexpr u32 slot_count = 8;

  u64 appliance;
  u32 stream;
  u32 reserved;
  u64 segment_bytes;
  JournalPosition position;           // of the group being filled; others use read_position
  std::atomic<u64> durable_sequence;  // all groups up to here are on disk
  std::atomic<u64> current_segment;   // for the keeper
  std::atomic<u32> has_room;          // false: charge tiles refuse what would move money
  std::atomic<u32> is_failed;
  u64 fill_count;                     // groups begun; slot = count % slot_count
  u64 release_count;                  // groups whose answers are out
  std::atomic<u64> position_version;  // odd while `position` changes
  u64 sealed_sequence;                // of the last sealing group: see JournalWriter::seal
  GroupSlot slots[slot_count];
  alignas(page_bytes) u8 groups[slot_count][group_bytes_max];

  // Lays out a stream that continues at `position`, in zeroed page-aligned memory.
  struct Start {
    u64 appliance;
    u32 stream;
    u64 segment_bytes;
    JournalPosition position;
  };
  static JournalMemory* format(void* memory, const Start& start);
};

// Where the next group goes, for those who only look. False if it is changing now, which takes
// nanoseconds, unless the writer lost the processor or its life: ask again later.
[[nodiscard]] bool read_position(const JournalMemory& memory, JournalPosition& position);

struct JournalCounters {
  u64 groups_written;
  u64 entries_written;
  u64 bytes_written;
  u64 answers_released;
  u64 release_waits;  // the waiter's link was full
  u64 room_waits;     // no free group, or no next segment
  u64 write_failures;
  u64 commit_ticks;  // sum over groups_written
};

// How large a group has to be for its write to begin beside one, and beside several.
struct WriteSizes {
  u32 second_bytes = 96 * 1024;
  u32 further_bytes = 192 * 1024;
};

class JournalWriter {
 public:
  JournalWriter(JournalMemory& memory, JournalStorage& storage,
                std::vector<LinkConsumer> charge_links, JournalCounters& counters,
                const WriteSizes& sizes = {});

  // One turn: finished writes, answers out, entries in, writes started. `release` is called with
  // each answer that is due, in order; it returns false if its taker has no room now.
  //   bool release(AnswerTag tag, Bytes answer)
  template <class Release>
  u32 poll(u64 now_tsc, Instant now, Release release) {
    reap();
    u32 work = release_answers(release);
    work += fill();
    submit(now_tsc, now);
    return work;
  }

  // Now and then: looks for the next segment and for room.
  void housekeep() { look_ahead(); }

  // True when all that was taken from the links is on disk and answered.
  bool is_idle() const;

  // Writes a group without entries behind the last one, if that has none yet: it says that all
  // before it was durable. From then on damage to the last groups cannot be taken for a torn tail.
  // For a stream that is idle, and before it stops. True when it is on disk, or cannot be.
  bool seal(u64 now_tsc, Instant now);

 private:
  static constexpr u32 in_flight_max = 4;

  GroupSlot& slot(u64 count) const { return memory_.slots[count % JournalMemory::slot_count]; }
  u8* group(u64 count) const { return memory_.groups[count % JournalMemory::slot_count]; }
  void resume();
  void mend_filling();
  void mend_position();
  void begin_position();
  void end_position();
  void fail();
  void reap();
  u32 fill();
  bool take_entry(Bytes entry);
  bool begin_group();
  bool should_submit(const GroupSlot& filling) const;
  void submit(u64 now_tsc, Instant now);
  bool write_group(u64 count, u64 now_tsc, Instant now);
  bool place_group(GroupSlot& filling, u64 padded_bytes);
  void start_write(u64 count);
  void advance_durable();
  void look_ahead();
  template <class Release>
  u32 release_answers(Release release);

  JournalMemory& memory_;
  JournalStorage& storage_;
  std::vector<LinkConsumer> links_;
  JournalCounters& counters_;
  WriteSizes sizes_;
  u32 in_flight_ = 0;
  u32 next_link_ = 0;
  bool next_is_open_ = false;
  bool has_pending_ = false;  // an entry was taken from a link and found no room yet
  Bytes pending_;
  u32 pending_link_ = 0;
};

template <class Release>
u32 JournalWriter::release_answers(Release release) {
  u32 released = 0;
  while (memory_.release_count < memory_.fill_count) {
    GroupSlot& due = slot(memory_.release_count);
    if (due.state != GroupState::durable) return released;
    check(due.sequence == 0 || due.sequence <= memory_.durable_sequence.load(),
          "an answer leaves when its group is on disk");
    const u8* payload = group(memory_.release_count) + sizeof(GroupHeader);
    while (due.released_bytes < due.payload_bytes) {
      EntryHeader entry;
      const u8* at = payload + due.released_bytes;
      std::memcpy(&entry, at, sizeof entry);
      __builtin_prefetch(at + 2 * u64{entry.bytes});
      if (entry.answer_words != 0 && entry.tag.value != 0) {
        const Bytes answer(at + u64{entry.answer_at} * 8, u64{entry.answer_words} * 8);
        if (!release(entry.tag, answer)) {
          ++counters_.release_waits;
          return released;
        }
        ++counters_.answers_released;
        ++released;
      }
      due.released_bytes += entry.bytes;
    }
    // From here on the slot is free, whatever its state says.
    __atomic_store_n(&memory_.release_count, memory_.release_count + 1, __ATOMIC_RELEASE);
  }
  return released;
}

}  // namespace tollgate::ledger
