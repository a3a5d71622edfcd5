// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/cdr_format.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/hash.hh"
#include "base/time.hh"
#include "control/appliance.hh"
#include "rating/charge_event.hh"
#include "rating/number.hh"

namespace tollgate::control {
namespace {

constexpr std::size_t line_bytes_usual = 768;

// The unit of a service's quantity, and how it is shown.
Unit unit_of(const ledger::ChargingService& service) {
  switch (service.kind) {
    case ledger::UnitKind::octets:
    case ledger::UnitKind::input_octets:
    case ledger::UnitKind::output_octets:
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

// Which octets count, where it is not both directions.
std::string_view part_of(const ledger::ChargingService& service) {
  if (service.kind == ledger::UnitKind::input_octets) return R"(,"part":"upload")";
  if (service.kind == ledger::UnitKind::output_octets) return R"(,"part":"download")";
  return {};
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
  fmt::format_to(
      to, R"(,"used":"{}"{},"input_octets":{},"output_octets":{},"seconds":{},"events":{})",
      to_decimal({service.used.count}, unit), part_of(service), service.used_input_octets,
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

// False if the note says that it has it and is too short for it.
template <class Words>
bool read_extra(u16 extras, u16 extra, Bytes& words, Words& into) {
  if ((extras & extra) == 0) return true;
  if (words.size() < sizeof into) return false;
  std::memcpy(static_cast<void*>(&into), words.data(), sizeof into);
  words = words.subspan(sizeof into);
  return true;
}

void append_products(std::string& line, const ChargingRecord& record, const CdrNames& names) {
  std::string all;
  for (const u32 product : record.products) {
    if (product == 0) continue;
    all += all.empty() ? ",\"products\":[" : ",";
    append_text(all, names.product(product));
  }
  if (!all.empty()) line += all + ']';
}

// Those by which the price was found, where any are known.
void append_numbers(std::string& line, const ledger::SessionNumbers& numbers,
                    const CdrNames& names) {
  if (numbers.is_none()) return;
  Json told = Json::object();
  const auto number = [&](const char* name, u64 key) {
    if (key != 0) told[name] = fmt::format("{}", rating::number_digits(key));
  };
  number("calling", numbers.calling());
  number("called", numbers.destination);
  number("network", rating::long_number(numbers.network));
  const std::string zone = numbers.zone != 0 ? names.zone(numbers.zone) : std::string();
  if (!zone.empty()) told["zone"] = zone;
  const auto direction = rating::direction_of(numbers.way());
  const auto location = rating::location_of(numbers.way());
  if (direction != rating::Direction::unknown) told["direction"] = rating::to_text(direction);
  if (location != rating::Location::unknown) told["location"] = rating::to_text(location);
  line += ",\"numbers\":" + to_line(told);
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
  if (!read_extra(record.data.extras, ledger::charging_extra::products, words, record.products) ||
      !read_extra(record.data.extras, ledger::charging_extra::numbers, words, record.numbers)) {
    return false;
  }
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
  line += ']';
  append_products(line, record, names);
  append_numbers(line, record.numbers, names);
  fmt::format_to(to, R"(,"journal":{{"stream":{},"shard":{},"sequence":{}}}}})", record.stream,
                 record.shard, record.sequence);
  return line;
}

bool read_fee(Bytes command_words, Bytes answer_words, FeeRecord& record) {
  ledger::Command command;
  ledger::CommandAnswer answer;
  constexpr std::size_t head_bytes = offsetof(ledger::Command, identities);
  if (command_words.size() < head_bytes) return false;
  std::memcpy(static_cast<void*>(&command), command_words.data(), head_bytes);
  if (answer_words.size() < sizeof answer) return false;
  std::memcpy(static_cast<void*>(&answer), answer_words.data(), sizeof answer);
  if (answer.outcome != ledger::Outcome::ok || answer.is_repeated != 0) return false;
  const bool is_turn = command.kind == ledger::CommandKind::product_turn;
  if (!is_turn && command.kind != ledger::CommandKind::refund) return false;
  record.kind = command.kind;
  record.account_id = answer.account_id;
  record.product = is_turn ? command.plan : 0;
  record.key = command.idempotency_key;
  Bytes rest = command_words.subspan(head_bytes);
  ledger::NewBucket each;
  for (u32 i = 0; i < command.bucket_count && rest.size() >= sizeof each; ++i) {
    std::memcpy(static_cast<void*>(&each), rest.data(), sizeof each);
    rest = rest.subspan(sizeof each);
    if (is_turn != (each.role == ledger::BucketRole::fee) || each.amount.is_zero()) continue;
    record.amount = is_turn ? each.amount : Amount{-each.amount.count};
    record.unit = each.unit;
    return true;
  }
  return false;
}

// A record like any other, of one event: so who reads records for bills reads these.
std::string to_line(const FeeRecord& record, const CdrNames& names) {
  const bool is_turn = record.kind == ledger::CommandKind::product_turn;
  const std::string time = to_rfc3339(Instant{record.time_ns});
  std::string line = "{";
  line.reserve(line_bytes_usual);
  const auto to = std::back_inserter(line);
  line += names.account(record.account_id);
  fmt::format_to(to, R"(,"account_id":{},"session_id":"command;{}","origin_host":null)",
                 record.account_id, record.key);
  fmt::format_to(to, R"(,"service_context":null,"type":"{}","product":)",
                 is_turn ? "fee" : "refund");
  if (is_turn) {
    append_text(line, names.product(record.product));
  } else {
    line += "null";
  }
  fmt::format_to(to, R"(,"started":"{0}","ended":"{0}","cause":"normal_release","services":[)",
                 time);
  fmt::format_to(to,
                 R"({{"rating_group":null,"service_identifier":null,"unit":"events","used":"1")");
  fmt::format_to(to, R"(,"input_octets":0,"output_octets":0,"seconds":0,"events":1,"cost":)");
  const bool has_cost = is_money(record.unit);
  if (has_cost) {
    fmt::format_to(to, R"("{}","currency":)", to_decimal(record.amount, record.unit));
    append_text(line, unit_name(record.unit));
  } else {
    line += R"(null,"currency":null)";
  }
  fmt::format_to(to, R"(}}],"journal":{{"stream":{},"shard":{},"sequence":{}}}}})", record.stream,
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
