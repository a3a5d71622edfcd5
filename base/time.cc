// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/time.hh"

#include <fmt/format.h>
#include <time.h>

#include "base/check.hh"
#include "base/clock_slew.hh"

namespace tollgate {
namespace {

i64 kernel_ns(clockid_t which) {
  timespec ts{};
  check(clock_gettime(which, &ts) == 0, "the kernel has this clock");
  return i64{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

// The tick rate, measured once a process against the kernel's raw clock over 20 ms.
u64 measure_ticks_per_second() {
  const i64 begin_ns = kernel_ns(CLOCK_MONOTONIC_RAW);
  const u64 begin_tsc = read_tsc();
  i64 end_ns = begin_ns;
  while (end_ns - begin_ns < 20'000'000) end_ns = kernel_ns(CLOCK_MONOTONIC_RAW);
  const u64 ticks = read_tsc() - begin_tsc;
  return static_cast<u64>(u128{ticks} * 1'000'000'000 / static_cast<u64>(end_ns - begin_ns));
}

bool read_digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  if (at + count > text.size()) return false;
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

}  // namespace

Clock::Clock() {
  static const u64 measured = measure_ticks_per_second();
  ticks_per_second_ = measured;
  ns_per_tick_q32_ = static_cast<u64>((u128{1'000'000'000} << 32) / measured);
  resync();
}

void Clock::resync() {
  const bool is_first = base_tsc_ == 0;
  const u64 tsc = read_tsc();
  const Instant kernel{kernel_ns(CLOCK_REALTIME)};
  const Instant mine = at_tsc(tsc);
  base_ = is_first ? kernel : slew(mine, kernel, mine - base_);
  base_tsc_ = tsc;
}

Duration Clock::ticks_to_duration(u64 ticks) const {
  return {static_cast<i64>((u128{ticks} * ns_per_tick_q32_) >> 32)};
}

Instant Clock::at_tsc(u64 tsc) const {
  return tsc >= base_tsc_ ? base_ + ticks_to_duration(tsc - base_tsc_)
                          : base_ - ticks_to_duration(base_tsc_ - tsc);
}

std::string to_rfc3339(Instant at) {
  i64 seconds = at.whole_seconds();
  i64 rest_ns = at.ns - seconds * 1'000'000'000;
  if (rest_ns < 0) {
    rest_ns += 1'000'000'000;
    seconds -= 1;
  }
  const time_t when = seconds;
  tm parts{};
  gmtime_r(&when, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     rest_ns / 1'000'000);
}

bool parse_rfc3339(std::string_view text, Instant& at) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (text.size() < 20) return false;
  if (!read_digits(text, 0, 4, year) || text[4] != '-') return false;
  if (!read_digits(text, 5, 2, month) || text[7] != '-') return false;
  if (!read_digits(text, 8, 2, day) || (text[10] != 'T' && text[10] != 't')) return false;
  if (!read_digits(text, 11, 2, hour) || text[13] != ':') return false;
  if (!read_digits(text, 14, 2, minute) || text[16] != ':') return false;
  if (!read_digits(text, 17, 2, second)) return false;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (hour > 23 || minute > 59 || second > 60) return false;

  std::size_t next = 19;
  i64 fraction_ns = 0;
  if (text[next] == '.') {
    i64 scale = 100'000'000;
    for (++next; next < text.size() && text[next] >= '0' && text[next] <= '9'; ++next) {
      fraction_ns += (text[next] - '0') * scale;
      scale /= 10;
    }
  }
  if (next >= text.size()) return false;
  i64 offset_seconds = 0;
  if (text[next] == '+' || text[next] == '-') {
    int offset_hour = 0, offset_minute = 0;
    if (!read_digits(text, next + 1, 2, offset_hour)) return false;
    if (next + 6 != text.size() || text[next + 3] != ':') return false;
    if (!read_digits(text, next + 4, 2, offset_minute)) return false;
    offset_seconds = (offset_hour * 60 + offset_minute) * 60;
    if (text[next] == '-') offset_seconds = -offset_seconds;
  } else if ((text[next] != 'Z' && text[next] != 'z') || next + 1 != text.size()) {
    return false;
  }
  tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  parts.tm_sec = second;
  const i64 seconds = timegm(&parts);
  if (parts.tm_mday != day) return false;  // 31 April
  at = Instant{(seconds - offset_seconds) * 1'000'000'000 + fraction_ns};
  return true;
}

}  // namespace tollgate
