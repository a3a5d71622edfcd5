// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ChargeEvent: what is charged, in words that no longer depend on who reported it.
//
// A network element says what it wants in AVPs of its own making. Rules in files
// (docs/normalise.md) turn them into this: which service, from whom to whom, where. Prices look at
// nothing else. A value that nobody has set says so: `none`, `unknown`, zero, or an empty number.
#pragma once

#include <algorithm>
#include <array>

#include "base/types.hh"

namespace tollgate::rating {

// A telephone number: digits, international, without any prefix: "46701234567".
struct Digits {
  static constexpr u32 digits_max = 23;

  u8 count = 0;
  std::array<char, digits_max> digit{};

  std::string_view view() const { return {digit.data(), count}; }
  bool is_empty() const { return count == 0; }
  // False if it is longer than a number may be; then nothing is set.
  [[nodiscard]] bool set(std::string_view text) {
    if (text.size() > digits_max) return false;
    count = static_cast<u8>(text.size());
    std::copy(text.begin(), text.end(), digit.begin());
    return true;
  }
};

enum class Direction : u8 { unknown, originating, terminating, forwarded };
enum class Location : u8 { unknown, home, roaming };

std::string_view to_text(Direction direction);
std::string_view to_text(Location location);

// Both in one octet, as sessions keep them.
constexpr u8 way_of(Direction direction, Location location) {
  return static_cast<u8>(static_cast<u32>(direction) | static_cast<u32>(location) << 2);
}
constexpr Direction direction_of(u8 way) {
  return static_cast<Direction>(way & 3);
}
constexpr Location location_of(u8 way) {
  const u32 location = way >> 2 & 3;
  return location == 3 ? Location::unknown : static_cast<Location>(location);
}

struct ChargeEvent {
  u64 service_context = 0;  // context_key
  u64 zone = 0;             // text_key of the zone's name; 0: none
  u32 rating_group = 0;
  u32 service_identifier = 0;
  bool has_rating_group = false;
  bool has_service_identifier = false;
  Direction direction = Direction::unknown;
  Location location = Location::unknown;
  Digits network;  // that the subscriber is in, MCC and MNC: "24001", "310410"
  Digits calling;
  Digits called;
};

// The number that stands for a text in events and programs. Never 0; for a Service-Context-Id that
// is not 3GPP's it is its context_key.
u64 text_key(std::string_view text);

}  // namespace tollgate::rating
