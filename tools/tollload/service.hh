// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Service: what a session of the load uses, and the words that go with it.
//
//   data    PS-Information, octets; session: INITIAL, UPDATE..., TERMINATION    32251@3gpp.org
//   voice   IMS-Information of a call, seconds; session like data               32260@3gpp.org
//   sms     SMS-Information, one event; direct debit by one EVENT               32274@3gpp.org
#pragma once

#include <array>
#include <string_view>

#include "base/types.hh"
#include "diameter/credit_control.hh"

namespace tollgate::tollload {

using diameter::RequestType;

enum class Service : u8 { data, voice, sms };
inline constexpr std::size_t service_count = 3;
inline constexpr std::array all_services{Service::data, Service::voice, Service::sms};

struct ServiceText {
  std::string_view name;
  std::string_view context;   // Service-Context-Id
  std::string_view used_key;  // of the record file
  u8 unit = 0;                // diameter::unit_...
};

inline constexpr std::array<ServiceText, service_count> service_table{{
    {"data", "32251@3gpp.org", "used_octets", diameter::unit_total_octets},
    {"voice", "32260@3gpp.org", "used_seconds", diameter::unit_time},
    {"sms", "32274@3gpp.org", "events", diameter::unit_service_specific},
}};

constexpr const ServiceText& text_of(Service service) {
  return service_table[static_cast<std::size_t>(service)];
}

// What the sessions of a service ask for and report in each request.
struct ServiceUse {
  u32 rating_group = 0;
  u32 service_identifier = 0;
  u32 requested = 0;
  u32 used = 0;
};

// How many of a hundred sessions use each service.
using Mix = std::array<u32, service_count>;
inline constexpr Mix mix_mixed{60, 25, 15};

constexpr std::string_view name_of(RequestType type) {
  constexpr std::array<std::string_view, 5> names{"none", "initial", "update", "termination",
                                                  "event"};
  return names[static_cast<std::size_t>(type)];
}

}  // namespace tollgate::tollload
