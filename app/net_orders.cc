// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the net tile asks of clients: Re-Auth-Requests and Abort-Session-Requests for charge tiles.

#include <algorithm>

#include "app/net_tile.hh"
#include "base/check.hh"
#include "base/hash.hh"
#include "diameter/session_control.hh"

namespace tollgate::app {
namespace {

constexpr u32 tries_max = 3;
constexpr Duration answer_patience = Duration::seconds(5);
constexpr u32 orders_per_housekeep = 64;

// The client's name: its Session-Ids begin with it (RFC 6733 section 8.8), and its hash says if so.
std::string_view name_of_client(const SessionOrder& order) {
  const std::string_view text = order.session_id_text();
  const std::string_view name = text.substr(0, text.find(';'));
  return hash64(as_bytes(name)) == order.origin_host ? name : std::string_view();
}

}  // namespace

PendingOrder* OrderTable::take(const SessionOrder& order) {
  if (used_count_ == orders_max) return nullptr;
  while (places_[next_place_].tries != 0) next_place_ = (next_place_ + 1) % orders_max;
  PendingOrder& pending = places_[next_place_];
  pending = {.order = order, .hop_by_hop = ++next_round_ << place_bits | next_place_, .tries = 1};
  ++used_count_;
  next_place_ = (next_place_ + 1) % orders_max;
  return &pending;
}

void OrderTable::give(PendingOrder& pending) {
  check(pending.tries != 0, "only a place in use is given back");
  pending.tries = 0;
  --used_count_;
}

PendingOrder* OrderTable::find(u32 hop_by_hop) {
  PendingOrder& pending = places_[hop_by_hop % orders_max];
  return pending.tries != 0 && pending.hop_by_hop == hop_by_hop ? &pending : nullptr;
}

// The connection of the session's last request, or another of that client; not `avoided` if there
// is another. What came through a relay goes back through it.
Connection* NetTile::find_way(const SessionOrder& order, dataplane::StreamId avoided) {
  const auto is_good = [&](const std::unique_ptr<Connection>& connection) {
    return connection != nullptr && !connection->is_ending && connection->peer.is_open();
  };
  const Way way = order.way;
  Connection* found = nullptr;
  if (!way.is_none() && way.tile() == options_.tile && way.index() < connections_.size()) {
    const std::unique_ptr<Connection>& last = connections_[way.index()];
    const bool is_same = is_good(last) && way.is_generation(last->stream.generation);
    const bool is_theirs =
        is_same && (last->origin_host == order.origin_host || !name_of_client(order).empty());
    if (is_theirs && last->stream != avoided) return last.get();
    if (is_theirs) found = last.get();
  }
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (!is_good(connection) || connection->origin_host != order.origin_host) continue;
    if (connection->stream != avoided) return connection.get();
    if (found == nullptr) found = connection.get();
  }
  return found;
}

void NetTile::poll_orders(const Turn& turn) {
  for (LinkConsumer& link : orders_) {
    Bytes frame;
    u32 taken = 0;
    while (taken < orders_per_housekeep && link.next(frame)) {
      check(frame.size() == sizeof(SessionOrder), "a charge tile writes whole orders");
      SessionOrder order;
      std::memcpy(&order, frame.data(), sizeof order);
      begin_order(order, turn.now);
      ++taken;
    }
    if (taken != 0) link.release();
  }
  order_table_.for_each_due(turn.now, [&](PendingOrder& pending) { try_again(pending, turn.now); });
}

void NetTile::begin_order(const SessionOrder& order, Instant now) {
  Connection* connection = is_stopping_ ? nullptr : find_way(order, {});
  if (connection == nullptr) return report(order, order_result::no_way);
  const bool is_taken = order.kind == OrderKind::re_auth ? connection->profile->takes_re_auth
                                                         : connection->profile->takes_abort;
  if (!is_taken) return report(order, order_result::not_taken);
  PendingOrder* pending = order_table_.take(order);
  if (pending == nullptr) {
    ++counters_.refused_orders_full;
    return report(order, order_result::silent);
  }
  if (!end_to_end_) end_to_end_.emplace(now, options_.first_generation ^ options_.tile);
  pending->end_to_end = end_to_end_->next();
  send_order(*pending, *connection, now);
}

void NetTile::send_order(PendingOrder& pending, Connection& connection, Instant now) {
  const SessionOrder& order = pending.order;
  const diameter::PeerFacts& facts = connection.peer.facts();
  std::string_view host = facts.host.view();
  std::string_view realm = facts.realm.view();
  if (connection.origin_host != order.origin_host) {
    host = name_of_client(order);
    realm = host.substr(std::min(host.find('.'), host.size() - 1) + 1);
    if (realm.empty()) realm = facts.realm.view();
  }
  pending.stream = connection.stream;
  pending.deadline = now + answer_patience;
  diameter::SessionRequest request{.hop_by_hop = pending.hop_by_hop,
                                   .end_to_end = pending.end_to_end,
                                   .is_retransmitted = pending.tries > 1,
                                   .session_id = as_bytes(order.session_id_text()),
                                   .origin = &options_.node.origin,
                                   .destination_realm = as_bytes(realm),
                                   .destination_host = as_bytes(host)};
  if (order.scope == OrderScope::rating_group) request.rating_group = order.part;
  if (order.scope == OrderScope::pool) request.pool_identifier = order.part;
  const std::size_t bytes = order.kind == OrderKind::re_auth
                                ? encode_re_auth_request(request, small_)
                                : encode_abort_session_request(request, small_);
  check(bytes != 0, "there is room for names and a Session-Id");
  ++counters_.orders_sent;
  const Bytes message = Bytes(small_).first(bytes);
  send(connection, message);
  if (!trace_.is_idle()) [[unlikely]] {
    trace_sent(connection, trace_.match(message, shards_), message);
  }
}

// No answer in time: through another connection if there is one, with the T flag.
void NetTile::try_again(PendingOrder& pending, Instant now) {
  Connection* connection =
      pending.tries < tries_max ? find_way(pending.order, pending.stream) : nullptr;
  if (connection == nullptr) {
    report(pending.order, order_result::silent);
    order_table_.give(pending);
    return;
  }
  ++pending.tries;
  send_order(pending, *connection, now);
}

void NetTile::on_session_answer(const Connection& connection, Bytes message) {
  diameter::SessionAnswer answer;
  PendingOrder* pending = nullptr;
  if (diameter::decode_session_answer(message, answer)) {
    pending = order_table_.find(answer.header.hop_by_hop);
  }
  // What another connection says, or about another session, answers nothing of ours.
  if (pending == nullptr || pending->stream != connection.stream ||
      as_text(answer.session_id) != pending->order.session_id_text()) {
    ++counters_.drop_answer_unexpected;
    return;
  }
  report(pending->order, static_cast<u32>(answer.result_code));
  order_table_.give(*pending);
}

// Tells the charge tile. If its link is full the news is lost and counted: the session goes on by
// its timers.
void NetTile::report(SessionOrder order, u32 result) {
  order.tiles_tried |= u32{1} << options_.tile;
  LinkProducer& link = charges_[order.shard % options_.charge_tile_count];
  const u64 bytes = ChargeRequestView::frame_bytes(0, order.session_id_bytes);
  const MutableBytes room = link.reserve(bytes);
  if (room.empty()) {
    ++counters_.drop_order_answer;
    return;
  }
  write_order_answer(order, result, room);
  link.commit(bytes);
  link.publish();
}

}  // namespace tollgate::app
