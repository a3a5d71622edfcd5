// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/net_tile.hh"

#include "app/peer_status.hh"
#include "base/check.hh"
#include "base/hash.hh"
#include "diameter/avp_ids.hh"

namespace tollgate::app {
namespace {

using diameter::MessageKind;
using diameter::ResultCode;
using Lookup = ledger::IdentityIndex::Lookup;

// An answer is its head (and our names in it), its parts and what it echoes; enough for each.
constexpr u64 answer_bytes_base = 640 + diameter::overload_report_bytes_max;
constexpr u64 trigger_bytes = 12 + 16 * Profile::triggers_max;
constexpr u64 answer_bytes_per_service = 368 + trigger_bytes;
constexpr u64 answer_bytes_per_identifier = 12;

// What an answer has to send back to the proxies on its way.
u64 proxy_info_bytes(const diameter::CreditControlRequest& request) {
  u64 sum = 0;
  for (const Bytes avp : request.proxy_info()) sum += round_up(avp.size(), 4);
  return sum;
}

// So many requests before its turn comes, an account's place in the index is fetched. Not when it
// is staged: a burst of messages later it may have left the near caches again.
constexpr u32 route_ahead = 12;

// The longest first message of a peer. A CER is a few hundred octets.
constexpr std::size_t capabilities_bytes_max = 4096;

PeerRules all_rules(const NetTileOptions& options) {
  PeerRules rules = options.peer_rules;
  if (!options.allowed_peers.empty() || rules.is_empty()) {
    rules.add({.addresses = options.allowed_peers});
  }
  return rules;
}

// Rows for tools are brought up to date so often: a quarter of a second or so.
constexpr u64 publish_ticks = 700'000'000;

}  // namespace

NetTile::NetTile(const NetTileOptions& options, const ledger::LedgerMemory& memory,
                 const ledger::IdentityIndex& index, std::span<u64> counters, Histogram& latency)
    : options_(options),
      index_(index),
      counters_(*reinterpret_cast<NetCounters*>(counters.data())),
      results_(counters.subspan(net_results_at, result_place_count)),
      transport_counters_(counters.subspan(net_transport_at)),
      latency_(latency),
      connections_(options.connections_max),
      book_(all_rules(options), options_.node.origin.host()),
      overload_(options.pending_max / 2),
      pending_(options.tile, options.pending_max, options.first_generation),
      tariff_(*options.tariff),
      trace_({.table = options.trace_table,
              .link = options.trace_link,
              .tile = options.tile,
              .listen_port = options.listen_port,
              .local = options_.node.host_addresses},
             {.traced = counters_.traced, .dropped = counters_.drop_trace_full}),
      staging_(std::make_unique<u8[]>(staging_bytes)) {
  check(counters.size() == net_block_names().size(), "the block has a place for each counter");
  for (u32 number = 0; number < ledger::shard_count; ++number) shards_.emplace_back(memory, number);
  for (LinkMemory* link : options.charge_links) charges_.emplace_back(link);
  for (LinkMemory* link : options.journal_links) journals_.emplace_back(link);
  for (LinkMemory* link : options.order_links) orders_.emplace_back(link);
  counters_.peers_open = 0;
  take_rules();
  options_.node.admit = admit;
  options_.node.admit_context = this;
}

NetTile::~NetTile() = default;

u32 NetTile::poll(const Turn& turn) {
  turn_ = turn;
  const u32 answered = poll_answers(turn);
  measure_load();
  overload_.note_lag(transport_->lag(), turn.now);
  const u64 begin = read_tsc();
  const std::size_t frames = transport_->poll(turn.now);
  if (staged_count_ != 0) route_staged();
  if (frames != 0) counters_.receive_ticks += read_tsc() - begin;
  return answered + static_cast<u32>(frames);
}

// ---- Streams

bool NetTile::may_open(dataplane::StreamId id, const dataplane::Endpoint& remote,
                       dataplane::Direction direction) {
  u64* drop = nullptr;
  if (id.index >= connections_.size()) {
    drop = &counters_.drop_connections_full;
  } else if (unauthenticated_count_ >= options_.unauthenticated_max) {
    drop = &counters_.drop_unauthenticated_full;
  } else if (is_stopping_ ||
             (direction == dataplane::Direction::incoming && !book_.admits(remote.address))) {
    drop = &counters_.drop_peer_not_allowed;
  }
  if (drop == nullptr) return true;
  ++*drop;
  return false;
}

void NetTile::opened(dataplane::StreamId id, const dataplane::Endpoint& remote,
                     dataplane::Direction direction) {
  if (!may_open(id, remote, direction)) {
    book_.on_call_ended(id, diameter::DisconnectCause::none, turn_.now);
    transport_->abort(id);
    return;
  }
  const bool is_call = direction == dataplane::Direction::outgoing;
  auto connection = std::make_unique<Connection>(
      options_.node,
      diameter::PeerConnection::Options{
          .role = is_call ? diameter::PeerRole::initiator : diameter::PeerRole::responder,
          .now = turn_.now,
          .seed = mix64(u64{id.index} << 32 | id.generation) ^ turn_.tsc},
      options_.message_bytes_max);
  connection->stream = id;
  connection->remote = remote;
  connection->opened = turn_.now;
  connection->rate_since = turn_.now;
  connection->profile = &options_.profiles.fallback();
  connection->call = book_.rule_of_call(id);
  ++open_count_;
  ++unauthenticated_count_;
  Connection& made = *connection;
  connections_[id.index] = std::move(connection);
  if (!is_call) return;
  const diameter::Reaction reaction = made.peer.on_transport_up(turn_.now, small_);
  apply(made, reaction, Bytes(small_).first(reaction.send_bytes));
}

void NetTile::closed(dataplane::StreamId id, dataplane::CloseReason) {
  if (id.index >= connections_.size()) return;
  std::unique_ptr<Connection>& connection = connections_[id.index];
  if (connection == nullptr || connection->stream != id) return;
  if (connection->peer.is_open()) --counters_.peers_open;
  if (!connection->was_admitted) --unauthenticated_count_;
  if (options_.peers) options_.peers->clear(id.index);
  book_.on_call_ended(id, connection->peer.disconnect_cause(), turn_.now);
  connection.reset();
  --open_count_;
}

void NetTile::connect_failed(dataplane::StreamId id, dataplane::CloseReason) {
  ++counters_.peer_calls_failed;
  book_.on_call_ended(id, diameter::DisconnectCause::none, turn_.now);
}

// Asked by a connection whose CER or CEA is sound.
diameter::Admission NetTile::admit(void* tile, const diameter::PeerFacts& facts) {
  auto& self = *static_cast<NetTile*>(tile);
  check(self.asking_ != nullptr, "admission is asked for while a message is looked at");
  const PeerBook::Verdict verdict = self.book_.judge(*self.asking_, facts, self.connections_);
  if (verdict.displaced != nullptr) {
    ++self.counters_.peer_displaced;
    self.end(*verdict.displaced);
  }
  if (verdict.is_reopened) self.asking_->peer.mark_reopened();
  return verdict.admission;
}

// A connection has exchanged capabilities.
void NetTile::on_opened(Connection& connection) {
  ++counters_.peers_open;
  connection.was_admitted = true;
  --unauthenticated_count_;
  const diameter::PeerFacts& facts = connection.peer.facts();
  connection.origin_host = hash64(as_bytes(facts.host.view()));
  connection.profile = &options_.profiles.choose(facts.host.view(), facts.product_name.view());
  book_.note_opened(connection.origin_host);
  note_state(connection.origin_host, facts.origin_state_id);
}

// Cuts a connection off, whatever still waits to leave.
void NetTile::end(Connection& connection) {
  if (connection.is_ending) return;
  if (connection.peer.is_open()) --counters_.peers_open;
  connection.peer.on_transport_lost();
  connection.is_ending = true;
  transport_->abort(connection.stream);
}

// A client that restarted has forgotten its sessions: what they hold goes back.
void NetTile::note_state(u64 host, const std::optional<u32>& state_id) {
  if (!state_id || !book_.note_state(host, *state_id)) return;
  ++counters_.peer_restarts;
  for (u32 tile = 0; tile < charges_.size(); ++tile) {
    const MutableBytes room = charges_[tile].reserve(sizeof(ChargeRequest));
    if (room.empty()) continue;  // they end by their timers
    *new (room.data()) ChargeRequest = {.received_ns = turn_.now.ns,
                                        .origin_host = host,
                                        .kind = client_restarted,
                                        .shard = static_cast<u8>(tile)};
    charges_[tile].commit(sizeof(ChargeRequest));
    charges_[tile].publish();
  }
}

std::size_t NetTile::received(dataplane::StreamId id, Bytes chunk) {
  if (id.index >= connections_.size()) return chunk.size();
  Connection* connection = connections_[id.index].get();
  if (connection == nullptr || connection->stream != id || connection->is_ending) {
    return chunk.size();
  }
  const diameter::FrameProgress progress = connection->framer.feed(
      chunk, [&](Bytes message) { return on_message(*connection, message); });
  if (!connection->was_admitted && connection->framer.buffered_bytes() > capabilities_bytes_max) {
    ++counters_.drop_capabilities_too_long;
    end(*connection);
    return chunk.size();
  }
  if (progress.error != diameter::FrameError::none) {
    on_broken_frame(*connection, progress.error);
    return chunk.size();
  }
  return connection->is_ending ? chunk.size() : progress.consumed_bytes;
}

diameter::Take NetTile::on_message(Connection& connection, Bytes message) {
  traces_ = 0;
  if (!trace_.is_idle()) [[unlikely]]
    watch(connection, message);
  if (!connection.peer.is_open()) {
    if (is_late_request(connection, message)) {
      ++counters_.ccr_received;
      ++counters_.refused_not_ready;
      refuse(connection, message, ResultCode::too_busy);
    } else {
      on_peer_message(connection, message);
    }
    return connection.is_ending ? diameter::Take::stop_after : diameter::Take::next;
  }
  const diameter::Classified classified = diameter::classify(message);
  switch (classified.kind) {
    case MessageKind::credit_control:
      connection.peer.on_traffic(turn_.now);
      on_request(connection, message);
      break;
    case MessageKind::peer:
      on_peer_message(connection, message);
      break;
    case MessageKind::refused:
      connection.peer.on_traffic(turn_.now);
      ++counters_.refused_command;
      refuse(connection, message, classified.refusal);
      break;
    case MessageKind::session_answer:
      connection.peer.on_traffic(turn_.now);
      on_session_answer(connection, message);
      break;
    default:
      connection.peer.on_traffic(turn_.now);
      ++counters_.drop_answer_unexpected;
      if (!trace_.is_idle()) [[unlikely]]
        watch_refused(connection, message);
      break;
  }
  return connection.is_ending ? diameter::Take::stop_after : diameter::Take::next;
}

// A request that crossed our DPR: its client is told to go elsewhere, at once.
bool NetTile::is_late_request(const Connection& connection, Bytes message) {
  return connection.peer.state() == diameter::PeerState::closing &&
         diameter::classify(message).kind == MessageKind::credit_control;
}

void NetTile::on_peer_message(Connection& connection, Bytes message) {
  ++counters_.peer_messages;
  const bool was_open = connection.peer.is_open();
  const bool was_waiting = !connection.was_admitted;
  if (!connection.was_admitted && message.size() > capabilities_bytes_max) {
    ++counters_.drop_capabilities_too_long;
    return end(connection);
  }
  asking_ = &connection;
  const diameter::Reaction reaction = connection.peer.on_message(message, turn_.now, small_);
  asking_ = nullptr;
  if (!was_open && connection.peer.is_open()) on_opened(connection);
  if (reaction.event == diameter::PeerEvent::peer_restarted) {
    note_state(connection.origin_host, connection.peer.facts().origin_state_id);
  }
  if (was_open && !connection.peer.is_open()) --counters_.peers_open;
  if (reaction.event == diameter::PeerEvent::first_not_capabilities) {
    ++counters_.drop_before_capabilities;
  } else if (reaction.close && was_waiting) {
    ++counters_.peer_refused;
  }
  apply(connection, reaction, Bytes(small_).first(reaction.send_bytes));
}

void NetTile::apply(Connection& connection, const diameter::Reaction& reaction, Bytes answer) {
  if (!answer.empty()) {
    send(connection, answer);
    if (!trace_.is_idle()) [[unlikely]]
      trace_peer_sent(connection, answer);
  }
  if (!reaction.close || connection.is_ending) return;
  connection.is_ending = true;
  transport_->close(connection.stream);
}

void NetTile::send(Connection& connection, Bytes message) {
  const MutableBytes room = transport_->reserve(connection.stream, message.size());
  if (room.empty()) {
    ++counters_.drop_output_full;
    connection.is_ending = true;
    transport_->abort(connection.stream);
    return;
  }
  std::memcpy(room.data(), message.data(), message.size());
  transport_->commit(connection.stream, message.size());
}

void NetTile::refuse(Connection& connection, Bytes message, const diameter::Refusal& refusal) {
  if (!trace_.is_idle()) [[unlikely]]
    watch_refused(connection, message);
  std::size_t bytes = diameter::encode_refusal(message, refusal, options_.node.origin, small_);
  Bytes answer = Bytes(small_).first(bytes);
  if (bytes != 0) {
    send(connection, answer);
  } else {
    // What it echoes is long, but not longer than it came.
    const MutableBytes room =
        transport_->reserve(connection.stream, message.size() + small_.size());
    if (!room.empty()) {
      bytes = diameter::encode_refusal(message, refusal, options_.node.origin, room);
    }
    if (bytes == 0) return;
    answer = Bytes(room).first(bytes);
    transport_->commit(connection.stream, bytes);
  }
  if (traces_ != 0) [[unlikely]]
    trace_sent(connection, traces_, answer);
  count_result(connection, refusal.result_code());
  ++counters_.cca_sent;
}

void NetTile::refuse(Connection& connection, Bytes message, ResultCode code) {
  refusal_.set(code);
  refuse(connection, message, refusal_);
}

void NetTile::on_broken_frame(Connection& connection, diameter::FrameError error) {
  ++counters_.drop_frame_broken;
  const std::size_t bytes = diameter::encode_frame_refusal(connection.framer.broken_header(), error,
                                                           options_.node.origin, small_);
  const Bytes answer = Bytes(small_).first(connection.peer.is_open() ? bytes : 0);
  traces_ = 0;
  if (!trace_.is_idle()) [[unlikely]]
    watch_refused(connection, connection.framer.broken_header());
  if (!answer.empty()) send(connection, answer);
  if (!answer.empty() && traces_ != 0) [[unlikely]]
    trace_sent(connection, traces_, answer);
  if (connection.is_ending) return;
  connection.is_ending = true;
  transport_->close(connection.stream);
}

// ---- Requests

void NetTile::on_request(Connection& connection, Bytes message) {
  ++counters_.ccr_received;
  ++connection.requests;
  if (overload_.refuses_new_work() && refuse_early(connection, message)) [[unlikely]]
    return;
  if (!diameter::decode_credit_control_request(message, request_, refusal_)) {
    ++counters_.refused_decode;
    refuse(connection, message, refusal_);
    return;
  }
  if (!tariff_.is_loaded() || is_stopping_) {
    ++counters_.refused_not_ready;
    refuse(connection, message, ResultCode::too_busy);
    return;
  }
  if (request_.session_id.size() > ledger::session_id_bytes_max) {
    ++counters_.refused_decode;
    refusal_.set(result_code_of(ledger::Outcome::session_id_too_long));
    diameter::Avp session_id;
    if (find_first(message.subspan(diameter::header_bytes), diameter::avp::session_id,
                   session_id)) {
      refusal_.add_offender(session_id);
    }
    refuse(connection, message, refusal_);
    return;
  }
  if (proxy_info_bytes(request_) > Pending::proxy_info_bytes_max) {
    ++counters_.refused_decode;
    refuse(connection, message, ResultCode::resources_exceeded);
    return;
  }
  if (request_.route_record_count != 0 && has_looped()) {
    ++counters_.refused_loop;
    refuse(connection, message, ResultCode::loop_detected);
    return;
  }
  if (request_.origin_state_id && request_.type == diameter::RequestType::initial) {
    note_state(hash64(request_.origin_host), request_.origin_state_id);
  }
  if (!stage(connection, message)) {
    ++counters_.refused_pending_full;
    refuse(connection, message, ResultCode::too_busy);
    return;
  }
  if (staged_count_ == staged_max) route_staged();
}

// New work, while there is too much: it costs one look and a short answer.
bool NetTile::refuse_early(Connection& connection, Bytes message) {
  if (!begins_something(message)) return false;
  ++counters_.refused_overload;
  overload_.count_refused();
  refuse(connection, message, ResultCode::too_busy);
  return true;
}

void NetTile::measure_load() {
  bool links_are_full = false;
  for (LinkProducer& link : charges_) {
    // Half of it: a frame is at most a quarter.
    links_are_full = links_are_full || !link.has_room(2 * link.frame_bytes_max());
  }
  overload_.measure(pending_.used_count(), links_are_full);
}

// True if the request has been here before: our name is on its way.
bool NetTile::has_looped() const {
  for (const Bytes record : request_.route_records()) {
    if (diameter::same_identity(as_text(record), options_.node.origin.host())) return true;
  }
  return false;
}

// Each of them: the account may be known by the last one only.
void NetTile::fetch_identities(const Staged& staged) const {
  for (u32 i = 0; i < staged.key_count; ++i) index_.prefetch(staged.keys[i]);
}

void NetTile::route_staged() {
  for (u32 i = 0; i < staged_count_ && i < route_ahead; ++i) fetch_identities(staged_[i]);
  for (u32 i = 0; i < staged_count_; ++i) {
    if (i + route_ahead < staged_count_) fetch_identities(staged_[i + route_ahead]);
    route(staged_[i]);
  }
  for (LinkProducer& link : charges_) link.publish();
  if (staged_count_ != 0) ++counters_.batches;
  staged_count_ = 0;
  staged_bytes_ = 0;
  measure_load();
}

void NetTile::route(Staged& staged) {
  auto& head = *reinterpret_cast<ChargeRequest*>(staging_.get() + staged.at);
  bool is_changing = false;
  for (u32 i = 0; i < staged.key_count && head.account.is_none(); ++i) {
    is_changing |= index_.look_up(staged.keys[i], head.account) == Lookup::changing;
    if (!head.account.is_none()) head.identity_check = staged.keys[i].check_value();
  }
  u32 shard = head.account.shard();
  if (head.account.is_none() && is_changing) {
    ++counters_.refused_identity_changing;
    answer_here(*staged.pending, ledger::Outcome::too_busy);
    return;
  }
  if (head.account.is_none()) {
    const bool continues =
        head.kind == RequestKind::update || head.kind == RequestKind::termination;
    const std::string_view session_id(reinterpret_cast<const char*>(staged.pending->session_id),
                                      staged.pending->session_id_bytes);
    shard = continues ? find_session_shard(session_id, head.session_hash) : ledger::shard_count;
    if (shard == ledger::shard_count) {
      ++(continues ? counters_.refused_session_unknown : counters_.refused_account_unknown);
      std::array<u8, 64> room;
      answer_here(*staged.pending,
                  continues ? ledger::Outcome::session_unknown : ledger::Outcome::account_unknown,
                  encode_unknown_subscriber(
                      staged.key_count != 0 ? staged.keys[0] : ledger::IdentityKey{}, room));
      return;
    }
  }
  head.shard = static_cast<u8>(shard);
  LinkProducer& link = charges_[shard % options_.charge_tile_count];
  const MutableBytes room = link.reserve(staged.bytes);
  if (room.empty()) {
    ++counters_.refused_link_full;
    answer_here(*staged.pending, ledger::Outcome::too_busy);
    return;
  }
  std::memcpy(room.data(), staging_.get() + staged.at, staged.bytes);
  link.commit(staged.bytes);
}

// A request that names no subscriber is found by its session: rare, so each shard is asked.
u32 NetTile::find_session_shard(std::string_view session_id, u32 hash) const {
  for (u32 number = 0; number < ledger::shard_count; ++number) {
    if (shards_[number].find_session(hash, session_id) != 0) return number;
  }
  return ledger::shard_count;
}

// ---- Answers

void NetTile::answer_here(Pending& pending, ledger::Outcome outcome, Bytes failed_avps) {
  frame_.answer = {};
  frame_.answer.outcome = outcome;
  send_answer(pending, frame_, failed_avps);
  pending_.give(pending);
}

void NetTile::send_answer(const Pending& pending, const AnswerFrame& frame, Bytes failed_avps) {
  Connection* connection = connections_[pending.stream.index].get();
  if (connection == nullptr || connection->stream != pending.stream || connection->is_ending) {
    ++counters_.drop_answer_late;
    return;
  }
  const u64 bytes_max = answer_bytes_base + options_.node.origin.avps().size() +
                        pending.session_id_bytes + pending.proxy_info_bytes +
                        answer_bytes_per_service * frame.answer.service_count +
                        answer_bytes_per_identifier * pending.identifier_words;
  const MutableBytes room = transport_->reserve(pending.stream, bytes_max);
  if (room.empty()) {
    // The peer asks and does not read. Its answers are stored: it may come back for them.
    ++counters_.drop_output_full;
    connection->is_ending = true;
    transport_->abort(pending.stream);
    return;
  }
  const KeptRequest kept{.hop_by_hop = pending.hop_by_hop,
                         .end_to_end = pending.end_to_end,
                         .number = pending.number,
                         .kind = pending.kind,
                         .is_proxiable = pending.is_proxiable,
                         .session_id = {pending.session_id, pending.session_id_bytes},
                         .proxy_info = {pending_.proxy_info(pending), pending.proxy_info_bytes},
                         .identifiers = {pending_.identifiers(pending), pending.identifier_words},
                         .failed_avps = failed_avps};
  ResultCode code = ResultCode::none;
  std::size_t bytes = encode_charge_answer(
      {kept, frame, tariff_.image(), options_.node.origin, *connection->profile}, scratch_, room,
      code);
  check(bytes != 0, "the room for an answer was computed from its parts");
  if (pending.reports_overload) [[unlikely]] {
    bytes = append_overload_report(overload_.report(), bytes, room);
  }
  transport_->commit(pending.stream, bytes);
  if (pending.traces != 0) [[unlikely]] {
    trace_sent(*connection, pending.traces, Bytes(room).first(bytes), pending_.tag_of(pending));
  }
  count_result(*connection, code);
  ++counters_.cca_sent;
}

// Answers are taken some at a time: while the first is encoded, what the others belong to is
// fetched.
u32 NetTile::poll_answers(const Turn& turn) {
  constexpr u32 rounds_max = 16;
  const u64 begin = read_tsc();
  u32 count = 0;
  for (LinkConsumer& link : journals_) {
    for (u32 round = 0; round < rounds_max; ++round) {
      std::array<Bytes, 16> frames;
      u32 taken = 0;
      while (taken < frames.size() && link.next(frames[taken])) {
        ledger::AnswerTag tag;
        std::memcpy(&tag, frames[taken].data(), sizeof tag);
        pending_.prefetch(tag);
        ++taken;
      }
      for (u32 i = 0; i < taken; ++i) on_answer(frames[i], turn);
      if (taken != 0) link.release();
      count += taken;
      if (taken < frames.size()) break;
    }
  }
  if (count != 0) counters_.answer_ticks += read_tsc() - begin;
  return count;
}

void NetTile::on_answer(Bytes frame, const Turn& turn) {
  ledger::AnswerTag tag;
  std::memcpy(&tag, frame.data(), sizeof tag);
  Pending* pending = pending_.find(tag);
  if (pending == nullptr) {
    ++counters_.drop_answer_late;
    return;
  }
  const auto& answer = *reinterpret_cast<const AnswerFrame*>(frame.data() + sizeof tag);
  check(frame.size() - sizeof tag >= answer.bytes(), "an answer brings all its services");
  send_answer(*pending, answer);
  latency_.record(turn.tsc > pending->received_tsc ? turn.tsc - pending->received_tsc : 0);
  pending_.give(*pending);
}

// ---- Time

void NetTile::housekeep(const Turn& turn) {
  turn_ = turn;
  if (tariff_.refresh()) take_rules();
  trace_.refresh(turn.now);
  check_connections(turn);
  overload_.on_time(turn.now);
  counters_.input_lag_us = static_cast<u64>(transport_->lag().ns / 1000);
  if (!is_stopping_) book_.call(*transport_, connections_, turn.now);
  poll_orders(turn);
  if (turn.tsc >= next_publish_tsc_) {
    next_publish_tsc_ = turn.tsc + publish_ticks;
    publish_peers();
  }
  const dataplane::TransportCounters& counts = transport_->counters();
  u32 place = 0;
  for (const dataplane::CounterText& text : dataplane::transport_counter_table) {
    transport_counters_[place++] = counts.*(text.count);
  }
}

void NetTile::publish_peers() {
  if (!options_.peers) return;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection == nullptr) continue;
    write_peer_row(*options_.peers, *connection, turn_.now);
  }
}

void NetTile::check_connections(const Turn& turn) {
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection == nullptr || connection->is_ending) continue;
    if (turn.now < connection->peer.next_deadline()) continue;
    const bool was_open = connection->peer.is_open();
    const diameter::Reaction reaction = connection->peer.on_time(turn.now, small_);
    if (was_open && !connection->peer.is_open()) --counters_.peers_open;
    if (reaction.close) ++counters_.peer_closed_by_timeout;
    if (reaction.event == diameter::PeerEvent::watchdog_timeout) {
      book_.note_down(connection->origin_host);
    }
    apply(*connection, reaction, Bytes(small_).first(reaction.send_bytes));
  }
}

void NetTile::begin_stop(Instant now) {
  is_stopping_ = true;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection == nullptr || connection->is_ending) continue;
    if (!connection->peer.is_open()) {
      connection->is_ending = true;
      transport_->abort(connection->stream);
      continue;
    }
    const diameter::Reaction reaction =
        connection->peer.disconnect(diameter::DisconnectCause::rebooting, now, small_);
    --counters_.peers_open;
    apply(*connection, reaction, Bytes(small_).first(reaction.send_bytes));
  }
}

}  // namespace tollgate::app
