// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/engine.hh"

#include <algorithm>
#include <bit>

#include "base/check.hh"
#include "tools/tollload/digits.hh"

namespace tollgate::tollload {
namespace {

// Requests that one connection sends before the next one's turn.
constexpr u32 burst_count = 32;
// How far ahead of its request a session is fetched into the cache.
constexpr u32 prefetch_count = 8;
// Opening and ending sessions is not what is measured: with a rate they go by this window.
constexpr u32 window_beside_rate = 64;
constexpr Duration keep_interval = Duration::milliseconds(1);
constexpr u32 sweeps_per_second = 1000;
constexpr Duration terminating_max = Duration::seconds(60);
constexpr Duration disconnecting_max = Duration::seconds(2);

Script::Options script_options(const Options& options) {
  return {.mix = options.mix,
          .uses = options.uses,
          .subscriber_count = options.subscriber_count,
          .updates_mean = options.updates_mean,
          .seed = options.seed};
}

u32 window_of(const Options& options) {
  return options.rate_per_second == 0 ? options.window_count : window_beside_rate;
}

}  // namespace

std::string_view to_text(Phase phase) {
  constexpr std::array<std::string_view, 7> names{
      "connecting", "opening", "running", "settling", "terminating", "disconnecting", "done"};
  return names[static_cast<std::size_t>(phase)];
}

Engine::Engine(const Options& options, const Clock* clock, RecordFile* record)
    : options_(options),
      clock_(clock),
      record_(record),
      script_(script_options(options)),
      pace_(Pace::closed(window_of(options))),
      results_(std::make_unique<Results>()),
      sessions_(options.session_count),
      slot_bits_(static_cast<u32>(std::bit_width(options.session_count - 1))),
      slot_step_(1U << slot_bits_),
      end_to_end_(static_cast<u32>(options.seed)),
      msisdn_low_(static_cast<u32>(options.identities.first_msisdn % digits8_end)),
      imsi_low_(static_cast<u32>(options.identities.first_imsi % digits8_end)) {
  check(options.session_count >= options.connection_count, "each connection has a session");
  for (u32 slot = 0; slot < sessions_.size(); ++slot) {
    script_.init(slot, sessions_[slot]);
    sessions_[slot].hop_by_hop = slot;
  }
  const u32 slot_count_max = options.session_count / options.connection_count + 1;
  for (u32 i = 0; i < options.connection_count; ++i)
    connections_.push_back(std::make_unique<Connection>(options_, i, slot_count_max));
  for (const Service service : all_services)
    for (u32 type = 1; type < 5; ++type)
      templates_[static_cast<std::size_t>(service)][type] = RequestTemplate(
          options.identities, service, script_.use_of(service), static_cast<RequestType>(type));
  if (options.scenario == "sms") {
    results_->update_bytes =
        static_cast<u32>(request_template(Service::sms, RequestType::event).size_bytes());
  } else if (options.scenario != "mixed") {
    const Service service = options.scenario == "voice" ? Service::voice : Service::data;
    results_->update_bytes =
        static_cast<u32>(request_template(service, RequestType::update).size_bytes());
  }
}

Engine::~Engine() = default;

const RequestTemplate& Engine::request_template(Service service, RequestType type) const {
  return templates_[static_cast<std::size_t>(service)][static_cast<std::size_t>(type)];
}

void Engine::start(dataplane::Transport& transport, Instant now) {
  transport_ = &transport;
  now_ = phase_since_ = kept_at_ = now;
  for (const auto& connection : connections_) {
    connection->retry_at = now;
    connection->give_up_at = now + options_.connect_timeout;
  }
  keep_connections();
}

bool Engine::turn(Instant now) {
  if (phase_ == Phase::done) return false;
  now_ = now;
  transport_->poll(now);
  if (now_ - kept_at_ >= keep_interval) {
    kept_at_ = now_;
    event_time_ = diameter::time_of_instant(now_);
    keep_connections();
    sweep();
  }
  for (const auto& connection : connections_)
    if (!connection->again.empty()) send_again(*connection);
  if (phase_ == Phase::opening || phase_ == Phase::running || phase_ == Phase::terminating)
    send_new();
  advance();
  transport_->flush();
  return phase_ != Phase::done;
}

// ---- Phases

void Engine::enter(Phase phase) {
  phase_ = phase;
  phase_since_ = now_;
}

bool Engine::nothing_is_left() const {
  if (in_flight_count_ != 0) return false;
  return std::all_of(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection->state == ConnectionState::gone || connection->ready.empty();
  });
}

// All slots that are wanted may send, in an order that is drawn: neither subscribers nor the
// server's sessions come in the order in which they were made.
template <class Wanted>
void Engine::queue_slots(Wanted&& wanted) {
  std::vector<u32> slots;
  for (u32 slot = 0; slot < sessions_.size(); ++slot)
    if (wanted(sessions_[slot])) slots.push_back(slot);
  std::shuffle(slots.begin(), slots.end(), script_.random());
  for (const auto& connection : connections_) connection->ready.clear();
  for (const u32 slot : slots) connection_of(slot).ready.push(slot);
}

void Engine::begin_running() {
  queue_slots([](const Session&) { return true; });
  results_->end_interval();
  results_->latency_ns.clear();
  if (options_.rate_per_second != 0) pace_ = Pace::open(options_.rate_per_second, now_);
  enter(Phase::running);
}

void Engine::end_running() {
  results_->measured = now_ - phase_since_;
  if (options_.rate_per_second != 0) results_->unsent_count = pace_.allowed(now_, 0);
  pace_ = Pace::closed(window_of(options_));
  for (const auto& connection : connections_) connection->ready.clear();
  enter(Phase::settling);
}

void Engine::advance() {
  const Duration since = now_ - phase_since_;
  switch (phase_) {
    case Phase::connecting:
      if (is_stopping_) return disconnect_all();
      for (const auto& connection : connections_)
        if (connection->state != ConnectionState::open) return;
      queue_slots([](const Session& session) { return session.service != Service::sms; });
      return enter(Phase::opening);
    case Phase::opening:
      if (is_stopping_) return end_running();
      return nothing_is_left() ? begin_running() : void();
    case Phase::running:
      if (is_stopping_ || since >= Duration::seconds(options_.seconds)) end_running();
      return;
    case Phase::settling:
      if (in_flight_count_ != 0) return;
      if (!options_.terminate) return disconnect_all();
      queue_slots([](const Session& session) { return session.has(session_is_open); });
      return enter(Phase::terminating);
    case Phase::terminating:
      if (nothing_is_left()) return disconnect_all();
      if (since > terminating_max) return fail("the sessions could not be ended within a minute");
      return;
    case Phase::disconnecting:
      if (since > disconnecting_max || transport_->stream_count() == 0) enter(Phase::done);
      return;
    case Phase::done:
      return;
  }
}

// ---- Sending

void Engine::send_new() {
  u64 allowed_count = pace_.allowed(now_, in_flight_count_);
  std::size_t idle_count = 0;
  while (allowed_count > 0 && idle_count < connections_.size()) {
    Connection& connection = *connections_[connection_turn_];
    connection_turn_ = connection_turn_ + 1 == connections_.size() ? 0 : connection_turn_ + 1;
    const u32 sent_count = send_burst(connection, allowed_count);
    allowed_count -= sent_count;
    idle_count = sent_count == 0 ? idle_count + 1 : 0;
  }
}

u32 Engine::send_burst(Connection& connection, u64 allowed_count) {
  if (connection.state != ConnectionState::open || connection.is_blocked) return 0;
  const u64 most = std::min<u64>({allowed_count, burst_count, connection.ready.size()});
  u32 sent_count = 0;
  while (sent_count < most) {
    __builtin_prefetch(&sessions_[connection.ready.ahead(prefetch_count)], 1);
    const u32 slot = connection.ready.front();
    if (!send_request(connection, slot)) break;
    connection.ready.pop();
    ++sent_count;
  }
  return sent_count;
}

// A request that was sent again and refused unseen may have been carried out the first time. Only
// the same request tells: a new one would find its session ended, or report the usage twice.
bool Engine::must_be_repeated(const Session& session) {
  return session.has(session_was_resent) && session.has(session_is_answered) &&
         session.first_result == code_too_busy;
}

// Sends the next request of a slot; false, and without effect, if there is no room for it.
bool Engine::send_request(Connection& connection, u32 slot) {
  Session& session = sessions_[slot];
  const bool is_ending = phase_ == Phase::terminating;
  const bool is_repetition = must_be_repeated(session);
  const RequestType type = is_repetition ? session.type : script_.next_type(session, is_ending);
  // The room first: a session must not be changed by a request that cannot leave.
  const std::size_t size_bytes = request_template(session.service, type).size_bytes();
  if (transport_->reserve(connection.stream, size_bytes).empty()) {
    connection.is_blocked = true;
    return false;
  }
  session.planned_ns = pace_.take(now_).ns;
  if (is_repetition) {
    session.used_carried = 0;  // it goes with this one
    ++results_->sent_count;
  } else {
    script_.begin(type, session);
    session.end_to_end = ++end_to_end_;
    session.hop_by_hop += 2 * slot_step_;
    session.clear(session_was_resent);
  }
  session.clear(session_is_answered);
  session.set(session_waits);
  const bool is_put = put_request(connection, slot, is_repetition ? Copy::again : Copy::first);
  check(is_put, "room that was there a moment ago is there");
  ++in_flight_count_;
  ++results_->sent_by_type[static_cast<std::size_t>(type)];
  if (options_.duplicates_per_mille != 0 && !is_repetition) plan_duplicate(connection, slot);
  return true;
}

void Engine::plan_duplicate(Connection& connection, u32 slot) {
  Session& session = sessions_[slot];
  if (script_.random()() % 1000 >= options_.duplicates_per_mille) return;
  const bool is_immediate = script_.random()() % 2 == 0;
  if (is_immediate && put_request(connection, slot, Copy::duplicate)) return;
  session.set(session_plans_duplicate);
}

// Encodes the request under way into the stream's output.
bool Engine::put_request(Connection& connection, u32 slot, Copy copy) {
  Session& session = sessions_[slot];
  const RequestTemplate& request = request_template(session.service, session.type);
  const MutableBytes out = transport_->reserve(connection.stream, request.size_bytes());
  if (out.empty()) {
    connection.is_blocked = true;
    return false;
  }
  if (copy == Copy::again) session.hop_by_hop += 2 * slot_step_;
  const bool is_duplicate = copy == Copy::duplicate;
  request.write({.hop_by_hop = session.hop_by_hop + (is_duplicate ? slot_step_ : 0),
                 .end_to_end = session.end_to_end,
                 .host_digits = connection.host_digits,
                 .slot = slot,
                 .incarnation = session.incarnation,
                 .number = session.number,
                 .event_time = event_time_,
                 .msisdn_low = msisdn_low_ + session.subscriber_index,
                 .imsi_low = imsi_low_ + session.subscriber_index,
                 .used = session.used,
                 .is_retransmitted = copy != Copy::first},
                out.data());
  transport_->commit(connection.stream, request.size_bytes());
  session.sent_ns = now_.ns;
  results_->sent_octets += request.size_bytes();
  if (copy == Copy::again) {
    session.set(session_was_resent);
    ++results_->resent_count;
    return true;
  }
  ++results_->sent_count;
  if (is_duplicate) {
    session.clear(session_plans_duplicate);
    session.set(session_waits_duplicate);
    ++results_->duplicate_count;
  }
  if (phase_ == Phase::running) {
    ++results_->measured_sent_count;
    results_->measured_sent_octets += request.size_bytes();
  }
  return true;
}

void Engine::send_again(Connection& connection) {
  if (connection.state != ConnectionState::open) return;
  while (!connection.again.empty() && !connection.is_blocked) {
    const u32 slot = connection.again.front();
    Session& session = sessions_[slot];
    if (session.has(session_waits)) {
      if (!put_request(connection, slot, Copy::again)) return;
    } else if (session.has(session_plans_duplicate)) {
      if (!put_request(connection, slot, Copy::duplicate)) return;
    }
    connection.again.pop();
    session.clear(session_stands_again);
  }
}

// Gives up what has waited for too long. It goes round all slots about once a second.
void Engine::sweep() {
  const i64 too_old_ns = (now_ - options_.answer_timeout).ns;
  const u32 count = static_cast<u32>(sessions_.size()) / sweeps_per_second + 1;
  for (u32 i = 0; i < count; ++i) {
    const u32 slot = sweep_slot_;
    sweep_slot_ = sweep_slot_ + 1 == sessions_.size() ? 0 : sweep_slot_ + 1;
    const Session& session = sessions_[slot];
    if (!session.has(session_waits | session_waits_duplicate)) continue;
    Connection& connection = connection_of(slot);
    // While the connection is away the request waits for the next one.
    if (session.sent_ns < too_old_ns && connection.state == ConnectionState::open)
      lose(connection, slot);
  }
}

}  // namespace tollgate::tollload
