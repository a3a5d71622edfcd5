// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/cdr_format.hh"

#include <fmt/format.h>

#include <cstring>
#include <iterator>

#include "base/hash.hh"
#include "base/time.hh"
#include "control/appliance.hh"

namespace tollgate::control {
namespace {

constexpr std::size_t line_bytes_usual = 768;

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

void append_service(std::string& line, const ledger::ChargingService& service) {
  using ledger::service_flag::has_rating_group;
  using ledger::service_flag::has_service_identifier;
  const auto to = std::back_inserter(line);
  const auto number_if = [&](u8 flag, u32 number) {
    return (service.flags & flag) != 0 ? fmt::format("{}", number) : std::string("null");
  };
  fmt::format_to(to, R"({{"rating_group":{},"service_identifier":{})",
                 number_if(has_rating_group, service.rating_group),
                 number_if(has_service_identifier, service.service_identifier));
  const Unit unit = unit_of(service);
  line += ",\"unit\":";
  append_text(line, unit_name(unit));
  fmt::format_to(to,
                 R"(,"used":"{}","input_octets":{},"output_octets":{},"seconds":{},"events":{})",
                 to_decimal({service.used.count}, unit), service.used_input_octets,
                 service.used_output_octets, service.used_seconds, service.used_events);
  if (is_money(service.cost_unit)) {
    fmt::format_to(to, R"(,"cost":"{}","currency":)",
                   to_decimal({service.cost.count}, service.cost_unit));
    append_text(line, unit_name(service.cost_unit));
    line += '}';
  } else {
    line += R"(,"cost":null,"currency":null})";
  }
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

std::string to_line(const ChargingRecord& record, const CdrNames& names) {
  const ledger::ChargingData& data = record.data;
  std::string line = "{";
  line.reserve(line_bytes_usual);
  const auto to = std::back_inserter(line);
  line += names.account(data.account_id);
  fmt::format_to(to, R"(,"account_id":{},"plan":)", data.account_id);
  append_text(line, names.plan(data.plan));
  line += ",\"session_id\":";
  append_text(line, record.session_id);
  line += ",\"origin_host\":";
  const std::string origin_host = origin_host_of(record, names);
  if (origin_host.empty()) {
    line += "null";
  } else {
    append_text(line, origin_host);
  }
  line += ",\"service_context\":";
  append_text(line, names.service_context(data.service_context));
  fmt::format_to(to, R"(,"type":"{}","started":"{}","ended":"{}","cause":"{}","services":[)",
                 data.is_event != 0 ? "event" : "session", to_rfc3339(Instant{data.started_ns}),
                 to_rfc3339(Instant{data.ended_ns}), to_text(data.cause));
  for (std::size_t i = 0; i < record.services.size(); ++i) {
    if (i != 0) line += ',';
    append_service(line, record.services[i]);
  }
  fmt::format_to(to, R"(],"journal":{{"stream":{},"shard":{},"sequence":{}}}}})", record.stream,
                 record.shard, record.sequence);
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
