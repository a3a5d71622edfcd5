// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Days of the Gregorian calendar, counted from 1970-01-01, and back. No clock: for what a date
// means.
#pragma once

#include "base/types.hh"

namespace tollgate::rating {

struct Date {
  i64 year = 1970;
  u32 month = 1;  // from 1
  u32 day = 1;    // from 1
};

constexpr i64 floor_divide(i64 value, i64 by) {
  return value >= 0 ? value / by : -((by - 1 - value) / by);
}

constexpr bool is_leap_year(i64 year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr u32 days_in_month(i64 year, u32 month) {
  if (month == 2) return is_leap_year(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

constexpr bool is_date(Date date) {
  return date.month >= 1 && date.month <= 12 && date.day >= 1 &&
         date.day <= days_in_month(date.year, date.month);
}

// Years are counted from March here, so that the leap day is the last of its year.
constexpr i64 day_of(Date date) {
  const i64 year = date.month <= 2 ? date.year - 1 : date.year;
  const i64 era = floor_divide(year, 400);
  const i64 year_of_era = year - era * 400;
  const i64 month = (i64{date.month} + 9) % 12;
  const i64 day_of_year = (153 * month + 2) / 5 + date.day - 1;
  const i64 day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

constexpr Date date_of(i64 day) {
  const i64 shifted = day + 719'468;
  const i64 era = floor_divide(shifted, 146'097);
  const i64 day_of_era = shifted - era * 146'097;
  const i64 year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const i64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const i64 month = (5 * day_of_year + 2) / 153;
  const auto civil_month = static_cast<u32>(month < 10 ? month + 3 : month - 9);
  return {year_of_era + era * 400 + (civil_month <= 2 ? 1 : 0), civil_month,
          static_cast<u32>(day_of_year - (153 * month + 2) / 5 + 1)};
}

// 0: Monday.
constexpr u32 weekday_of(i64 day) {
  return static_cast<u32>(day + 3 - 7 * floor_divide(day + 3, 7));  // 1970-01-01 was a Thursday
}

static_assert(day_of({1970, 1, 1}) == 0 && day_of({2000, 2, 29}) == 11'016);
static_assert(date_of(11'016).month == 2 && date_of(11'016).day == 29);

}  // namespace tollgate::rating
