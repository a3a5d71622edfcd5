// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollgate_limit: the work of the appliance's core without packets, TCP and other processes.
//
// The tiles are those of the appliance (app/), in one core and in memory of the same sizes; what is
// missing is the port: requests are written into memory by clients of the same process. What it
// reaches is what the appliance could reach if the network cost nothing: tools/bench gy holds the
// measured rate against it. With --no-disk groups are taken for written at once.
#include <fmt/format.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <thread>

#include "app/charge_tile.hh"
#include "app/journal_tile.hh"
#include "app/memory.hh"
#include "app/net_tile.hh"
#include "app/topology.hh"
#include "ledger/journal_segments.hh"
#include "rating/compile.hh"
#include "tools/limit/clients.hh"

namespace tollgate::limit {
namespace {

// Every write is on disk at once.
class NoStorage final : public ledger::JournalStorage {
 public:
  bool open(u64) override { return true; }
  void close(u64) override {}
  void write(const ledger::StorageWrite& write) override { finished_.push_back(write.slot); }
  bool reap(ledger::StorageCompletion& completion) override {
    if (finished_.empty()) return false;
    completion = {.slot = finished_.front(), .is_durable = true};
    finished_.pop_front();
    return true;
  }

 private:
  std::deque<u32> finished_;
};

struct LimitOptions {
  std::string config_file;
  ClientsOptions clients;
  u32 seconds = 5;
  i32 cpu = -1;
  bool no_disk = false;
};

class Rig {
 public:
  Rig(const app::Config& config, const LimitOptions& options)
      : config_(config), options_(options), clients_(options.clients, core_counters_, stop_) {}
  ~Rig();

  [[nodiscard]] std::string prepare();
  [[nodiscard]] std::string add_subscribers();
  void run();
  std::string to_json() const;

 private:
  std::string prepare_journal();
  std::string load_tariff();
  void make_tiles();
  LinkMemory* link(const std::string& producer, const std::string& consumer) const {
    LinkMemory* found = find_link(memory_.links(), app::link_name(producer, consumer));
    check(found != nullptr, "the topology has a link for each pair of tiles");
    return found;
  }
  template <class Counters>
  Counters& counters_of(const std::string& block) const {
    return *reinterpret_cast<Counters*>(find_counters(memory_.counters(), block).data());
  }
  ledger::Command command_of(u32 number, Amount balance, Unit unit) const;

  const app::Config& config_;
  const LimitOptions& options_;
  Clock clock_;
  std::atomic<bool> stop_ = false;
  CoreCounters core_counters_{};
  Clients clients_;
  app::ApplianceMemory memory_;
  ledger::JournalFolder journal_;
  std::unique_ptr<ledger::JournalStorage> storage_;
  std::unique_ptr<app::NetTile> net_;
  std::unique_ptr<app::ChargeTile> charge_;
  std::unique_ptr<app::JournalTile> journal_tile_;
  std::atomic<bool> keeper_stop_ = false;
  std::thread keeper_;
};

Rig::~Rig() {
  keeper_stop_.store(true);
  if (keeper_.joinable()) keeper_.join();
  app::ApplianceMemory::remove(config_);
}

std::string Rig::prepare() {
  journal_ = {.path = config_.journal_folder,
              .appliance = 1,
              .stream_count = 1,
              .segment_bytes = config_.journal_segment_bytes};
  std::string why = memory_.create(config_, journal_.appliance);
  if (why.empty()) why = load_tariff();
  if (why.empty()) why = prepare_journal();
  if (!why.empty()) return why;
  make_tiles();
  return {};
}

std::string Rig::load_tariff() {
  const rating::Compiled compiled = rating::compile_path(config_.tariff_paths.at(0));
  if (!compiled.is_good()) return rating::to_text(compiled.diagnostics[0]);
  memory_.tariff()->publish(compiled.image);
  return {};
}

std::string Rig::prepare_journal() {
  ledger::JournalMemory::format(memory_.journal(0), {.appliance = journal_.appliance,
                                                     .stream = 0,
                                                     .segment_bytes = journal_.segment_bytes,
                                                     .position = {}});
  if (options_.no_disk) {
    storage_ = std::make_unique<NoStorage>();
    return {};
  }
  std::string why = journal_.open_or_create();
  ledger::SegmentKeeper keeper(journal_, 0, config_.journal_segments_ahead);
  if (why.empty()) why = keeper.keep_ahead(1);
  if (why.empty()) storage_ = ledger::IoUringStorage::create(journal_.path, 0, why);
  if (!why.empty()) return why;
  keeper_ = std::thread([this, keeper]() mutable {
    while (!keeper_stop_.load()) {
      const std::string failure = keeper.keep_ahead(memory_.journal(0)->current_segment.load());
      if (!failure.empty()) fmt::print(stderr, "tollgate_limit: {}\n", failure);
      ::usleep(20'000);
    }
  });
  return {};
}

void Rig::make_tiles() {
  app::NetTileOptions net;
  net.connections_max = config_.connections_max;
  net.pending_max = config_.pending_max;
  net.message_bytes_max = config_.message_bytes_max;
  net.first_generation = 1;
  net.charge_links = {link("net0", "charge0")};
  net.journal_links = {link("journal0", "net0")};
  net.tariff = memory_.tariff();
  net.node.origin = diameter::OriginBlock(config_.identity, config_.realm);
  static const diameter::HostAddress address{.octets = {127, 0, 0, 1}};
  net.node.host_addresses = {&address, 1};
  net_ = std::make_unique<app::NetTile>(net, memory_.ledger(), memory_.index(),
                                        find_counters(memory_.counters(), "net0"),
                                        *memory_.latency(0));
  net_->set_transport(clients_);
  clients_.attach(*net_);
  app::ChargeTileOptions charge;
  charge.policy = config_.charging;
  charge.net_links = {link("net0", "charge0")};
  charge.control_link = link("control", "charge0");
  charge.journal_link = link("charge0", "journal0");
  charge.tariff = memory_.tariff();
  charge.journal = memory_.journal(0);
  charge.undo = memory_.undo(0);
  charge_ = std::make_unique<app::ChargeTile>(charge, memory_.ledger(), clock_.now(),
                                              counters_of<app::ChargeCounters>("charge0"));
  app::JournalTileOptions journal;
  journal.charge_links = {link("charge0", "journal0")};
  journal.net_links = {link("journal0", "net0")};
  journal.control_link = link("journal0", "control");
  journal_tile_ = std::make_unique<app::JournalTile>(
      journal, *memory_.journal(0), *storage_, counters_of<ledger::JournalCounters>("journal0"));
}

ledger::Command Rig::command_of(u32 number, Amount balance, Unit unit) const {
  const tollload::Identities identities;
  ledger::Command command;
  command.tag = ledger::AnswerTag::control(number);
  command.kind = ledger::CommandKind::create_account;
  command.account_id = number + 1;
  command.shard = static_cast<u8>(mix64(command.account_id) % ledger::shard_count);
  command.plan = rating::plan_id("prepaid");
  command.identity_count = 2;
  command.identities[0] = ledger::number_key(ledger::IdentityType::msisdn,
                                             std::to_string(identities.first_msisdn + number));
  command.identities[1] = ledger::number_key(ledger::IdentityType::imsi,
                                             std::to_string(identities.first_imsi + number));
  command.bucket_count = 1;
  command.buckets[0] = {.amount = balance, .unit = unit};
  return command;
}

// As control does it: commands to the shards, and with each answer the identities into the index.
std::string Rig::add_subscribers() {
  LinkProducer commands(link("control", "charge0"));
  LinkConsumer answers(link("journal0", "control"));
  ledger::IdentityIndex index = memory_.index();
  Amount balance;
  Unit unit = Unit::none;
  const std::string why = parse_amount("1000.00EUR", balance, unit);
  if (!why.empty()) return why;
  u32 sent = 0;
  u32 done = 0;
  while (done < options_.clients.subscriber_count) {
    for (; sent < options_.clients.subscriber_count && sent - done < 500; ++sent) {
      const MutableBytes room = commands.reserve(sizeof(ledger::Command));
      if (room.empty()) break;
      const ledger::Command command = command_of(sent, balance, unit);
      std::memcpy(room.data(), &command, sizeof command);
      commands.commit(sizeof command);
    }
    commands.publish();
    const Turn turn{.tsc = read_tsc(), .now = clock_.now()};
    charge_->poll(turn);
    journal_tile_->poll(turn);
    if ((turn.tsc & 0xff) == 0) journal_tile_->housekeep(turn);
    for (Bytes frame; answers.next(frame); ++done) {
      ledger::AnswerTag tag;
      ledger::CommandAnswer answer;
      std::memcpy(&tag, frame.data(), sizeof tag);
      std::memcpy(&answer, frame.data() + sizeof tag, sizeof answer);
      if (answer.outcome != ledger::Outcome::ok)
        return fmt::format("subscriber {} was refused: raise [ledger] accounts_max", tag.own());
      const ledger::Command command = command_of(static_cast<u32>(tag.own()), balance, unit);
      for (u32 i = 0; i < command.identity_count; ++i) {
        if (!index.insert(command.identities[i], answer.account))
          return "the identity index is full: raise [ledger] identities_max";
      }
    }
    answers.release();
  }
  return {};
}

void Rig::run() {
  Core core({.yield_interval = config_.yield_interval}, core_counters_);
  core.add(*net_);
  core.add(*charge_);
  core.add(*journal_tile_);
  core.run(stop_, [] { return true; });
}

std::string Rig::to_json() const {
  const Mark& begin = clients_.begin();
  const Mark& end = clients_.end();
  const u64 answered = end.answered - begin.answered;
  const u64 client_ticks = end.client_ticks - begin.client_ticks;
  const u64 ticks = end.tsc - begin.tsc;
  const i64 client_ns = clock_.ticks_to_duration(client_ticks).ns;
  const i64 clock_ns = clock_.ticks_to_duration(ticks).ns;
  const i64 processor_ns = (end.processor - begin.processor).ns;
  const auto rate = [&](i64 over_ns) {
    return over_ns <= 0
               ? u64{0}
               : static_cast<u64>(u128{answered} * 1'000'000'000 / static_cast<u64>(over_ns));
  };
  const auto each = [&](u64 of_ticks) { return answered == 0 ? 0 : of_ticks / answered; };
  const auto seat = [&](u32 i) { return end.core.seat_ticks[i] - begin.core.seat_ticks[i]; };
  return fmt::format(
      R"({{"answers_per_second":{},"answers_per_second_and_core":{},"answered":{},"wrong":{},)"
      R"("ccr_bytes":{},"disk":{},)"
      R"("cycles_per_ccr":{{"clients":{},"net":{},"charge":{},"journal":{},"busy":{}}}}})"
      "\n",
      rate(clock_ns - client_ns), rate(processor_ns - client_ns), answered, clients_.wrong_count(),
      clients_.update_bytes(), !options_.no_disk, each(client_ticks), each(seat(0) - client_ticks),
      each(seat(1)), each(seat(2)),
      each(end.core.busy_ticks - begin.core.busy_ticks - client_ticks));
}

int run_limit(const LimitOptions& options) {
  app::Config config;
  const auto mistakes = app::read_config(options.config_file, config);
  for (const app::ConfigMistake& mistake : mistakes)
    fmt::print(stderr, "{}\n", app::to_text(options.config_file, mistake));
  if (!mistakes.empty()) return 2;
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(options.cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
      fmt::print(stderr, "tollgate_limit: no cpu {}: running anywhere\n", options.cpu);
  }
  Rig rig(config, options);
  std::string why = rig.prepare();
  if (why.empty()) why = rig.add_subscribers();
  if (!why.empty()) {
    fmt::print(stderr, "tollgate_limit: {}\n", why);
    return 2;
  }
  rig.run();
  fmt::print("{}", rig.to_json());
  return 0;
}

}  // namespace
}  // namespace tollgate::limit

int main(int argument_count, char** arguments) {
  tollgate::limit::LimitOptions options;
  CLI::App app("What the appliance's core does if packets cost nothing.", "tollgate_limit");
  app.add_option("--config", options.config_file, "an appliance's configuration")->required();
  app.add_option("--subscribers", options.clients.subscriber_count)
      ->check(CLI::Range(1U, 99'999'999U));
  app.add_option("--sessions", options.clients.session_count)->check(CLI::Range(1U, 16'000'000U));
  app.add_option("--connections", options.clients.connection_count)->check(CLI::Range(1U, 256U));
  app.add_option("--window", options.clients.window_count)->check(CLI::Range(1U, 65'536U));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(1U, 600U));
  app.add_option("--core", options.cpu, "the processor to run on");
  app.add_flag("--no-disk", options.no_disk, "groups are taken for written at once");
  CLI11_PARSE(app, argument_count, arguments);
  options.clients.measured = tollgate::Duration::seconds(options.seconds);
  return tollgate::limit::run_limit(options);
}
