// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TransportCounters: what a transport has done, and a name for each thing that it refused.
//
// Plain numbers, written by the one process that polls. The table below gives each its name and a
// sentence; metrics, `tollctl stats` and the documentation are made from it.
#pragma once

#include <array>
#include <string_view>

#include "base/types.hh"

namespace tollgate::dataplane {

struct TransportCounters {
  u64 frames_in = 0;
  u64 frames_out = 0;
  u64 octets_in = 0;
  u64 octets_out = 0;
  u64 streams_opened = 0;
  u64 streams_closed = 0;
  u64 stream_octets_in = 0;
  u64 stream_octets_out = 0;

  u64 drop_buffers_empty = 0;
  u64 drop_transmit_full = 0;
  u64 drop_frame_malformed = 0;
  u64 drop_ethertype_unknown = 0;
  u64 drop_ip_checksum = 0;
  u64 drop_tcp_checksum = 0;
  u64 drop_ip_other = 0;
  u64 drop_tcp_other = 0;
  u64 drop_protocol_memory = 0;
  u64 drop_unread_limit = 0;
  u64 refused_streams_full = 0;
  u64 refused_half_open = 0;
  u64 refused_output_full = 0;
  u64 port_missed = 0;
  u64 port_errors = 0;
  u64 retransmissions = 0;
  u64 neighbours_learned = 0;
};

struct CounterText {
  std::string_view name;
  std::string_view sentence;
  u64 TransportCounters::*count;
};

inline constexpr std::array transport_counter_table = std::to_array<CounterText>({
    {"frames_in", "frames taken from the port", &TransportCounters::frames_in},
    {"frames_out", "frames given to the port", &TransportCounters::frames_out},
    {"octets_in", "octets of frames taken from the port", &TransportCounters::octets_in},
    {"octets_out", "octets of frames given to the port", &TransportCounters::octets_out},
    {"streams_opened", "streams that came to be, in either direction",
     &TransportCounters::streams_opened},
    {"streams_closed", "streams that ended", &TransportCounters::streams_closed},
    {"stream_octets_in", "octets that the handler consumed", &TransportCounters::stream_octets_in},
    {"stream_octets_out", "octets that the handler committed",
     &TransportCounters::stream_octets_out},
    {"drop_buffers_empty", "frames lost because the pool of packet buffers was empty",
     &TransportCounters::drop_buffers_empty},
    {"drop_transmit_full", "frames not sent because the port's queue stayed full",
     &TransportCounters::drop_transmit_full},
    {"drop_frame_malformed", "frames too short for their own headers",
     &TransportCounters::drop_frame_malformed},
    {"drop_ethertype_unknown", "frames of a protocol that is neither IPv4, IPv6 nor ARP",
     &TransportCounters::drop_ethertype_unknown},
    {"drop_ip_checksum", "packets with a wrong IPv4 header checksum",
     &TransportCounters::drop_ip_checksum},
    {"drop_tcp_checksum", "segments with a wrong TCP checksum",
     &TransportCounters::drop_tcp_checksum},
    {"drop_ip_other", "packets not for us, cut short or otherwise refused by IP",
     &TransportCounters::drop_ip_other},
    {"drop_tcp_other", "segments refused by TCP: no such connection, bad length, bad sequence",
     &TransportCounters::drop_tcp_other},
    {"drop_protocol_memory", "times that a pool of the protocol stack was empty",
     &TransportCounters::drop_protocol_memory},
    {"drop_unread_limit", "segments put off because unread input holds too many packet buffers",
     &TransportCounters::drop_unread_limit},
    {"refused_streams_full", "connections refused because the limit of streams was reached",
     &TransportCounters::refused_streams_full},
    {"refused_half_open", "SYNs dropped because too many connections were only half open",
     &TransportCounters::refused_half_open},
    {"refused_output_full", "times that a stream had no room for output",
     &TransportCounters::refused_output_full},
    {"port_missed", "frames that the port lost because we did not take them in time",
     &TransportCounters::port_missed},
    {"port_errors", "frames that the port saw as broken", &TransportCounters::port_errors},
    {"retransmissions", "segments sent again", &TransportCounters::retransmissions},
    {"neighbours_learned", "hardware addresses learned or changed",
     &TransportCounters::neighbours_learned},
});

static_assert(transport_counter_table.size() * sizeof(u64) == sizeof(TransportCounters),
              "every counter has a name and a sentence");

}  // namespace tollgate::dataplane
