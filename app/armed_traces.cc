// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/armed_traces.hh"

#include <algorithm>

#include "ledger/shard.hh"

namespace tollgate::app {

bool ArmedTraces::refresh(Instant now) {
  if (table_ == nullptr) return false;
  const bool is_over = count_ != 0 && now >= earliest_end_;
  if (table_->version() == version_ && !is_over) return false;
  u32 version = 0;
  ledger::TraceTable::Wanted wanted;
  if (!table_->read(wanted, version)) return false;
  wanted_ = wanted;
  version_ = version;
  count_ = 0;
  earliest_end_ = Instant::never();
  for (ledger::TraceWanted& one : wanted_) {
    if (!one.is_armed(now)) {
      one.until_ns = 0;
      continue;
    }
    ++count_;
    one.name_bytes = std::min<u16>(one.name_bytes, static_cast<u16>(one.name.size()));
    one.session_hash = ledger::Shard::session_hash(one.name_text());
    earliest_end_ = std::min(earliest_end_, Instant{one.until_ns});
  }
  return true;
}

u8 ArmedTraces::match(ledger::AccountRef account, std::string_view session_id) const {
  u32 traces = 0;
  for (u32 i = 0; i < wanted_.size(); ++i) {
    const ledger::TraceWanted& one = wanted_[i];
    if (one.until_ns == 0 || one.is_peer != 0) continue;
    const bool is_wanted =
        one.name_bytes != 0 ? one.name_text() == session_id : one.account == account;
    if (is_wanted) traces |= u32{1} << i;
  }
  return static_cast<u8>(traces);
}

}  // namespace tollgate::app
