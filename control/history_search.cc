// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/history_search.hh"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "control/cdr_format.hh"
#include "control/file.hh"

namespace tollgate::control {

using ledger::Bucket;
using ledger::BucketState;
using ledger::EntryKind;
using ledger::PartHeader;
using ledger::Pool;

namespace {

// A part's words as the record that they belong to; has() tells which of it is meant.
template <class Record>
class Patch {
 public:
  Patch(const PartHeader& part, Bytes words)
      : begin_(u64{part.at_word} * 8), end_(begin_ + words.size()) {
    if (end_ <= sizeof(Record)) {
      std::memcpy(reinterpret_cast<u8*>(&record_) + begin_, words.data(), words.size());
    } else {
      end_ = begin_;  // of no record of ours
    }
  }
  bool has(std::size_t offset, std::size_t bytes) const {
    return begin_ <= offset && offset + bytes <= end_;
  }
  const Record& operator*() const { return record_; }
  const Record* operator->() const { return &record_; }

 private:
  u64 begin_;
  u64 end_;
  Record record_{};
};

bool read_first_group(const ledger::JournalFolder& folder, u32 stream, u64 number,
                      ledger::GroupHeader& header) {
  try {
    const File file(ledger::segment_path(folder.path, stream, number), O_RDONLY);
    return ::pread(file.fd(), &header, sizeof header, page_bytes) == sizeof header &&
           header.magic == ledger::group_magic;
  } catch (const FileError&) {
    return false;
  }
}

}  // namespace

// What an entry turned out to be about.
struct HistorySearch::EntryNotes {
  bool is_ours = false;
  u32 session = 0;  // its record, if the entry changes one
  bool begins_session = false;
  std::string session_id;  // if the entry tells
  bool has_cdr = false;
  bool creates_account = false;
};

HistorySearch::HistorySearch(const ledger::JournalFolder& folder, const ledger::LedgerView& ledger,
                             const Wanted& wanted, std::vector<u64> durable)
    : folder_(folder), ledger_(ledger), wanted_(wanted), durable_(std::move(durable)) {
  check(durable_.size() == folder_.stream_count, "every stream tells how far it is");
  list_segments();
  begin_pass();
}

HistorySearch::~HistorySearch() = default;

// The segments in use: those whose first group is later than that of the one before. Behind them
// lie some that were made ahead, and may have had an older life.
void HistorySearch::list_segments() {
  for (u32 stream = 0; stream < folder_.stream_count; ++stream) {
    std::vector<Segment>& all = segments_.emplace_back();
    u64 last = 0;
    for (const u64 number : ledger::list_segments(folder_.path, stream)) {
      ledger::GroupHeader header;
      if (!read_first_group(folder_, stream, number, header)) break;
      if (header.sequence <= last || header.sequence > durable_[stream]) break;
      last = header.sequence;
      ledger::JournalPosition begin;
      begin.segment_number = number;
      begin.next_sequence = header.sequence;
      begin.previous_hash = header.previous_hash;
      all.push_back({begin});
    }
  }
}

void HistorySearch::begin_pass() {
  stream_ = 0;
  reaches_back_ = true;
  for (const auto& all : segments_) {
    reaches_back_ = reaches_back_ && all.size() <= segments_back_;
  }
  buckets_.clear();
  session_events_.clear();
  session_ids_.clear();
  events_.clear();
  dropped_ = 0;
  oldest_ = Instant::never();
  // The account's buckets as they are now; those that are gone are known by their last change.
  const ledger::ShardMemory shard = ledger_.shard(wanted_.place.shard());
  ledger::Account account;
  if (ledger_.read(wanted_.place, account)) {
    u32 left = ledger::buckets_per_account_max;
    for (u32 at = account.first_bucket; at != 0 && left-- > 0;) {
      Bucket bucket;
      if (at >= shard.header->buckets.used_end || !read_record(shard.buckets[at], bucket)) break;
      buckets_[at] = {.unit = bucket.unit, .state = bucket.state};
      at = bucket.next;
    }
  }
  open_stream();
}

void HistorySearch::open_stream() {
  reader_.reset();
  for (; stream_ < folder_.stream_count; ++stream_) {
    const std::vector<Segment>& all = segments_[stream_];
    if (all.empty()) continue;
    const std::size_t first = all.size() > segments_back_ ? all.size() - segments_back_ : 0;
    reader_ = std::make_unique<ledger::JournalReader>(folder_, stream_, all[first].begin);
    reader_->set_limit(durable_[stream_]);
    return;
  }
}

bool HistorySearch::step() {
  if (is_finished_) return false;
  for (u32 i = 0; i < groups_per_step_max; ++i) {
    if (reader_ == nullptr) {
      end_pass();
      return !is_finished_;
    }
    ledger::Group group;
    switch (reader_->next(group)) {
      case ledger::ReadOutcome::group:
        take_group(group);
        break;
      case ledger::ReadOutcome::end:
        ++stream_;
        open_stream();
        break;
      case ledger::ReadOutcome::failure:
        error_ = reader_->error();
        is_finished_ = true;
        return false;
    }
  }
  return true;
}

void HistorySearch::end_pass() {
  const bool is_enough = events_.size() + dropped_ > wanted_.limit;
  name_open_sessions();
  while (events_.size() > wanted_.limit) {
    events_.pop_front();
    ++dropped_;
  }
  const bool is_known = std::all_of(events_.begin(), events_.end(), [](const HistoryEvent& event) {
    return std::all_of(event.changes.begin(), event.changes.end(),
                       [](const BucketChange& change) { return change.is_before_known; });
  });
  if (reaches_back_ || (is_enough && is_known)) {
    is_complete_ = reaches_back_ && dropped_ == 0;
    is_finished_ = true;
    return;
  }
  segments_back_ *= 2;
  begin_pass();
}

void HistorySearch::take_group(const ledger::Group& group) {
  const bool is_exact =
      ledger::for_each_entry(group.payload, [&](const ledger::EntryHeader& header, Bytes entry) {
        if (header.time_ns < oldest_.ns) oldest_ = Instant{header.time_ns};
        if (header.shard == wanted_.place.shard()) take_entry(header, entry);
      });
  if (!is_exact) error_ = "a group of the journal is not filled by its entries";
}

void HistorySearch::take_entry(const ledger::EntryHeader& header, Bytes entry) {
  HistoryEvent event{
      .sequence = header.sequence, .kind = header.kind, .at = Instant{header.time_ns}};
  EntryNotes notes;
  const bool is_exact = ledger::for_each_part(
      header, entry,
      [&](const PartHeader& part, Bytes words) { take_part(part, words, event, notes); });
  if (!is_exact) return;
  if (header.kind == EntryKind::request && header.answer_at != 0) {
    ledger::Answer answer;
    const u64 at = u64{header.answer_at} * 8;
    if (at + sizeof answer <= entry.size()) {
      std::memcpy(static_cast<void*>(&answer), entry.data() + at, sizeof answer);
      event.request_type = answer.type;
      event.request_number = answer.number;
      event.outcome = answer.outcome;
    }
  }
  if (notes.begins_session) {
    session_events_.erase(notes.session);
    session_ids_.erase(notes.session);
  }
  if (notes.creates_account) {
    // Whatever came before was of another account in the same place.
    dropped_ = 0;
    events_.clear();
    session_events_.clear();
  }
  if (notes.is_ours || !event.changes.empty() || event.changes_account) {
    keep(std::move(event), notes);
  }
}

void HistorySearch::take_part(const PartHeader& part, Bytes words, HistoryEvent& event,
                              EntryNotes& notes) {
  switch (part.pool) {
    case Pool::bucket:
      return take_bucket(part, words, event);
    case Pool::account:
      return take_account(part, words, event, notes);
    case Pool::session:
      return take_session(part, words, notes);
    case Pool::note:
      return take_note(part, words, event, notes);
    case Pool::extension:
    case Pool::none:
      return;
  }
}

void HistorySearch::take_bucket(const PartHeader& part, Bytes words, HistoryEvent& event) {
  const Patch<Bucket> patch(part, words);
  const bool is_whole = patch.has(offsetof(Bucket, account), sizeof(Bucket) - 8);
  if (is_whole && patch->account != wanted_.place.index()) {
    buckets_.erase(part.index);  // somebody else's now
    return;
  }
  auto found = buckets_.find(part.index);
  if (is_whole && (found == buckets_.end() || !found->second.has_content)) {
    // Made just now, or seen for the first time when it goes: it says itself what it is.
    const bool is_made = patch->state != BucketState::free;
    found = buckets_
                .insert_or_assign(part.index, Known{.unit = patch->unit,
                                                    .state = patch->state,
                                                    .has_content = is_made,
                                                    .content = {}})
                .first;
  }
  if (found == buckets_.end()) return;
  if (!patch.has(offsetof(Bucket, balance), 3 * sizeof(Amount))) return;
  Known& known = found->second;
  BucketContent after{.put_in = patch->put_in,
                      .balance = patch->balance,
                      .reserved = patch->reserved,
                      .consumed = patch->consumed};
  if (!patch.has(offsetof(Bucket, put_in), sizeof(Amount))) {
    after.put_in = Amount{patch->balance.count + patch->reserved.count + patch->consumed.count};
  }
  if (is_whole && patch->state == BucketState::free) after = {};
  event.changes.push_back({.bucket = part.index,
                           .unit = known.unit,
                           .state = known.state,
                           .is_before_known = known.has_content,
                           .before = known.content,
                           .after = after});
  known.content = after;
  known.has_content = true;
  if (is_whole && patch->state == BucketState::free) buckets_.erase(found);
}

void HistorySearch::take_account(const PartHeader& part, Bytes words, HistoryEvent& event,
                                 EntryNotes& notes) {
  using ledger::Account;
  if (part.index != wanted_.place.index()) return;
  const Patch<Account> patch(part, words);
  const bool is_whole = patch.has(offsetof(Account, id), sizeof(Account) - 8);
  if (is_whole && patch->id != wanted_.account_id) return;
  notes.creates_account =
      is_whole && patch->state != ledger::AccountState::free && event.kind == EntryKind::command;
  event.changes_account = true;
}

void HistorySearch::take_session(const PartHeader& part, Bytes words, EntryNotes& notes) {
  using ledger::Session;
  const Patch<Session> patch(part, words);
  if (!patch.has(offsetof(Session, account), sizeof(u32))) return;
  notes.session = part.index;
  notes.begins_session = patch.has(offsetof(Session, session_id), sizeof(Session::session_id));
  notes.is_ours = patch->account == wanted_.place.index();
  if (notes.begins_session && patch->session_id_bytes <= patch->session_id.size()) {
    notes.session_id = patch->session_id_text();
  }
}

void HistorySearch::take_note(const PartHeader& part, Bytes words, HistoryEvent& event,
                              EntryNotes& notes) {
  switch (static_cast<ledger::NoteKind>(part.index)) {
    case ledger::NoteKind::charging_data: {
      ChargingRecord record;
      notes.has_cdr = read_charging_note(words, record);
      if (notes.has_cdr) notes.session_id = record.session_id;
      return;
    }
    case ledger::NoteKind::command: {
      ledger::Command command;
      constexpr std::size_t head_bytes = offsetof(ledger::Command, identities);
      if (words.size() < head_bytes) return;
      std::memcpy(static_cast<void*>(&command), words.data(), head_bytes);
      event.command = command.kind;
      event.command_key =
          command.idempotency_key != 0 ? command.idempotency_key : command.transfer_id;
      return;
    }
    case ledger::NoteKind::answer:
    case ledger::NoteKind::threshold:
      return;
  }
}

HistoryEvent* HistorySearch::event_at(u64 number) {
  if (number < dropped_ || number - dropped_ >= events_.size()) return nullptr;
  return &events_[number - dropped_];
}

// A session's name is told by the entry that began it and by the one that ended it; its record is
// told by all. The charging record comes with the end.
void HistorySearch::keep(HistoryEvent event, const EntryNotes& notes) {
  const bool is_told = !event.changes.empty() || event.changes_account || notes.has_cdr;
  if (notes.has_cdr) event.cdr_sequence = event.sequence;
  if (notes.session != 0) {
    if (!notes.session_id.empty()) session_ids_[notes.session] = notes.session_id;
    const auto id = session_ids_.find(notes.session);
    if (id != session_ids_.end()) event.session_id = id->second;
    std::vector<u64>& earlier = session_events_[notes.session];
    for (const u64 number : earlier) {
      HistoryEvent* other = event_at(number);
      if (other == nullptr || !notes.has_cdr) continue;
      other->session_id = event.session_id;
      other->cdr_sequence = event.sequence;
    }
    if (is_told) earlier.push_back(dropped_ + events_.size());
  }
  if (!is_told) return;
  events_.push_back(std::move(event));
  constexpr u64 spare = 1000;  // so that there is not one dropped for each that comes
  if (events_.size() <= wanted_.limit + spare) return;
  while (events_.size() > wanted_.limit) {
    events_.pop_front();
    ++dropped_;
  }
}

// Sessions that are still open: their record has the name.
void HistorySearch::name_open_sessions() {
  const ledger::ShardMemory shard = ledger_.shard(wanted_.place.shard());
  for (const auto& [index, numbers] : session_events_) {
    if (session_ids_.contains(index) || index >= shard.header->sessions.used_end) continue;
    const ledger::Session record = shard.sessions[index];
    if (record.state == ledger::SessionState::free) continue;
    if (record.account != wanted_.place.index()) continue;
    if (record.session_id_bytes > record.session_id.size()) continue;
    for (const u64 number : numbers) {
      HistoryEvent* event = event_at(number);
      if (event != nullptr) event->session_id = record.session_id_text();
    }
  }
}

}  // namespace tollgate::control
