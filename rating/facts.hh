// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Facts: what a Python function of a tariff may ask of its event, by name.
//
// Each is one 64-bit number; a text is its text_key. `fill_calendar` writes those of the calendar
// for a moment in a zone of time; `fill_facts` those of a normalised event. What nobody wrote is 0.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/time.hh"
#include "base/types.hh"
#include "rating/charge_event.hh"

namespace tollgate::rating {

enum class Fact : u8 {
  quantity,  // what is to be priced: all that the session has used so far
  rating_group,
  service_identifier,
  service,    // text: "data", "voice", "sms", "mms", or the Service-Context-Id
  zone,       // text
  direction,  // text: "originating", "terminating", "forwarded"
  location,   // text: "home", "roaming"
  network,    // MCC and MNC as one number
  calling,    // the digits as one number; 0 if there are none, or more than 18
  called,
  year,
  month,
  day,
  hour,
  minute,
  second,
  weekday,   // Monday is 0
  yearday,   // the first of January is 1
  time,      // seconds since 1970
  counter0,  // counters of the account, as the tariff numbers them: event.counter(0) ...
  counter1,
  counter2,
  counter3,
  counter4,
  counter5,
  counter6,
  counter7,
};
inline constexpr u32 fact_count = static_cast<u32>(Fact::counter7) + 1;
inline constexpr u32 counter_facts = 8;

enum class FactType : u8 { number, text };

struct FactInfo {
  std::string_view name;
  FactType type = FactType::number;
};
// By number; the counters are named counter(0) ... and have no name here.
const FactInfo& fact_info(Fact fact);
std::optional<Fact> find_fact(std::string_view name);

struct Facts {
  std::array<i64, fact_count> value{};

  i64& operator[](Fact fact) { return value[static_cast<u32>(fact)]; }
  i64 operator[](Fact fact) const { return value[static_cast<u32>(fact)]; }
};

inline constexpr u64 calendar_facts = u64{0x1ff} << static_cast<u32>(Fact::year);

// `offset` is what the zone of time is ahead of UTC at that moment.
void fill_calendar(Instant at, Duration offset, Facts& facts);
void fill_facts(const ChargeEvent& event, Facts& facts);
// Of a Service-Context-Id's key (context_key): the name of the language, or that key.
i64 service_fact(u64 context);

// The digits as a number; 0 if there are none or they do not fit.
i64 number_of(const Digits& digits);

}  // namespace tollgate::rating
