// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/peer_book.hh"

#include <algorithm>

#include "base/hash.hh"

namespace tollgate::app {
namespace {

using diameter::Admission;
using diameter::DisconnectCause;

// RFC 6733 section 2.1: Tc, between two attempts to connect.
constexpr Duration call_interval = Duration::seconds(30);
// A peer that said it is busy is left alone for longer.
constexpr Duration busy_interval = Duration::seconds(300);

bool same_host(const Connection& connection, std::string_view host) {
  return diameter::same_identity(connection.peer.facts().host.view(), host);
}

// Of two connections of one pair of peers, opened by both sides at once.
bool is_unfinished_call(const Connection& connection, std::string_view host) {
  return connection.call != nullptr && connection.peer.state() == diameter::PeerState::wait_cea &&
         fits_pattern(connection.call->host, host);
}

}  // namespace

PeerBook::PeerBook(PeerRules rules, std::string_view local_host)
    : rules_(std::move(rules)), local_host_(local_host), states_(states_max) {
  for (const PeerRule& rule : rules_.all()) {
    if (rule.call) calls_.push_back({.rule = &rule});
  }
}

PeerBook::Verdict PeerBook::judge(const Connection& asking, const diameter::PeerFacts& facts,
                                  Connections connections) const {
  const std::string_view host = facts.host.view();
  const PeerRule* const rule = rules_.find(facts, asking.remote.address);
  // Whoever answers a call of ours under another name is not the one that we called.
  const bool is_other = asking.call != nullptr && !fits_pattern(asking.call->host, host);
  if (rule == nullptr || is_other) return {.admission = Admission::unknown_peer};
  Verdict verdict{.is_reopened = std::ranges::find(downs_, hash64(as_bytes(host))) != downs_.end()};
  u32 open_count = 0;
  Connection* suspect = nullptr;
  Connection* call = nullptr;
  for (const std::unique_ptr<Connection>& other : connections) {
    if (other == nullptr || other.get() == &asking || other->is_ending) continue;
    if (is_unfinished_call(*other, host)) call = other.get();
    if (!other->peer.is_open() || !same_host(*other, host)) continue;
    ++open_count;
    if (other->peer.watchdog() == diameter::Watchdog::suspect) suspect = other.get();
  }
  if (rule->connections_max == 0) return verdict;
  if (open_count >= rule->connections_max) {
    if (suspect == nullptr) return {.admission = Admission::already_open};
    verdict.displaced = suspect;
    return verdict;
  }
  if (call == nullptr || open_count + 1 < rule->connections_max) return verdict;
  if (!diameter::wins_election(local_host_, host)) return {.admission = Admission::election_lost};
  verdict.displaced = call;
  return verdict;
}

void PeerBook::note_down(u64 host) {
  if (std::ranges::find(downs_, host) != downs_.end()) return;
  downs_[next_down_] = host;
  next_down_ = (next_down_ + 1) % downs_max;
}

void PeerBook::note_opened(u64 host) {
  std::ranges::replace(downs_, host, u64{0});
}

bool PeerBook::note_state(u64 host, u32 state_id) {
  if (state_id == 0) return false;
  State* place = nullptr;
  for (u32 i = 0; i < state_probes; ++i) {
    State& state = states_[(host + i) % states_max];
    if (state.host == host) {
      const bool is_restarted = state_id > state.state_id;
      state.state_id = std::max(state.state_id, state_id);
      return is_restarted;
    }
    if (state.host == 0 && place == nullptr) place = &state;
  }
  // Where too many share a place, the first is forgotten: its sessions then end by their timers.
  if (place == nullptr) place = &states_[host % states_max];
  *place = {.host = host, .state_id = state_id};
  return false;
}

void PeerBook::call(dataplane::Transport& transport, Connections connections, Instant now) {
  for (Call& call : calls_) {
    if (call.stream.is_set() || now < call.next) continue;
    const auto open_count = std::ranges::count_if(connections, [&](const auto& connection) {
      return connection != nullptr && connection->peer.is_open() &&
             same_host(*connection, call.rule->host);
    });
    if (call.rule->connections_max != 0 && open_count >= call.rule->connections_max) continue;
    call.stream = transport.connect(*call.rule->call);
    call.next = now + call_interval;
  }
}

PeerBook::Call* PeerBook::find_call(dataplane::StreamId stream) {
  const auto at = std::ranges::find(calls_, stream, &Call::stream);
  return at == calls_.end() || !stream.is_set() ? nullptr : &*at;
}

const PeerRule* PeerBook::rule_of_call(dataplane::StreamId stream) const {
  const auto at = std::ranges::find(calls_, stream, &Call::stream);
  return at == calls_.end() || !stream.is_set() ? nullptr : at->rule;
}

void PeerBook::on_call_ended(dataplane::StreamId stream, DisconnectCause cause, Instant now) {
  Call* const call = find_call(stream);
  if (call == nullptr) return;
  call->stream = {};
  call->next = now + call_interval;
  if (cause == DisconnectCause::busy) call->next = now + busy_interval;
  if (cause == DisconnectCause::do_not_want_to_talk) call->next = Instant::never();
}

}  // namespace tollgate::app
