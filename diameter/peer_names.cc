// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The names of peer events and states, in the order of their enums.
#include <array>

#include "base/check.hh"
#include "diameter/peer.hh"

namespace tollgate::diameter {
namespace {

constexpr std::array<std::string_view, 25> event_names = {
    "none",
    "opened",
    "capabilities_answered",
    "watchdog_sent",
    "watchdog_answered",
    "watchdog_received",
    "suspected",
    "peer_restarted",
    "disconnect_requested",
    "disconnect_sent",
    "disconnected",
    "first_not_capabilities",
    "capabilities_timeout",
    "capabilities_malformed",
    "no_common_application",
    "no_common_security",
    "unknown_peer",
    "already_open",
    "election_lost",
    "refused_by_peer",
    "watchdog_timeout",
    "disconnect_timeout",
    "transport_lost",
    "unexpected",
    "malformed",
};
static_assert(event_names.size() == static_cast<std::size_t>(PeerEvent::malformed) + 1);

constexpr std::array<std::string_view, 6> state_names = {"wait_transport", "wait_cer", "wait_cea",
                                                         "open",           "closing",  "closed"};
static_assert(state_names.size() == static_cast<std::size_t>(PeerState::closed) + 1);

constexpr std::array<std::string_view, 5> watchdog_names = {"initial", "okay", "suspect", "down",
                                                            "reopen"};
static_assert(watchdog_names.size() == static_cast<std::size_t>(Watchdog::reopen) + 1);

}  // namespace

std::string_view to_text(PeerEvent event) {
  const auto index = static_cast<std::size_t>(event);
  check(index < event_names.size(), "an event has a name");
  return event_names[index];
}

std::string_view to_text(Watchdog watchdog) {
  const auto index = static_cast<std::size_t>(watchdog);
  check(index < watchdog_names.size(), "a watchdog's state has a name");
  return watchdog_names[index];
}

std::string_view to_text(PeerState state) {
  const auto index = static_cast<std::size_t>(state);
  check(index < state_names.size(), "a state has a name");
  return state_names[index];
}

}  // namespace tollgate::diameter
