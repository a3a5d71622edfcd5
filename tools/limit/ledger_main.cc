// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollgate_ledger_limit: the ledger at full size.
//
// It fills the memory of an appliance with accounts, two identities and one bucket each, opens the
// sessions that it is told to, and charges them as tollgate_limit does: net, charge and journal
// tile on one core, journal on disk, no packets. Then it measures in turns: the rate alone, while
// snapshots are taken one after the other on another thread, and alone again. It ends with a
// snapshot and some seconds of journal behind it, gives up the memory, and recovers it from the
// files; beside that stands how long reading those files takes and doing nothing else. What comes
// back must have the sums that were there before.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "ledger/audit.hh"
#include "ledger/recovery.hh"
#include "tools/limit/rig.hh"

namespace tollgate::limit {
namespace {

struct LedgerLimitOptions {
  std::string config_file;
  RigOptions rig;
  u32 seconds = 5;          // of each turn
  u32 journal_seconds = 5;  // behind the last snapshot
  u32 snapshot_mib_per_second = 200;
  i32 cpu = -1;
};

void say(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
}

double seconds_of(Duration duration) {
  return static_cast<double>(duration.ns) / 1e9;
}

// The calling thread runs on that processor; -1: on any.
void run_on(i32 cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (u32 i = 0; i < CPU_SETSIZE; ++i) {
    if (cpu < 0 || i == static_cast<u32>(cpu)) CPU_SET(i, &set);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    say(fmt::format("tollgate_ledger_limit: no cpu {}: running anywhere", cpu));
  }
}

// Answers a second of the clock, and of the processor that the core had; without the clients' part.
struct Rate {
  double of_clock = 0;
  double of_core = 0;
};

Rate rate_of(const Clients& clients, const Clock& clock) {
  const Mark& begin = clients.begin();
  const Mark& end = clients.end();
  const double answered = static_cast<double>(end.answered - begin.answered);
  const double asking = seconds_of(clock.ticks_to_duration(end.client_ticks - begin.client_ticks));
  const double passed = seconds_of(clock.ticks_to_duration(end.tsc - begin.tsc));
  return {.of_clock = answered / (passed - asking),
          .of_core = answered / (seconds_of(end.processor - begin.processor) - asking)};
}

// Takes snapshots one after the other until it is told to stop; the last one is finished.
class Snapshots {
 public:
  Snapshots(Rig& rig, const LedgerLimitOptions& options, u64 first_number)
      : rig_(rig), options_(options), number_(first_number) {}

  std::string take_one() {
    using ledger::SnapshotProgress;
    const Instant begun = clock_.now();
    ledger::SnapshotWriter writer(rig_.journal(), rig_.journal().path, number_++,
                                  rig_.snapshot_source());
    SnapshotProgress progress = SnapshotProgress::copying;
    while (progress == SnapshotProgress::copying || progress == SnapshotProgress::settling) {
      progress = writer.step(begun);
      const double due = static_cast<double>(writer.bytes_written()) /
                         (static_cast<double>(options_.snapshot_mib_per_second) * (1 << 20));
      while (seconds_of(clock_.now() - begun) < due) ::usleep(1000);
      if (is_over_.load() && progress == SnapshotProgress::copying) return {};
    }
    bytes_ = writer.header().file_bytes;
    seconds_ = seconds_of(clock_.now() - begun);
    return progress == SnapshotProgress::finished ? std::string() : writer.reason();
  }
  void run_beside() {
    thread_ = std::thread([this] {
      run_on(-1);
      while (!is_over_.load() && why_.empty()) {
        why_ = take_one();
        ledger::tidy_snapshots(rig_.journal().path, 1);
      }
    });
  }
  std::string stop() {
    is_over_.store(true);
    thread_.join();
    is_over_.store(false);
    return why_;
  }
  u64 bytes() const { return bytes_; }
  double seconds() const { return seconds_; }

 private:
  Rig& rig_;
  const LedgerLimitOptions& options_;
  Clock clock_;
  u64 number_;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
  std::string why_;
  u64 bytes_ = 0;
  double seconds_ = 0;
};

struct Measured {
  Rate alone;
  Rate beside;  // while snapshots are taken
  double dip_percent = 0;
  u64 snapshot_bytes = 0;
  double snapshot_seconds = 0;
  u64 wrong = 0;
  ledger::AuditReport audit;
};

void run_for(Rig& rig, u32 seconds) {
  rig.clients().measure_again(Duration::seconds(seconds));
  rig.run();
}

std::string charge(Rig& rig, const LedgerLimitOptions& options, Measured& measured) {
  const Clock clock;
  say(fmt::format("opening {} sessions", options.rig.clients.session_count));
  rig.run();
  const Rate before = rate_of(rig.clients(), clock);
  Snapshots snapshots(rig, options, 1);
  snapshots.run_beside();
  run_for(rig, options.seconds);
  measured.beside = rate_of(rig.clients(), clock);
  std::string why = snapshots.stop();
  if (!why.empty()) return why;
  run_for(rig, options.seconds);
  const Rate after = rate_of(rig.clients(), clock);
  measured.alone = {.of_clock = (before.of_clock + after.of_clock) / 2,
                    .of_core = (before.of_core + after.of_core) / 2};
  measured.dip_percent = 100 * (1 - measured.beside.of_core / measured.alone.of_core);
  rig.drain();
  say("taking the snapshot that recovery will begin with");
  why = snapshots.take_one();
  if (!why.empty()) return why;
  measured.snapshot_bytes = snapshots.bytes();
  measured.snapshot_seconds = snapshots.seconds();
  run_for(rig, options.journal_seconds);
  rig.drain();
  measured.wrong = rig.clients().wrong_count();
  measured.audit = audit(ledger::LedgerView(rig.memory().ledger()), clock.now());
  return {};
}

struct Recovered {
  double seconds = 0;
  double load_seconds = 0;
  double replay_seconds = 0;
  double rebuild_seconds = 0;
  double read_seconds = 0;
  ledger::RecoveryReport report;
  ledger::AuditReport audit;
};

// Reads `bytes` from a place of a file on, past the page cache, and does nothing with them.
void read_file(const std::string& path, u64 from, u64 bytes) {
  constexpr u64 piece_bytes = 1_MiB;
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  check(fd >= 0, "a file that recovery has read can be read");
  u8* pages = static_cast<u8*>(std::aligned_alloc(page_bytes, piece_bytes));
  for (u64 at = from; at < from + bytes;) {
    const ssize_t got = ::pread(fd, pages, piece_bytes, static_cast<off_t>(at));
    if (got <= 0) break;
    at += static_cast<u64>(got);
  }
  std::free(pages);
  ::close(fd);
}

double read_all(const ledger::JournalFolder& journal, const Recovered& recovered,
                const ledger::RecoveryStart& start) {
  const Clock clock;
  const Instant begin = clock.now();
  const std::string snapshot =
      ledger::snapshot_path(journal.path, recovered.report.snapshot_number);
  const u64 half = round_up(recovered.report.snapshot_bytes / 2, page_bytes);
  std::thread second([&] { read_file(snapshot, half, half); });
  read_file(snapshot, 0, half);
  second.join();
  const ledger::JournalPosition& from = start.positions[0];
  const ledger::JournalPosition& to = recovered.report.positions[0];
  for (u64 number = from.segment_number; number <= to.segment_number; ++number) {
    const u64 first = number == from.segment_number ? from.offset : 0;
    const u64 last = number == to.segment_number ? to.offset : journal.segment_bytes;
    read_file(ledger::segment_path(journal.path, 0, number), first, last - first);
  }
  return seconds_of(clock.now() - begin);
}

std::string recover(const app::Config& config, const ledger::JournalFolder& journal,
                    Recovered& recovered) {
  const Clock clock;
  app::ApplianceMemory memory;
  std::string why = memory.create(config, journal.appliance);
  if (!why.empty()) return why;
  say("recovering");
  const auto progress = [](const ledger::RecoveryStep&) {};
  const Instant begin = clock.now();
  ledger::RecoveryStart start;
  why = ledger::load_newest_snapshot(journal, journal.path, memory.ledger(), start,
                                     recovered.report, progress);
  if (!why.empty()) return why;
  const Instant loaded = clock.now();
  why = ledger::replay_journal(journal, start, memory.ledger(), recovered.report, progress);
  if (!why.empty()) return why;
  const Instant replayed = clock.now();
  ledger::IdentityIndex index = memory.index();
  why = ledger::rebuild_derived(memory.ledger(), index, clock.now(), recovered.report);
  if (!why.empty()) return why;
  const Instant end = clock.now();
  recovered.seconds = seconds_of(end - begin);
  recovered.load_seconds = seconds_of(loaded - begin);
  recovered.replay_seconds = seconds_of(replayed - loaded);
  recovered.rebuild_seconds = seconds_of(end - replayed);
  recovered.audit = audit(ledger::LedgerView(memory.ledger()), clock.now());
  recovered.read_seconds = read_all(journal, recovered, start);
  app::ApplianceMemory::remove(config);
  return {};
}

bool are_same(const ledger::AuditReport& a, const ledger::AuditReport& b) {
  if (!a.is_clean || !b.is_clean || a.account_count != b.account_count) return false;
  if (a.units.size() != b.units.size()) return false;
  for (std::size_t i = 0; i < a.units.size(); ++i) {
    const ledger::AuditUnit& one = a.units[i];
    const ledger::AuditUnit& other = b.units[i];
    if (one.put_in != other.put_in || one.balance != other.balance) return false;
    if (one.reserved != other.reserved || one.consumed != other.consumed) return false;
  }
  return true;
}

// What accounts, buckets and index take of the memory that was laid out, used or not.
double bytes_per_account(const app::Config& config) {
  const auto sizes = ledger::LedgerSizes::share_of(config.ledger_totals);
  const u64 records =
      u64{ledger::shard_count} * (u64{sizes.accounts} + 1) * sizeof(ledger::Account) +
      u64{ledger::shard_count} * (u64{sizes.buckets} + 1) * sizeof(ledger::Bucket);
  const u64 index = ledger::IdentityIndex::footprint(config.identities_max);
  return static_cast<double>(records + index) /
         static_cast<double>(config.ledger_totals.accounts_max);
}

std::string to_json(const app::Config& config, const Measured& measured,
                    const Recovered& recovered) {
  return fmt::format(
      R"({{"accounts":{},"sessions":{},"bytes_per_account":{:.1f},"answers_per_second":{:.0f},)"
      R"("answers_per_second_and_core":{:.0f},"beside_snapshot":{:.0f},)"
      R"("snapshot_dip_percent":{:.1f},"snapshot_mib":{},"snapshot_seconds":{:.1f},)"
      R"("recovery_seconds":{:.2f},"load_seconds":{:.2f},"replay_seconds":{:.2f},)"
      R"("rebuild_seconds":{:.2f},"read_seconds":{:.2f},"journal_mib":{},"entries":{},)"
      R"("wrong":{}}})"
      "\n",
      recovered.report.account_count, config.ledger_totals.sessions_max, bytes_per_account(config),
      measured.alone.of_clock, measured.alone.of_core, measured.beside.of_core,
      measured.dip_percent, measured.snapshot_bytes >> 20, measured.snapshot_seconds,
      recovered.seconds, recovered.load_seconds, recovered.replay_seconds,
      recovered.rebuild_seconds, recovered.read_seconds, recovered.report.journal_bytes >> 20,
      recovered.report.entry_count,
      measured.wrong + (are_same(measured.audit, recovered.audit) ? 0 : 1));
}

std::string run_all(const app::Config& config, const LedgerLimitOptions& options) {
  Measured measured;
  ledger::JournalFolder journal;
  {
    Rig rig(config, options.rig);
    std::string why = rig.prepare();
    if (!why.empty()) return why;
    say(fmt::format("settling {} accounts", options.rig.clients.subscriber_count));
    why = rig.settle_subscribers([&](u64 done) { say(fmt::format("  {} accounts", done)); });
    if (options.cpu >= 0) run_on(options.cpu);
    if (why.empty()) why = charge(rig, options, measured);
    run_on(-1);
    if (!why.empty()) return why;
    journal = rig.journal();
  }
  Recovered recovered;
  const std::string why = recover(config, journal, recovered);
  if (why.empty()) fmt::print("{}", to_json(config, measured, recovered));
  return why;
}

int run_ledger_limit(const LedgerLimitOptions& options) {
  app::Config config;
  const auto mistakes = app::read_config(options.config_file, config);
  for (const app::ConfigMistake& mistake : mistakes) {
    say(app::to_text(options.config_file, mistake));
  }
  if (!mistakes.empty()) return 2;
  std::filesystem::create_directories(config.memory_folder);
  const std::string why = run_all(config, options);
  if (why.empty()) return 0;
  say("tollgate_ledger_limit: " + why);
  return 2;
}

}  // namespace
}  // namespace tollgate::limit

int main(int argument_count, char** arguments) {
  tollgate::limit::LedgerLimitOptions options;
  CLI::App app("The ledger at full size: rate, snapshots, recovery.", "tollgate_ledger_limit");
  auto& clients = options.rig.clients;
  app.add_option("--config", options.config_file, "an appliance's configuration")->required();
  app.add_option("--subscribers", clients.subscriber_count)->check(CLI::Range(1U, 99'999'999U));
  app.add_option("--sessions", clients.session_count)->check(CLI::Range(1U, 16'000'000U));
  app.add_option("--seconds", options.seconds, "of each turn")->check(CLI::Range(1U, 600U));
  app.add_option("--journal-seconds", options.journal_seconds, "behind the last snapshot")
      ->check(CLI::Range(1U, 600U));
  app.add_option("--snapshot-mib-per-second", options.snapshot_mib_per_second)
      ->check(CLI::Range(1U, 100'000U));
  app.add_option("--core", options.cpu, "the processor to run on");
  CLI11_PARSE(app, argument_count, arguments);
  clients.measured = tollgate::Duration::seconds(options.seconds);
  return tollgate::limit::run_ledger_limit(options);
}
