// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Neighbours: which hardware address an IP address of the local net has, learned from what comes
// in.
//
// Several processes share one IP address, each with its own queue of the port, and the answer to an
// ARP request or neighbour solicitation reaches only one of them. But whoever has to answer a
// packet has seen it, so its source is the neighbour (or, from outside the local net, the gateway).
// What is not known here is asked for in the ordinary way. An entry is right until a frame says
// otherwise: a neighbour that changed its address teaches us with its next retransmission. The
// table is fixed in size: four places for each hash, the one unused for longest gives way.
#pragma once

#include <vector>

#include "base/types.hh"
#include "dataplane/endpoint.hh"

namespace tollgate::dataplane {

class Neighbours {
 public:
  Neighbours();

  // Returns true if this is news.
  bool learn(const IpAddress& address, const MacAddress& mac, u32 now_ms);

  // Nothing if it is not known. Valid until the next learn.
  const MacAddress* find(const IpAddress& address) const;

 private:
  static constexpr u32 set_count = 512;
  static constexpr u32 way_count = 4;

  struct Entry {
    IpAddress address;
    MacAddress mac;
    u32 seen_ms = 0;
  };

  std::vector<Entry> entries_;
};

}  // namespace tollgate::dataplane
