// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/journal_writer.hh"

#include "base/check.hh"
#include "base/hash.hh"

namespace tollgate::ledger {
namespace {

constexpr u64 payload_bytes_max = group_bytes_max - sizeof(GroupHeader);

// What a writer that is killed has done by then is what stands before this line.
void compiler_fence() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

u64 padded_bytes_of(u64 payload_bytes) {
  return round_up(sizeof(GroupHeader) + payload_bytes, page_bytes);
}

u64 hash_of_header(const u8* group) {
  return hash64(Bytes(group, sizeof(GroupHeader)));
}

}  // namespace

JournalMemory* JournalMemory::format(void* memory, const Start& start) {
  auto* journal = static_cast<JournalMemory*>(memory);
  journal->appliance = start.appliance;
  journal->stream = start.stream;
  journal->segment_bytes = start.segment_bytes;
  journal->position = start.position;
  journal->durable_sequence.store(start.position.next_sequence - 1);
  journal->current_segment.store(start.position.segment_number);
  journal->has_room.store(1);
  return journal;
}

bool read_position(const JournalMemory& memory, JournalPosition& position) {
  const u64 before = memory.position_version.load(std::memory_order_acquire);
  std::memcpy(&position, &memory.position, sizeof position);
  std::atomic_thread_fence(std::memory_order_acquire);
  return (before & 1) == 0 && memory.position_version.load(std::memory_order_relaxed) == before;
}

JournalWriter::JournalWriter(JournalMemory& memory, JournalStorage& storage,
                             std::vector<LinkConsumer> charge_links, JournalCounters& counters,
                             const WriteSizes& sizes)
    : memory_(memory),
      storage_(storage),
      links_(std::move(charge_links)),
      counters_(counters),
      sizes_(sizes) {
  resume();
}

// After a restart: what was submitted and not seen to finish is written again, unless a write has
// failed: after that nobody knows what the disk holds, and another attempt could only hide it.
void JournalWriter::resume() {
  mend_filling();
  mend_position();
  advance_durable();
  for (u64 count = memory_.release_count; count < memory_.fill_count; ++count) {
    if (memory_.is_failed.load(std::memory_order_relaxed) != 0) break;
    if (slot(count).state == GroupState::submitted) start_write(count);
  }
  look_ahead();
}

// The writer before may have been killed between two of a group's counts: its octets tell them.
void JournalWriter::mend_filling() {
  if (memory_.fill_count == memory_.release_count) return;
  GroupSlot& filling = slot(memory_.fill_count - 1);
  if (filling.state != GroupState::filling) return;
  filling.entry_count = 0;
  filling.effect_count = 0;
  const u8* payload = group(memory_.fill_count - 1) + sizeof(GroupHeader);
  for (u64 at = 0; at < filling.payload_bytes;) {
    EntryHeader entry;
    std::memcpy(&entry, payload + at, sizeof entry);
    check(entry.bytes >= sizeof entry, "a group is filled with whole entries");
    ++filling.entry_count;
    if (entry.kind != EntryKind::answer_only) ++filling.effect_count;
    at += entry.bytes;
  }
}

// The last group that was submitted tells where the next one goes: the writer before may have been
// killed before it noted all of that.
void JournalWriter::mend_position() {
  JournalPosition& position = memory_.position;
  begin_position();
  for (u64 count = memory_.release_count; count < memory_.fill_count; ++count) {
    const GroupSlot& last = slot(count);
    const bool is_written =
        last.state == GroupState::submitted || last.state == GroupState::durable;
    if (!is_written || last.sequence == 0 || last.sequence + 1 < position.next_sequence) continue;
    position = {.segment_number = last.segment_number,
                .offset = last.offset + padded_bytes_of(last.payload_bytes),
                .next_sequence = last.sequence + 1,
                .previous_hash = hash_of_header(group(count))};
  }
  end_position();
  memory_.current_segment.store(position.segment_number, std::memory_order_release);
}

// Around every change of the position; one that a killed writer left open is closed by the next.
void JournalWriter::begin_position() {
  memory_.position_version.store(memory_.position_version.load(std::memory_order_relaxed) | 1,
                                 std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}

void JournalWriter::end_position() {
  memory_.position_version.store(memory_.position_version.load(std::memory_order_relaxed) + 1,
                                 std::memory_order_release);
}

void JournalWriter::fail() {
  ++counters_.write_failures;
  memory_.is_failed.store(1, std::memory_order_release);
  memory_.has_room.store(0, std::memory_order_release);
}

void JournalWriter::start_write(u64 count) {
  const GroupSlot& due = slot(count);
  if (!storage_.open(due.segment_number)) {
    fail();
    return;
  }
  const u64 bytes = padded_bytes_of(due.payload_bytes);
  ++in_flight_;
  storage_.write({.slot = static_cast<u32>(count % JournalMemory::slot_count),
                  .segment_number = due.segment_number,
                  .offset = due.offset,
                  .pages = Bytes(group(count), bytes)});
}

void JournalWriter::reap() {
  StorageCompletion completion;
  bool any = false;
  while (storage_.reap(completion)) {
    --in_flight_;
    any = true;
    GroupSlot& done = memory_.slots[completion.slot];
    if (!completion.is_durable) {
      fail();
      continue;
    }
    done.state = GroupState::durable;
    ++counters_.groups_written;
    counters_.entries_written += done.effect_count;
    counters_.bytes_written += padded_bytes_of(done.payload_bytes);
    counters_.commit_ticks += read_tsc() - done.submitted_tsc;
  }
  if (any) advance_durable();
}

// The durable prefix: a group that is on disk behind one that is not counts for nothing yet.
// Answers are released in order, so for them the slots' states are enough; this is for readers of
// the files.
void JournalWriter::advance_durable() {
  u64 durable = memory_.durable_sequence.load(std::memory_order_relaxed);
  for (u64 count = memory_.release_count; count < memory_.fill_count; ++count) {
    const GroupSlot& due = slot(count);
    if (due.state != GroupState::durable) break;
    if (due.sequence != 0 && due.sequence > durable) durable = due.sequence;
  }
  memory_.durable_sequence.store(durable, std::memory_order_release);
}

bool JournalWriter::begin_group() {
  if (memory_.fill_count - memory_.release_count >= JournalMemory::slot_count) {
    ++counters_.room_waits;
    return false;
  }
  GroupSlot& fresh = slot(memory_.fill_count);
  fresh = GroupSlot{.state = GroupState::filling};
  compiler_fence();
  ++memory_.fill_count;
  return true;
}

// Copies an entry into the group being filled. False if there is no room for it now.
bool JournalWriter::take_entry(Bytes entry) {
  if (memory_.fill_count == memory_.release_count ||
      slot(memory_.fill_count - 1).state != GroupState::filling) {
    if (!begin_group()) return false;
  }
  GroupSlot& filling = slot(memory_.fill_count - 1);
  if (filling.payload_bytes + entry.size() > payload_bytes_max) return false;
  u8* at = group(memory_.fill_count - 1) + sizeof(GroupHeader) + filling.payload_bytes;
  std::memcpy(at, entry.data(), entry.size());
  EntryHeader header;
  std::memcpy(&header, entry.data(), sizeof header);
  if (header.kind != EntryKind::answer_only) ++filling.effect_count;
  ++filling.entry_count;
  compiler_fence();
  filling.payload_bytes += static_cast<u32>(entry.size());
  return true;
}

u32 JournalWriter::fill() {
  u32 taken = 0;
  if (memory_.is_failed.load(std::memory_order_relaxed) != 0) return 0;
  if (has_pending_) {
    if (!take_entry(pending_)) return 0;
    has_pending_ = false;
    links_[pending_link_].release();
    ++taken;
  }
  for (u32 i = 0; i < links_.size(); ++i) {
    const u32 number = (next_link_ + i) % static_cast<u32>(links_.size());
    LinkConsumer& link = links_[number];
    Bytes entry;
    u32 from_here = 0;
    while (from_here < 256 && link.next(entry)) {
      if (!take_entry(entry)) {
        has_pending_ = true;
        pending_ = entry;
        pending_link_ = number;
        return taken;
      }
      ++from_here;
    }
    if (from_here != 0) link.release();
    taken += from_here;
  }
  next_link_ = (next_link_ + 1) % static_cast<u32>(links_.size());
  return taken;
}

bool JournalWriter::should_submit(const GroupSlot& filling) const {
  if (filling.effect_count == 0) return true;
  if (in_flight_ == 0) return true;
  if (in_flight_ == 1) return filling.payload_bytes >= sizes_.second_bytes;
  return in_flight_ < in_flight_max && filling.payload_bytes >= sizes_.further_bytes;
}

// Finds the group its place in the stream. False if the next segment is not there.
bool JournalWriter::place_group(GroupSlot& filling, u64 padded_bytes) {
  JournalPosition& position = memory_.position;
  if (position.offset + padded_bytes > memory_.segment_bytes) {
    if (!next_is_open_) look_ahead();
    if (!next_is_open_) {
      ++counters_.room_waits;
      return false;
    }
    storage_.close(position.segment_number);
    begin_position();
    ++position.segment_number;
    position.offset = page_bytes;
    end_position();
    memory_.current_segment.store(position.segment_number, std::memory_order_release);
    next_is_open_ = false;
    look_ahead();
  }
  filling.segment_number = position.segment_number;
  filling.offset = position.offset;
  return true;
}

// Opens the segment after the current one in time. As long as it is missing and the current one is
// nearly full, there is no room for new money.
void JournalWriter::look_ahead() {
  constexpr u64 reserve_bytes = 2 * JournalMemory::slot_count * group_bytes_max;
  const JournalPosition& position = memory_.position;
  if (!storage_.open(position.segment_number)) {
    memory_.has_room.store(0, std::memory_order_release);
    return;
  }
  if (!next_is_open_) next_is_open_ = storage_.open(position.segment_number + 1);
  const bool has_room = next_is_open_ || position.offset + reserve_bytes <= memory_.segment_bytes;
  const bool is_failed = memory_.is_failed.load(std::memory_order_relaxed) != 0;
  memory_.has_room.store(has_room && !is_failed ? 1 : 0, std::memory_order_release);
}

void JournalWriter::submit(u64 now_tsc, Instant now) {
  if (memory_.fill_count == memory_.release_count) return;
  const u64 count = memory_.fill_count - 1;
  GroupSlot& filling = slot(count);
  if (filling.state != GroupState::filling || filling.entry_count == 0) return;
  if (!should_submit(filling)) return;
  if (memory_.is_failed.load(std::memory_order_relaxed) != 0) return;
  if (filling.effect_count == 0) {
    filling.state = GroupState::durable;  // nothing to write; it waits for those before it
    return;
  }
  (void)write_group(count, now_tsc, now);
}

bool JournalWriter::seal(u64 now_tsc, Instant now) {
  const bool is_failed = memory_.is_failed.load(std::memory_order_relaxed) != 0;
  if (is_failed || memory_.has_room.load(std::memory_order_relaxed) == 0) return true;
  if (memory_.position.next_sequence == memory_.sealed_sequence + 1) return is_idle();
  if (!is_idle() || !begin_group()) return false;
  const u64 count = memory_.fill_count - 1;
  if (write_group(count, now_tsc, now)) {
    memory_.sealed_sequence = slot(count).sequence;
  } else {
    slot(count).state = GroupState::durable;  // without entries and without a place it is nothing
  }
  return false;
}

// Finds the group its place, gives it its header and starts to write it. False if there is no room.
bool JournalWriter::write_group(u64 count, u64 now_tsc, Instant now) {
  GroupSlot& filling = slot(count);
  const u64 padded_bytes = padded_bytes_of(filling.payload_bytes);
  if (!place_group(filling, padded_bytes)) return false;
  JournalPosition& position = memory_.position;
  u8* begin = group(count);
  std::memset(begin + sizeof(GroupHeader) + filling.payload_bytes, 0,
              padded_bytes - sizeof(GroupHeader) - filling.payload_bytes);
  GroupHeader header{.stream = static_cast<u16>(memory_.stream),
                     .sequence = position.next_sequence,
                     .durable_sequence = memory_.durable_sequence.load(std::memory_order_relaxed),
                     .previous_hash = position.previous_hash,
                     .written_ns = now.ns,
                     .appliance = memory_.appliance,
                     .payload_bytes = filling.payload_bytes,
                     .entry_count = filling.entry_count};
  header.payload_crc = crc32c(Bytes(begin + sizeof header, filling.payload_bytes));
  const Bytes header_bytes(reinterpret_cast<const u8*>(&header), sizeof header);
  header.header_crc = crc32c(header_bytes.first(offsetof(GroupHeader, header_crc)));
  std::memcpy(begin, &header, sizeof header);
  filling.sequence = header.sequence;
  filling.submitted_tsc = now_tsc;
  compiler_fence();
  filling.state = GroupState::submitted;
  compiler_fence();  // killed from here on: see mend_position
  begin_position();
  position.previous_hash = hash_of_header(begin);
  ++position.next_sequence;
  position.offset += padded_bytes;
  end_position();
  start_write(count);
  if (!next_is_open_) look_ahead();
  return true;
}

bool JournalWriter::is_idle() const {
  if (in_flight_ != 0 || has_pending_ || memory_.fill_count != memory_.release_count) return false;
  for (const LinkConsumer& link : links_) {
    if (!link.is_drained()) return false;
  }
  return true;
}

}  // namespace tollgate::ledger
