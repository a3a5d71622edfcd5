// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PeerBook: who is a peer now, in one net tile. It decides what needs to know all connections:
//
//   one more     A peer at its limit is refused, unless one of its connections is suspect to the
//                watchdog: then the new one takes the old one's place.
//   election     Where a peer has one connection and both sides call, the one called by the higher
//                Origin-Host stays (RFC 6733 section 5.6.4). It is decided when the CER comes, not
//                when the CEA is there too: the loser of our side is told DIAMETER_ELECTION_LOST. A
//                call of ours that nobody has taken yet gives way without election.
//   reopened     Whom the watchdog gave up is not trusted before three DWAs (RFC 3539).
//   restarted    A higher Origin-State-Id: sessions begun before it are gone (section 8.6).
//   calling      The peers that we call, and when again after a failure.
//
// Limits and places count for one net tile; peers are spread over tiles by the port.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "app/connection.hh"
#include "app/peer_rules.hh"
#include "dataplane/stream.hh"

namespace tollgate::app {

class PeerBook {
 public:
  using Connections = std::span<const std::unique_ptr<Connection>>;

  // `local_host` outlives it.
  PeerBook(PeerRules rules, std::string_view local_host);

  bool admits(const dataplane::IpAddress& address) const { return rules_.admits(address); }

  struct Verdict {
    diameter::Admission admission = diameter::Admission::admit;
    Connection* displaced = nullptr;  // to be closed in favour of the new one
    bool is_reopened = false;
  };
  // What becomes of a connection whose CER or CEA has told `facts`.
  Verdict judge(const Connection& asking, const diameter::PeerFacts& facts,
                Connections connections) const;

  // The watchdog gave this peer up; its next connection is a reopened one.
  void note_down(u64 host);
  void note_opened(u64 host);
  // True if this peer has told a lower Origin-State-Id before. 0 is no state.
  bool note_state(u64 host, u32 state_id);

  // Begins the calls that are due, but not to a peer that has all its connections.
  void call(dataplane::Transport& transport, Connections connections, Instant now);
  // Whom this outgoing stream leads to; nullptr if it is no call of ours.
  const PeerRule* rule_of_call(dataplane::StreamId stream) const;
  // A call failed or its connection ended. What DPR said decides when it is made again.
  void on_call_ended(dataplane::StreamId stream, diameter::DisconnectCause cause, Instant now);

 private:
  struct Call {
    const PeerRule* rule = nullptr;
    dataplane::StreamId stream;
    Instant next;
  };
  struct State {
    u64 host = 0;
    u32 state_id = 0;
  };
  static constexpr u32 states_max = 4096;
  static constexpr u32 state_probes = 8;
  static constexpr u32 downs_max = 64;

  Call* find_call(dataplane::StreamId stream);

  PeerRules rules_;
  std::string_view local_host_;
  std::vector<Call> calls_;
  std::vector<State> states_;
  std::array<u64, downs_max> downs_{};
  u32 next_down_ = 0;
};

}  // namespace tollgate::app
