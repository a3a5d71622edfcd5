// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Addresses between our form and lwIP's, and the hash of a connection. Inside dataplane/ only.
#pragma once

#include <cstring>

#include "base/hash.hh"
#include "dataplane/endpoint.hh"
#include "lwip/ip_addr.h"

namespace tollgate::dataplane {

inline ip_addr_t to_lwip(const IpAddress& address) {
  ip_addr_t result{};
  if (address.version == IpVersion::v4) {
    IP_SET_TYPE_VAL(result, IPADDR_TYPE_V4);
    std::memcpy(&ip_2_ip4(&result)->addr, address.octets.data(), 4);
  } else {
    IP_SET_TYPE_VAL(result, IPADDR_TYPE_V6);
    std::memcpy(ip_2_ip6(&result)->addr, address.octets.data(), 16);
  }
  return result;
}

inline IpAddress from_lwip(const ip4_addr_t& address) {
  IpAddress result{.version = IpVersion::v4};
  std::memcpy(result.octets.data(), &address.addr, 4);
  return result;
}

inline IpAddress from_lwip(const ip6_addr_t& address) {
  IpAddress result{.version = IpVersion::v6};
  std::memcpy(result.octets.data(), address.addr, 16);
  return result;
}

inline IpAddress from_lwip(const ip_addr_t& address) {
  if (IP_IS_V6_VAL(address)) return from_lwip(*ip_2_ip6(&address));
  return from_lwip(*ip_2_ip4(&address));
}

struct FlowPorts {
  u16 remote = 0;
  u16 local = 0;
};

// `remote_octets` are the 4 or 16 octets of the address in network order.
inline u32 flow_hash(Bytes remote_octets, FlowPorts ports) {
  u64 key = (u64{ports.remote} << 16 | ports.local) << 32;
  for (std::size_t at = 0; at < remote_octets.size(); at += 4) {
    u32 word = 0;
    std::memcpy(&word, remote_octets.data() + at, 4);
    key = mix64(key ^ word);
  }
  return static_cast<u32>(key >> 32);
}

}  // namespace tollgate::dataplane
