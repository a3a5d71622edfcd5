// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/cdr_task.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "ledger/threshold.hh"

namespace tollgate::control {

ledger::JournalPosition oldest_position(const ledger::JournalFolder& folder, u32 stream) {
  ledger::JournalPosition position;
  const std::vector<u64> numbers = ledger::list_segments(folder.path, stream);
  if (numbers.empty() || numbers.front() == 1) return position;
  position.segment_number = numbers.front();
  // The first group tells its own number and what came before; the reader checks the rest.
  const File file(ledger::segment_path(folder.path, stream, numbers.front()), O_RDONLY);
  ledger::GroupHeader header;
  if (::pread(file.fd(), &header, sizeof header, page_bytes) == sizeof header &&
      header.magic == ledger::group_magic) {
    position.next_sequence = header.sequence;
    position.previous_hash = header.previous_hash;
  }
  return position;
}

CdrTask::CdrTask(const ledger::JournalFolder& folder, CdrWriter& writer, CdrWriter& events,
                 CdrNames names, std::vector<const std::atomic<u64>*> durable)
    : writer_(writer), events_(events), names_(std::move(names)) {
  check(durable.size() == folder.stream_count, "every stream tells how far it is");
  for (u32 number = 0; number < folder.stream_count; ++number) {
    const ledger::JournalPosition oldest = oldest_position(folder, number);
    ledger::JournalPosition from = oldest;
    if (number < writer.positions().size() && number < events.positions().size()) {
      // Whichever of the two is behind: what the other has it passes over.
      const bool is_behind =
          events.positions()[number].next_sequence < writer.positions()[number].next_sequence;
      const ledger::JournalPosition& wanted =
          is_behind ? events.positions()[number] : writer.positions()[number];
      if (wanted.segment_number < oldest.segment_number) {
        spdlog::error(
            "journal stream {}: CDRs were written up to segment {}, but the oldest there "
            "is {}: records between them are missing; restore the segments and delete "
            "nothing in the CDR folder",
            number, wanted.segment_number, oldest.segment_number);
      } else {
        from = wanted;
      }
    }
    streams_.push_back({.reader = std::make_unique<ledger::JournalReader>(folder, number, from),
                        .durable = durable[number]});
  }
}

bool CdrTask::step(Instant now) {
  bool has_more = false;
  for (u32 number = 0; number < streams_.size(); ++number) {
    has_more = read_some(number) || has_more;
  }
  const u64 closed = writer_.closed_number();
  events_.flush(now, positions());
  writer_.flush(now, positions());
  if (writer_.closed_number() != closed) events_.checkpoint(positions());
  return has_more;
}

bool CdrTask::read_some(u32 number) {
  Stream& stream = streams_[number];
  if (stream.has_failed) return false;
  if (stream.durable != nullptr) {
    const u64 limit = stream.durable->load(std::memory_order_acquire);
    if (limit < stream.reader->position().next_sequence) return false;
    stream.reader->set_limit(limit);
  }
  for (u32 i = 0; i < groups_per_step_max; ++i) {
    ledger::Group group;
    switch (stream.reader->next(group)) {
      case ledger::ReadOutcome::group:
        take_group(number, group);
        break;
      case ledger::ReadOutcome::end:
        return false;
      case ledger::ReadOutcome::failure:
        spdlog::error(
            "journal stream {}: {}; no CDRs are written from it until control starts "
            "again",
            number, stream.reader->error());
        stream.has_failed = true;
        return false;
    }
  }
  return true;
}

void CdrTask::take_group(u32 number, const ledger::Group& group) {
  const bool is_watched = watch_.is_wanted && watch_.is_wanted();
  const bool is_whole =
      ledger::for_each_entry(group.payload, [&](const ledger::EntryHeader& header, Bytes entry) {
        take_entry(number, header, entry);
        if (is_watched && header.kind == ledger::EntryKind::command) take_command(header, entry);
      });
  if (!is_whole) ++damaged_notes_;
}

void CdrTask::take_entry(u32 number, const ledger::EntryHeader& header, Bytes entry) {
  const CdrKey key{.shard = header.shard, .sequence = header.sequence};
  if (key.shard >= ledger::shard_count || key.sequence == 0) return;
  if (writer_.is_written(key) && events_.is_written(key)) return;
  ChargingRecord record{.stream = number, .shard = key.shard, .sequence = key.sequence};
  bool has_note = false;
  Bytes command;
  Bytes answer;
  const bool is_whole =
      ledger::for_each_part(header, entry, [&](const ledger::PartHeader& part, Bytes words) {
        if (part.pool != ledger::Pool::note) return;
        if (part.index == static_cast<u32>(ledger::NoteKind::command)) command = words;
        if (part.index == static_cast<u32>(ledger::NoteKind::answer)) answer = words;
        if (part.index == static_cast<u32>(ledger::NoteKind::threshold)) {
          events_.append(key, to_line(describe_crossings(header, words)));
        }
        if (part.index != static_cast<u32>(ledger::NoteKind::charging_data)) return;
        if (read_charging_note(words, record)) {
          has_note = true;
        } else {
          ++damaged_notes_;
        }
      });
  if (!is_whole) ++damaged_notes_;
  if (has_note) return writer_.append(key, to_line(record, names_));
  FeeRecord fee{
      .stream = number, .shard = key.shard, .sequence = key.sequence, .time_ns = header.time_ns};
  if (header.kind == ledger::EntryKind::command && read_fee(command, answer, fee)) {
    writer_.append(key, to_line(fee, names_));
  }
}

Json CdrTask::describe_crossings(const ledger::EntryHeader& header, Bytes words) const {
  Json told{{"event", "threshold"}, {"time", to_rfc3339(Instant{header.time_ns})}};
  Json crossings = Json::array();
  for (; words.size() >= sizeof(ledger::ThresholdNote);
       words = words.subspan(sizeof(ledger::ThresholdNote))) {
    ledger::ThresholdNote note;
    std::memcpy(static_cast<void*>(&note), words.data(), sizeof note);
    if (crossings.empty()) {
      told.update(*parse_json(fmt::format("{{{}}}", names_.account(note.account_id))));
      told["account_id"] = note.account_id;
    }
    crossings.push_back(Json{{"account_id", note.account_id},
                             {"bucket", note.bucket},
                             {"unit", unit_name(note.unit)},
                             {"threshold", to_decimal(note.threshold, note.unit)},
                             {"before", to_decimal(note.before, note.unit)},
                             {"after", to_decimal(note.after, note.unit)}});
  }
  told["crossings"] = std::move(crossings);
  told["journal"] = Json{{"shard", header.shard}, {"sequence", header.sequence}};
  return told;
}

void CdrTask::take_command(const ledger::EntryHeader& header, Bytes entry) {
  u64 key = 0;
  ledger::CommandAnswer answer;
  bool has_answer = false;
  const bool is_whole =
      ledger::for_each_part(header, entry, [&](const ledger::PartHeader& part, Bytes words) {
        if (part.pool != ledger::Pool::note) return;
        constexpr std::size_t key_at = offsetof(ledger::Command, idempotency_key);
        if (part.index == static_cast<u32>(ledger::NoteKind::command) &&
            words.size() >= key_at + sizeof key) {
          std::memcpy(&key, words.data() + key_at, sizeof key);
        }
        if (part.index == static_cast<u32>(ledger::NoteKind::answer) &&
            words.size() >= sizeof answer) {
          std::memcpy(&answer, words.data(), sizeof answer);
          has_answer = true;
        }
      });
  if (!is_whole) ++damaged_notes_;
  if (key != 0 && has_answer) watch_.journaled(key, answer);
}

std::vector<ledger::JournalPosition> CdrTask::positions() const {
  std::vector<ledger::JournalPosition> all;
  for (const Stream& stream : streams_) all.push_back(stream.reader->position());
  return all;
}

bool CdrTask::has_failed() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const Stream& stream) { return stream.has_failed; });
}

std::vector<u64> CdrTask::oldest_needed() const {
  std::vector<u64> all;
  for (u32 number = 0; number < streams_.size(); ++number) {
    const bool is_known =
        number < writer_.positions().size() && number < events_.positions().size();
    all.push_back(is_known ? std::min(writer_.positions()[number].segment_number,
                                      events_.positions()[number].segment_number)
                           : 1);
  }
  return all;
}

}  // namespace tollgate::control
