// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/simulation.hh"

#include <cstdio>

#include "ledger/audit.hh"

namespace tollgate::sim {
namespace {

constexpr u64 segments_ahead = 2;

}  // namespace

Simulation::Simulation(const Options& options)
    : options_(options),
      random_(options.seed),
      disk_(options.folder, 1 + options.seed, random_),
      appliance_({.net_count = 1 + random_.below(2), .charge_count = 1 + random_.below(2)}, disk_,
                 random_, *options.tariff),
      judge_(appliance_, disk_),
      clients_(appliance_, judge_, random_),
      operator_(appliance_, judge_, clients_, random_) {
  judge_.trace = [this](const std::string& text) { trace(text); };
}

void Simulation::trace(const std::string& text) {
  if (options_.has_trace) fmt::print("{:5} {}\n", counts_.steps, text);
}

void Simulation::run() {
  disk_.make_segments(segments_ahead);
  const std::string why = appliance_.recover(now_);
  if (!why.empty()) fail("an empty journal was refused: {}", why);
  for (u32 i = 0; i < 4; ++i) operator_.make_account();
  settle();
  for (u32 i = 0; i < options_.steps; ++i) step();
  finish();
  counts_.operations = judge_.operation_count();
  counts_.answers = clients_.answer_count();
}

std::vector<TileName> Simulation::all_tiles() const {
  std::vector<TileName> tiles;
  for (u32 i = 0; i < appliance_.shape().net_count; ++i) tiles.push_back({TileKind::net, i});
  for (u32 i = 0; i < appliance_.shape().charge_count; ++i) tiles.push_back({TileKind::charge, i});
  tiles.push_back({TileKind::journal, 0});
  return tiles;
}

TileName Simulation::any_tile() {
  const std::vector<TileName> tiles = all_tiles();
  return tiles[random_.below(tiles.size())];
}

void Simulation::step() {
  ++counts_.steps;
  now_ = now_ + Duration::microseconds(random_.between(1, 300));
  disk_.make_segments(appliance_.journal().current_segment + segments_ahead - 1);
  const u32 what = random_.below(1000);
  if (what < 220) {
    clients_.act();
  } else if (what < 380) {
    for (u32 net = 0; net < appliance_.shape().net_count; ++net) {
      if (SimTransport* transport = appliance_.transport(net)) transport->move(random_, false);
    }
    clients_.receive();
  } else if (what < 750) {
    poll(any_tile(), random_.once_in(40));
  } else if (what < 850) {
    end_a_write();
  } else if (what < 900) {
    housekeep(any_tile(), random_.once_in(40));
  } else if (what < 930) {
    pass_time();
  } else if (what < 955 || what >= 986) {
    operator_.act(now_);
    operator_.look_up(false);
  } else if (what < 967) {
    trace("a connection breaks");
    clients_.cut_one();
    ++counts_.faults;
  } else if (what < 974) {
    kill();
  } else if (what < 980) {
    lose_power();
  } else if (what < 983) {
    disk_.is_full = !disk_.is_full;
    trace(disk_.is_full ? "the disk is full" : "the disk has room");
    ++counts_.faults;
  } else if (what == 985) {
    trace("the operator forgets what was under way");
    operator_.forget();
    ++counts_.crashes;
  } else if (what == 984) {
    trace("many clients at once");
    clients_.storm();
  } else if (what == 983 && random_.once_in(3) && disk_.damage()) {
    trace("the disk is damaged");
    ++counts_.faults;
  }
  start_what_is_down();
  const bool has_failed = appliance_.journal().is_failed.load() != 0;
  const bool is_damaged = disk_.is_damaged();
  if ((has_failed && random_.once_in(30)) || (is_damaged && random_.once_in(60))) lose_power();
}

void Simulation::start_what_is_down() {
  for (const TileName& tile : all_tiles()) {
    if (appliance_.is_up(tile) || !random_.once_in(5)) continue;
    if (random_.once_in(6) && appliance_.start_killed(tile, now_)) {
      trace("a tile is killed while it starts");
      ++counts_.crashes;
      ++counts_.kills_inside;
      continue;
    }
    if (!appliance_.is_up(tile)) appliance_.start(tile, now_);
    after_turn(tile, true);
    if (tile.kind == TileKind::charge) judge_.note_state(tile.number);
  }
}

void Simulation::poll(const TileName& tile, bool may_die) {
  if (!appliance_.is_up(tile)) return;
  const bool had_room = appliance_.journal().has_room.load() != 0;
  if (may_die) {
    if (appliance_.poll_killed(tile, turn())) {
      trace(fmt::format("tile {} {} is killed in its turn", static_cast<u32>(tile.kind),
                        tile.number));
      ++counts_.crashes;
      ++counts_.kills_inside;
    }
  } else {
    appliance_.poll(tile, turn());
  }
  after_turn(tile, had_room);
}

void Simulation::housekeep(const TileName& tile, bool may_die) {
  if (!appliance_.is_up(tile)) return;
  // A charge tile looks at some of its shards each time.
  const u32 rounds = tile.kind == TileKind::charge ? 1 + random_.below(8) : 1;
  for (u32 i = 0; i < rounds && appliance_.is_up(tile); ++i) {
    if (may_die) {
      if (appliance_.housekeep_killed(tile, turn())) {
        trace(fmt::format("tile {} {} is killed as it housekeeps", static_cast<u32>(tile.kind),
                          tile.number));
        ++counts_.crashes;
        ++counts_.kills_inside;
      }
    } else {
      appliance_.housekeep(tile, turn());
    }
    after_turn(tile, true);
  }
}

void Simulation::after_turn(const TileName& tile, bool had_room) {
  if (tile.kind == TileKind::net) {
    judge_.read_requests();
  } else if (tile.kind == TileKind::charge) {
    judge_.read_entries(tile.number, had_room);
    if (!appliance_.is_up(tile)) return;
    judge_.after_housekeep(now_);
    judge_.compare();
  } else {
    judge_.read_net_answers();
    operator_.receive();
  }
}

void Simulation::end_a_write() {
  SimStorage* storage = appliance_.storage();
  if (storage == nullptr || storage->in_flight() == 0) return;
  WriteFate fate = WriteFate::done;
  if (random_.once_in(300)) fate = WriteFate::failed;
  if (random_.once_in(400)) fate = WriteFate::misdirected;
  if (fate != WriteFate::done) {
    trace(fate == WriteFate::failed ? "a write fails" : "a write goes astray");
    ++counts_.faults;
  }
  storage->end(random_.below(storage->in_flight()), fate);
}

void Simulation::pass_time() {
  const u32 what = random_.below(100);
  if (what < 70) {
    now_ = now_ + Duration::milliseconds(random_.between(1, 400));
  } else if (what < 92) {
    now_ = now_ + Duration::seconds(random_.between(1, 120));
  } else {
    const i64 seconds = random_.once_in(3) ? random_.between(600, 9000) : random_.between(1, 600);
    now_ = now_ + Duration::seconds(random_.once_in(2) ? seconds : -seconds);
    trace(fmt::format("the clock jumps to {}", to_rfc3339(now_)));
    ++counts_.faults;
  }
  latest_ = std::max(latest_, now_);
}

// Between two turns: of one tile, or of a whole core with all of them.
void Simulation::kill() {
  const bool is_core = random_.once_in(3);
  const TileName chosen = any_tile();
  for (const TileName& tile : all_tiles()) {
    if (!is_core && (tile.kind != chosen.kind || tile.number != chosen.number)) continue;
    if (appliance_.is_up(tile)) appliance_.stop(tile);
  }
  trace(is_core ? "a core is killed" : "a tile is killed");
  ++counts_.crashes;
}

void Simulation::lose_power() {
  trace("power is lost");
  operator_.forget();
  appliance_.lose_power();
  ++counts_.crashes;
  ++counts_.power_losses;
  if (random_.once_in(2)) pass_time();
  recover();
}

void Simulation::recover() {
  if (disk_.is_damaged()) recover_from_damage();
  u64 hash = 0;
  const u32 attempts = random_.once_in(4) ? 2 : 1;  // power may go again before anything is written
  for (u32 attempt = 0; attempt < attempts; ++attempt) {
    if (attempt != 0) {
      appliance_.lose_power();
      ++counts_.crashes;
    }
    const std::string why = appliance_.recover(now_);
    if (!why.empty()) fail("a whole journal was refused: {}", why);
    u64 found = 0;
    for (u32 shard = 0; shard < shards_used; ++shard) {
      found = mix64(found ^ appliance_.hash_of_shard(shard));
    }
    if (attempt != 0 && found != hash) fail("recovered twice, and not to the same");
    hash = found;
  }
  const u64 next = appliance_.report().positions[0].next_sequence;
  if (next != disk_.durable_sequence() + 1) {
    fail("recovery ended before group {}, on disk are {}", next, disk_.durable_sequence());
  }
  disk_.cut(next);
  judge_.after_recovery(now_);
  operator_.look_up(true);
}

// Damage has to be refused, unless nothing on disk tells that something is missing. Then the
// operator restores the files.
void Simulation::recover_from_damage() {
  const std::string why = appliance_.recover(now_);
  if (!why.empty()) {
    trace("refused: " + why);
    ++counts_.damages_refused;
  } else {
    const u64 next = appliance_.report().positions[0].next_sequence;
    if (next <= disk_.durable_sequence()) {
      if (disk_.has_proof_of(next)) fail("group {} is damaged and was passed over", next);
      ++counts_.damages_unproved;
    }
    appliance_.lose_power();
  }
  disk_.restore();
}

// Nothing fails any more, and all has time to be done.
void Simulation::settle() {
  disk_.is_full = false;
  for (u32 round = 0; round < 12; ++round) {
    disk_.make_segments(appliance_.journal().current_segment + segments_ahead - 1);
    for (u32 net = 0; net < appliance_.shape().net_count; ++net) {
      if (SimTransport* transport = appliance_.transport(net)) transport->move(random_, true);
    }
    for (const TileName& tile : all_tiles()) {
      if (!appliance_.is_up(tile)) {
        appliance_.start(tile, now_);
        if (tile.kind == TileKind::charge) judge_.note_state(tile.number);
      }
      if (tile.kind == TileKind::journal) housekeep(tile, false);
      poll(tile, false);
    }
    if (SimStorage* storage = appliance_.storage()) {
      while (storage->in_flight() != 0) storage->end(0, WriteFate::done);
    }
    clients_.receive();
  }
}

void Simulation::drain() {
  for (u32 round = 0; round < 60; ++round) {
    if (appliance_.journal().is_failed.load() != 0) lose_power();
    settle();
    operator_.look_up(true);
    const bool is_done = clients_.send_waiting_again();
    if (is_done && !operator_.is_waiting()) return;
  }
  const ledger::JournalMemory& journal = appliance_.journal();
  fail("what was asked is never answered: {}, room {}, groups {} of {} out, segment {} at {}",
       clients_.waiting_text(), journal.has_room.load(), journal.release_count, journal.fill_count,
       journal.position.segment_number, journal.position.offset);
}

bool Simulation::has_open_session() const {
  const auto& sessions = judge_.model().sessions();
  return std::any_of(sessions.begin(), sessions.end(),
                     [](const auto& one) { return one.second.is_open; });
}

// In the end everything is answered, every session runs out, and what is on disk is all of it.
void Simulation::finish() {
  trace("the end: everything is answered");
  drain();
  i64 last = latest_.ns;
  for (const auto& [id, session] : judge_.model().sessions()) {
    last = std::max(last, session.deadline_ns);
  }
  now_ = Instant{last} + Duration::seconds(5);
  // The wheel ends some sessions of a shard a turn.
  constexpr u32 rounds_min = 3;
  constexpr u32 rounds_max = 100;
  for (u32 round = 0; round < rounds_min || (has_open_session() && round < rounds_max); ++round) {
    for (const TileName& tile : all_tiles()) {
      if (tile.kind != TileKind::charge) continue;
      for (u32 i = 0; i < 10; ++i) housekeep(tile, false);
    }
    settle();
  }
  for (const auto& [id, session] : judge_.model().sessions()) {
    if (session.is_open) fail("session {} never ended", id);
  }
  const ledger::AuditReport report = ledger::audit(ledger::LedgerView(appliance_.memory()), now_);
  if (!report.is_clean) fail("audit: {}", report.findings[0]);
  for (const ledger::AuditUnit& unit : report.units) {
    if (unit.reserved != 0) fail("{} is held for nobody", unit_name(unit.unit));
    if (unit.in_transit != 0) fail("{} is on its way for ever", unit_name(unit.unit));
    const auto put_in = judge_.model().put_in().find(unit.unit);
    const i64 expected = put_in == judge_.model().put_in().end() ? 0 : put_in->second;
    if (unit.put_in != expected) fail("of {} {} was put in", expected, unit_name(unit.unit));
  }
  lose_power();
}

}  // namespace tollgate::sim
