// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/launch/start.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "app/avp_names.hh"
#include "app/launch/journal_keeper.hh"
#include "ledger/snapshot.hh"

namespace tollgate::app {
namespace {

// "file.1" is a good prefix for DPDK, but only letters, digits, '_' and '-' are safe in its paths.
std::string file_prefix(const std::string& name) {
  std::string prefix = "tollgate-";
  for (const char c : name) prefix += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return prefix;
}

constexpr Duration progress_interval = Duration::seconds(1);

double to_seconds(Duration duration) {
  return static_cast<double>(duration.ns) / 1e9;
}

}  // namespace

Start::~Start() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

std::string Start::make_folders() const {
  for (const std::string& folder :
       {config_.state_folder, config_.cdr_folder, config_.memory_folder,
        std::filesystem::path(config_.control_socket).parent_path().string()}) {
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure) {
      return fmt::format("cannot make the folder {}: {}; choose another one in {}", folder,
                         failure.message(), config_.file);
    }
  }
  if (config_.huge_pages && page_bytes_of(config_.memory_folder) == page_bytes) {
    return fmt::format(
        "{} is not on a hugetlbfs: run tools/hugepages to reserve huge pages and mount it, or set "
        "[memory] huge_pages = false in {}",
        config_.memory_folder, config_.file);
  }
  return {};
}

// One appliance a state folder: the lock is released by the kernel when its holder ends.
std::string Start::lock() {
  const std::string path = config_.state_folder + "/lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) return fmt::format("cannot open {}: {}", path, std::strerror(errno));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return {};
  return fmt::format(
      "an appliance is running on {} already: stop it first, or give this one another "
      "[state] folder",
      config_.state_folder);
}

// The database in the state folder speaks of accounts whose money is in the journal. Starting it
// with another journal, as an unmounted disk leaves one behind, would show them without any.
std::string Start::bind_state_to_journal() const {
  const std::string path = config_.state_folder + "/journal-id";
  u64 bound = 0;
  if (std::ifstream(path) >> bound) {
    if (bound == journal_.appliance) return {};
    return fmt::format(
        "the state in {} belongs to another journal than the one in {}: is its disk mounted? Put "
        "the right journal back, or choose another [state] folder",
        config_.state_folder, config_.journal_folder);
  }
  std::ofstream file(path);
  file << journal_.appliance << "\n";
  file.close();
  if (file) return {};
  return fmt::format("cannot write {}: {}", path, std::strerror(errno));
}

// Loads the newest snapshot, replays the journal behind it, and makes what is derived.
std::string Start::recover_ledger(ledger::RecoveryReport& report) {
  const Clock clock;
  Instant told_at = clock.now();
  const auto progress = [&](const ledger::RecoveryStep& step) {
    if (clock.now() - told_at < progress_interval) return;
    told_at = clock.now();
    const std::string of_all =
        step.bytes_of_all != 0 ? fmt::format(" of {}", step.bytes_of_all >> 20) : "";
    std::fprintf(stderr, "tollgate: %s: %llu%s MiB\n", step.doing,
                 static_cast<unsigned long long>(step.bytes >> 20), of_all.c_str());
  };
  ledger::RecoveryStart start;
  std::string why = ledger::load_newest_snapshot(journal_, journal_.path, memory_.ledger(), start,
                                                 report, progress);
  for (const std::string& warning : report.warnings) {
    std::fprintf(stderr, "tollgate: %s\n", warning.c_str());
  }
  if (why.empty()) {
    why = ledger::replay_journal(journal_, start, memory_.ledger(), report, progress);
  }
  if (!why.empty()) return "the journal cannot be replayed: " + why;
  ledger::IdentityIndex index = memory_.index();
  return ledger::rebuild_derived(memory_.ledger(), index, clock.now(), report);
}

// With another number of charge tiles the entries of a shard may go on in another stream. Replay
// copes with that. The records do not: they are written stream by stream, those of a shard in
// order.
std::string Start::check_tile_count(const ledger::RecoveryReport& report) const {
  const std::string path = config_.state_folder + "/charge-tiles";
  const u32 now = config_.tile_count(TileKind::charge);
  u32 before = now;
  std::ifstream(path) >> before;
  const bool moves_shards = before != now && journal_.stream_count > 1;
  if (moves_shards && !records_are_written(journal_, config_.cdr_folder, report.positions)) {
    return fmt::format(
        "there were {} charge tiles and the charging records of that time are not all written: "
        "start with {} once more and stop cleanly, then change their number",
        before, before);
  }
  std::ofstream file(path);
  file << now << "\n";
  file.close();
  return file ? std::string() : fmt::format("cannot write {}: {}", path, std::strerror(errno));
}

std::string Start::recover() {
  const Clock clock;
  const Instant begin = clock.now();
  ledger::RecoveryReport report;
  std::string why = recover_ledger(report);
  if (why.empty()) why = check_tile_count(report);
  if (!why.empty()) return why;
  // They would count as one of the two that are kept.
  for (const u64 number : ledger::list_snapshots(journal_.path)) {
    if (number > report.snapshot_number) ledger::set_aside_snapshot(journal_.path, number);
  }
  for (u32 stream = 0; stream < journal_.stream_count; ++stream) {
    const ledger::JournalPosition& position = report.positions[stream];
    ledger::JournalMemory::format(memory_.journal(stream), {.appliance = journal_.appliance,
                                                            .stream = stream,
                                                            .segment_bytes = journal_.segment_bytes,
                                                            .position = position});
    ledger::SegmentKeeper keeper(journal_, stream, 0);
    why = keeper.keep_ahead(position.segment_number);
    if (!why.empty()) return why + "; free some space, or choose another [journal] folder";
    // Those ahead are made while the appliance runs, unless this one is nearly full: then the first
    // requests would find no room. If the disk has none for it, that is what they are told.
    if (position.offset > journal_.segment_bytes / 2) {
      ledger::SegmentKeeper next(journal_, stream, 1);
      const std::string why_not = next.keep_ahead(position.segment_number);
      if (!why_not.empty()) std::fprintf(stderr, "tollgate: %s\n", why_not.c_str());
    }
  }
  const std::string from = report.snapshot_number == 0
                               ? std::string()
                               : fmt::format("snapshot {} ({} MiB) and ", report.snapshot_number,
                                             report.snapshot_bytes >> 20);
  std::fprintf(stderr, "recovered %llu accounts from %s%llu entries (%llu MiB) in %.2f s\n",
               static_cast<unsigned long long>(report.account_count), from.c_str(),
               static_cast<unsigned long long>(report.entry_count),
               static_cast<unsigned long long>(report.journal_bytes >> 20),
               to_seconds(clock.now() - begin));
  return {};
}

std::string Start::run() {
  std::string why = make_folders();
  if (why.empty()) why = lock();
  if (!why.empty()) return why;
  journal_ = {.path = config_.journal_folder,
              .appliance = 0,
              .stream_count = config_.tile_count(TileKind::journal),
              .segment_bytes = config_.journal_segment_bytes};
  why = journal_.open_or_create();
  if (why.empty()) why = bind_state_to_journal();
  if (why.empty()) why = memory_.create(config_, journal_.appliance);
  if (why.empty()) why = recover();
  if (!why.empty()) {
    ApplianceMemory::remove(config_);
    return why;
  }
  memory_.seal();
  return {};
}

dataplane::EalOptions eal_options(const Config& config, dataplane::ProcessRole role, u32 lcore) {
  dataplane::EalOptions options;
  options.role = role;
  options.file_prefix = file_prefix(config.name);
  options.lcore = lcore;
  options.huge_pages = config.huge_pages;
  if (config.huge_pages) options.huge_directory = config.memory_folder;
  options.memory_mib = config.dpdk_mib;
  if (config.port.kind == dataplane::PortKind::pci) {
    options.pci_addresses = {config.port.address};
  }
  return options;
}

control::ControlOptions control_options(const Config& config) {
  static const DictionaryNames names;
  return {.appliance_name = config.name,
          .instance = config.name,
          .memory_folder = config.memory_folder,
          .state_folder = config.state_folder,
          .journal_folder = config.journal_folder,
          .cdr_folder = config.cdr_folder,
          .socket_path = config.control_socket,
          .tariff_paths = config.tariff_paths,
          .cdr_rotation_bytes = config.cdr_rotate_bytes,
          .cdr_rotation_seconds = static_cast<u32>(config.cdr_rotate_after.whole_seconds()),
          .charge_tile_count = config.tile_count(TileKind::charge),
          .journal_tile_count = config.tile_count(TileKind::journal),
          .net_tile_count = config.tile_count(TileKind::net),
          .avp_names = &names};
}

}  // namespace tollgate::app
