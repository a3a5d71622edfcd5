// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/trace_record.hh"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/amount.hh"
#include "base/time.hh"
#include "control/appliance.hh"
#include "control/command_name.hh"

namespace tollgate::control {
namespace {

using ledger::TraceBucket;
using ledger::TraceKind;
using ledger::TraceRecord;

std::string hex(Bytes octets) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * octets.size());
  for (const u8 octet : octets) {
    text += digits[octet >> 4];
    text += digits[octet & 15];
  }
  return text;
}

struct Place {
  const std::array<u8, 16>& address;
  u16 port;
};

std::string place_text(const Place& place, bool is_ipv6) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, place.address.data(), text, sizeof text);
  return fmt::format(fmt::runtime(is_ipv6 ? "[{}]:{}" : "{}:{}"), text, place.port);
}

void describe_message(const TraceRecord& record, Bytes octets, Json& told) {
  const bool is_ipv6 = record.is_ipv6 != 0;
  told["remote"] = place_text({record.remote, record.remote_port}, is_ipv6);
  told["local"] = place_text({record.local, record.local_port}, is_ipv6);
  told["whole_bytes"] = record.whole_bytes;
  told["octets"] = hex(octets);
}

Json describe_service(const ledger::ServiceAnswer& service) {
  Json one{{"outcome", to_text(service.outcome)}};
  if ((service.flags & ledger::service_flag::has_rating_group) != 0) {
    one["rating_group"] = service.rating_group;
  }
  if ((service.flags & ledger::service_flag::has_service_identifier) != 0) {
    one["service_identifier"] = service.service_identifier;
  }
  if (service.has_grant) {
    const Unit unit = ledger::is_of_octets(service.kind)       ? Unit::octets
                      : service.kind == ledger::UnitKind::time ? Unit::milliseconds
                                                               : Unit::events;
    one["granted"] = to_decimal({service.granted.count}, unit);
    one["unit"] = to_text(service.kind);
  }
  return one;
}

Json describe_figures(const TraceBucket::Figures& figures, Unit unit) {
  return Json{{"balance", to_decimal(figures.balance, unit)},
              {"reserved", to_decimal(figures.reserved, unit)},
              {"consumed", to_decimal(figures.consumed, unit)}};
}

// What moved, net: more consumed is debited, less is refunded; more held is reserved, less is
// released.
Json describe_bucket(const TraceBucket& bucket) {
  Json one{{"bucket", bucket.bucket}, {"unit", unit_name(bucket.unit)}};
  const auto tell = [&](Amount before, Amount after, const char* more, const char* less) {
    Amount moved;
    if (before == after) return;
    const bool is_more = after > before;
    if (!(is_more ? subtract(after, before, moved) : subtract(before, after, moved))) return;
    one[is_more ? more : less] = to_decimal(moved, bucket.unit);
  };
  tell(bucket.before.put_in, bucket.after.put_in, "put_in", "taken_out");
  tell(bucket.before.consumed, bucket.after.consumed, "debited", "refunded");
  tell(bucket.before.reserved, bucket.after.reserved, "reserved", "released");
  one["before"] = describe_figures(bucket.before, bucket.unit);
  one["after"] = describe_figures(bucket.after, bucket.unit);
  return one;
}

// Copies a record out of the frame, which may lie on any boundary; false if it is not all there.
template <class T>
bool take(Bytes& octets, T& value) {
  if (octets.size() < sizeof value) return false;
  std::memcpy(&value, octets.data(), sizeof value);
  octets = octets.subspan(sizeof value);
  return true;
}

bool describe_effects(Bytes octets, Json& told) {
  ledger::TraceEffects effects;
  ledger::Answer answer;
  if (!take(octets, effects) || octets.size() < effects.answer_bytes) return false;
  Bytes answers = octets.first(effects.answer_bytes);
  octets = octets.subspan(effects.answer_bytes);
  if (!take(answers, answer)) return false;
  told["outcome"] = to_text(answer.outcome);
  told["repeated"] = (answer.flags & ledger::answer_flag::is_repeated) != 0;
  told["account_id"] = effects.account_id;
  told["services"] = Json::array();
  ledger::ServiceAnswer service = answer.first;
  for (u32 i = 0; i < answer.service_count; ++i) {
    if (i != 0 && !take(answers, service)) return false;
    told["services"].push_back(describe_service(service));
  }
  told["buckets"] = Json::array();
  for (u32 i = 0; i < effects.bucket_count; ++i) {
    TraceBucket bucket;
    if (!take(octets, bucket)) return false;
    told["buckets"].push_back(describe_bucket(bucket));
  }
  return true;
}

std::string_view cause_text(ledger::TraceCause cause) {
  switch (cause) {
    case ledger::TraceCause::request:
      return "request";
    case ledger::TraceCause::timer:
      return "timer";
    case ledger::TraceCause::restart:
      return "restart";
    case ledger::TraceCause::unknown_session:
      return "unknown_session";
    case ledger::TraceCause::command:
      return "command";
  }
  return "unknown";
}

std::string_view kind_text(TraceKind kind) {
  switch (kind) {
    case TraceKind::received:
      return "received";
    case TraceKind::sent:
      return "sent";
    case TraceKind::effects:
      return "effects";
  }
  return {};
}

}  // namespace

bool read_trace(Bytes frame, TraceRecord& record) {
  return take(frame, record);
}

Json describe_trace(Bytes frame) {
  TraceRecord record;
  if (!take(frame, record) || kind_text(record.kind).empty()) return nullptr;
  Json told{{"at", to_rfc3339(Instant{record.at_ns})},
            {"at_ns", record.at_ns},
            {"kind", kind_text(record.kind)}};
  if (record.tag.value != 0) told["tag"] = fmt::format("{:016x}", record.tag.value);
  if (record.kind != TraceKind::effects) {
    describe_message(record, frame, told);
  } else if (!describe_effects(frame, told)) {
    return nullptr;
  } else {
    told["cause"] = cause_text(record.cause);
    if (record.cause == ledger::TraceCause::command) {
      told["command"] = command_name(record.command);
    }
  }
  return told;
}

}  // namespace tollgate::control
