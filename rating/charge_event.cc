// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/charge_event.hh"

#include "base/hash.hh"

namespace tollgate::rating {

std::string_view to_text(Direction direction) {
  switch (direction) {
    case Direction::unknown:
      return "unknown";
    case Direction::originating:
      return "originating";
    case Direction::terminating:
      return "terminating";
    case Direction::forwarded:
      return "forwarded";
  }
  return "unknown";
}

std::string_view to_text(Location location) {
  switch (location) {
    case Location::unknown:
      return "unknown";
    case Location::home:
      return "home";
    case Location::roaming:
      return "roaming";
  }
  return "unknown";
}

u64 text_key(std::string_view text) {
  return hash64(as_bytes(text)) | u64{1} << 63;
}

}  // namespace tollgate::rating
