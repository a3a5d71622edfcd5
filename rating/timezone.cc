// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/timezone.hh"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "rating/calendar.hh"

namespace tollgate::rating {
namespace {

constexpr int rule_years_end = 2100;  // how far the rule after the table is worked out
constexpr i64 seconds_per_day = 86'400;

i64 big_endian(std::string_view octets, std::size_t at, std::size_t size) {
  u64 value = (static_cast<u8>(octets[at]) & 0x80) != 0 ? ~u64{0} : 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<u8>(octets[at + i]);
  return static_cast<i64>(value);
}

struct Header {
  std::size_t isut = 0, isstd = 0, leap = 0, times = 0, types = 0, chars = 0;
  static constexpr std::size_t bytes = 44;

  std::size_t block(std::size_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + chars + leap * (time_bytes + 4) + isstd + isut;
  }
};

bool read_header(std::string_view octets, std::size_t at, Header& header) {
  if (at + Header::bytes > octets.size() || octets.substr(at, 4) != "TZif") return false;
  std::size_t* const fields[] = {&header.isut,  &header.isstd, &header.leap,
                                 &header.times, &header.types, &header.chars};
  std::size_t place = at + 20;
  for (std::size_t* field : fields) {
    const i64 value = big_endian(octets, place, 4);
    if (value < 0 || value > 1'000'000) return false;
    *field = static_cast<std::size_t>(value);
    place += 4;
  }
  return true;
}

// The rule for the years after the table: "CET-1CEST,M3.5.0,M10.5.0/3".
struct PosixRule {
  struct Change {
    int month = 0, week = 0, weekday = 0;
    i64 second = 7200;  // of the local day, by the clock before the change
  };
  i64 standard = 0;
  i64 summer = 0;
  bool has_summer = false;
  Change to_summer, to_standard;
};

class PosixReader {
 public:
  explicit PosixReader(std::string_view text) : text_(text) {}

  bool read(PosixRule& rule) {
    if (!name() || !offset(rule.standard)) return false;
    rule.standard = -rule.standard;  // POSIX counts west
    if (text_.empty()) return true;
    rule.has_summer = true;
    rule.summer = rule.standard + 3600;
    if (!name()) return false;
    if (!text_.empty() && text_[0] != ',') {
      if (!offset(rule.summer)) return false;
      rule.summer = -rule.summer;
    }
    return change(rule.to_summer) && change(rule.to_standard) && text_.empty();
  }

 private:
  bool accept(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool name() {
    if (accept('<')) {
      const std::size_t end = text_.find('>');
      if (end == std::string_view::npos) return false;
      text_.remove_prefix(end + 1);
      return true;
    }
    std::size_t length = 0;
    while (length < text_.size() && std::isalpha(static_cast<unsigned char>(text_[length])) != 0) {
      ++length;
    }
    text_.remove_prefix(length);
    return length >= 3;
  }
  bool number(i64& value) {
    std::size_t length = 0;
    value = 0;
    while (length < text_.size() && length < 4 && text_[length] >= '0' && text_[length] <= '9') {
      value = value * 10 + (text_[length++] - '0');
    }
    text_.remove_prefix(length);
    return length > 0;
  }
  bool offset(i64& seconds) {
    const i64 sign = accept('-') ? -1 : 1;
    if (sign == 1) (void)accept('+');
    i64 hours = 0, minutes = 0, rest = 0;
    if (!number(hours)) return false;
    if (accept(':') && !number(minutes)) return false;
    if (accept(':') && !number(rest)) return false;
    seconds = sign * (hours * 3600 + minutes * 60 + rest);
    return true;
  }
  bool change(PosixRule::Change& change) {
    i64 month = 0, week = 0, weekday = 0;
    if (!accept(',') || !accept('M') || !number(month) || !accept('.')) return false;
    if (!number(week) || !accept('.') || !number(weekday)) return false;
    if (month < 1 || month > 12 || week < 1 || week > 5 || weekday > 6) return false;
    change = {static_cast<int>(month), static_cast<int>(week), static_cast<int>(weekday)};
    return !accept('/') || offset(change.second);
  }

  std::string_view text_;
};

// The local second (as if it were UTC) of a change in `year`.
i64 local_second(const PosixRule::Change& change, int year) {
  const auto month = static_cast<u32>(change.month);
  const i64 first = day_of({year, month, 1});
  const u32 sunday_first = (weekday_of(first) + 1) % 7;  // POSIX counts from Sunday
  i64 day = first + (change.weekday + 7 - static_cast<i64>(sunday_first)) % 7;
  day += 7 * (change.week - 1);
  while (day >= first + days_in_month(year, month)) day -= 7;  // week 5 is the last
  return day * seconds_per_day + change.second;
}

void add_rule_years(const PosixRule& rule, std::vector<TimeZone::Stretch>& stretches) {
  if (!rule.has_summer) return;
  const i64 after = stretches.back().begin;
  for (int year = 1970; year < rule_years_end; ++year) {
    std::vector<TimeZone::Stretch> both = {
        {local_second(rule.to_summer, year) - rule.standard, rule.summer},
        {local_second(rule.to_standard, year) - rule.summer, rule.standard}};
    std::ranges::sort(both, {}, &TimeZone::Stretch::begin);
    for (const TimeZone::Stretch& each : both) {
      if (each.begin > after && each.begin > stretches.back().begin) stretches.push_back(each);
    }
  }
}

}  // namespace

bool TimeZone::read(std::string_view octets) {
  Header first;
  if (!read_header(octets, 0, first) || octets[4] < '2') return false;
  const std::size_t second = Header::bytes + first.block(4);
  Header header;
  if (!read_header(octets, second, header) || header.types == 0) return false;
  const std::size_t times = second + Header::bytes;
  const std::size_t end = times + header.block(8);
  if (end >= octets.size()) return false;
  const std::size_t indexes = times + header.times * 8;
  const std::size_t types = indexes + header.times;
  std::vector<Stretch> made = {{INT64_MIN, big_endian(octets, types, 4)}};
  for (std::size_t i = 0; i < header.times; ++i) {
    const auto type = static_cast<u8>(octets[indexes + i]);
    if (type >= header.types) return false;
    const i64 begin = big_endian(octets, times + i * 8, 8);
    const i64 offset = big_endian(octets, types + std::size_t{type} * 6, 4);
    if (made.size() > 1 && begin <= made.back().begin) return false;
    if (offset != made.back().offset) made.push_back({begin, offset});
  }
  std::string_view footer = octets.substr(end + 1);
  footer = footer.substr(0, footer.find('\n'));
  PosixRule rule;
  if (!footer.empty()) {
    if (!PosixReader(footer).read(rule)) return false;
    add_rule_years(rule, made);
  }
  stretches_ = std::move(made);
  return true;
}

i64 TimeZone::offset_at(i64 utc) const {
  const auto after = std::ranges::upper_bound(stretches_, utc, {}, &Stretch::begin);
  return std::prev(after)->offset;
}

i64 TimeZone::to_utc(i64 local) const {
  for (std::size_t i = 0; i < stretches_.size(); ++i) {
    const i64 utc = local - stretches_[i].offset;
    if (i + 1 == stretches_.size() || utc < stretches_[i + 1].begin) {
      // Inside this stretch, or in the gap before it: then the clock before the gap counts on.
      return utc < stretches_[i].begin ? local - stretches_[i - 1].offset : utc;
    }
  }
  return local;
}

TimeZones::TimeZones() {
  zones_.emplace("UTC", std::make_unique<TimeZone>());
}

const TimeZone* TimeZones::find(const std::string& name) {
  const auto known = zones_.find(name);
  if (known != zones_.end()) return known->second.get();
  const bool is_name = !name.empty() && name[0] != '/' && name.find("..") == std::string::npos;
  const std::string path = "/usr/share/zoneinfo/" + name;
  std::error_code error;
  if (!is_name || !std::filesystem::is_regular_file(path, error)) return nullptr;
  std::ifstream in(path, std::ios::binary);
  const std::string octets{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  auto made = std::make_unique<TimeZone>();
  if (!in.is_open() || !made->read(octets)) return nullptr;
  return zones_.emplace(name, std::move(made)).first->second.get();
}

}  // namespace tollgate::rating
