// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Tile and Core: the loop in which all work on the packet path is done.
//
// A Tile polls its inputs and never blocks: `poll` does a bounded piece of work and tells how much
// it found; `housekeep` comes every millisecond or so, for timers and everything that need not be
// quick. A Core is a thread (of a process of its own, as a rule) that runs one or more tiles in
// turn, in the order of a request's way through them, so that what one tile puts on a link the next
// one finds in the same turn.
//
// On a kernel without preemption, a core that never enters the scheduler keeps disk completions
// waiting for a whole tick. So the loop yields every `yield_interval`, unless the core is isolated.
#pragma once

#include <atomic>
#include <concepts>
#include <vector>

#include "base/time.hh"
#include "base/types.hh"

namespace tollgate {

// What the loop tells its tiles.
struct Turn {
  u64 tsc = 0;  // when this turn began
  Instant now;  // the same as civil time
};

template <class T>
concept Tile = requires(T& tile, const Turn& turn) {
  { tile.poll(turn) } -> std::same_as<u32>;
  { tile.housekeep(turn) } -> std::same_as<void>;
};

// What a core counts of itself; in shared memory, one writer.
struct CoreCounters {
  u64 turns;
  u64 busy_turns;  // with work in them
  u64 busy_ticks;  // time stamp counter, in busy turns
  u64 yields;
  u64 work;           // sum of what poll returned
  u64 seat_ticks[4];  // ticks in polls that found work, by the tile's place on the core
};

struct CoreOptions {
  Duration yield_interval = Duration::microseconds(20);  // zero: never, the core is isolated
  Duration housekeep_interval = Duration::milliseconds(1);
};

class Core {
 public:
  Core(const CoreOptions& options, CoreCounters& counters)
      : options_(options), counters_(counters) {}

  // The tile outlives the core. Tiles run in the order in which they were added.
  template <Tile T>
  void add(T& tile) {
    seats_.push_back(
        {.tile = &tile,
         .poll = [](void* t, const Turn& turn) { return static_cast<T*>(t)->poll(turn); },
         .housekeep = [](void* t, const Turn& turn) { static_cast<T*>(t)->housekeep(turn); }});
  }

  // Runs until `stop` is set, and then on until `is_done` says so (asked at housekeeping).
  template <class IsDone>
  void run(const std::atomic<bool>& stop, IsDone is_done) {
    Clock clock;
    begin(clock);
    while (!stop.load(std::memory_order_relaxed) || !is_done()) {
      // The outer loop looks at `stop`; the inner one is the hot one.
      for (int i = 0; i < 64; ++i) turn(clock);
    }
  }

 private:
  struct Seat {
    void* tile;
    u32 (*poll)(void* tile, const Turn& turn);
    void (*housekeep)(void* tile, const Turn& turn);
  };
  void begin(const Clock& clock);
  void turn(Clock& clock);
  void housekeep(Clock& clock, const Turn& turn);

  CoreOptions options_;
  CoreCounters& counters_;
  std::vector<Seat> seats_;
  u64 yield_ticks_ = 0;
  u64 housekeep_ticks_ = 0;
  u64 next_yield_ = 0;
  u64 next_housekeep_ = 0;
  u64 next_resync_ = 0;
};

}  // namespace tollgate
