// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Amount, Money, Quantity, Unit: what is counted, exactly.
//
// All are 64-bit integers, never floating point: money in millionths of its currency unit, volume
// in octets, time in milliseconds, events by the piece. Money is a price, a Quantity is how much of
// a service was used or asked for, and an Amount is what lies in a bucket: the bucket's Unit tells
// which of the two it is. They do not mix without a word in the source.
//
// Arithmetic that can leave 64 bits returns false and changes nothing (add, subtract, multiply...);
// the caller refuses. Every division states its Rounding.
#pragma once

#include <compare>
#include <limits>
#include <string>
#include <type_traits>

#include "base/types.hh"

namespace tollgate {

template <class Tag>
struct Counted {
  i64 count = 0;

  static constexpr Counted max() { return {std::numeric_limits<i64>::max()}; }
  constexpr bool is_zero() const { return count == 0; }
  constexpr bool is_positive() const { return count > 0; }
  constexpr bool is_negative() const { return count < 0; }
  friend constexpr auto operator<=>(Counted, Counted) = default;
};

using Amount = Counted<struct AmountTag>;      // content of a bucket, in the bucket's unit
using Money = Counted<struct MoneyTag>;        // millionths of a currency unit
using Quantity = Counted<struct QuantityTag>;  // octets, milliseconds or events of a service

inline constexpr i64 money_scale = 1'000'000;  // micros in one currency unit

template <class Tag>
[[nodiscard]] constexpr bool add(Counted<Tag> a, std::type_identity_t<Counted<Tag>> b,
                                 std::type_identity_t<Counted<Tag>>& sum) {
  return !__builtin_add_overflow(a.count, b.count, &sum.count);
}
template <class Tag>
[[nodiscard]] constexpr bool subtract(Counted<Tag> a, std::type_identity_t<Counted<Tag>> b,
                                      std::type_identity_t<Counted<Tag>>& rest) {
  return !__builtin_sub_overflow(a.count, b.count, &rest.count);
}

// How a quotient that does not come out even becomes a whole number. Every rule of a tariff names
// one.
enum class Rounding : u8 {
  down,       // toward zero: what is left over is not charged
  up,         // away from zero: a block begun is a block used
  half_up,    // to the nearest, halves away from zero: how invoices round
  half_even,  // to the nearest, halves to the even neighbour: no drift over many
};

std::string_view to_text(Rounding rounding);

// value * numerator / denominator with one rounding at the end, the product held in 128 bits.
// denominator > 0. Returns false (and leaves `result`) if the result does not fit into 64 bits.
[[nodiscard]] bool scale(i64 value, i64 numerator, i64 denominator, Rounding rounding, i64& result);

// What a bucket or a service counts. The value is stored in records and in the journal: it never
// changes meaning. Money is 1000 + the ISO 4217 number of the currency; from 4096 on they are the
// operator's own.
enum class Unit : u16 {
  none = 0,
  octets = 1,
  milliseconds = 2,
  events = 3,
  money_first = 1000,
  eur = 1978,
  usd = 1840,
  gbp = 1826,
  sek = 1752,
  chf = 1756,
  jpy = 1392,
  inr = 1356,
  cny = 1156,
  money_last = 1999,
  operator_first = 4096,
};

constexpr bool is_money(Unit unit) {
  return unit >= Unit::money_first && unit <= Unit::money_last;
}
// The ISO 4217 number of a money unit: 978 for EUR.
constexpr u32 currency_code(Unit unit) {
  return static_cast<u32>(unit) - 1000;
}
// The Unit of an ISO 4217 number (1 to 999).
constexpr Unit money_unit(u32 iso_number) {
  return static_cast<Unit>(1000 + iso_number);
}

// "EUR", "octets", "seconds" (held in milliseconds, shown in seconds), "events", "unit4097".
std::string unit_name(Unit unit);
// The Unit of such a name; Unit::none if there is no such.
Unit unit_from_name(std::string_view name);

// "9.50" (money has at least two digits after the point, at most six), "1048576", "12.5" (seconds).
std::string to_decimal(Amount amount, Unit unit);
// "9.50EUR", "1048576octets", "12.5s".
std::string to_text(Amount amount, Unit unit);

// Reads "10.00EUR", "-1.5EUR", "1073741824octets", "1GiB", "1GB", "3600s", "10min", "1h",
// "5events". On failure returns what was expected, as a sentence for people; on success an empty
// text.
[[nodiscard]] std::string parse_amount(std::string_view text, Amount& amount, Unit& unit);

}  // namespace tollgate
