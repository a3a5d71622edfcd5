// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TimeZone: how far the clocks of a place are from UTC, from the system's tzdata (RFC 8536, with
// the rule for the years after its table).
//
// For the compiler: what a tariff needs of it is worked into the timelines of the image.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hh"

namespace tollgate::rating {

class TimeZone {
 public:
  // From `begin` on (seconds since 1970), until the next of them, local = UTC + offset.
  struct Stretch {
    i64 begin = 0;
    i64 offset = 0;
  };

  // The octets of a TZif file. False if they are not one.
  [[nodiscard]] bool read(std::string_view octets);

  const std::vector<Stretch>& stretches() const { return stretches_; }  // the first from -infinity
  i64 offset_at(i64 utc) const;
  // The moment when the clock shows `local` (seconds as if it were UTC): of two the first; where
  // the clock jumps over it, as the clock before the jump would have shown it.
  i64 to_utc(i64 local) const;

 private:
  std::vector<Stretch> stretches_{{INT64_MIN, 0}};
};

// The zones of tzdata by name, each read once. "UTC" is always there.
class TimeZones {
 public:
  TimeZones();
  const TimeZone* find(const std::string& name);  // nullptr: there is none such

 private:
  std::map<std::string, std::unique_ptr<TimeZone>> zones_;
};

}  // namespace tollgate::rating
