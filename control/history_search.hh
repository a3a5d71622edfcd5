// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// HistorySearch: every change of one account, as the journal has it.
//
// The journal holds what records became, in order. So what a bucket was before a change is what the
// change before made of it: a search reads forward from some segment to the durable end, keeps the
// entries that touch the account, and goes back to older segments, twice and four times as far,
// until it has as many as were asked for and knows each of their beginnings, or there is nothing
// older. The journal is bounded, and with it the search; what is older than its oldest segment is
// not told.
//
// Charging is not disturbed, nothing is written, and an account costs nothing until somebody asks.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/command.hh"
#include "ledger/journal_reader.hh"
#include "ledger/ledger.hh"

namespace tollgate::control {

// What a bucket holds.
struct BucketContent {
  Amount put_in;
  Amount balance;
  Amount reserved;
  Amount consumed;
};

struct BucketChange {
  u32 bucket = 0;
  Unit unit = Unit::none;  // none: of a bucket that is gone, made before the oldest segment
  ledger::BucketState state = ledger::BucketState::open;
  bool is_before_known = false;
  BucketContent before;
  BucketContent after;
};

// One entry of the journal that touched the account.
struct HistoryEvent {
  u64 sequence = 0;  // of the shard; with it, the entry's name
  ledger::EntryKind kind = ledger::EntryKind::request;
  Instant at;
  // of a request or a timer
  std::string session_id;  // empty: not known
  u8 request_type = 0;     // CC-Request-Type
  u32 request_number = 0;
  ledger::Outcome outcome = ledger::Outcome::ok;
  // of a command
  ledger::CommandKind command = ledger::CommandKind::none;
  u64 command_key = 0;
  std::vector<BucketChange> changes;
  u64 cdr_sequence =
      0;  // of the charging record that tells of this session or event; 0: none (yet)
  bool changes_account = false;  // its state, plan, dates, limit or identities
};

class HistorySearch {
 public:
  struct Wanted {
    u64 account_id = 0;
    ledger::AccountRef place;
    u64 limit = 50;
  };
  // `durable[stream]`: read up to this group.
  HistorySearch(const ledger::JournalFolder& folder, const ledger::LedgerView& ledger,
                const Wanted& wanted, std::vector<u64> durable);
  ~HistorySearch();

  // Reads a bounded piece. False when it is finished, or has failed.
  bool step();

  const std::string& error() const { return error_; }
  const std::deque<HistoryEvent>& events() const { return events_; }  // the oldest first
  // Nothing older than these is in the journal.
  bool is_complete() const { return is_complete_; }
  // The time of the oldest entry that was looked at.
  Instant oldest() const { return oldest_; }

 private:
  struct Segment {
    ledger::JournalPosition begin;
  };
  // What is known of a bucket at this point of the pass.
  struct Known {
    Unit unit = Unit::none;
    ledger::BucketState state = ledger::BucketState::open;
    bool has_content = false;
    BucketContent content;
  };
  struct EntryNotes;

  void list_segments();
  void begin_pass();
  void open_stream();
  void end_pass();
  void take_group(const ledger::Group& group);
  void take_entry(const ledger::EntryHeader& header, Bytes entry);
  void take_part(const ledger::PartHeader& part, Bytes words, HistoryEvent& event,
                 EntryNotes& notes);
  void take_bucket(const ledger::PartHeader& part, Bytes words, HistoryEvent& event);
  void take_account(const ledger::PartHeader& part, Bytes words, HistoryEvent& event,
                    EntryNotes& notes);
  void take_session(const ledger::PartHeader& part, Bytes words, EntryNotes& notes);
  void take_note(const ledger::PartHeader& part, Bytes words, HistoryEvent& event,
                 EntryNotes& notes);
  void keep(HistoryEvent event, const EntryNotes& notes);
  void name_open_sessions();
  HistoryEvent* event_at(u64 number);

  static constexpr u32 groups_per_step_max = 128;

  ledger::JournalFolder folder_;
  ledger::LedgerView ledger_;
  Wanted wanted_;
  std::vector<u64> durable_;
  std::vector<std::vector<Segment>> segments_;  // of each stream, those in use
  std::size_t segments_back_ = 1;
  bool reaches_back_ = false;  // this pass begins at the oldest segment of each stream
  u32 stream_ = 0;
  std::unique_ptr<ledger::JournalReader> reader_;
  std::map<u32, Known> buckets_;
  std::map<u32, std::vector<u64>> session_events_;  // numbers of events, by session record
  std::map<u32, std::string> session_ids_;
  std::deque<HistoryEvent> events_;
  u64 dropped_ = 0;  // events before the first of events_
  Instant oldest_ = Instant::never();
  bool is_finished_ = false;
  bool is_complete_ = false;
  std::string error_;
};

}  // namespace tollgate::control
