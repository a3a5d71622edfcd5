// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_world.hh"

#include <fmt/format.h>

#include <algorithm>

#include "rating/calendar.hh"
#include "rating/charge_event.hh"
#include "rating/parser.hh"

namespace tollgate::rating {
namespace {

constexpr int first_year = 2020;  // of a timeline, and the year after its last
constexpr int last_year = 2048;

template <class Value>
std::string nearest_of(std::string_view word,
                       const std::map<std::string, Value, std::less<>>& all) {
  std::vector<std::string_view> words;
  for (const auto& [name, value] : all) words.push_back(name);
  return nearest(word, words);
}

}  // namespace

World::World(const TariffSyntax& syntax, ImageBuilder& builder, Report& report)
    : syntax_(syntax), builder_(builder), report_(report) {
  for (const ZonesText& zones : syntax.zones) add_map(zones);
  for (const CalendarText& calendar : syntax.calendars) add_calendar(calendar);
  for (const BandText& band : syntax.bands) add_band(band);
  for (const auto& [file, name] : syntax.timezones) (void)find_timezone(name);
}

void World::add_map(const ZonesText& zones) {
  if (zones.name.text.empty()) return;  // told by the parser
  const auto [known, is_new] = maps_.try_emplace(zones.name.text);
  if (!is_new) {
    report_.add(zones.name.at, fmt::format("found zones '{}' twice; the first is at {}",
                                           zones.name.text, report_.line_of(known->second.at)));
    return;
  }
  Map& made = known->second;
  made.at = zones.name.at;
  std::vector<std::string> names;
  std::map<u32, std::string> ids;  // by zone_id
  struct Entry {
    ZonePrefix prefix;
    Place at;
  };
  std::vector<Entry> entries;
  for (const ZoneText& zone : zones.zones) {
    const auto [number, is_first] =
        made.zones.emplace(zone.name.text, static_cast<u32>(names.size()) + 1);
    if (is_first) names.push_back(zone.name.text);
    const auto same_id = ids.try_emplace(zone_id(text_key(zone.name.text)), zone.name.text).first;
    if (same_id->second != zone.name.text) {
      report_.add(zone.name.at,
                  fmt::format("found zone '{}', whose number is that of '{}': one of them has to "
                              "be called something else",
                              zone.name.text, same_id->second));
    }
    for (const PrefixText& prefix : zone.prefixes) {
      entries.push_back({{prefix.start, prefix.digits, number->second}, prefix.at});
    }
  }
  if (names.size() > zones_max) {
    report_.add(zones.name.at,
                fmt::format("found {} zones, expected at most {}", names.size(), zones_max));
    return;
  }
  std::ranges::stable_sort(entries, {}, [](const Entry& entry) {
    return std::tuple(entry.prefix.start, entry.prefix.digits);
  });
  std::vector<ZonePrefix> prefixes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const ZonePrefix& prefix = entries[i].prefix;
    const bool is_same = i > 0 && prefix.start == entries[i - 1].prefix.start &&
                         prefix.digits == entries[i - 1].prefix.digits;
    if (is_same) {
      report_.add(entries[i].at,
                  fmt::format("found a prefix twice in zones '{}'; the first is at {}",
                              zones.name.text, report_.line_of(entries[i - 1].at)));
    } else {
      prefixes.push_back(prefix);
    }
  }
  made.number = builder_.add_zone_map(zones.name.text, names, build_zones(std::move(prefixes)));
}

void World::add_calendar(const CalendarText& calendar) {
  if (calendar.name.text.empty()) return;
  const auto [known, is_new] = calendars_.try_emplace(calendar.name.text);
  if (!is_new) {
    report_.add(calendar.name.at, fmt::format("found calendar '{}' twice", calendar.name.text));
    return;
  }
  std::vector<i64>& days = known->second;
  for (const CalendarText::Day& day : calendar.days) {
    if (!day.is_yearly) {
      days.push_back(day.day);
      continue;
    }
    const Date date = date_of(day.day);
    for (int year = first_year - 1; year <= last_year; ++year) {
      const Date each{year, date.month, date.day};
      if (is_date(each)) days.push_back(day_of(each));
    }
  }
  for (const i64 offset : calendar.from_easter) {
    for (int year = first_year - 1; year <= last_year; ++year)
      days.push_back(easter(year) + offset);
  }
  std::ranges::sort(days);
}

std::vector<i64> World::days_of(const std::vector<NameText>& calendars) {
  std::vector<i64> days;
  for (const NameText& name : calendars) {
    const auto known = calendars_.find(name.text);
    if (known == calendars_.end()) {
      report_.add(name.at,
                  fmt::format("found '{}', expected a day of the week or a calendar", name.text),
                  nearest_of(name.text, calendars_));
      continue;
    }
    days.insert(days.end(), known->second.begin(), known->second.end());
  }
  std::ranges::sort(days);
  return days;
}

void World::add_band(const BandText& band) {
  if (band.name.text.empty()) return;
  const auto [known, is_new] = bands_.try_emplace(band.name.text);
  if (!is_new) {
    report_.add(band.name.at, fmt::format("found band '{}' twice", band.name.text));
    return;
  }
  if (band.lines.empty()) {
    report_.add(band.name.at, fmt::format("band '{}' has no hours", band.name.text),
                "for example: every 20:00-06:00, or: on sat, sun");
  }
  for (const BandLineText& line : band.lines) {
    known->second.lines.push_back(
        {line.weekdays, days_of(line.calendars), days_of(line.except), line.hours});
  }
}

const World::Map* World::find_map(const NameText& name) {
  const auto known = maps_.find(name.text);
  if (known != maps_.end()) return &known->second;
  report_.add(name.at, fmt::format("found '{}', expected the name of zones", name.text),
              nearest_of(name.text, maps_));
  return nullptr;
}

u32 World::find_zone(const Map& map, const NameText& name) {
  const auto known = map.zones.find(name.text);
  if (known != map.zones.end()) return known->second;
  const std::string near = nearest_of(name.text, map.zones);
  report_.add(name.at,
              fmt::format("found '{}', expected one of the zones at {}", name.text,
                          report_.line_of(map.at)),
              near);
  return 0;
}

const Band* World::find_band(const NameText& name) {
  const auto known = bands_.find(name.text);
  if (known != bands_.end()) return &known->second;
  report_.add(name.at, fmt::format("found '{}', expected a time band", name.text),
              nearest_of(name.text, bands_));
  return nullptr;
}

const ProductText* World::find_product(const NameText& name) {
  const ProductText* product = syntax_.find_product(name.text);
  if (product != nullptr) return product;
  std::vector<std::string_view> words;
  for (const ProductText& each : syntax_.products) words.push_back(each.name.text);
  report_.add(name.at, fmt::format("found '{}', expected a product", name.text),
              nearest(name.text, words));
  return nullptr;
}

const TimeZone* World::find_timezone(const NameText& name) {
  const TimeZone* zone = timezones_.find(name.text);
  if (zone == nullptr) {
    report_.add(name.at, fmt::format("found \"{}\", expected a time zone", name.text),
                "for example: \"Europe/Stockholm\"; the package tzdata has them");
  }
  return zone;
}

const TimeZone& World::timezone_of(const PlanText& plan) {
  const TimeZone* zone = timezones_.find(syntax_.timezone_of(plan));
  return zone != nullptr ? *zone : *timezones_.find("UTC");
}

const World::Bands& World::bands(const PlanText& plan, const std::vector<const Band*>& bands) {
  const TimeZone& zone = timezone_of(plan);
  const auto [known, is_new] = timelines_.try_emplace(std::tuple(&zone, bands));
  if (is_new) {
    const BuiltTimeline built = build_timeline(zone, bands);
    known->second = {builder_.add_timeline(built), built.masks};
  }
  return known->second;
}

u32 World::periods(const PlanText& plan, Period period) {
  if (period == Period::ever) return 0;
  const TimeZone& zone = timezone_of(plan);
  const auto [known, is_new] = periods_.try_emplace(std::tuple(&zone, period));
  if (is_new) known->second = builder_.add_timeline(build_periods(zone, period));
  return known->second;
}

u32 World::clock(const PlanText& plan) {
  const TimeZone& zone = timezone_of(plan);
  const auto [known, is_new] = clocks_.try_emplace(&zone);
  if (is_new) known->second = builder_.add_timeline(build_clock(zone));
  return known->second;
}

}  // namespace tollgate::rating
