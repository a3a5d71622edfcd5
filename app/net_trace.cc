// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the net tile copies for somebody who watches a subscriber, a session or a peer
// (trace_tap.hh).

#include <algorithm>

#include "app/net_tile.hh"

namespace tollgate::app {

// A message has come while something is armed.
void NetTile::watch(const Connection& connection, Bytes message) {
  traces_ = trace_.match(message, shards_);
  const bool is_of_peer = !connection.peer.is_open() ||
                          diameter::read_header(message).application == diameter::Application::base;
  if (is_of_peer) traces_ |= trace_.match_peer(connection, message);
  if (traces_ == 0) return;
  trace_.copy({.kind = ledger::TraceKind::received, .traces = traces_, .at = turn_.now}, connection,
              message);
}

// What could not be decoded, or is refused before anything is charged: who watches the peer has not
// been told yet that it came.
void NetTile::watch_refused(const Connection& connection, Bytes message) {
  const u8 peers = trace_.match_peer(connection, message) & static_cast<u8>(~traces_);
  if (peers == 0) return;
  trace_.copy({.kind = ledger::TraceKind::received, .traces = peers, .at = turn_.now}, connection,
              message);
  traces_ |= peers;
}

// Of what a connection's own state machine says: one message, or two (CEA and DWR).
void NetTile::trace_peer_sent(const Connection& connection, Bytes messages) {
  const u8 peers = trace_.match_peer(connection, {});
  while (peers != 0 && messages.size() >= diameter::header_bytes) {
    const u64 bytes = std::min<u64>(diameter::read_header(messages).length_bytes, messages.size());
    if (bytes < diameter::header_bytes) return;
    trace_sent(connection, peers, messages.first(bytes));
    messages = messages.subspan(bytes);
  }
}

void NetTile::trace_sent(const Connection& connection, u8 traces, Bytes message,
                         ledger::AnswerTag tag) {
  if (traces == 0) return;
  trace_.copy({.kind = ledger::TraceKind::sent, .traces = traces, .tag = tag, .at = turn_.now},
              connection, message);
}

}  // namespace tollgate::app
