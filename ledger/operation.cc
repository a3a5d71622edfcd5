// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/operation.hh"

#include <atomic>

namespace tollgate::ledger {
namespace {

// Before each piece of undo: where it was, and (behind the words, so that the log can be read
// backwards) how long it is.
struct UndoTail {
  u64 offset;  // from the ledger's base
  u64 word_count;
};

// Keeps the compiler from moving stores across; the processor keeps their order by itself, and a
// process that is killed has all its stores up to some instruction.
void compiler_fence() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

u64 piece_bytes(u64 word_count) {
  return word_count * 8 + sizeof(UndoTail);
}

}  // namespace

void Burst::begin() {
  check(undo_.is_open == 0, "a burst is committed before the next one begins");
  undo_.used_bytes = 0;
  undo_.link_position = journal_.published_position();
  undo_.command_position = 0;
  undo_.shard_mask = 0;
  compiler_fence();
  undo_.is_open = 1;
  compiler_fence();
}

void Burst::commit(LinkConsumer* commands) {
  check(undo_.is_open == 1, "a burst is begun before it is committed");
  if (commands != nullptr) undo_.command_position = commands->position();
  compiler_fence();
  journal_.publish();
  compiler_fence();
  if (commands != nullptr) commands->release();
  compiler_fence();
  undo_.is_open = 0;
  __atomic_store_n(&undo_.commit_count, undo_.commit_count + 1, __ATOMIC_RELEASE);
}

void Burst::save(const u64* words, u32 word_count) {
  check(undo_.used_bytes + piece_bytes(word_count) <= UndoMemory::log_bytes,
        "has_room was asked before the operation");
  u8* at = undo_.log + undo_.used_bytes;
  std::memcpy(at, words, u64{word_count} * 8);
  const UndoTail tail{.offset = static_cast<u64>(reinterpret_cast<const u8*>(words) - ledger_base_),
                      .word_count = word_count};
  std::memcpy(at + u64{word_count} * 8, &tail, sizeof tail);
  compiler_fence();
  undo_.used_bytes += piece_bytes(word_count);
  compiler_fence();
}

bool Burst::recover(UndoMemory& undo, u8* ledger_base, const LinkMemory& journal,
                    LinkMemory* commands) {
  if (undo.is_open == 0) return false;
  const bool is_published = journal.tail.load(std::memory_order_acquire) != undo.link_position;
  if (!is_published) {
    u64 end = undo.used_bytes;
    while (end > 0) {
      UndoTail tail;
      std::memcpy(&tail, undo.log + end - sizeof tail, sizeof tail);
      check(piece_bytes(tail.word_count) <= end, "undo pieces fill the log exactly");
      end -= piece_bytes(tail.word_count);
      std::memcpy(ledger_base + tail.offset, undo.log + end, tail.word_count * 8);
    }
  } else if (commands != nullptr && undo.command_position > commands->head.load()) {
    commands->head.store(undo.command_position, std::memory_order_release);
  }
  undo.used_bytes = 0;
  compiler_fence();
  undo.is_open = 0;
  return true;
}

void Operation::touch(u64* words, const Range& range) {
  check(range.index != 0, "index 0 is nobody");
  const u32 end = range.at_word + range.word_count;
  // The same record twice in one operation is usually the one touched last or before it.
  for (u32 i = touched_count_; i > 0; --i) {
    Touched& old = touched_[i - 1];
    const u32 old_end = old.at_word + old.word_count;
    if (old.words != words || range.at_word > old_end || end < old.at_word) continue;
    if (range.at_word >= old.at_word && end <= old_end) return;
    burst_.save(words + range.at_word, range.word_count);
    const u32 begin = range.at_word < old.at_word ? range.at_word : old.at_word;
    old.word_count = (end > old_end ? end : old_end) - begin;
    old.at_word = begin;
    return;
  }
  check(touched_count_ < touched_max, "an operation touches a bounded number of records");
  burst_.save(words + range.at_word, range.word_count);
  touched_[touched_count_++] = {.words = words,
                                .index = range.index,
                                .at_word = range.at_word,
                                .word_count = range.word_count,
                                .pool = range.pool};
}

void Operation::add_note(NoteKind kind, Bytes first, Bytes second, Bytes third) {
  check(note_count_ < notes_.size(), "an entry has a bounded number of notes");
  notes_[note_count_++] = {kind, {first, second, third}};
}

u64 Operation::entry_bytes() const {
  u64 bytes = sizeof(EntryHeader);
  for (u32 i = 0; i < touched_count_; ++i) {
    bytes += sizeof(PartHeader) + u64{touched_[i].word_count} * 8;
  }
  for (u32 i = 0; i < note_count_; ++i) {
    u64 note = 0;
    for (const Bytes piece : notes_[i].pieces) note += round_up(piece.size(), 8);
    bytes += sizeof(PartHeader) + note;
  }
  return bytes;
}

u8* Operation::write_touched(u8* at, const u8* entry, EntryHeader& header) const {
  for (u32 i = 0; i < touched_count_; ++i) {
    const Touched& touched = touched_[i];
    const PartHeader part{.index = touched.index,
                          .pool = touched.pool,
                          .at_word = static_cast<u8>(touched.at_word),
                          .word_count = static_cast<u16>(touched.word_count)};
    std::memcpy(at, &part, sizeof part);
    at += sizeof part;
    const u64* begin = touched.words + touched.at_word;
    const u64* end = begin + touched.word_count;
    if (answer_words_ >= begin && answer_words_ + answer_word_count_ <= end) {
      header.answer_at = static_cast<u16>((at - entry) / 8 + (answer_words_ - begin));
      header.answer_words = static_cast<u16>(answer_word_count_);
    }
    std::memcpy(at, begin, u64{touched.word_count} * 8);
    at += u64{touched.word_count} * 8;
  }
  return at;
}

u8* Operation::write_notes(u8* at, const u8* entry, EntryHeader& header) const {
  for (u32 i = 0; i < note_count_; ++i) {
    const Note& note = notes_[i];
    u8* head = at;
    at += sizeof(PartHeader);
    const u8* begin = at;
    for (const Bytes piece : note.pieces) {
      if (piece.empty()) continue;
      const u64 padded = round_up(piece.size(), 8);
      std::memcpy(at, piece.data(), piece.size());
      std::memset(at + piece.size(), 0, padded - piece.size());
      at += padded;
    }
    const u64 word_count = static_cast<u64>(at - begin) / 8;
    const PartHeader part{.index = static_cast<u32>(note.kind),
                          .pool = Pool::note,
                          .at_word = 0,
                          .word_count = static_cast<u16>(word_count)};
    std::memcpy(head, &part, sizeof part);
    if (note.kind == NoteKind::answer) {
      header.answer_at = static_cast<u16>((begin - entry) / 8);
      header.answer_words = static_cast<u16>(word_count);
    }
  }
  return at;
}

void Operation::finish(EntryKind kind, AnswerTag tag) {
  if (const Crossings& crossed = crossings(); crossed.count != 0) {
    add_note(NoteKind::threshold, {reinterpret_cast<const u8*>(crossed.all.data()),
                                   crossed.count * sizeof(ThresholdNote)});
  }
  const u64 bytes = entry_bytes();
  check(bytes <= entry_bytes_max, "an entry is bounded by the limits of a request");
  const MutableBytes room = burst_.journal().reserve(bytes);
  check(!room.empty(), "has_room was asked before the operation");
  EntryHeader header{.bytes = static_cast<u32>(bytes),
                     .kind = has_changes() ? kind : EntryKind::answer_only,
                     .shard = static_cast<u8>(shard_number_),
                     .part_count = static_cast<u16>(touched_count_ + note_count_),
                     .time_ns = now_.ns,
                     .tag = tag};
  if (has_changes()) {
    burst_.save(&shard_.sequence, 1);
    header.sequence = ++shard_.sequence;
  }
  u8* at = write_touched(room.data() + sizeof header, room.data(), header);
  at = write_notes(at, room.data(), header);
  check(at == room.data() + bytes, "an entry is as long as was computed");
  std::memcpy(room.data(), &header, sizeof header);
  burst_.journal().commit(bytes);
  for (u32 i = 0; i < version_count_; ++i) {
    __atomic_store_n(versions_[i], *versions_[i] + 1, __ATOMIC_RELEASE);
  }
}

}  // namespace tollgate::ledger
