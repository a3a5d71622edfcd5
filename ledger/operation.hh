// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Operation and Burst: how the ledger is changed, so that a crash at any instruction harms nothing.
//
// An Operation is one request or command. Whoever changes a record says before which words of it:
// `change` keeps what they were (undo) and remembers them (redo). `finish` writes one journal entry
// with the words as they are then, onto the charge_journal link.
//
// A Burst is some operations that become visible to the journal together, by the one store of the
// link's publish. If the process dies before that store, the entries were never there, and
// `recover` puts the old words back; if it dies after it, the entries are there and so are the
// changes. Undo lies in shared memory, one log a charge tile.
//
// Derived fields (free chains, session table, wheel) are not undone: when a burst was rolled back
// they are made anew for the shards that it had touched (see Shard::rebuild).
#pragma once

#include <array>
#include <atomic>
#include <cstring>

#include "base/link.hh"
#include "base/time.hh"
#include "ledger/journal_format.hh"
#include "ledger/layout.hh"
#include "ledger/threshold.hh"

namespace tollgate::ledger {

struct UndoMemory {
  static constexpr u64 log_bytes = 1_MiB;

  u64 is_open;        // a burst is under way
  u64 link_position;  // of charge_journal, published, when it began
  u64 used_bytes;
  u64 command_position;  // of control_charge, behind the commands of this burst; 0: none
  u64 commit_count;      // bursts that ended: a reader knows by it that one is over
  u64 shard_mask;        // bit s: the burst has touched shard s, or is about to
  u64 reserved[2];
  u8 log[log_bytes];
};

class Burst {
 public:
  // `ledger_base` is what undo offsets count from. Both must be the same at recovery.
  Burst(UndoMemory& undo, u8* ledger_base, LinkProducer& journal)
      : undo_(undo), ledger_base_(ledger_base), journal_(journal) {}

  void begin();
  // `commands` are released with the burst: a command that was carried out is never seen again.
  void commit(LinkConsumer* commands = nullptr);

  // True if one more operation that writes at most `entry_bytes` fits the undo log and the link. If
  // not: commit, and try again after the journal tile has made room. Twice, because a piece of undo
  // has a longer tail than a part of an entry has a head, and because a link may skip to its
  // beginning; the line more is for the head of a lone entry that does.
  bool has_room(u64 entry_bytes) {
    return undo_.used_bytes + 2 * entry_bytes <= UndoMemory::log_bytes &&
           journal_.has_room(2 * entry_bytes + cache_line_bytes);
  }

  // After a crash: rolls back what was not published. True if there was something to roll back.
  // `commands` is the link whose commands a published burst had carried out: they are released.
  [[nodiscard]] static bool recover(UndoMemory& undo, u8* ledger_base, const LinkMemory& journal,
                                    LinkMemory* commands = nullptr);

  // Keeps the words as they are now. Returns nothing: the log has room, see has_room.
  void save(const u64* words, u32 word_count);

  // An operation on this shard begins, and may change what is derived at once: if the process dies,
  // this shard is made anew, and no other.
  void enter_shard(u32 number) {
    undo_.shard_mask |= u64{1} << number;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  LinkProducer& journal() { return journal_; }
  // Of the operation under way. They are many words and nearly always empty, so they are not made
  // anew for each.
  Crossings& crossings() { return crossings_; }

 private:
  UndoMemory& undo_;
  u8* ledger_base_;
  LinkProducer& journal_;
  Crossings crossings_;
};

class Operation {
 public:
  Operation(Burst& burst, u32 shard_number, ShardHeader& shard, Instant now)
      : burst_(burst), shard_(shard), shard_number_(shard_number), now_(now) {
    burst_.enter_shard(shard_number);
    burst_.crossings().clear();
  }

  Instant now() const { return now_; }
  Second now_second() const { return static_cast<Second>(now_.whole_seconds()); }

  // Movements of buckets look out for these, if there are any; they must outlive the operation.
  void watch(const Thresholds& thresholds) {
    thresholds_ = thresholds.count == 0 ? nullptr : &thresholds;
  }
  const Thresholds* thresholds() const { return thresholds_; }
  Crossings& crossings() { return burst_.crossings(); }

  // `words` words of `record`, from word `at_word` on, are about to change.
  struct Range {
    Pool pool;
    u32 index;
    u32 at_word;
    u32 word_count;
  };
  template <class Record>
  void change(Record& record, const Range& range) {
    if constexpr (requires { record.version; }) begin_version(record.version);
    touch(reinterpret_cast<u64*>(&record), range);
  }

  // The whole record is new, or changes throughout.
  template <class Record>
  void change_all(Record& record, Pool pool, u32 index) {
    constexpr u32 derived_words = first_word<Record>();
    change(record, {.pool = pool,
                    .index = index,
                    .at_word = derived_words,
                    .word_count = sizeof(Record) / 8 - derived_words});
  }

  // A part that replay passes over: up to three of them, bytes valid until finish.
  void add_note(NoteKind kind, Bytes first, Bytes second = {}, Bytes third = {});

  // Where the answer lies, if anybody waits for one: inside a changed record, or in a note.
  void set_answer_in_record(const void* words, u32 word_count) {
    answer_words_ = static_cast<const u64*>(words);
    answer_word_count_ = word_count;
  }
  void set_answer_in_note(Bytes bytes) { add_note(NoteKind::answer, bytes); }

  // Writes the entry. Without any change it is an answer_only, which has no sequence.
  void finish(EntryKind kind, AnswerTag tag);

  bool has_changes() const { return touched_count_ != 0; }

 private:
  struct Touched {
    u64* words;  // of the record's beginning
    u32 index;
    u32 at_word;
    u32 word_count;
    Pool pool;
  };
  struct Note {
    NoteKind kind;
    std::array<Bytes, 3> pieces;
  };

  template <class Record>
  static constexpr u32 first_word() {
    if constexpr (std::is_same_v<Record, Session>) return 2;
    return 1;
  }
  void begin_version(u32& version) {
    if ((version & 1) == 0) {
      __atomic_store_n(&version, version + 1, __ATOMIC_RELEASE);
      check(version_count_ < versions_.size(), "an operation opens a bounded number of versions");
      versions_[version_count_++] = &version;
    }
  }
  void touch(u64* words, const Range& range);
  u64 entry_bytes() const;
  u8* write_touched(u8* at, const u8* entry, EntryHeader& header) const;
  u8* write_notes(u8* at, const u8* entry, EntryHeader& header) const;

  static constexpr std::size_t touched_max = 512;

  Burst& burst_;
  ShardHeader& shard_;
  u32 shard_number_;
  Instant now_;
  const u64* answer_words_ = nullptr;
  u32 answer_word_count_ = 0;
  u32 touched_count_ = 0;
  u32 note_count_ = 0;
  u32 version_count_ = 0;
  std::array<Note, 4> notes_;
  const Thresholds* thresholds_ = nullptr;
  std::array<Touched, touched_max> touched_;
  std::array<u32*, 160> versions_;
};

}  // namespace tollgate::ledger
