// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the server sends: answers to our requests, and requests of its own.
#include <fmt/format.h>

#include <cstdio>

#include "diameter/dispatch.hh"
#include "diameter/header.hh"
#include "diameter/session_control.hh"
#include "diameter/wire.hh"
#include "tools/tollload/engine.hh"

namespace tollgate::tollload {
namespace {

using diameter::load_u32;
using diameter::Take;

constexpr u32 command_mask = 0xffffff;
constexpr u32 bits_of_answer = static_cast<u32>(diameter::Command::credit_control);

// Flags and command of a CCA, whatever its other flags.
bool is_credit_control_answer(Bytes message) {
  const u32 flags_and_command = load_u32(message.data() + 4);
  return (flags_and_command & command_mask) == bits_of_answer &&
         (flags_and_command >> 24 & diameter::flag_request) == 0;
}

}  // namespace

std::size_t Engine::received(dataplane::StreamId id, Bytes chunk) {
  Connection* const connection = find(id);
  if (connection == nullptr) return chunk.size();
  if (clock_ != nullptr) now_ = clock_->now();
  results_->received_octets += chunk.size();
  connection->peer->on_traffic(now_);
  const diameter::FrameProgress progress = connection->framer->feed(
      chunk, [this, connection](Bytes octets) { return message(*connection, octets); });
  if (progress.error != diameter::FrameError::none) {
    transport_->abort(id);
    return chunk.size();
  }
  // Stopped: the stream is ending, and nothing more of it matters.
  return chunk.size();
}

diameter::Take Engine::message(Connection& connection, Bytes message) {
  const bool may_answer =
      connection.state == ConnectionState::open || connection.state == ConnectionState::leaving;
  if (may_answer && is_credit_control_answer(message)) {
    answer(connection, message);
    return Take::next;
  }
  const bool is_open = connection.peer->is_open();
  const diameter::Classified classified = diameter::classify(message);
  if (is_open && classified.header.is_request() &&
      (classified.header.command == diameter::Command::re_auth ||
       classified.header.command == diameter::Command::abort_session)) {
    session_request(connection, message);
    return Take::next;
  }
  if (is_open && classified.kind != diameter::MessageKind::peer) return Take::next;
  std::array<u8, diameter::peer_answer_bytes_max> octets;
  const diameter::Reaction reaction = connection.peer->on_message(message, now_, octets);
  react(connection, reaction, octets);
  return connection.stream.is_set() ? Take::next : Take::stop_after;
}

void Engine::answer(Connection& connection, Bytes message) {
  const u32 hop_by_hop = load_u32(message.data() + 12);
  const u32 slot = hop_by_hop & (slot_step_ - 1);
  if (slot >= sessions_.size() || &connection_of(slot) != &connection)
    return stray_answer(connection, message);
  Session& session = sessions_[slot];
  if (hop_by_hop == session.hop_by_hop && session.has(session_waits)) {
    session.clear(session_waits);
  } else if (hop_by_hop == session.hop_by_hop + slot_step_ &&
             session.has(session_waits_duplicate)) {
    session.clear(session_waits_duplicate);
  } else {
    return stray_answer(connection, message);
  }
  judge(connection, slot, message);
  if (session.has(session_waits | session_waits_duplicate)) return;
  if (session.has(session_plans_duplicate)) {
    if (!session.has(session_stands_again)) connection.again.push(slot);
    session.set(session_stands_again);
    return;
  }
  finish(connection, slot);
}

void Engine::judge(const Connection& connection, u32 slot, Bytes message) {
  Session& session = sessions_[slot];
  const ServiceUse& use = script_.use_of(session.service);
  AnswerFacts facts;
  AnswerFault fault =
      check_answer(message,
                   {.end_to_end = session.end_to_end,
                    .session_prefix = as_bytes(connection.session_prefix),
                    .slot = slot,
                    .incarnation = session.incarnation,
                    .type = session.type,
                    .number = session.number,
                    .rating_group = use.rating_group,
                    .service_identifier = use.service_identifier,
                    .unit = text_of(session.service).unit,
                    .requested = session.type == RequestType::termination ? 0 : use.requested,
                    .any_grant = options_.any_grant},
                   facts);
  if (fault == AnswerFault::none && facts.outcome == Outcome::refused && !options_.allow_refused)
    fault = facts.result_code == 2001 ? AnswerFault::mscc_result_code : AnswerFault::result_code;
  ++results_->answered_count;
  results_->count_code(facts.deciding_code());
  const bool is_second = session.has(session_is_answered);
  if (is_second) {
    compare(session, facts, fault);
  } else if (phase_ == Phase::running) {
    ++results_->measured_count;
    results_->interval_latency_ns.record(
        static_cast<u64>(std::max<i64>(now_.ns - session.planned_ns, 0)));
  }
  if (facts.outcome == Outcome::too_busy) ++results_->too_busy_count;
  if (facts.outcome == Outcome::refused) ++results_->refused_count;
  if (fault != AnswerFault::none) explain(connection, slot, fault, facts);
  if (is_second) {
    // The first was refused unseen; this one may have been carried out, and the record says so.
    if (session.first_result == code_too_busy && record_ != nullptr)
      record(connection, slot, &facts);
    return;
  }
  session.set(session_is_answered);
  session.first_result = static_cast<u16>(facts.deciding_code());
  session.first_granted = facts.granted;
  if (record_ != nullptr) record(connection, slot, &facts);
  script_.answered(fault, facts, session);
}

// Both answers to a request that was sent twice must be the same. A server that was too busy for
// one of them has not looked at it.
void Engine::compare(Session& session, const AnswerFacts& facts, AnswerFault& fault) const {
  if (fault != AnswerFault::none) return;
  if (session.first_result == code_too_busy || facts.outcome == Outcome::too_busy) return;
  if (session.first_result != facts.deciding_code() || session.first_granted != facts.granted)
    fault = AnswerFault::duplicate_differs;
}

// The request under way is over.
void Engine::finish(Connection& connection, u32 slot) {
  --in_flight_count_;
  const Session& session = sessions_[slot];
  const bool goes_on =
      phase_ == Phase::running || (phase_ == Phase::terminating && session.has(session_is_open));
  if (goes_on) connection.ready.push(slot);
}

// Given up, and answered after all; or an answer to nothing.
void Engine::stray_answer(Connection& connection, Bytes message) {
  if (results_->late_count < results_->lost_count) {
    ++results_->late_count;
    return;
  }
  ++results_->wrong_count;
  ++results_->by_fault[static_cast<std::size_t>(AnswerFault::unknown_hop_by_hop)];
  if (results_->wrong_count > options_.explain_count) return;
  fmt::print(stderr, "wrong answer to {}: {} ({:#010x})\n", connection.host,
             text_of(AnswerFault::unknown_hop_by_hop).sentence, load_u32(message.data() + 12));
}

void Engine::explain(const Connection& connection, u32 slot, AnswerFault fault,
                     const AnswerFacts& facts) {
  ++results_->wrong_count;
  ++results_->by_fault[static_cast<std::size_t>(fault)];
  if (results_->wrong_count > options_.explain_count) return;
  const Session& session = sessions_[slot];
  fmt::print(stderr,
             "wrong answer: {}; session {}, {} {}, subscriber {}: result {}, of the service {}, "
             "granted {}{}\n",
             text_of(fault).sentence,
             session_id_of(options_.identities, connection.index, slot, session.incarnation),
             name_of(session.type), session.number,
             options_.identities.first_msisdn + session.subscriber_index, facts.result_code,
             facts.mscc_result_code, facts.granted, facts.has_final_unit ? ", final unit" : "");
}

// The server asks for an update, which follows anyway, or for the end of a session.
void Engine::session_request(Connection& connection, Bytes message) {
  const diameter::Header header = diameter::read_header(message);
  const bool is_abort = header.command == diameter::Command::abort_session;
  ++(is_abort ? results_->abort_session_count : results_->re_auth_count);
  if (is_abort) {
    for (u32 slot = connection.index; slot < sessions_.size();
         slot += static_cast<u32>(connections_.size())) {
      Session& session = sessions_[slot];
      const std::string id =
          session_id_of(options_.identities, connection.index, slot, session.incarnation);
      const auto at = as_text(message).find(id);
      if (at == std::string_view::npos) continue;
      if (session.has(session_is_open)) session.set(session_must_end);
      break;
    }
  }
  std::array<u8, diameter::peer_answer_bytes_max> octets;
  const auto code =
      is_abort ? diameter::ResultCode::success : diameter::ResultCode::limited_success;
  const std::size_t size_bytes =
      diameter::encode_session_answer(message, code, connection.node.origin, octets);
  send_octets(connection, Bytes(octets).first(size_bytes));
}

// No answer will come to the request under way of this slot.
void Engine::lose(Connection& connection, u32 slot) {
  Session& session = sessions_[slot];
  const bool first_is_lost = session.has(session_waits);
  results_->lost_count += first_is_lost ? 1 : 0;
  results_->lost_count += session.has(session_waits_duplicate) ? 1 : 0;
  if (first_is_lost && !session.has(session_is_answered)) {
    if (record_ != nullptr) record(connection, slot, nullptr);
    script_.unanswered(session);
  }
  session.clear(session_waits | session_waits_duplicate | session_plans_duplicate);
  finish(connection, slot);
}

void Engine::record(const Connection& connection, u32 slot, const AnswerFacts* facts) {
  const Session& session = sessions_[slot];
  const std::string session_id =
      session_id_of(options_.identities, connection.index, slot, session.incarnation);
  RecordLine line{.session_id = session_id,
                  .service = session.service,
                  .type = session.type,
                  .number = session.number,
                  .result_code = facts == nullptr ? 0 : facts->deciding_code(),
                  .used = session.used,
                  .granted = facts == nullptr ? 0 : facts->granted,
                  .msisdn = options_.identities.first_msisdn + session.subscriber_index,
                  .was_resent = session.has(session_was_resent)};
  // An event is used by being granted; one that nobody has looked at yet may have been, or may be.
  if (session.type == RequestType::event) {
    const bool is_decided = facts != nullptr && facts->outcome != Outcome::too_busy;
    line.used = is_decided ? facts->granted : script_.use_of(session.service).requested;
  }
  record_->write(line);
}

}  // namespace tollgate::tollload
