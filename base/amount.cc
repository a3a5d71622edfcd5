// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/amount.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.hh"
#include "base/unit_names.hh"

namespace tollgate {
namespace {

struct UnitName {
  std::string_view name;
  Unit unit;
};

// The first row of a unit is the name that is shown.
constexpr std::array unit_names = {
    UnitName{"octets", Unit::octets}, UnitName{"seconds", Unit::milliseconds},
    UnitName{"events", Unit::events}, UnitName{"EUR", Unit::eur},
    UnitName{"USD", Unit::usd},       UnitName{"GBP", Unit::gbp},
    UnitName{"SEK", Unit::sek},       UnitName{"CHF", Unit::chf},
    UnitName{"JPY", Unit::jpy},       UnitName{"INR", Unit::inr},
    UnitName{"CNY", Unit::cny},
};

// The operator's own, as long as he has given names.
struct OwnUnit {
  std::string name;
  Unit unit;
};

std::vector<OwnUnit>& own_units() {
  static std::vector<OwnUnit> units;
  return units;
}

// What may follow a number, and how many of the stored integer one of it is.
struct Suffix {
  std::string_view text;
  Unit unit;
  i64 factor;
};

constexpr std::array suffixes = {
    Suffix{"octets", Unit::octets, 1},
    Suffix{"octet", Unit::octets, 1},
    Suffix{"B", Unit::octets, 1},
    Suffix{"kB", Unit::octets, 1'000},
    Suffix{"KB", Unit::octets, 1'000},
    Suffix{"MB", Unit::octets, 1'000'000},
    Suffix{"GB", Unit::octets, 1'000'000'000},
    Suffix{"TB", Unit::octets, 1'000'000'000'000},
    Suffix{"KiB", Unit::octets, i64{1} << 10},
    Suffix{"MiB", Unit::octets, i64{1} << 20},
    Suffix{"GiB", Unit::octets, i64{1} << 30},
    Suffix{"TiB", Unit::octets, i64{1} << 40},
    Suffix{"ms", Unit::milliseconds, 1},
    Suffix{"s", Unit::milliseconds, 1'000},
    Suffix{"seconds", Unit::milliseconds, 1'000},
    Suffix{"second", Unit::milliseconds, 1'000},
    Suffix{"min", Unit::milliseconds, 60'000},
    Suffix{"h", Unit::milliseconds, 3'600'000},
    Suffix{"d", Unit::milliseconds, 86'400'000},
    Suffix{"events", Unit::events, 1},
    Suffix{"event", Unit::events, 1},
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool find_suffix(std::string_view text, Suffix& found) {
  for (const Suffix& suffix : suffixes) {
    if (suffix.text == text) {
      found = suffix;
      return true;
    }
  }
  const Unit unit = unit_from_name(text);
  if (unit == Unit::none) return false;
  found = {text, unit, is_money(unit) ? money_scale : 1};
  return true;
}

}  // namespace

std::string_view to_text(Rounding rounding) {
  switch (rounding) {
    case Rounding::down:
      return "down";
    case Rounding::up:
      return "up";
    case Rounding::half_up:
      return "half_up";
    case Rounding::half_even:
      return "half_even";
  }
  return "unknown";
}

bool scale(i64 value, i64 numerator, i64 denominator, Rounding rounding, i64& result) {
  check(denominator > 0, "a denominator is positive");
  const i128 product = i128{value} * numerator;
  i128 quotient = product / denominator;
  const i128 rest = product % denominator;
  if (rest != 0) {
    const i128 away = product < 0 ? -1 : 1;
    const i128 twice = (rest < 0 ? -rest : rest) * 2;
    bool step = false;
    switch (rounding) {
      case Rounding::down:
        break;
      case Rounding::up:
        step = true;
        break;
      case Rounding::half_up:
        step = twice >= denominator;
        break;
      case Rounding::half_even:
        step = twice > denominator || (twice == denominator && (quotient & 1) != 0);
        break;
    }
    if (step) quotient += away;
  }
  if (quotient > std::numeric_limits<i64>::max()) return false;
  if (quotient < std::numeric_limits<i64>::min()) return false;
  result = static_cast<i64>(quotient);
  return true;
}

std::string unit_name(Unit unit) {
  for (const UnitName& row : unit_names) {
    if (row.unit == unit) return std::string(row.name);
  }
  for (const OwnUnit& own : own_units()) {
    if (own.unit == unit) return own.name;
  }
  return fmt::format("unit{}", static_cast<unsigned>(unit));
}

Unit unit_from_name(std::string_view name) {
  for (const UnitName& row : unit_names) {
    if (row.name == name) return row.unit;
  }
  for (const OwnUnit& own : own_units()) {
    if (own.name == name) return own.unit;
  }
  if (!name.starts_with("unit") || name.size() < 5 || name.size() > 9) return Unit::none;
  unsigned number = 0;
  for (const char c : name.substr(4)) {
    if (!is_digit(c)) return Unit::none;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number > 0 && number <= 0xffff ? static_cast<Unit>(number) : Unit::none;
}

std::string name_unit(std::string_view text) {
  constexpr auto expected =
      "expected a name and a number from 4096 to 65535, such as \"points 4100\"; a name is a "
      "letter "
      "and up to 15 letters, digits or _";
  constexpr std::size_t name_max = 16;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_inner = [&](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  const std::size_t blank = std::min(text.find(' '), text.size());
  const std::string_view name = text.substr(0, blank);
  const std::string_view number = text.substr(std::min(blank + 1, text.size()));
  if (name.empty() || name.size() > name_max || !is_letter(name[0])) return expected;
  if (!std::all_of(name.begin(), name.end(), is_inner)) return expected;
  const Unit unit = is_digit(number.empty() ? ' ' : number[0])
                        ? unit_from_name(fmt::format("unit{}", number))
                        : Unit::none;
  if (unit < Unit::operator_first) return expected;
  Suffix taken{};
  if (find_suffix(name, taken)) return fmt::format("'{}' is a unit already", name);
  for (const OwnUnit& own : own_units()) {
    if (own.unit == unit) return fmt::format("{} has the name '{}' already", number, own.name);
  }
  own_units().push_back({.name = std::string(name), .unit = unit});
  return {};
}

void forget_unit_names() {
  own_units().clear();
}

std::string to_decimal(Amount amount, Unit unit) {
  i64 unit_scale = 1;
  std::size_t digits_min = 0;
  if (is_money(unit)) {
    unit_scale = money_scale;
    digits_min = 2;
  } else if (unit == Unit::milliseconds) {
    unit_scale = 1'000;
  }
  if (unit_scale == 1) return fmt::format("{}", amount.count);
  const bool negative = amount.count < 0;
  // Unsigned, so that the most negative amount has a magnitude too.
  const u64 magnitude =
      negative ? ~static_cast<u64>(amount.count) + 1 : static_cast<u64>(amount.count);
  const u64 whole = magnitude / static_cast<u64>(unit_scale);
  const u64 part = magnitude % static_cast<u64>(unit_scale);
  std::string fraction = fmt::format("{:0{}}", part, unit_scale == money_scale ? 6 : 3);
  while (fraction.size() > digits_min && fraction.back() == '0') fraction.pop_back();
  return fmt::format("{}{}{}{}", negative ? "-" : "", whole, fraction.empty() ? "" : ".", fraction);
}

std::string to_text(Amount amount, Unit unit) {
  const std::string name = unit == Unit::milliseconds ? "s" : unit_name(unit);
  return to_decimal(amount, unit) + name;
}

std::string parse_amount(std::string_view text, Amount& amount, Unit& unit) {
  constexpr auto expected =
      "expected a decimal number and a unit, such as 10.00EUR, 500MB, 1GiB, 3600s or 5events";
  std::size_t at = 0;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';

  const std::size_t digits_begin = at;
  std::size_t point = std::string_view::npos;
  while (at < text.size() && (is_digit(text[at]) || (text[at] == '.' && point > at))) {
    if (text[at] == '.') point = at;
    ++at;
  }
  const std::size_t digits_end = at;
  if (digits_end == digits_begin || !is_digit(text[digits_begin])) return expected;
  if (!is_digit(text[digits_end - 1])) return expected;
  while (at < text.size() && text[at] == ' ') ++at;
  Suffix suffix{};
  if (!find_suffix(text.substr(at), suffix)) {
    return fmt::format("unknown unit '{}': {}", text.substr(at), expected);
  }

  i128 value = 0;  // in units of the last digit
  i64 denominator = 1;
  for (std::size_t i = digits_begin; i < digits_end; ++i) {
    if (i == point) continue;
    value = value * 10 + (text[i] - '0');
    if (i > point && point != std::string_view::npos) denominator *= 10;
    if (value > i128{std::numeric_limits<i64>::max()} || denominator > 1'000'000'000) {
      return "the amount has more digits than 64 bits can hold";
    }
  }
  const i128 scaled = value * suffix.factor;
  if (scaled % denominator != 0) {
    return fmt::format("the amount is finer than {} can be counted", unit_name(suffix.unit));
  }
  const i128 whole = scaled / denominator;
  if (whole > i128{std::numeric_limits<i64>::max()}) return "the amount is larger than 64 bits";
  amount = Amount{static_cast<i64>(negative ? -whole : whole)};
  unit = suffix.unit;
  return {};
}

}  // namespace tollgate
