// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Which UPDATEs of a session have been answered: the highest number and the 64 below it.
#pragma once

#include "ledger/records.hh"

namespace tollgate::app {

inline constexpr u32 request_window_bits = 64;

inline bool was_seen(const ledger::Session& session, u32 number) {
  if (session.update_seen == 0 || number > session.update_last) return false;
  const u32 age = session.update_last - number;
  return age >= request_window_bits || ((session.update_seen >> age) & 1) != 0;
}

inline void mark_seen(ledger::Session& session, u32 number) {
  if (session.update_seen == 0 || number > session.update_last) {
    const u32 step = session.update_seen == 0 ? 0 : number - session.update_last;
    session.update_seen = step >= request_window_bits ? 1 : (session.update_seen << step) | 1;
    session.update_last = number;
    return;
  }
  session.update_seen |= u64{1} << (session.update_last - number);
}

}  // namespace tollgate::app
