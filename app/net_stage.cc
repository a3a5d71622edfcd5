// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Staging: a request that was decoded becomes a frame for a charge tile, and what its answer will
// need of the message is kept.

#include "app/net_tile.hh"
#include "app/request_numbers.hh"
#include "base/hash.hh"

namespace tollgate::app {

// Keeps what the answer needs of the request. nullptr: there is no room.
Pending* NetTile::keep(const Connection& connection) {
  Pending* pending = pending_.take();
  if (pending == nullptr) return nullptr;
  pending->stream = connection.stream;
  pending->hop_by_hop = request_.header.hop_by_hop;
  pending->end_to_end = request_.header.end_to_end;
  pending->number = request_.number;
  pending->kind = static_cast<RequestKind>(request_.type);
  pending->is_proxiable = request_.header.is_proxiable();
  pending->reports_overload = request_.supports_overload_reports;
  pending->traces = traces_;
  pending->session_id_bytes = static_cast<u16>(request_.session_id.size());
  pending->received_tsc = turn_.tsc;
  std::memcpy(pending->session_id, request_.session_id.data(), request_.session_id.size());
  if (request_.proxy_info_count != 0) {
    pending->proxy_info_bytes = static_cast<u16>(diameter::copy_proxy_info(
        request_, {pending_.proxy_info(*pending), Pending::proxy_info_bytes_max}));
  }
  if (request_.service_identifier_pool_count > 1) {
    pending->identifier_words = static_cast<u16>(
        write_identifiers(request_, {pending_.identifiers(*pending), identifier_words_max}));
  }
  return pending;
}

// Writes the request for the charge tile and starts fetching what finds its account. False if there
// is no room.
bool NetTile::stage(Connection& connection, Bytes message) {
  const u32 service_count = service_count_of(request_);
  const u32 after_count = used_after_count_of(request_);
  const u64 bytes =
      ChargeRequestView::frame_bytes(service_count + after_count, request_.session_id.size());
  if (staged_bytes_ + bytes + sizeof(ledger::SessionNumbers) > staging_bytes) route_staged();
  Pending* pending = keep(connection);
  if (pending == nullptr) return false;
  Staged& staged = staged_[staged_count_];
  staged.at = staged_bytes_;
  staged.bytes = bytes;
  staged.pending = pending;
  u8* at = staging_.get() + staged.at;
  auto* head = new (at) ChargeRequest;
  *head = {.tag = pending_.tag_of(*pending),
           .received_ns = turn_.now.ns,
           .number = request_.number,
           .session_hash = ledger::Shard::session_hash(as_text(request_.session_id)),
           .kind = pending->kind,
           .action = request_.requested_action
                         ? static_cast<EventAction>(*request_.requested_action)
                         : EventAction::direct_debiting,
           .habits = habits_of(request_, *connection.profile),
           .session_id_bytes = pending->session_id_bytes,
           .service_count = static_cast<u16>(service_count),
           .way = Way::make(options_.tile, connection.stream.index, connection.stream.generation),
           .traces = traces_};
  // A session remembers these from its beginning.
  const bool begins = pending->kind == RequestKind::initial || pending->kind == RequestKind::event;
  overload_.count_taken(begins);
  if (begins) {
    head->service_context = rating::context_key(as_text(request_.service_context_id));
    head->origin_host = hash64(request_.origin_host);
  }
  const std::span<ChargeService> services(reinterpret_cast<ChargeService*>(at + sizeof *head),
                                          service_count);
  const ledger::Outcome outcome = write_services(request_, *connection.profile, services);
  if (outcome != ledger::Outcome::ok) {
    ++counters_.refused_amount;
    answer_here(*pending, outcome);
    return true;
  }
  ledger::SessionNumbers numbers;
  if (roles_asked_ != 0) read_numbers(request_.facts, roles_asked_, numbers);
  if (normaliser_.is_active() && !normalise(message, {*head, services, numbers})) {
    answer_here(*pending, ledger::Outcome::rating_failed, refusal_.failed_avps());
    return true;
  }
  u8* behind = at + sizeof *head + services.size_bytes();
  if (after_count != 0) {
    const std::span<ChargeService> after(reinterpret_cast<ChargeService*>(behind), after_count);
    if (write_used_after(request_, *connection.profile, services, after) != ledger::Outcome::ok) {
      answer_here(*pending, ledger::Outcome::amount_overflow);
      return true;
    }
    head->after_count = static_cast<u8>(after_count);
    behind += after.size_bytes();
  }
  if (roles_asked_ != 0 && !numbers.is_none()) {
    head->has_numbers = 1;
    staged.bytes += sizeof numbers;
    std::memcpy(behind, &numbers, sizeof numbers);
    behind += sizeof numbers;
  }
  std::memcpy(behind, request_.session_id.data(), request_.session_id.size());
  staged.key_count = identity_keys(request_, staged.keys);
  staged_bytes_ += staged.bytes;
  ++staged_count_;
  return true;
}

// False if the request is refused as a whole: then `refusal_` tells the AVP.
bool NetTile::normalise(Bytes message, const RequestNormaliser::Written& written) {
  ++counters_.normalised;
  const RequestNormaliser::Result result =
      normaliser_.apply({message, request_, turn_.now}, written, refusal_);
  counters_.priced_as_came += result.is_priced_as_came ? 1 : 0;
  switch (result.reason) {
    case rating::NormaliseOutcome::ok:
    case rating::NormaliseOutcome::unchanged:
      break;
    case rating::NormaliseOutcome::number_unusable:
      ++counters_.refused_number_unusable;
      break;
    case rating::NormaliseOutcome::program_failed:
      ++counters_.refused_program_failed;
      break;
    case rating::NormaliseOutcome::avp_missing:
      ++counters_.refused_avp_missing;
      break;
    case rating::NormaliseOutcome::no_rule:
      ++counters_.refused_no_rule;
      break;
  }
  return !result.is_refused;
}

// Rules change with the tariff. Those that cannot be used are none: requests are then charged as
// they come, and the counter says so.
void NetTile::take_rules() {
  if (!normaliser_.use(tariff_.rules(), options_.tariff_mapping)) ++counters_.rules_unusable;
  roles_asked_ = tariff_.is_loaded() ? tariff_.image().roles_asked() : 0;
}

}  // namespace tollgate::app
