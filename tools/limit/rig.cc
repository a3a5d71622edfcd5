// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/limit/rig.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <deque>

#include "rating/compile.hh"

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

}  // namespace

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
  std::string why;
  if (!options_.no_disk) why = journal_.open_or_create();
  if (!why.empty()) return why;
  ledger::JournalMemory::format(memory_.journal(0), {.appliance = journal_.appliance,
                                                     .stream = 0,
                                                     .segment_bytes = journal_.segment_bytes,
                                                     .position = {}});
  if (options_.no_disk) {
    storage_ = std::make_unique<NoStorage>();
    return {};
  }
  ledger::SegmentKeeper keeper(journal_, 0, config_.journal_segments_ahead);
  why = keeper.keep_ahead(1);
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

// What carrying out a create_account command leaves behind.
void Rig::settle_one(ledger::Shard& shard, const ledger::Command& command) {
  const u32 account = shard.take_account();
  const u32 bucket = shard.take_bucket();
  check(account != 0 && bucket != 0, "the pools are as large as was asked for");
  ledger::Bucket& paying = shard.bucket(bucket);
  paying.account = account;
  paying.unit = command.buckets[0].unit;
  paying.state = ledger::BucketState::open;
  paying.put_in = command.buckets[0].amount;
  paying.balance = command.buckets[0].amount;
  ledger::Account& settled = shard.account(account);
  settled.id = command.account_id;
  settled.plan = command.plan;
  settled.first_bucket = bucket;
  settled.bucket_count = 1;
  settled.identity_count = static_cast<u8>(command.identity_count);
  for (u32 i = 0; i < command.identity_count; ++i) settled.identities[i] = command.identities[i];
  settled.state = ledger::AccountState::active;
}

std::string Rig::settle_subscribers(const std::function<void(u64 done)>& progress) {
  std::vector<ledger::Shard> shards;
  for (u32 number = 0; number < ledger::shard_count; ++number) {
    shards.emplace_back(memory_.ledger(), number);
  }
  ledger::IdentityIndex index = memory_.index();
  Amount balance;
  Unit unit = Unit::none;
  const std::string why = parse_amount("1000.00EUR", balance, unit);
  if (!why.empty()) return why;
  std::vector<ledger::Command> group(32);
  for (u32 done = 0; done < options_.clients.subscriber_count;) {
    group.clear();
    while (group.size() < 32 && done < options_.clients.subscriber_count) {
      group.push_back(command_of(done++, balance, unit));
      for (u32 i = 0; i < 2; ++i) index.prefetch(group.back().identities[i]);
    }
    for (const ledger::Command& command : group) {
      ledger::Shard& shard = shards[command.shard];
      settle_one(shard, command);
      const u32 account = shard.header().accounts.used_end - 1;
      for (u32 i = 0; i < command.identity_count; ++i) {
        const auto place = ledger::AccountRef::make(command.shard, account);
        if (!index.insert(command.identities[i], place)) {
          return "the identity index is full: raise [ledger] identities_max";
        }
      }
    }
    if (done % (1 << 20) == 0) progress(done);
  }
  return {};
}

void Rig::drain() {
  for (u32 quiet_turns = 0; quiet_turns < 1000;) {
    const Turn turn{.tsc = read_tsc(), .now = clock_.now()};
    const std::size_t work = net_->poll(turn) + charge_->poll(turn) + journal_tile_->poll(turn);
    quiet_turns = work == 0 && journal_tile_->is_idle() ? quiet_turns + 1 : 0;
  }
}

ledger::SnapshotSource Rig::snapshot_source() {
  return {.ledger = memory_.ledger(),
          .tiles = {{.undo = memory_.undo(0),
                     .journal_link = link("charge0", "journal0"),
                     .stream = 0}},
          .streams = {memory_.journal(0)}};
}

void Rig::run() {
  stop_.store(false);
  Core core({.yield_interval = config_.yield_interval}, core_counters_);
  core.add(*net_);
  core.add(*charge_);
  core.add(*journal_tile_);
  core.run(stop_, [] { return true; });
}

}  // namespace tollgate::limit
