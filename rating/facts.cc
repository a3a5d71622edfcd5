// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/facts.hh"

#include "rating/services.hh"

namespace tollgate::rating {
namespace {

constexpr std::array<FactInfo, fact_count> infos = {{
    {"quantity"},
    {"rating_group"},
    {"service_identifier"},
    {"service", FactType::text},
    {"zone", FactType::text},
    {"direction", FactType::text},
    {"location", FactType::text},
    {"network"},
    {"calling"},
    {"called"},
    {"year"},
    {"month"},
    {"day"},
    {"hour"},
    {"minute"},
    {"second"},
    {"weekday"},
    {"yearday"},
    {"time"},
}};

constexpr i64 day_seconds = 86'400;
constexpr u32 digits_in_number_max = 18;

// The civil date of a day counted from 1970-01-01, by eras of 400 years that begin in March.
void fill_date(i64 days, Facts& facts) {
  const i64 shifted = days + 719'468;
  const i64 era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const i64 day_of_era = shifted - era * 146'097;
  const i64 year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const i64 from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const i64 march_month = (5 * from_march + 2) / 153;
  const i64 month = march_month < 10 ? march_month + 3 : march_month - 9;
  const i64 year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  facts[Fact::year] = year;
  facts[Fact::month] = month;
  facts[Fact::day] = from_march - (153 * march_month + 2) / 5 + 1;
  facts[Fact::yearday] = month <= 2 ? from_march - 305 : from_march + 60 + (is_leap ? 1 : 0);
}

}  // namespace

const FactInfo& fact_info(Fact fact) {
  return infos[static_cast<u32>(fact)];
}

std::optional<Fact> find_fact(std::string_view name) {
  if (name.empty()) return std::nullopt;
  for (u32 i = 0; i < infos.size(); ++i) {
    if (infos[i].name == name) return static_cast<Fact>(i);
  }
  return std::nullopt;
}

void fill_calendar(Instant at, Duration offset, Facts& facts) {
  const i64 utc = at.ns >= 0 ? at.whole_seconds() : -((-at.ns + 999'999'999) / 1'000'000'000);
  const i64 local = utc + offset.whole_seconds();
  const i64 days = (local >= 0 ? local : local - (day_seconds - 1)) / day_seconds;
  const i64 of_day = local - days * day_seconds;
  facts[Fact::time] = utc;
  facts[Fact::hour] = of_day / 3600;
  facts[Fact::minute] = of_day / 60 % 60;
  facts[Fact::second] = of_day % 60;
  facts[Fact::weekday] = ((days + 3) % 7 + 7) % 7;
  fill_date(days, facts);
}

void fill_facts(const ChargeEvent& event, Facts& facts) {
  facts[Fact::rating_group] = event.rating_group;
  facts[Fact::service_identifier] = event.service_identifier;
  facts[Fact::service] = service_fact(event.service_context);
  facts[Fact::zone] = static_cast<i64>(event.zone);
  facts[Fact::direction] = static_cast<i64>(text_key(to_text(event.direction)));
  facts[Fact::location] = static_cast<i64>(text_key(to_text(event.location)));
  facts[Fact::network] = number_of(event.network);
  facts[Fact::calling] = number_of(event.calling);
  facts[Fact::called] = number_of(event.called);
}

i64 service_fact(u64 context) {
  for (const NamedService& service : named_services()) {
    for (const u32 specification : service.specifications) {
      if (specification == context) return static_cast<i64>(text_key(service.name));
    }
  }
  return static_cast<i64>(context);
}

i64 number_of(const Digits& digits) {
  if (digits.count > digits_in_number_max) return 0;
  i64 number = 0;
  for (const char digit : digits.view()) {
    if (digit < '0' || digit > '9') return 0;
    number = number * 10 + (digit - '0');
  }
  return number;
}

}  // namespace tollgate::rating
