// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What stands behind a Port, for the files of dataplane/ that move frames.
#pragma once

#include <rte_mbuf.h>

#include <string>
#include <vector>

#include "dataplane/port.hh"

namespace tollgate::dataplane {

// Before each packet buffer stands room for the lwIP pbuf that presents it: no copy, no allocation.
inline constexpr u16 buffer_private_bytes = 64;

struct Port::Internals {
  u16 port_id = 0;
  PortKind kind = PortKind::memif_server;
  std::string name;
  std::string device;  // DPDK's name of it
  u32 queue_count = 0;
  u32 mtu_bytes = 0;
  MacAddress mac;
  std::vector<rte_mempool*> pools;  // one a queue
  u64 receive_offloads = 0;         // DPDK's flags, as the port was configured
  u64 transmit_offloads = 0;
  bool is_primary = true;
  bool verifies_checksums = true;
  bool is_started = false;
  bool checks_receive_checksums = false;  // the port has looked at them: see each frame's flags
  bool makes_ip_checksum = false;
  bool makes_tcp_checksum = false;
  bool reports_link = false;  // the link comes and goes, and must be asked for
};

}  // namespace tollgate::dataplane
