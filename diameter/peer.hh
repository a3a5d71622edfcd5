// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PeerConnection: the state of one transport connection to a Diameter neighbour (RFC 6733 section
// 5.6, watchdog of RFC 3539), for the side that was called and the side that calls.
//
// It is a pure object. Inputs are base messages, traffic noticed, time, and the transport's fate;
// each returns a Reaction: how many octets it wrote into the caller's buffer to be sent, whether to
// close after them, and what happened, by name, for a counter. A buffer of peer_answer_bytes_max is
// enough for whatever it writes.
//
//   responder   wait_cer --CER ok--> open --DPR--> closing --> closed
//   initiator   wait_transport --up--> wait_cea --CEA ok--> open ...
//
// The election between two connections to one peer, and how many a peer may have, are decided by
// whom knows all connections: the `admit` function of the node.
#pragma once

#include <array>

#include "base/time.hh"
#include "base/types.hh"
#include "diameter/credit_control.hh"
#include "diameter/header.hh"
#include "diameter/result_code.hh"

namespace tollgate::diameter {

inline constexpr std::size_t peer_answer_bytes_max = 2048;
inline constexpr std::size_t identity_bytes_max = 255;

struct HostAddress {
  bool is_ipv6 = false;
  std::array<u8, 16> octets{};  // the first four for IPv4
};

// A DiameterIdentity, copied: a peer's name outlives its message.
class Identity {
 public:
  // False, and unchanged, if it is empty, too long or has octets that no host name has.
  [[nodiscard]] bool assign(Bytes name);
  std::string_view view() const { return {octets_.data(), size_bytes_}; }
  bool empty() const { return size_bytes_ == 0; }

 private:
  std::array<char, identity_bytes_max> octets_{};
  u8 size_bytes_ = 0;
};

// A text of a peer, cut where it is too long to be kept.
class ShortText {
 public:
  void assign(Bytes text);
  std::string_view view() const { return {octets_.data(), size_bytes_}; }

 private:
  std::array<char, 63> octets_{};
  u8 size_bytes_ = 0;
};

// Compares as DNS names are compared: without regard to case.
bool same_identity(std::string_view a, std::string_view b);
// Which connection survives when both sides connected: true if that which the peer opened does,
// for our name is the higher one (RFC 6733 section 5.6.4).
bool wins_election(std::string_view local_host, std::string_view remote_host);

enum class Admission : u8 {
  admit,
  unknown_peer,   // CEA 3010, then close
  already_open,   // close: this peer has its connection
  election_lost,  // CEA 4003, then close
};

// What a CER or CEA told of the peer.
struct PeerFacts {
  Identity host;
  Identity realm;
  ShortText product_name;
  std::optional<u32> origin_state_id;
  bool credit_control = false;  // common application 4
  bool accounting = false;      // common application 3
  bool is_relay = false;
};

// Ourselves, the same for all connections. What it points to outlives them.
struct LocalNode {
  OriginBlock origin;
  std::string_view product_name = "Tollgate";
  u32 vendor_id = 0;
  u32 firmware_revision = 1;
  u32 origin_state_id = 1;  // grows at every restart that loses session state
  bool credit_control = true;
  bool accounting = false;
  std::span<const HostAddress> host_addresses;            // one at least; all bound ones with SCTP
  Duration capabilities_timeout = Duration::seconds(10);  // for CER or CEA to come
  Duration watchdog = Duration::seconds(30);              // Tw; jitter of 2 s is added; >= 6 s
  Duration disconnect_timeout = Duration::seconds(5);     // for DPA, or the close after our DPA
  // Asked with every CER and CEA that is sound; nullptr admits all.
  Admission (*admit)(void* context, const PeerFacts& facts) = nullptr;
  void* admit_context = nullptr;
};

enum class PeerRole : u8 { responder, initiator };

enum class PeerState : u8 { wait_transport, wait_cer, wait_cea, open, closing, closed };

// RFC 3539: whether requests should be sent there.
enum class Watchdog : u8 { initial, okay, suspect, down, reopen };

enum class PeerEvent : u8 {
  none,
  opened,
  capabilities_answered,  // CER again in an open connection
  watchdog_sent,
  watchdog_answered,       // DWR came, DWA goes
  watchdog_received,       // DWA came
  suspected,               // Tw passed with a DWR pending: fail over what waits for answers
  peer_restarted,          // a higher Origin-State-Id: its sessions are gone
  disconnect_requested,    // DPR came: no more requests to it
  disconnect_sent,         // DPR goes
  disconnected,            // DPA came
  first_not_capabilities,  // closes, as all below
  capabilities_timeout,
  capabilities_malformed,
  no_common_application,
  no_common_security,
  unknown_peer,
  already_open,
  election_lost,
  refused_by_peer,  // CEA that is no success
  watchdog_timeout,
  disconnect_timeout,
  transport_lost,
  unexpected,  // a base message that does not fit the state: ignored, does not close
  malformed,   // a base message that is refused with an answer, does not close
};

std::string_view to_text(PeerEvent event);
std::string_view to_text(PeerState state);
std::string_view to_text(Watchdog watchdog);

struct Reaction {
  std::size_t send_bytes = 0;  // of the caller's buffer
  bool close = false;          // after these octets are sent
  PeerEvent event = PeerEvent::none;
};

// Disconnect-Cause
enum class DisconnectCause : u32 { rebooting = 0, busy = 1, do_not_want_to_talk = 2, none = 0xff };

class PeerConnection {
 public:
  struct Options {
    PeerRole role = PeerRole::responder;
    Instant now;
    u64 seed = 1;              // for jitter and identifiers; differs from connection to connection
    bool is_reopened = false;  // the last connection to this peer went down: RFC 3539's REOPEN
  };
  // A responder is made when its transport is up; an initiator waits for on_transport_up.
  PeerConnection(const LocalNode& node, const Options& options);

  // The initiator's transport is up: writes the CER.
  Reaction on_transport_up(Instant now, MutableBytes out);
  // A message that classify calls `peer`, or any message as long as is_open is false.
  Reaction on_message(Bytes message, Instant now, MutableBytes out);
  // Any other message of an open peer: it is alive. Cheap, called for each.
  void on_traffic(Instant now) {
    last_received_ = now;
    if (watchdog_ == Watchdog::suspect) watchdog_ = Watchdog::okay;
  }
  // To be called when next_deadline has passed; early calls do nothing.
  Reaction on_time(Instant now, MutableBytes out);
  Reaction on_transport_lost();
  // Says DPR, at a clean stop. The connection goes on to closing.
  Reaction disconnect(DisconnectCause cause, Instant now, MutableBytes out);

  PeerRole role() const { return role_; }
  bool is_open() const { return state_ == PeerState::open; }
  // Open, and the watchdog trusts it: requests of ours may be sent there.
  bool is_trusted() const { return is_open() && watchdog_ == Watchdog::okay; }
  PeerState state() const { return state_; }
  Watchdog watchdog() const { return watchdog_; }
  const PeerFacts& facts() const { return facts_; }
  Instant next_deadline() const;
  // From our last DWR to its DWA; zero before the first.
  Duration round_trip() const { return round_trip_; }
  // Said while `admit` is asked: the last connection to this peer went down, as is known only now.
  void mark_reopened() { is_reopened_ = true; }
  // For requests of ours on this connection.
  u32 next_hop_by_hop() { return ++hop_by_hop_; }
  // With DPR from the peer: whether to connect again.
  DisconnectCause disconnect_cause() const { return disconnect_cause_; }

 private:
  Reaction close_with(PeerEvent event, std::size_t send_bytes = 0);
  Reaction on_first_request(Bytes message, Instant now, MutableBytes out);
  Reaction on_capabilities_answer(Bytes message, Instant now, MutableBytes out);
  Reaction on_open_request(Bytes message, Instant now, MutableBytes out);
  Reaction on_open_answer(const Header& header, Instant now);
  Reaction on_watchdog_request(Bytes message, MutableBytes out);
  Reaction on_disconnect_request(Bytes message, Instant now, MutableBytes out);
  // Turns to open and returns what it wrote: the first DWR of a connection that is open again.
  std::size_t open(Instant now, MutableBytes out);
  std::size_t send_watchdog(Instant now, MutableBytes out);
  void arm_watchdog(Instant now);

  const LocalNode* node_;
  PeerRole role_;
  PeerState state_;
  Watchdog watchdog_ = Watchdog::initial;
  PeerFacts facts_;
  Instant deadline_;         // of the state, unless open
  Instant last_received_;    // anything, while open
  Instant timer_set_at_;     // Tw runs from here or from last_received_, whichever is later
  Duration timer_interval_;  // Tw with its jitter
  bool watchdog_pending_ = false;
  Instant watchdog_sent_;
  Duration round_trip_;
  bool is_reopened_ = false;
  i8 reopen_answers_ = 0;
  DisconnectCause disconnect_cause_ = DisconnectCause::none;
  u32 hop_by_hop_ = 0;
  EndToEndIds end_to_end_;
  u32 pending_hop_by_hop_ = 0;  // of our CER, DWR or DPR
  u64 random_ = 0;
};

}  // namespace tollgate::diameter
