// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/peer.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "base/hash.hh"
#include "diameter/avp_ids.hh"
#include "diameter/dispatch.hh"
#include "diameter/peer_messages.hh"

namespace tollgate::diameter {
namespace {

constexpr i64 jitter_ns_max = Duration::seconds(2).ns;  // RFC 3539 section 3.4.1
constexpr i8 reopen_answers_wanted = 3;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Octets that a name of a host may have; UTF-8 beyond ASCII is let pass.
bool is_name_octet(u8 octet) {
  return octet > ' ' && octet != 0x7f;
}

bool is_base_request(const Header& header, Command command) {
  return header.is_request() && header.command == command &&
         header.application == Application::base;
}

// The Origin-State-Id of a sound message.
std::optional<u32> origin_state_of(Bytes message) {
  Avp avp;
  if (!find_first(message.subspan(header_bytes), avp::origin_state_id, avp)) return std::nullopt;
  return avp.as_u32();
}

Admission ask(const LocalNode& node, const PeerFacts& facts) {
  return node.admit == nullptr ? Admission::admit : node.admit(node.admit_context, facts);
}

PeerEvent event_of(CapabilitiesFault fault) {
  switch (fault) {
    case CapabilitiesFault::no_common_application:
      return PeerEvent::no_common_application;
    case CapabilitiesFault::no_common_security:
      return PeerEvent::no_common_security;
    default:
      return PeerEvent::capabilities_malformed;
  }
}

}  // namespace

bool Identity::assign(Bytes name) {
  if (name.empty() || name.size() > identity_bytes_max) return false;
  if (!std::ranges::all_of(name, is_name_octet)) return false;
  std::memcpy(octets_.data(), name.data(), name.size());
  size_bytes_ = static_cast<u8>(name.size());
  return true;
}

void ShortText::assign(Bytes text) {
  size_bytes_ = static_cast<u8>(std::min(text.size(), octets_.size()));
  std::memcpy(octets_.data(), text.data(), size_bytes_);
}

bool same_identity(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool wins_election(std::string_view local_host, std::string_view remote_host) {
  return std::ranges::lexicographical_compare(remote_host, local_host, [](char a, char b) {
    return static_cast<u8>(lower(a)) < static_cast<u8>(lower(b));
  });
}

PeerConnection::PeerConnection(const LocalNode& node, const Options& options)
    : node_(&node),
      role_(options.role),
      state_(options.role == PeerRole::responder ? PeerState::wait_cer : PeerState::wait_transport),
      deadline_(options.role == PeerRole::responder ? options.now + node.capabilities_timeout
                                                    : Instant::never()),
      is_reopened_(options.is_reopened),
      hop_by_hop_(static_cast<u32>(mix64(options.seed + 1))),
      end_to_end_(options.now, options.seed),
      random_(mix64(options.seed)) {}

Reaction PeerConnection::close_with(PeerEvent event, std::size_t send_bytes) {
  state_ = PeerState::closed;
  watchdog_ = Watchdog::down;
  deadline_ = Instant::never();
  return {.send_bytes = send_bytes, .close = true, .event = event};
}

Reaction PeerConnection::on_transport_up(Instant now, MutableBytes out) {
  if (state_ != PeerState::wait_transport) return {.event = PeerEvent::unexpected};
  state_ = PeerState::wait_cea;
  deadline_ = now + node_->capabilities_timeout;
  pending_hop_by_hop_ = next_hop_by_hop();
  const MessageIds ids{.hop_by_hop = pending_hop_by_hop_, .end_to_end = end_to_end_.next()};
  return {.send_bytes = encode_capabilities_request(*node_, ids, out)};
}

Reaction PeerConnection::on_transport_lost() {
  if (state_ == PeerState::closed) return {};
  return close_with(PeerEvent::transport_lost);
}

Reaction PeerConnection::on_message(Bytes message, Instant now, MutableBytes out) {
  const Header header = read_header(message);
  switch (state_) {
    case PeerState::wait_cer:
      return on_first_request(message, now, out);
    case PeerState::wait_cea:
      return on_capabilities_answer(message, now, out);
    case PeerState::open:
    case PeerState::closing:
      on_traffic(now);
      return header.is_request() ? on_open_request(message, now, out) : on_open_answer(header, now);
    default:
      return {.event = PeerEvent::unexpected};
  }
}

Reaction PeerConnection::on_first_request(Bytes message, Instant now, MutableBytes out) {
  const Header header = read_header(message);
  if (!is_base_request(header, Command::capabilities_exchange))
    return close_with(PeerEvent::first_not_capabilities);
  Refusal refusal;
  const CapabilitiesFault fault = read_capabilities(*node_, message, facts_, refusal);
  const auto refuse = [&](PeerEvent event) {
    return close_with(event, encode_capabilities_answer(*node_, header, refusal, out));
  };
  if (fault != CapabilitiesFault::none) return refuse(event_of(fault));
  switch (ask(*node_, facts_)) {
    case Admission::admit:
      break;
    case Admission::unknown_peer:
      refusal.set(ResultCode::unknown_peer);
      return refuse(PeerEvent::unknown_peer);
    case Admission::election_lost:
      refusal.set(ResultCode::election_lost);
      return refuse(PeerEvent::election_lost);
    case Admission::already_open:
      return close_with(PeerEvent::already_open);
  }
  const std::size_t send_bytes = encode_capabilities_answer(*node_, header, refusal, out);
  return {.send_bytes = send_bytes + open(now, out.subspan(send_bytes)),
          .event = PeerEvent::opened};
}

Reaction PeerConnection::on_capabilities_answer(Bytes message, Instant now, MutableBytes out) {
  const Header header = read_header(message);
  if (header.is_request() || header.command != Command::capabilities_exchange)
    return close_with(PeerEvent::first_not_capabilities);
  if (header.hop_by_hop != pending_hop_by_hop_) return {.event = PeerEvent::unexpected};
  Avp result;
  if (!find_first(message.subspan(header_bytes), avp::result_code, result) ||
      result.data_bytes() != 4)
    return close_with(PeerEvent::capabilities_malformed);
  if (!is_success(static_cast<ResultCode>(result.as_u32())))
    return close_with(PeerEvent::refused_by_peer);
  Refusal refusal;
  const CapabilitiesFault fault = read_capabilities(*node_, message, facts_, refusal);
  if (fault != CapabilitiesFault::none) return close_with(event_of(fault));
  if (facts_.host.empty() || facts_.realm.empty())
    return close_with(PeerEvent::capabilities_malformed);
  switch (ask(*node_, facts_)) {
    case Admission::admit:
      return {.send_bytes = open(now, out), .event = PeerEvent::opened};
    case Admission::unknown_peer:
      return close_with(PeerEvent::unknown_peer);
    case Admission::election_lost:
      return close_with(PeerEvent::election_lost);
    case Admission::already_open:
      return close_with(PeerEvent::already_open);
  }
  return close_with(PeerEvent::unknown_peer);
}

std::size_t PeerConnection::open(Instant now, MutableBytes out) {
  state_ = PeerState::open;
  deadline_ = Instant::never();
  last_received_ = now;
  watchdog_pending_ = false;
  arm_watchdog(now);
  if (!is_reopened_) {
    watchdog_ = Watchdog::okay;
    return 0;
  }
  watchdog_ = Watchdog::reopen;
  reopen_answers_ = 0;
  return send_watchdog(now, out);
}

Reaction PeerConnection::on_open_request(Bytes message, Instant now, MutableBytes out) {
  const Header header = read_header(message);
  const Classified classified = classify(message);
  if (classified.kind == MessageKind::refused)
    return {.send_bytes = encode_refusal(message, classified.refusal, node_->origin, out),
            .event = PeerEvent::malformed};
  if (classified.kind != MessageKind::peer) return {.event = PeerEvent::unexpected};
  Refusal refusal;
  if (!check_message(message, refusal))
    return {.send_bytes = encode_refusal(message, refusal, node_->origin, out),
            .event = PeerEvent::malformed};
  switch (header.command) {
    case Command::device_watchdog:
      return on_watchdog_request(message, out);
    case Command::disconnect_peer:
      return on_disconnect_request(message, now, out);
    default:
      break;
  }
  // A second CER changes nothing; it is answered as the first was.
  Avp host;
  if (!find_first(message.subspan(header_bytes), avp::origin_host, host) ||
      !same_identity(as_text(host.data()), facts_.host.view()))
    return close_with(PeerEvent::already_open);
  return {.send_bytes = encode_capabilities_answer(*node_, header, refusal, out),
          .event = PeerEvent::capabilities_answered};
}

Reaction PeerConnection::on_watchdog_request(Bytes message, MutableBytes out) {
  PeerEvent event = PeerEvent::watchdog_answered;
  if (const std::optional<u32> state_id = origin_state_of(message)) {
    if (facts_.origin_state_id && *state_id > *facts_.origin_state_id)
      event = PeerEvent::peer_restarted;
    facts_.origin_state_id = state_id;
  }
  return {.send_bytes = encode_watchdog_answer(*node_, read_header(message), out), .event = event};
}

Reaction PeerConnection::on_disconnect_request(Bytes message, Instant now, MutableBytes out) {
  Avp cause;
  if (find_first(message.subspan(header_bytes), avp::disconnect_cause, cause))
    disconnect_cause_ = static_cast<DisconnectCause>(cause.as_u32());
  // Whoever said DPR closes; the timer sees to one that does not.
  state_ = PeerState::closing;
  deadline_ = now + node_->disconnect_timeout;
  return {.send_bytes = encode_disconnect_answer(*node_, read_header(message), out),
          .event = PeerEvent::disconnect_requested};
}

Reaction PeerConnection::on_open_answer(const Header& header, Instant now) {
  if (header.application != Application::base || pending_hop_by_hop_ == 0 ||
      header.hop_by_hop != pending_hop_by_hop_)
    return {.event = PeerEvent::unexpected};
  if (state_ == PeerState::closing) {
    if (header.command != Command::disconnect_peer) return {.event = PeerEvent::unexpected};
    return close_with(PeerEvent::disconnected);
  }
  if (header.command != Command::device_watchdog || !watchdog_pending_)
    return {.event = PeerEvent::unexpected};
  watchdog_pending_ = false;
  round_trip_ = now - watchdog_sent_;
  arm_watchdog(now);
  if (watchdog_ == Watchdog::reopen && ++reopen_answers_ >= reopen_answers_wanted)
    watchdog_ = Watchdog::okay;
  return {.event = PeerEvent::watchdog_received};
}

void PeerConnection::arm_watchdog(Instant now) {
  random_ = mix64(random_ + 0x9e3779b97f4a7c15);
  const i64 jitter_ns = static_cast<i64>(random_ % (2 * jitter_ns_max + 1)) - jitter_ns_max;
  timer_interval_ = node_->watchdog + Duration::nanoseconds(jitter_ns);
  timer_set_at_ = now;
}

std::size_t PeerConnection::send_watchdog(Instant now, MutableBytes out) {
  watchdog_pending_ = true;
  watchdog_sent_ = now;
  pending_hop_by_hop_ = next_hop_by_hop();
  arm_watchdog(now);
  const MessageIds ids{.hop_by_hop = pending_hop_by_hop_, .end_to_end = end_to_end_.next()};
  return encode_watchdog_request(*node_, ids, out);
}

Instant PeerConnection::next_deadline() const {
  if (state_ != PeerState::open) return deadline_;
  return std::max(timer_set_at_, last_received_) + timer_interval_;
}

Reaction PeerConnection::on_time(Instant now, MutableBytes out) {
  if (now < next_deadline()) return {};
  switch (state_) {
    case PeerState::wait_cer:
    case PeerState::wait_cea:
      return close_with(PeerEvent::capabilities_timeout);
    case PeerState::closing:
      return close_with(PeerEvent::disconnect_timeout);
    case PeerState::open:
      break;
    default:
      return {};
  }
  if (!watchdog_pending_)
    return {.send_bytes = send_watchdog(now, out), .event = PeerEvent::watchdog_sent};
  if (watchdog_ == Watchdog::okay) {
    watchdog_ = Watchdog::suspect;
    arm_watchdog(now);
    return {.event = PeerEvent::suspected};
  }
  if (watchdog_ == Watchdog::reopen && reopen_answers_ >= 0) {
    reopen_answers_ = -1;
    arm_watchdog(now);
    return {.event = PeerEvent::suspected};
  }
  return close_with(PeerEvent::watchdog_timeout);
}

Reaction PeerConnection::disconnect(DisconnectCause cause, Instant now, MutableBytes out) {
  if (state_ != PeerState::open) return close_with(PeerEvent::disconnected);
  state_ = PeerState::closing;
  deadline_ = now + node_->disconnect_timeout;
  watchdog_pending_ = false;
  pending_hop_by_hop_ = next_hop_by_hop();
  const MessageIds ids{.hop_by_hop = pending_hop_by_hop_, .end_to_end = end_to_end_.next()};
  return {.send_bytes = encode_disconnect_request(*node_, ids, cause, out),
          .event = PeerEvent::disconnect_sent};
}

}  // namespace tollgate::diameter
