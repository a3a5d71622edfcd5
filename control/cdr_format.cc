// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/cdr_format.hh"

#include <cstring>

#include "base/hash.hh"
#include "base/time.hh"
#include "control/appliance.hh"

namespace tollgate::control {
namespace {

// The unit of a service's quantity, and how it is shown.
Unit unit_of(const ledger::ChargingService& service) {
  switch (service.kind) {
    case ledger::UnitKind::octets:
      return Unit::octets;
    case ledger::UnitKind::time:
      return Unit::milliseconds;
    case ledger::UnitKind::money:
      return service.cost_unit;
    case ledger::UnitKind::events:
    case ledger::UnitKind::none:
      break;
  }
  return Unit::events;
}

Json describe_service(const ledger::ChargingService& service) {
  Json one{{"rating_group", nullptr}, {"service_identifier", nullptr}};
  if ((service.flags & ledger::service_flag::has_rating_group) != 0) {
    one["rating_group"] = service.rating_group;
  }
  if ((service.flags & ledger::service_flag::has_service_identifier) != 0) {
    one["service_identifier"] = service.service_identifier;
  }
  const Unit unit = unit_of(service);
  one["unit"] = unit_name(unit);
  one["used"] = to_decimal({service.used.count}, unit);
  one["input_octets"] = service.used_input_octets;
  one["output_octets"] = service.used_output_octets;
  one["seconds"] = service.used_seconds;
  one["events"] = service.used_events;
  const bool has_cost = is_money(service.cost_unit);
  one["cost"] = nullptr;
  one["currency"] = nullptr;
  if (has_cost) {
    one["cost"] = to_decimal({service.cost.count}, service.cost_unit);
    one["currency"] = unit_name(service.cost_unit);
  }
  return one;
}

// Session-Ids begin with the name of their client (RFC 6733 section 8.8); the hash says whether
// this one does. Others are known if they are connected.
std::string origin_host_of(const ChargingRecord& record, const CdrNames& names) {
  const std::string prefix = record.session_id.substr(0, record.session_id.find(';'));
  if (hash64(as_bytes(prefix)) == record.data.origin_host) return prefix;
  return names.origin_host(record.data.origin_host);
}

}  // namespace

bool read_charging_note(Bytes words, ChargingRecord& record) {
  if (words.size() < sizeof record.data) return false;
  std::memcpy(&record.data, words.data(), sizeof record.data);
  words = words.subspan(sizeof record.data);
  const std::size_t service_bytes =
      std::size_t{record.data.service_count} * sizeof(ledger::ChargingService);
  if (words.size() < service_bytes + record.data.session_id_bytes) return false;
  record.services.resize(record.data.service_count);
  if (service_bytes != 0) std::memcpy(record.services.data(), words.data(), service_bytes);
  record.session_id = as_text(words.subspan(service_bytes, record.data.session_id_bytes));
  return true;
}

Json describe(const ChargingRecord& record, const CdrNames& names) {
  const ledger::ChargingData& data = record.data;
  Json line = names.account(data.account_id);
  line["account_id"] = data.account_id;
  line["plan"] = names.plan(data.plan);
  line["session_id"] = record.session_id;
  const std::string origin_host = origin_host_of(record, names);
  line["origin_host"] = origin_host.empty() ? Json(nullptr) : Json(origin_host);
  line["service_context"] = names.service_context(data.service_context);
  line["type"] = data.is_event != 0 ? "event" : "session";
  line["started"] = to_rfc3339(Instant{data.started_ns});
  line["ended"] = to_rfc3339(Instant{data.ended_ns});
  line["cause"] = to_text(data.cause);
  Json services = Json::array();
  for (const ledger::ChargingService& service : record.services) {
    services.push_back(describe_service(service));
  }
  line["services"] = std::move(services);
  line["journal"] =
      Json{{"stream", record.stream}, {"shard", record.shard}, {"sequence", record.sequence}};
  return line;
}

std::string_view to_text(ledger::ClosingCause cause) {
  switch (cause) {
    case ledger::ClosingCause::normal_release:
      return "normal_release";
    case ledger::ClosingCause::abnormal_release:
      return "abnormal_release";
    case ledger::ClosingCause::management_intervention:
      return "management_intervention";
  }
  return "unknown";
}

}  // namespace tollgate::control
