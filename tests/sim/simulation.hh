// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Simulation: one seed. Everything happens in one thread, in an order that the seed decides.
#pragma once

#include "tests/sim/operator.hh"

namespace tollgate::sim {

struct Counts {
  u64 steps = 0;
  u64 crashes = 0;  // tiles killed and power lost
  u64 faults = 0;   // of disk, network and clock
  u64 operations = 0;
  u64 answers = 0;
  u64 power_losses = 0;
  u64 kills_inside = 0;     // at an instruction inside a turn
  u64 damages_refused = 0;  // by recovery
  u64 damages_unproved = 0;
};

class Simulation {
 public:
  struct Options {
    u64 seed = 0;
    u32 steps = 400;
    bool has_trace = false;
    std::string folder;
    const VersionedBlob* tariff = nullptr;
  };
  explicit Simulation(const Options& options);

  // Throws Fault if the appliance does what it must not.
  void run();
  const Counts& counts() const { return counts_; }

 private:
  void step();
  void poll(const TileName& tile, bool may_die);
  void housekeep(const TileName& tile, bool may_die);
  void after_turn(const TileName& tile, bool had_room);
  void start_what_is_down();
  TileName any_tile();
  std::vector<TileName> all_tiles() const;
  void end_a_write();
  void pass_time();
  void kill();
  void lose_power();
  void recover();
  void recover_from_damage();
  void drain();
  void settle();
  bool has_open_session() const;
  void finish();
  void trace(const std::string& text);
  Turn turn() { return {.tsc = ++tsc_, .now = now_}; }

  Options options_;
  Random random_;
  SimDisk disk_;
  Appliance appliance_;
  Judge judge_;
  Clients clients_;
  Operator operator_;
  Counts counts_;
  Instant now_ = Instant::from_seconds(1'795'000'000);
  Instant latest_ = now_;
  u64 tsc_ = 0;
};

}  // namespace tollgate::sim
