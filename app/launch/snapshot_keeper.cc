// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/launch/snapshot_keeper.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "app/launch/aside.hh"
#include "app/topology.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

constexpr int low_priority = 10;  // of nice
constexpr u32 look_again_ms = 20;
constexpr Duration pause_after_failure = Duration::seconds(60);

void nap(u32 milliseconds) {
  ::usleep(milliseconds * 1000);
}

}  // namespace

SnapshotKeeper::SnapshotKeeper(const Config& config, const ledger::JournalFolder& journal,
                               ApplianceMemory& memory)
    : config_(config),
      journal_(journal),
      memory_(memory),
      last_at_(clock_.now()),
      last_journal_bytes_(journal_bytes()) {
  thread_ = std::thread([this] { run(); });
}

SnapshotKeeper::~SnapshotKeeper() {
  stop_.store(true);
  thread_.join();
}

// How much was ever written: only differences count.
u64 SnapshotKeeper::journal_bytes() const {
  u64 bytes = 0;
  for (u32 stream = 0; stream < journal_.stream_count; ++stream) {
    ledger::JournalPosition position;
    while (!ledger::read_position(*memory_.journal(stream), position) && !stop_.load()) nap(1);
    bytes += position.segment_number * journal_.segment_bytes + position.offset;
  }
  return bytes;
}

bool SnapshotKeeper::is_due(Instant now) const {
  const u64 grown = journal_bytes() - last_journal_bytes_;
  if (grown == 0) return false;
  const bool is_old = now - last_at_ >= config_.snapshot_interval || now < last_at_;
  return is_old || grown >= config_.snapshot_journal_bytes;
}

void SnapshotKeeper::run() {
  step_aside(config_, low_priority);
  while (!stop_.load()) {
    clock_.resync();
    if (is_due(clock_.now())) take_one();
    nap(look_again_ms);
  }
}

ledger::SnapshotSource SnapshotKeeper::source() {
  ledger::SnapshotSource source;
  source.ledger = memory_.ledger();
  const u32 journal_tiles = config_.tile_count(TileKind::journal);
  for (u32 tile = 0; tile < config_.tile_count(TileKind::charge); ++tile) {
    const u32 stream = tile % journal_tiles;  // as in CoreProcess::prepare_charge
    const LinkMemory* link =
        find_link(memory_.links(), link_name(to_text(TileName{TileKind::charge, tile}),
                                             to_text(TileName{TileKind::journal, stream})));
    check(link != nullptr, "the topology has a link for each pair of tiles");
    source.tiles.push_back({.undo = memory_.undo(tile), .journal_link = link, .stream = stream});
  }
  for (u32 stream = 0; stream < journal_tiles; ++stream) {
    source.streams.push_back(memory_.journal(stream));
  }
  return source;
}

// The journal needs room more than snapshots do.
std::string SnapshotKeeper::check_room(u64 snapshot_bytes) const {
  std::error_code failure;
  const auto space = std::filesystem::space(journal_.path, failure);
  const u64 ahead = config_.journal_segments_ahead + u64{1};
  const u64 needed = snapshot_bytes + ahead * journal_.stream_count * journal_.segment_bytes;
  if (failure || space.available >= needed) return {};
  return fmt::format("no snapshot is taken: {} has {} MiB left, {} are needed", journal_.path,
                     space.available >> 20, needed >> 20);
}

void SnapshotKeeper::take_one() {
  using ledger::SnapshotProgress;
  ledger::tidy_snapshots(journal_.path, snapshots_kept);
  const std::vector<u64> numbers = ledger::list_snapshots(journal_.path);
  const Instant begun = clock_.now();
  const u64 bytes_before = journal_bytes();
  ledger::SnapshotWriter writer(journal_, journal_.path, numbers.empty() ? 1 : numbers.back() + 1,
                                source());
  SnapshotProgress progress = SnapshotProgress::copying;
  while (progress == SnapshotProgress::copying || progress == SnapshotProgress::settling) {
    if (stop_.load()) return;
    progress = writer.step(begun);
    if (writer.bytes_planned() != 0 && writer.bytes_written() == 0) {
      const std::string why = check_room(writer.bytes_planned());
      if (!why.empty()) return pause(why, begun);
    }
    if (progress == SnapshotProgress::settling) nap(1);
    const i64 due_ns = static_cast<i64>(static_cast<double>(writer.bytes_written()) * 1e9 /
                                        static_cast<double>(config_.snapshot_bytes_per_second));
    while (!stop_.load() && (clock_.now() - begun).ns < due_ns) nap(1);
  }
  if (progress == SnapshotProgress::failed) {
    return pause(writer.reason() + "; the next snapshot is tried later", begun);
  }
  // One that was abandoned is begun again at once.
  if (progress != SnapshotProgress::finished) return;
  last_at_ = begun;
  last_journal_bytes_ = bytes_before;
  finish_one(writer, begun);
}

void SnapshotKeeper::pause(const std::string& why, Instant begun) {
  std::fprintf(stderr, "tollgate: %s\n", why.c_str());
  while (!stop_.load() && clock_.now() - begun < pause_after_failure) nap(look_again_ms);
}

void SnapshotKeeper::finish_one(const ledger::SnapshotWriter& writer, Instant begun) {
  ledger::tidy_snapshots(journal_.path, snapshots_kept);
  std::fprintf(stderr, "tollgate: snapshot %llu: %llu MiB in %.1f s\n",
               static_cast<unsigned long long>(writer.header().number),
               static_cast<unsigned long long>(writer.header().file_bytes >> 20),
               static_cast<double>((clock_.now() - begun).ns) / 1e9);
}

}  // namespace tollgate::app
