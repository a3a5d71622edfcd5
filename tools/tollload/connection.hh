// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Connection: one client of the load, with its stream, its Diameter peer and its sessions.
//
// Slot s belongs to connection s modulo the count of connections, for good: a session keeps its
// Origin-Host, and what is sent again after a loss is the same request to the server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/types.hh"
#include "dataplane/stream.hh"
#include "diameter/frame.hh"
#include "diameter/peer.hh"
#include "tools/tollload/options.hh"
#include "tools/tollload/session.hh"

namespace tollgate::tollload {

enum class ConnectionState : u8 {
  idle,        // to be connected at `retry_at`
  connecting,  // until CEA
  open,
  leaving,  // the server said DPR: its answers may still come, but nothing more is sent
  gone,     // lost, and not to come again
};

struct Connection {
  Connection(const Options& options, u32 connection_index, u32 slot_count_max);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A fresh peer and framer for a new stream.
  void renew(Instant now, u64 seed);

  u32 index = 0;
  ConnectionState state = ConnectionState::idle;
  bool was_open = false;
  bool is_blocked = false;  // its output is full
  Instant retry_at;
  Instant give_up_at;
  std::string_view last_reason = "none";  // a constant text: why the last stream ended
  dataplane::StreamId stream;

  std::string host;
  std::string session_prefix;
  u32 host_digits = 0;
  diameter::HostAddress address;
  diameter::LocalNode node;  // points to `address`
  std::optional<diameter::PeerConnection> peer;
  std::vector<u8> frame_buffer;
  std::optional<diameter::Framer> framer;

  SlotQueue ready;  // sessions that may send
  SlotQueue again;  // sessions whose request is to be sent once more
};

}  // namespace tollgate::tollload
