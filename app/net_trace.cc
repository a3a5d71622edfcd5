// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the net tile copies for somebody who watches a subscriber or a session (trace_tap.hh).

#include "app/net_tile.hh"

namespace tollgate::app {

// A message has come while something is armed.
void NetTile::watch(const Connection& connection, Bytes message) {
  traces_ = trace_.match(message, shards_);
  if (traces_ == 0) return;
  trace_.copy({.kind = ledger::TraceKind::received, .traces = traces_, .at = turn_.now}, connection,
              message);
}

void NetTile::trace_sent(const Connection& connection, u8 traces, Bytes message,
                         ledger::AnswerTag tag) {
  if (traces == 0) return;
  trace_.copy({.kind = ledger::TraceKind::sent, .traces = traces, .tag = tag, .at = turn_.now},
              connection, message);
}

}  // namespace tollgate::app
