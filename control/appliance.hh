// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Appliance: the shared memory of the appliance that this control belongs to.
//
// The launcher makes the segments; control joins them: the ledger and the counters to read, the
// index, the tariff and the links to write. Answers of the ledger come with texts for people here,
// as nothing else in control looks into records.
#pragma once

#include "base/counters.hh"
#include "base/histogram.hh"
#include "base/link_table.hh"
#include "base/shared_memory.hh"
#include "base/status_table.hh"
#include "base/versioned_blob.hh"
#include "control/control.hh"
#include "control/json.hh"
#include "ledger/identity_index.hh"
#include "ledger/journal_writer.hh"
#include "ledger/ledger.hh"
#include "ledger/trace.hh"

namespace tollgate::control {

class Appliance {
 public:
  // Returns an empty text, or which segment is not there and why.
  [[nodiscard]] std::string join(const ControlOptions& options);

  const ledger::LedgerView& ledger() const { return ledger_; }
  ledger::IdentityIndex& index() { return index_; }
  VersionedBlob& tariff() { return *tariff_; }
  LinkMemory* link(const std::string& name) const { return find_link(links_, name); }
  std::vector<CounterBlock> counters() const { return read_counters(counters_segment_); }

  std::vector<std::string> link_names() const;
  // The connections of each net tile.
  std::vector<StatusTable> peers() const;
  // The memory of the journal tiles, by stream.
  const std::vector<const ledger::JournalMemory*>& journal_streams() const {
    return journal_streams_;
  }

  // Who is watched; nullptr if this appliance has no such segment.
  ledger::TraceTable* trace() const {
    return trace_segment_.is_mapped() ? trace_segment_.at<ledger::TraceTable>(0) : nullptr;
  }

  // How long requests were in the appliance, from received to answered, in processor ticks.
  Histogram latency() const;

  // Where the account is, by looking through its shard; none if it is not there.
  ledger::AccountRef find_account(u64 account_id) const;

 private:
  Segment ledger_segment_;
  Segment index_segment_;
  Segment tariff_segment_;
  Segment links_;
  Segment counters_segment_;
  Segment trace_segment_;
  std::vector<Segment> journal_segments_;
  std::vector<Segment> peer_segments_;
  std::vector<const ledger::JournalMemory*> journal_streams_;
  std::vector<Segment> latency_segments_;  // of the net tiles
  ledger::LedgerView ledger_;
  ledger::IdentityIndex index_;
  VersionedBlob* tariff_ = nullptr;
};

// The shard that an account of this number belongs to.
u32 shard_of_account(u64 account_id);

// [{"unit","balance","reserved","expires","priority",...}] of the account's open buckets.
Json describe_buckets(const ledger::LedgerView& ledger, ledger::AccountRef account);

// {"session_id","account_place"...} of one session; the caller adds the account's name.
Json describe_session(const ledger::LedgerView& ledger, u32 shard, const ledger::Session& session);

std::string_view to_text(ledger::AccountState state);
std::string_view to_text(ledger::UnitKind kind);

}  // namespace tollgate::control
