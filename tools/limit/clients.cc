// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/limit/clients.hh"

#include <time.h>

#include "base/check.hh"
#include "diameter/header.hh"
#include "diameter/peer.hh"
#include "diameter/wire.hh"

namespace tollgate::limit {
namespace {

using tollload::RequestTemplate;
using tollload::RequestType;
using tollload::Service;

constexpr u64 digits8_end = 100'000'000;
constexpr u32 credit_control_command = 272;
constexpr u32 result_code_avp = 268;
constexpr u32 success = 2001;
constexpr i64 seconds_1900_to_1970 = 2'208'988'800;

tollload::Identities identities_of(const ClientsOptions& options) {
  tollload::Identities identities;
  identities.hosts_are_numbered = options.connection_count > 1;
  identities.run_number = 1;
  return identities;
}

RequestTemplate template_of(const tollload::Identities& identities, const ClientsOptions& options,
                            RequestType type) {
  return {identities,
          Service::data,
          {.rating_group = 10,
           .service_identifier = 1,
           .requested = options.requested_octets,
           .used = options.used_octets},
          type};
}

// Session-Id stands first and Result-Code second in what our encoder writes.
bool is_success(const u8* answer) {
  const u32 session_bytes = diameter::load_u32(answer + 24) & 0xff'ffff;
  const u8* second = answer + 20 + round_up(session_bytes, 4);
  return diameter::load_u32(second) == result_code_avp && diameter::load_u32(second + 8) == success;
}

}  // namespace

Clients::Clients(const ClientsOptions& options, const CoreCounters& core, std::atomic<bool>& stop)
    : options_(options),
      core_(core),
      stop_(stop),
      identities_(identities_of(options)),
      initial_(template_of(identities_, options, RequestType::initial)),
      update_(template_of(identities_, options, RequestType::update)),
      slots_(options.session_count),
      requests_(burst_max * 2048),
      answer_(64_KiB) {
  check(update_.size_bytes() <= 2048 && initial_.size_bytes() <= 2048, "a burst has its room");
  for (u32 i = 0; i < options.connection_count; ++i) next_.push_back(i);
}

MutableBytes Clients::reserve(dataplane::StreamId, std::size_t size_bytes) {
  return size_bytes <= answer_.size() ? MutableBytes(answer_).first(size_bytes) : MutableBytes();
}

void Clients::commit(dataplane::StreamId, std::size_t) {
  const u8* answer = answer_.data();
  if ((diameter::load_u32(answer + 4) & 0xff'ffff) != credit_control_command) return;
  Slot& slot = slots_[diameter::load_u32(answer + 12)];
  check(slot.waits, "one answer for each request");
  slot.waits = false;
  if (slot.number == 0) ++opened_count_;
  if (!is_success(answer)) ++wrong_count_;
  ++slot.number;
  ++answered_count_;
  --in_flight_;
}

void Clients::abort(dataplane::StreamId) {
  check(false, "the appliance does not end the connections of these clients");
}

void Clients::connect_all(Instant now) {
  const std::array<diameter::HostAddress, 1> address{{{.octets = {127, 0, 0, 1}}}};
  for (u32 i = 0; i < options_.connection_count; ++i) {
    diameter::LocalNode node;
    const std::string host = host_of(identities_, i);
    node.origin = {host, identities_.realm};
    node.host_addresses = address;
    diameter::PeerConnection peer(
        node, {.role = diameter::PeerRole::initiator, .now = now, .seed = u64{i} + 1});
    std::array<u8, diameter::peer_answer_bytes_max> request;
    const std::size_t bytes = peer.on_transport_up(now, request).send_bytes;
    const dataplane::StreamId id{.index = i, .generation = 1};
    handler_->opened(id, {}, dataplane::Direction::incoming);
    const std::size_t taken = handler_->received(id, Bytes(request).first(bytes));
    check(taken == bytes, "a CER is taken whole");
  }
}

void Clients::write_request(u32 slot, Instant now) {
  const RequestTemplate& request = slots_[slot].number == 0 ? initial_ : update_;
  // Neighbouring sessions are far apart in the ledger, as they are in life.
  const u32 subscriber = static_cast<u32>(u64{slot} * 7'919 * 127 % options_.subscriber_count);
  const u64 msisdn = identities_.first_msisdn % digits8_end + subscriber;
  const u64 imsi = identities_.first_imsi % digits8_end + subscriber;
  request.write({.hop_by_hop = slot,
                 .end_to_end = ++end_to_end_,
                 .host_digits = tollload::host_digits(slot % options_.connection_count),
                 .slot = slot,
                 .incarnation = 1,
                 .number = slots_[slot].number,
                 .event_time = static_cast<u32>(now.whole_seconds() + seconds_1900_to_1970),
                 .msisdn_low = static_cast<u32>(msisdn),
                 .imsi_low = static_cast<u32>(imsi),
                 .used = slots_[slot].number == 0 ? 0 : options_.used_octets},
                requests_.data() + request_bytes_);
  request_bytes_ += request.size_bytes();
  slots_[slot].waits = true;
  ++in_flight_;
}

// Writes a burst of one connection. Returns how many requests it has.
u32 Clients::ask(u32 connection, Instant now) {
  request_bytes_ = 0;
  u32 count = 0;
  u32& next = next_[connection];
  while (count < burst_max && in_flight_ < options_.window_count) {
    const bool is_settled = phase_ != Phase::opening || slots_[next].number == 0;
    if (slots_[next].waits || !is_settled) break;
    write_request(next, now);
    ++count;
    next += options_.connection_count;
    if (next >= options_.session_count) next = connection;
  }
  return count;
}

std::size_t Clients::poll(Instant now) {
  step_phase(now);
  if (phase_ == Phase::over) return 0;
  u64 begin = read_tsc();
  std::size_t total = 0;
  for (u32 i = 0; i < options_.connection_count; ++i) {
    const u32 connection = next_connection_++ % options_.connection_count;
    const u32 count = ask(connection, now);
    const u64 asked = read_tsc();
    client_ticks_ += asked - begin;
    begin = asked;
    if (count == 0) continue;
    total += count;
    const std::size_t taken = handler_->received({.index = connection, .generation = 1},
                                                 Bytes(requests_).first(request_bytes_));
    check(taken == request_bytes_, "the net tile takes what it is given");
    begin = read_tsc();
  }
  return total;
}

void Clients::step_phase(Instant now) {
  switch (phase_) {
    case Phase::connecting:
      connect_all(now);
      phase_ = Phase::opening;
      break;
    case Phase::opening:
      if (opened_count_ < options_.session_count) break;
      phase_ = Phase::warming;
      phase_end_ = now + options_.warm_up;
      break;
    case Phase::warming:
      if (now < phase_end_) break;
      begin_ = mark();
      phase_ = Phase::measuring;
      phase_end_ = now + options_.measured;
      break;
    case Phase::measuring:
      if (now < phase_end_) break;
      end_ = mark();
      phase_ = Phase::over;
      stop_.store(true);
      break;
    case Phase::over:
      break;
  }
}

Mark Clients::mark() const {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return {.tsc = read_tsc(),
          .answered = answered_count_,
          .client_ticks = client_ticks_,
          .processor = Duration::seconds(used.tv_sec) + Duration::nanoseconds(used.tv_nsec),
          .core = core_};
}

}  // namespace tollgate::limit
