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

#include "ledger/recovery.hh"

namespace tollgate::app {
namespace {

// "file.1" is a good prefix for DPDK, but only letters, digits, '_' and '-' are safe in its paths.
std::string file_prefix(const std::string& name) {
  std::string prefix = "tollgate-";
  for (const char c : name) prefix += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return prefix;
}

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

std::string Start::recover() {
  const Clock clock;
  const Instant begin = clock.now();
  ledger::RecoveryStart start;
  start.positions.resize(journal_.stream_count);
  ledger::RecoveryReport report;
  std::string why =
      ledger::replay_journal(journal_, start, memory_.ledger(), report, [&](u64 bytes) {
        std::fprintf(stderr, "\rreplaying the journal: %llu MiB",
                     static_cast<unsigned long long>(bytes >> 20));
      });
  if (!why.empty()) return "the journal cannot be replayed: " + why;
  ledger::IdentityIndex index = memory_.index();
  why = ledger::rebuild_derived(memory_.ledger(), index, clock.now(), report);
  if (!why.empty()) return why;
  for (u32 stream = 0; stream < journal_.stream_count; ++stream) {
    ledger::JournalMemory::format(memory_.journal(stream), {.appliance = journal_.appliance,
                                                            .stream = stream,
                                                            .segment_bytes = journal_.segment_bytes,
                                                            .position = report.positions[stream]});
    // One to write into is enough to start; those ahead are made while the appliance runs.
    ledger::SegmentKeeper keeper(journal_, stream, 0);
    why = keeper.keep_ahead(report.positions[stream].segment_number);
    if (!why.empty()) return why + "; free some space, or choose another [journal] folder";
  }
  std::fprintf(stderr, "%srecovered %llu accounts from %llu entries (%llu MiB) in %.2f s\n",
               report.journal_bytes > (64 << 20) ? "\n" : "",
               static_cast<unsigned long long>(report.account_count),
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
          .net_tile_count = config.tile_count(TileKind::net)};
}

}  // namespace tollgate::app
