// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// How connections come, are looked after, get lost and come again.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "tools/tollload/engine.hh"

namespace tollgate::tollload {
namespace {

constexpr Duration retry_interval = Duration::milliseconds(100);

}  // namespace

Connection* Engine::find(dataplane::StreamId id) {
  if (id.index >= by_stream_.size()) return nullptr;
  Connection* const connection = by_stream_[id.index];
  return connection != nullptr && connection->stream == id ? connection : nullptr;
}

void Engine::connect(Connection& connection) {
  connection.renew(now_, script_.random()());
  connection.stream = transport_->connect(options_.to);
  if (!connection.stream.is_set()) {
    connection.retry_at = now_ + retry_interval;
    return;
  }
  connection.state = ConnectionState::connecting;
  if (connection.stream.index >= by_stream_.size())
    by_stream_.resize(connection.stream.index + 1, nullptr);
  by_stream_[connection.stream.index] = &connection;
}

void Engine::keep_connections() {
  // The others follow the first: when nobody is there one failure tells it, and a network that has
  // to find the server's hardware address keeps one packet meanwhile, not thousands.
  const bool server_is_known = connections_[0]->was_open;
  for (const auto& each : connections_) {
    Connection& connection = *each;
    const bool is_ending = phase_ == Phase::disconnecting || phase_ == Phase::done;
    if (connection.state == ConnectionState::idle && !is_ending) {
      if (now_ >= connection.give_up_at) {
        give_up(connection, "no connection came about in time; the last attempt: " +
                                std::string(connection.last_reason));
      } else if (now_ >= connection.retry_at && (each == connections_[0] || server_is_known)) {
        connect(connection);
      }
    }
    if (!connection.stream.is_set() || !connection.peer) continue;
    if (connection.state == ConnectionState::connecting && now_ >= connection.give_up_at)
      transport_->abort(connection.stream);
    if (now_ < connection.peer->next_deadline()) continue;
    std::array<u8, diameter::peer_answer_bytes_max> octets;
    const diameter::Reaction reaction = connection.peer->on_time(now_, octets);
    react(connection, reaction, octets);
  }
}

void Engine::opened(dataplane::StreamId id, const dataplane::Endpoint&, dataplane::Direction) {
  Connection* const connection = find(id);
  if (connection == nullptr) return;
  std::array<u8, diameter::peer_answer_bytes_max> octets;
  const diameter::Reaction reaction = connection->peer->on_transport_up(now_, octets);
  react(*connection, reaction, octets);
}

void Engine::react(Connection& connection, const diameter::Reaction& reaction, Bytes octets) {
  if (reaction.send_bytes != 0) send_octets(connection, octets.first(reaction.send_bytes));
  if (reaction.event == diameter::PeerEvent::opened) {
    connection.state = ConnectionState::open;
    if (connection.was_open) {
      ++results_->reconnect_count;
      send_again_what_waits(connection);
    }
    connection.was_open = true;
  }
  if (reaction.event == diameter::PeerEvent::disconnect_requested &&
      connection.state == ConnectionState::open)
    connection.state = ConnectionState::leaving;
  if (reaction.event == diameter::PeerEvent::no_common_application ||
      reaction.event == diameter::PeerEvent::refused_by_peer)
    connection.give_up_at = now_;  // trying again would not help
  if (reaction.close && connection.stream.is_set()) {
    if (!options_.quiet && phase_ != Phase::disconnecting)
      fmt::print(stderr, "{}: {}\n", connection.host, diameter::to_text(reaction.event));
    transport_->close(connection.stream);
  }
}

bool Engine::send_octets(Connection& connection, Bytes octets) {
  const MutableBytes out = transport_->reserve(connection.stream, octets.size());
  if (out.empty() || octets.empty()) return false;
  std::copy(octets.begin(), octets.end(), out.begin());
  transport_->commit(connection.stream, octets.size());
  return true;
}

void Engine::writable(dataplane::StreamId id) {
  if (Connection* const connection = find(id)) connection->is_blocked = false;
}

void Engine::closed(dataplane::StreamId id, dataplane::CloseReason reason) {
  if (Connection* const connection = find(id))
    connection_lost(*connection, dataplane::to_text(reason));
}

void Engine::connect_failed(dataplane::StreamId id, dataplane::CloseReason reason) {
  if (Connection* const connection = find(id))
    connection_lost(*connection, dataplane::to_text(reason));
}

void Engine::connection_lost(Connection& connection, std::string_view why) {
  static_cast<void>(connection.peer->on_transport_lost());
  connection.last_reason = why;
  connection.stream = {};
  const bool was_open =
      connection.state == ConnectionState::open || connection.state == ConnectionState::leaving;
  connection.state = ConnectionState::idle;
  if (phase_ == Phase::disconnecting || phase_ == Phase::done) return;
  if (was_open) {
    connection.give_up_at = now_ + options_.connect_timeout;
    if (!options_.quiet) fmt::print(stderr, "{}: connection lost: {}\n", connection.host, why);
  }
  connection.retry_at = now_ + retry_interval;
  if (now_ >= connection.give_up_at || (was_open && !options_.reconnect)) give_up(connection, why);
}

void Engine::give_up(Connection& connection, std::string_view why) {
  connection.state = ConnectionState::gone;
  for (u32 slot = connection.index; slot < sessions_.size();
       slot += static_cast<u32>(connections_.size())) {
    const Session& session = sessions_[slot];
    if (session.has(session_waits | session_waits_duplicate | session_plans_duplicate))
      lose(connection, slot);
  }
  if (phase_ == Phase::connecting)
    return fail(fmt::format("{}: {}", dataplane::to_text(options_.to), why));
  const bool all_are_gone =
      std::all_of(connections_.begin(), connections_.end(),
                  [](const auto& each) { return each->state == ConnectionState::gone; });
  if (all_are_gone) fail(fmt::format("every connection was lost; the last: {}", why));
}

// The new connection carries on where the old one ended.
void Engine::send_again_what_waits(Connection& connection) {
  connection.again.clear();
  for (u32 slot = connection.index; slot < sessions_.size();
       slot += static_cast<u32>(connections_.size())) {
    Session& session = sessions_[slot];
    session.clear(session_stands_again);
    if (session.has(session_waits_duplicate)) {
      // As if it had not been sent: it follows the answer.
      session.clear(session_waits_duplicate);
      session.set(session_plans_duplicate);
      --results_->sent_count;
      --results_->duplicate_count;
    }
    if (!session.has(session_waits | session_plans_duplicate)) continue;
    session.set(session_stands_again);
    connection.again.push(slot);
  }
}

void Engine::disconnect_all() {
  enter(Phase::disconnecting);
  for (const auto& each : connections_) {
    Connection& connection = *each;
    if (!connection.stream.is_set()) continue;
    if (connection.state != ConnectionState::open) {
      transport_->abort(connection.stream);
      continue;
    }
    std::array<u8, diameter::peer_answer_bytes_max> octets;
    const diameter::Reaction reaction =
        connection.peer->disconnect(diameter::DisconnectCause::do_not_want_to_talk, now_, octets);
    react(connection, reaction, octets);
  }
}

// Ends the run early. What has no answer yet is lost.
void Engine::fail(std::string why) {
  if (phase_ == Phase::disconnecting || phase_ == Phase::done) return;
  results_->failure = std::move(why);
  if (phase_ == Phase::running) results_->measured = now_ - phase_since_;
  disconnect_all();
  for (u32 slot = 0; slot < sessions_.size(); ++slot)
    if (sessions_[slot].has(session_waits | session_waits_duplicate | session_plans_duplicate))
      lose(connection_of(slot), slot);
}

}  // namespace tollgate::tollload
