// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/connection.hh"

#include <algorithm>

namespace tollgate::tollload {
namespace {

constexpr std::size_t answer_bytes_max = 16_KiB;

// With kernel sockets the system chooses our address; CER then tells the loopback's.
diameter::HostAddress own_address(const Options& options) {
  if (options.transport == TransportKind::kernel) return {.octets = {127, 0, 0, 1}};
  return {.is_ipv6 = options.from.address.version == dataplane::IpVersion::v6,
          .octets = options.from.address.octets};
}

}  // namespace

Connection::Connection(const Options& options, u32 connection_index, u32 slot_count_max)
    : index(connection_index),
      host(host_of(options.identities, connection_index)),
      session_prefix(session_prefix_of(options.identities, connection_index)),
      host_digits(tollload::host_digits(connection_index)),
      address(own_address(options)),
      frame_buffer(answer_bytes_max),
      ready(slot_count_max),
      again(slot_count_max) {
  node.origin = {host, options.identities.realm};
  node.product_name = "tollload";
  node.origin_state_id = options.identities.run_number;
  node.host_addresses = {&address, 1};
  node.capabilities_timeout = options.connect_timeout;
}

void Connection::renew(Instant now, u64 seed) {
  peer.emplace(node, diameter::PeerConnection::Options{
                         .role = diameter::PeerRole::initiator, .now = now, .seed = seed});
  framer.emplace(frame_buffer);
  is_blocked = false;
}

}  // namespace tollgate::tollload
