// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The statements about zones, calendars, time bands and moments; and files of prefixes.

#include <algorithm>

#include "rating/calendar.hh"
#include "rating/parser.hh"

namespace tollgate::rating {
namespace {

constexpr std::array<std::string_view, 7> weekday_names = {"mon", "tue", "wed", "thu",
                                                           "fri", "sat", "sun"};

u32 weekday_named(std::string_view word) {  // 7: none
  return static_cast<u32>(std::ranges::find(weekday_names, word) - weekday_names.begin());
}

// Takes `digits` digits of `text` off its front.
bool take(std::string_view& text, std::size_t digits, i64& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// "06:00", "06:00:30", "24:00": the second of the day.
bool take_hour(std::string_view& text, i64& second) {
  i64 hour = 0, minute = 0, rest = 0;
  if (!take(text, 2, hour) || !take(text, ':') || !take(text, 2, minute)) return false;
  if (take(text, ':') && !take(text, 2, rest)) return false;
  if (hour > 24 || minute > 59 || rest > 59) return false;
  second = hour * 3600 + minute * 60 + rest;
  return second <= timeline_day_seconds;
}

// "2026-12-24" or "12-24": then the year is 2000, which has all days.
bool take_date(std::string_view& text, CalendarText::Day& result) {
  i64 year = 2000, month = 0, day = 0;
  result.is_yearly = text.size() < 6 || text[4] != '-';
  if (!result.is_yearly && (!take(text, 4, year) || !take(text, '-'))) return false;
  if (!take(text, 2, month) || !take(text, '-') || !take(text, 2, day)) return false;
  const Date date{year, static_cast<u32>(month), static_cast<u32>(day)};
  if (!is_date(date)) return false;
  result.day = day_of(date);
  return true;
}

bool read_hours(std::string_view text, BandLine::Hours& hours) {
  if (!take_hour(text, hours.from) || !take(text, '-') || !take_hour(text, hours.until)) {
    return false;
  }
  return text.empty() && hours.from < timeline_day_seconds && hours.from != hours.until;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

const std::array<Parser::Statement, 1> Parser::zones_statements = {{
    {"zone", &Parser::zone, false},
}};
const std::array<Parser::Statement, 4> Parser::calendar_statements = {{
    {"day", &Parser::calendar_day, false},
    {"easter", &Parser::calendar_easter, true},
    {"before", &Parser::calendar_before, false},
    {"after", &Parser::calendar_after, false},
}};
const std::array<Parser::Statement, 2> Parser::band_statements = {{
    {"every", &Parser::band_every, false},
    {"on", &Parser::band_on, false},
}};

bool Parser::names(std::vector<NameText>& result, std::string_view what) {
  do {
    skip_newlines();
    NameText one;
    if (!name(one, what)) return false;
    result.push_back(std::move(one));
  } while (accept_symbol(','));
  return true;
}

bool Parser::timezone() {  // of a plan, a product or the file
  NameText zone;
  if (!name(zone, "a time zone in quotes, such as \"Europe/Stockholm\"")) return false;
  if (plan_ != nullptr) {
    plan_->timezone = zone;
  } else if (product_ != nullptr) {
    product_->timezone = zone;
  } else {
    syntax_.timezones[zone.at.file] = zone;
  }
  return true;
}

// zones

bool Parser::zones() {
  ZonesText& made = syntax_.zones.emplace_back();
  made.name.at = peek().at;
  if (!name(made.name, "the name of the zones") && !header_failed()) return false;
  return block(zones_statements, "zones");
}

bool Parser::prefix(PrefixText& result) {
  const Token& token = peek();
  const bool is_number = token.kind == Token::Kind::number || token.kind == Token::Kind::text;
  if (!is_number || !is_digits(token.text) || token.text.size() > number_digits_max) {
    return fail("a prefix of 1 to 15 digits");
  }
  result = {number_key(token.text), static_cast<u32>(token.text.size()), token.at};
  next();
  return true;
}

bool Parser::zone() {
  ZoneText& made = syntax_.zones.back().zones.emplace_back();
  if (!name(made.name, "the name of the zone")) return false;
  do {
    skip_newlines();
    PrefixText one;
    if (!prefix(one)) return false;
    made.prefixes.push_back(one);
  } while (accept_symbol(','));
  return true;
}

// calendars

bool Parser::calendar() {
  CalendarText& made = syntax_.calendars.emplace_back();
  made.name.at = peek().at;
  if (!name(made.name, "the name of the calendar") && !header_failed()) return false;
  return block(calendar_statements, "a calendar");
}

bool Parser::calendar_day() {
  do {
    skip_newlines();
    const Token& token = peek();
    std::string_view text = token.text;
    CalendarText::Day day;
    if (token.kind != Token::Kind::number || !take_date(text, day) || !text.empty()) {
      return fail("a date, such as 2026-12-24, or 12-24 for that of each year");
    }
    syntax_.calendars.back().days.push_back(day);
    next();
  } while (accept_symbol(','));
  return true;
}

bool Parser::calendar_easter() {
  syntax_.calendars.back().from_easter.push_back(0);
  return true;
}

bool Parser::calendar_from_easter(i64 sign) {
  if (!accept("easter")) return fail("easter", "for example: before easter 2, after easter 1, 39");
  std::vector<NumberText> days;
  if (!numbers(days, "how many days")) return false;
  for (const NumberText& day : days) {
    if (day.value > 180) {
      report_.add(day.at,
                  fmt::format("found {} days from Easter, expected at most 180", day.value));
      continue;
    }
    syntax_.calendars.back().from_easter.push_back(sign * i64{day.value});
  }
  return true;
}

// bands

bool Parser::band() {
  BandText& made = syntax_.bands.emplace_back();
  made.name.at = peek().at;
  if (!name(made.name, "the name of the band") && !header_failed()) return false;
  return block(band_statements, "a band");
}

bool Parser::band_every() {
  BandLineText& line = syntax_.bands.back().lines.emplace_back();
  line.weekdays = 0x7f;
  return band_rest(line);
}

bool Parser::band_on() {
  BandLineText& line = syntax_.bands.back().lines.emplace_back();
  return band_days(line) && band_rest(line);
}

// `mon-fri, sun, se`: days of the week, or calendars.
bool Parser::band_days(BandLineText& line) {
  do {
    skip_newlines();
    const Token& token = peek();
    const std::string_view word = token.kind == Token::Kind::word ? token.text : "";
    const u32 first = weekday_named(word.substr(0, 3));
    const u32 last = word.size() == 7 && word[3] == '-' ? weekday_named(word.substr(4)) : 7;
    if (word.size() == 3 && first < 7) {
      line.weekdays = static_cast<u8>(line.weekdays | 1U << first);
      next();
    } else if (first < 7 && last < 7) {
      for (u32 day = first;; day = (day + 1) % 7) {
        line.weekdays = static_cast<u8>(line.weekdays | 1U << day);
        if (day == last) break;
      }
      next();
    } else {
      NameText calendar;
      if (!name(calendar, "a day: mon to sun, mon-fri, or a calendar")) return false;
      line.calendars.push_back(std::move(calendar));
    }
  } while (accept_symbol(','));
  return true;
}

bool Parser::band_rest(BandLineText& line) {
  while (peek().kind == Token::Kind::number) {
    BandLine::Hours hours;
    if (!read_hours(peek().text, hours)) {
      return fail("hours, such as 08:00-18:00, or 20:00-06:00 into the next day");
    }
    line.hours.push_back(hours);
    next();
    if (!accept_symbol(',')) break;
    skip_newlines();
  }
  if (!accept("except")) return true;
  return names(line.except, "a calendar");
}

// examples

bool Parser::example_at() {
  const Token& token = peek();
  std::string_view text = token.text;
  CalendarText::Day day;
  i64 second = 0;
  const bool is_good = token.kind == Token::Kind::number && take_date(text, day) &&
                       !day.is_yearly && take(text, 'T') && take_hour(text, second) && text.empty();
  if (!is_good) return fail("a moment, such as 2026-12-24T18:00");
  example_->local_second = day.day * timeline_day_seconds + second;
  example_->second_at = token.at;
  next();
  return true;
}

bool Parser::example_number(NumberRole role) {
  const Token& token = peek();
  const bool is_number = token.kind == Token::Kind::number || token.kind == Token::Kind::text;
  if (!is_number || number_key(token.text) == number_absent) {
    return fail("a number, such as \"4670123456\"");
  }
  example_->numbers[static_cast<std::size_t>(role)] = {std::string(token.text), token.at, true};
  next();
  return true;
}

bool Parser::example_counted() {
  CountedText one;
  if (!name(one.counter, "the name of a counter")) return false;
  if (!amount(one.amount, "what it stands at, such as 900MB or 4.50EUR")) return false;
  example_->counted.push_back(std::move(one));
  return true;
}

bool Parser::example_direction() {
  return one_of<Direction>({{"originating", Direction::originating},
                            {"terminating", Direction::terminating},
                            {"forwarded", Direction::forwarded}},
                           example_->direction);
}

bool Parser::example_location() {
  return one_of<Location>({{"home", Location::home}, {"roaming", Location::roaming}},
                          example_->location);
}

// files of prefixes

bool is_prefix_file(std::string_view name) {
  return name.ends_with(".prefixes");
}

namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

void parse_prefixes(const TariffText& text, u32 file, TariffSyntax& syntax, Report& report) {
  ZonesText& made = syntax.zones.emplace_back();
  std::string_view stem = text.name;
  stem.remove_suffix(std::string_view(".prefixes").size());
  if (const std::size_t slash = stem.rfind('/'); slash != stem.npos) stem.remove_prefix(slash + 1);
  made.name = {std::string(stem), {file, 1, 1}, false};
  std::map<std::string_view, std::size_t> zones;
  std::string_view rest = text.text;
  if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
  for (u32 line = 1; !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view row = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    row = row.substr(0, row.find('#'));
    while (!row.empty() && (row.back() == ' ' || row.back() == '\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const std::size_t comma = std::min(row.find(','), row.size());
    const std::string_view digits = row.substr(0, comma);
    std::string_view zone = row.substr(std::min(comma + 1, row.size()));
    while (zone.starts_with(' ')) zone.remove_prefix(1);
    if (!is_digits(digits) || digits.size() > number_digits_max || zone.empty()) {
      report.add({file, line, 1}, "found a line that is no prefix and zone",
                 "for example: 4670,nordic");
      continue;
    }
    const auto [known, is_new] = zones.emplace(zone, made.zones.size());
    if (is_new) {
      const Place at{file, line, static_cast<u32>(zone.data() - row.data()) + 1};
      if (!is_utf8(zone)) {
        report.add(at, "found the name of a zone that is not UTF-8", "save the file as UTF-8");
      }
      made.zones.push_back({{std::string(zone), at, false}, {}});
    }
    made.zones[known->second].prefixes.push_back(
        {number_key(digits), static_cast<u32>(digits.size()), {file, line, 1}});
  }
}

}  // namespace tollgate::rating
