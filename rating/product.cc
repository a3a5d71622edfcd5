// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/product.hh"

#include <algorithm>

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/calendar.hh"

namespace tollgate::rating {
namespace {

constexpr i64 day_seconds = timeline_day_seconds;

// Months counted from year 0, as one number.
struct Month {
  i64 number = 0;

  i64 year() const { return floor_divide(number, 12); }
  u32 month() const { return static_cast<u32>(number - year() * 12) + 1; }
  i64 day(u32 wanted) const {
    return day_of({year(), month(), std::min(wanted, days_in_month(year(), month()))});
  }
};

Month month_of(Date date) {
  return {date.year * 12 + i64{date.month} - 1};
}

// The local second at which turn `number` begins; `bought` is local too.
i64 local_turn(const Product& product, i64 bought, i64 number) {
  const i64 day = floor_divide(bought, day_seconds);
  const i64 second = bought - day * day_seconds;
  switch (product.period) {
    case Period::day:
      return bought + number * day_seconds;
    case Period::week: {
      if (product.day == 0) return bought + number * 7 * day_seconds;
      const i64 ahead = (i64{product.day} - 1 - i64{weekday_of(day)} + 7) % 7;
      return (day + (ahead == 0 ? 7 : ahead) + 7 * (number - 1)) * day_seconds;
    }
    case Period::month: {
      const Date date = date_of(day);
      const Month month = month_of(date);
      if (product.day == 0) {
        return Month{month.number + number}.day(date.day) * day_seconds + second;
      }
      const bool is_ahead = month.day(product.day) > day;
      return Month{month.number + number - (is_ahead ? 1 : 0)}.day(product.day) * day_seconds;
    }
    case Period::ever:
      break;
  }
  return bought;
}

}  // namespace

u32 product_id(std::string_view name) {
  const u64 hash = hash64(as_bytes(name));
  const auto id = static_cast<u32>(hash >> 32 ^ hash);
  return id == 0 ? 1 : id;
}

Instant turn_begin(const Product& product, const TimeZone& zone, Instant bought, u32 number) {
  if (number == 0) return bought;
  if (product.period == Period::ever) return Instant::never();
  const i64 utc = bought.whole_seconds();
  const i64 local = local_turn(product, utc + zone.offset_at(utc), number);
  return Instant::from_seconds(zone.to_utc(local));
}

Money turn_fee(const Product& product, const TimeZone& zone, Instant bought, u32 number) {
  if (number != 0) return product.recurring_fee;
  i64 share = product.recurring_fee.count;
  if (product.has(Product::is_prorated) && product.day != 0) {
    const i64 utc = bought.whole_seconds();
    const i64 end = turn_begin(product, zone, bought, 1).whole_seconds();
    const i64 local_begin = local_turn(product, utc + zone.offset_at(utc), 0);
    const i64 begin = std::min(zone.to_utc(local_begin), utc);
    const i64 step = product.proration_step.count;
    const bool fits = scale(share, end - utc, (end - begin) * step, product.proration, share);
    check(fits, "a share is no more than the whole");
    share *= step;
  }
  return {product.fee.count + share};
}

}  // namespace tollgate::rating
