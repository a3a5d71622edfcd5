// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/neighbours.hh"

#include "base/hash.hh"

namespace tollgate::dataplane {

namespace {

u64 set_of(const IpAddress& address, u32 set_count) {
  u64 halves[2];
  __builtin_memcpy(halves, address.octets.data(), sizeof halves);
  return mix64(halves[0] ^ mix64(halves[1])) % set_count;
}

}  // namespace

Neighbours::Neighbours() : entries_(set_count * way_count) {}

bool Neighbours::learn(const IpAddress& address, const MacAddress& mac, u32 now_ms) {
  Entry* const set = &entries_[set_of(address, set_count) * way_count];
  Entry* place = set;
  for (u32 way = 0; way < way_count; ++way) {
    Entry& entry = set[way];
    if (entry.address == address) {
      entry.seen_ms = now_ms;
      if (entry.mac == mac) return false;
      entry.mac = mac;
      return true;
    }
    if (!place->address.is_set()) continue;
    if (!entry.address.is_set() || now_ms - entry.seen_ms > now_ms - place->seen_ms) place = &entry;
  }
  *place = {.address = address, .mac = mac, .seen_ms = now_ms};
  return true;
}

const MacAddress* Neighbours::find(const IpAddress& address) const {
  const Entry* const set = &entries_[set_of(address, set_count) * way_count];
  for (u32 way = 0; way < way_count; ++way) {
    if (set[way].address == address) return &set[way].mac;
  }
  return nullptr;
}

}  // namespace tollgate::dataplane
