// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Product: what is sold beside a plan, and the calendar of its turns.
//
// An account has one plan and any number of products. A product costs something (once, and again
// with each turn), brings allowances with each turn, and opens the rules that are written `with`
// it. A turn is a day, a week or a month of the product, or its whole life where nothing recurs;
// control begins them one after the other, each once. What a charge core needs of it is only which
// of the products with prices an account has: up to four numbers in the account's record, which a
// row of the image makes a class of (ProductRow).
//
// The records here are stored in the image: a change of meaning is a new image_layout in image.hh.
#pragma once

#include <array>
#include <string_view>

#include "base/amount.hh"
#include "base/time.hh"
#include "rating/rule.hh"
#include "rating/timeline.hh"
#include "rating/timezone.hh"

namespace tollgate::rating {

// How many products with prices of their own an account has at a time; others are not counted.
inline constexpr u32 priced_products_max = 4;
using ProductSet = std::array<u32, priced_products_max>;  // product_id, 0: none

// How many products the rules of one service ask for: a bit of its class for each.
inline constexpr u32 service_products_max = 8;

// Of a share, a thousand currency units.
inline constexpr i64 proration_step_max = 1'000'000'000;

// What a product is called in accounts and buckets: it follows from the name alone and never
// changes. 0 is no product.
u32 product_id(std::string_view name);

// The products that the rules of a service ask for; 0 where there are fewer.
struct ProductRow {
  u32 id[service_products_max] = {};
};

// Whether it is one of them, or none is asked for.
inline bool has_product(const ProductSet& set, u32 id) {
  for (const u32 each : set) {
    if (each == id) return true;
  }
  return id == 0;
}

// Which of the row's products are in the set, as bits. Every place is looked at: that takes no
// branch but for those that the account has not.
inline u32 product_class(const ProductRow& row, const ProductSet& set) {
  u32 bits = 0;
  for (const u32 id : set) {
    if (id == 0) continue;
    for (u32 i = 0; i < service_products_max; ++i) bits |= u32{row.id[i] == id} << i;
  }
  return bits;
}

struct Product {
  static constexpr u8 renews = 1;       // begins anew when its life is over
  static constexpr u8 repeatable = 2;   // may be bought again while it lasts
  static constexpr u8 is_prorated = 4;  // a first turn that is short costs its share
  static constexpr u8 last_day = 32;

  u32 id = 0;
  Unit currency = Unit::none;
  Period period = Period::ever;  // of the recurring fee; ever: there is one turn
  u8 day = 0;  // turns begin with this day of the week (1: Monday) or month; 0: as it was bought
  u8 flags = 0;
  Rounding proration = Rounding::up;
  u8 zero[2] = {};
  u32 lasts_s = 0;      // its whole life; 0: until it is ended
  u32 retry_s = 0;      // when a fee could not be paid it is tried again after so long,
  u32 retry_for_s = 0;  // for so long; then the product ends
  u32 grace_s = 0;      // it stays active so long without its fee
  u32 zero1 = 0;
  TextRef name;
  TextRef timezone;
  Money fee;                // with the first turn, and when it renews
  Money recurring_fee;      // with each turn
  Money proration_step{1};  // a share is rounded to a multiple of this
  Extent allowances;        // in the image's buckets: with each turn
  // In the image's product numbers:
  Extent prices;    // the products whose rules count for who has this one
  Extent plans;     // plan_id: who may buy it
  Extent needs;     // all of which one must have to buy it,
  Extent excludes;  // and none of which

  bool has(u8 flag) const { return (flags & flag) != 0; }
};
static_assert(sizeof(Product) == 112 && std::has_unique_object_representations_v<Product>);

// When turn `number` begins, of a product that was bought (or begun anew) at `bought`. never:
// there is no such turn. Turns that begin as it was bought keep the hour on the clock of `zone`,
// and a day that a month does not have is its last; others begin with the local day.
Instant turn_begin(const Product& product, const TimeZone& zone, Instant bought, u32 number);

// What turn `number` costs in all: the fee of the first one, and its share of the recurring fee if
// it is a short one and the product says so. amount_overflow cannot be: prices are bounded.
Money turn_fee(const Product& product, const TimeZone& zone, Instant bought, u32 number);

}  // namespace tollgate::rating
