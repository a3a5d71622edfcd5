// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ArmedTraces: a tile's own copy of who is watched (ledger/trace.hh), so that while nobody is, it
// costs a comparison of the tile's memory.
#pragma once

#include "ledger/trace.hh"

namespace tollgate::app {

class ArmedTraces {
 public:
  // No table: nobody is ever watched.
  explicit ArmedTraces(const ledger::TraceTable* table) : table_(table), wanted_{} {}

  // In each housekeeping. True if what is armed may have changed.
  bool refresh(Instant now);

  bool is_none() const { return count_ == 0; }
  u32 version() const { return version_; }
  // Those that are not armed have no until_ns.
  const ledger::TraceTable::Wanted& all() const { return wanted_; }

  // A bit for each trace of this account, or of this session (which may be none).
  u8 match(ledger::AccountRef account, std::string_view session_id) const;

 private:
  const ledger::TraceTable* table_;
  u32 version_ = 0;
  u32 count_ = 0;
  Instant earliest_end_;
  ledger::TraceTable::Wanted wanted_;
};

}  // namespace tollgate::app
