// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// World: what all plans of a tariff share: zones by prefix, time bands, time zones. Each is checked
// once and put into the image once, however many plans ask for it.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "rating/build.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

class World {
 public:
  // A map of zones as it stands in the image.
  struct Map {
    u32 number = 0;  // as Service::map names it
    Place at;
    std::map<std::string, u32, std::less<>> zones;  // by name; their numbers begin at 1
  };
  // A timeline of some bands. masks[class] has bit i if bands[i] holds.
  struct Bands {
    u32 timeline = 0;
    std::vector<u32> masks;
  };

  World(const TariffSyntax& syntax, ImageBuilder& builder, Report& report);

  const Map* find_map(const NameText& name);              // tells if there is none such
  u32 find_zone(const Map& map, const NameText& name);    // 0: told
  const Band* find_band(const NameText& name);            // likewise
  const TimeZone* find_timezone(const NameText& name);    // likewise
  const ProductText* find_product(const NameText& name);  // likewise
  // The time zone that counts for a plan; UTC if its name was told to be wrong.
  const TimeZone& timezone_of(const PlanText& plan);
  const Bands& bands(const PlanText& plan, const std::vector<const Band*>& bands);
  u32 periods(const PlanText& plan, Period period);  // number of the timeline, 0 for ever
  u32 clock(const PlanText& plan);                   // likewise, of the plan's time zone

 private:
  void add_map(const ZonesText& zones);
  void add_calendar(const CalendarText& calendar);
  void add_band(const BandText& band);
  std::vector<i64> days_of(const std::vector<NameText>& calendars);

  const TariffSyntax& syntax_;
  ImageBuilder& builder_;
  Report& report_;
  TimeZones timezones_;
  std::map<std::string, Map, std::less<>> maps_;
  std::map<std::string, std::vector<i64>, std::less<>> calendars_;
  std::map<std::string, Band, std::less<>> bands_;
  std::map<std::tuple<const TimeZone*, std::vector<const Band*>>, Bands> timelines_;
  std::map<std::tuple<const TimeZone*, Period>, u32> periods_;
  std::map<const TimeZone*, u32> clocks_;
};

}  // namespace tollgate::rating
