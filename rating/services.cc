// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/services.hh"

#include <array>

#include "rating/image.hh"

namespace tollgate::rating {
namespace {

// TS 32.251 packet data and 32.255 5G data; 32.260 IMS and 32.275 MMTel; 32.274; 32.270.
constexpr std::array<u32, 2> data{32251, 32255};
constexpr std::array<u32, 2> voice{32260, 32275};
constexpr std::array<u32, 1> sms{32274};
constexpr std::array<u32, 1> mms{32270};

constexpr std::array<NamedService, 4> services{{
    {"data", Meter::volume, data},
    {"voice", Meter::time, voice},
    {"sms", Meter::events, sms},
    {"mms", Meter::events, mms},
}};

}  // namespace

std::span<const NamedService> named_services() {
  return services;
}

const NamedService* find_named_service(std::string_view name) {
  for (const NamedService& service : services) {
    if (service.name == name) return &service;
  }
  return nullptr;
}

std::vector<u64> contexts_of(std::string_view name) {
  const NamedService* named = find_named_service(name);
  if (named == nullptr) return {context_key(name)};
  return {named->specifications.begin(), named->specifications.end()};
}

std::string_view to_text(Meter meter) {
  switch (meter) {
    case Meter::volume:
      return "volume";
    case Meter::time:
      return "time";
    case Meter::events:
      return "events";
    case Meter::money:
      return "money";
    case Meter::upload:
      return "upload";
    case Meter::download:
      return "download";
  }
  return "unknown";
}

std::string_view to_text(BlockRounding rounding) {
  if (rounding == BlockRounding::exact) return "exact";
  return to_text(static_cast<Rounding>(rounding));
}

}  // namespace tollgate::rating
