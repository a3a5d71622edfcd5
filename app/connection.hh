// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Connection: one stream of a net tile and the Diameter peer at its other end.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "app/net_counters.hh"
#include "app/profile.hh"
#include "dataplane/stream.hh"
#include "diameter/dispatch.hh"
#include "diameter/frame.hh"
#include "diameter/peer.hh"

namespace tollgate::app {

struct PeerRule;

struct Connection {
  Connection(const diameter::LocalNode& node, const diameter::PeerConnection::Options& options,
             u32 message_bytes_max)
      : buffer(message_bytes_max), framer(buffer), peer(node, options) {}

  dataplane::StreamId stream;
  dataplane::Endpoint remote;
  std::vector<u8> buffer;  // of the framer
  diameter::Framer framer;
  diameter::PeerConnection peer;
  u64 origin_host = 0;               // hash of the peer's name, once it is known
  const Profile* profile = nullptr;  // never null; the peer's own once it is known
  Instant opened;
  u64 requests = 0;
  u64 answers = 0;
  std::array<u64, result_place_count> results{};  // answers by Result-Code: net_counters.hh
  u64 requests_per_second = 0;                    // as last shown
  u64 rate_requests = 0;
  Instant rate_since;
  const PeerRule* call = nullptr;  // set if we have called this peer
  bool was_admitted = false;       // has exchanged capabilities
  bool is_ending = false;          // closed by us: what it still sends is thrown away
};

}  // namespace tollgate::app
