// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/tile.hh"

#include <sched.h>

namespace tollgate {
namespace {

u64 to_ticks(const Clock& clock, Duration duration) {
  return static_cast<u64>(u128{clock.ticks_per_second()} * static_cast<u64>(duration.ns) /
                          1'000'000'000);
}

}  // namespace

void Core::begin(const Clock& clock) {
  yield_ticks_ = to_ticks(clock, options_.yield_interval);
  housekeep_ticks_ = to_ticks(clock, options_.housekeep_interval);
}

void Core::turn(Clock& clock) {
  const Turn now{.tsc = read_tsc(), .now = Instant{}};
  Turn turn = now;
  turn.now = clock.at_tsc(now.tsc);
  u32 work = 0;
  u64 end = now.tsc;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const u32 found = seats_[i].poll(seats_[i].tile, turn);
    const u64 begin = end;
    end = read_tsc();
    if (found != 0 && i < std::size(counters_.seat_ticks)) counters_.seat_ticks[i] += end - begin;
    work += found;
  }
  ++counters_.turns;
  if (work != 0) {
    ++counters_.busy_turns;
    counters_.busy_ticks += end - now.tsc;
    counters_.work += work;
  }
  if (end >= next_housekeep_) housekeep(clock, turn);
  if (yield_ticks_ != 0 && end >= next_yield_) {
    next_yield_ = end + yield_ticks_;
    ++counters_.yields;
    ::sched_yield();
  }
}

void Core::housekeep(Clock& clock, const Turn& turn) {
  next_housekeep_ = turn.tsc + housekeep_ticks_;
  for (const Seat& seat : seats_) seat.housekeep(seat.tile, turn);
  if (turn.tsc >= next_resync_) {
    clock.resync();
    next_resync_ = turn.tsc + clock.ticks_per_second();
  }
}

}  // namespace tollgate
