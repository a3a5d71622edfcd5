// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Header: the 20 octets that begin every message (RFC 6733 section 3).
//
// What must be kept of a request until its answer leaves: hop_by_hop, end_to_end, command,
// application and the P flag. The four low bits of the flags are reserved: sent as 0, ignored.
#pragma once

#include "base/time.hh"
#include "base/types.hh"

namespace tollgate::diameter {

inline constexpr std::size_t header_bytes = 20;
inline constexpr u8 protocol_version = 1;

enum class Command : u32 {
  capabilities_exchange = 257,
  re_auth = 258,
  accounting = 271,
  credit_control = 272,
  abort_session = 274,
  session_termination = 275,
  device_watchdog = 280,
  disconnect_peer = 282,
};

enum class Application : u32 {
  base = 0,
  accounting = 3,
  credit_control = 4,
  gx = 16777238,  // policy: uses command 272 as well
  relay = 0xffffffff,
};

inline constexpr u32 vendor_3gpp = 10415;

// The bits of Header::flags.
inline constexpr u8 flag_request = 0x80;
inline constexpr u8 flag_proxiable = 0x40;
inline constexpr u8 flag_error = 0x20;
inline constexpr u8 flag_retransmitted = 0x10;

struct Header {
  u8 version = protocol_version;
  u8 flags = 0;
  u32 length_bytes = 0;  // of the whole message
  Command command{};
  Application application{};
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;

  bool is_request() const { return (flags & flag_request) != 0; }
  bool is_proxiable() const { return (flags & flag_proxiable) != 0; }
  bool is_error() const { return (flags & flag_error) != 0; }
  bool is_retransmitted() const { return (flags & flag_retransmitted) != 0; }
};

// The header that begins `message`, which holds at least header_bytes.
Header read_header(Bytes message);

// Writes `header` to the front of `out`, which holds at least header_bytes.
void write_header(const Header& header, MutableBytes out);

// The header of the answer to `request`: R off, P copied, both identifiers copied, T and E off.
// `length_bytes` is the writer's to set.
Header answer_header(const Header& request);

// End-to-End Identifiers of one originator: unique for at least 4 minutes, over a restart too. The
// high 12 bits are seconds at start, the low 20 begin anywhere and count.
class EndToEndIds {
 public:
  EndToEndIds() = default;
  EndToEndIds(Instant now, u64 seed);
  u32 next() { return high_ | (low_++ & 0xfffff); }

 private:
  u32 high_ = 0;
  u32 low_ = 0;
};

}  // namespace tollgate::diameter
