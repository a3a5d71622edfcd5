// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/appliance.hh"

#include "ledger/shard.hh"
#include "tests/sim/model.hh"

namespace tollgate::sim {
namespace {

constexpr u64 small_link_bytes = 256_KiB;
constexpr u64 entry_link_bytes = 256_KiB;  // twice the largest entry has to fit
constexpr u64 identities_max = 64;
constexpr u32 pending_max = 400;
constexpr u64 appliance_number = 7;

// A turn of its own for the hash: the words behind `derived` of a record.
template <class Record>
u64 hash_record(const Record& record, u64 derived_words, u64 seed) {
  const auto* octets = reinterpret_cast<const u8*>(&record) + derived_words * 8;
  return hash64({octets, sizeof(Record) - derived_words * 8}, seed);
}

}  // namespace

Appliance::Appliance(const Shape& shape, SimDisk& disk, Random& random, const VersionedBlob& tariff)
    : shape_(shape),
      disk_(disk),
      random_(random),
      tariff_(tariff),
      net_counters_(app::net_block_names().size()),
      latency_(sizeof(Histogram)),
      nets_(shape.net_count),
      transports_(shape.net_count),
      charges_(shape.charge_count) {}

Appliance::~Appliance() = default;

void Appliance::lay_out() {
  ledger_ = Pages(ledger::LedgerMemory::footprint(sizes));
  ledger::LedgerMemory::format(ledger_.data(), sizes, appliance_number);
  index_memory_ = Pages(ledger::IdentityIndex::footprint(identities_max));
  index_ = ledger::IdentityIndex::format(index_memory_.data(), identities_max);
  journal_ = Pages(sizeof(ledger::JournalMemory));
  undo_.clear();
  links_.clear();
  for (u32 i = 0; i < shape_.charge_count; ++i) undo_.emplace_back(sizeof(ledger::UndoMemory));
  for (std::size_t i = 0; i < link_count(); ++i) {
    const bool has_entries = i >= charge_journal(0) && i < journal_net(0);
    const u64 bytes = has_entries ? entry_link_bytes : small_link_bytes;
    links_.emplace_back(LinkMemory::footprint(bytes));
    LinkMemory::format(links_.back().data(), bytes);
  }
  taps_.clear();
  for (std::size_t i = 0; i < link_count(); ++i) taps_.emplace_back(link(i));
  answers_ = LinkConsumer(link(journal_control()));
  commands_.clear();
  for (u32 i = 0; i < shape_.charge_count; ++i) commands_.emplace_back(link(control_charge(i)));
}

std::string Appliance::recover(Instant now) {
  check(!has_power(), "a running appliance is not recovered");
  lay_out();
  report_ = {};
  std::string why = ledger::replay_journal(disk_.folder(), {.positions = {{}}}, memory(), report_,
                                           [](const ledger::RecoveryStep&) {});
  if (why.empty()) why = ledger::rebuild_derived(memory(), index_, now, report_);
  if (!why.empty()) {
    ledger_ = Pages();
    return why;
  }
  ledger::JournalMemory::format(journal_.data(), {.appliance = disk_.folder().appliance,
                                                  .stream = 0,
                                                  .segment_bytes = SimDisk::segment_bytes,
                                                  .position = report_.positions[0]});
  for (u32 i = 0; i < shape_.net_count; ++i) start_net(i);
  for (u32 i = 0; i < shape_.charge_count; ++i) start_charge(i, now);
  start_journal();
  return {};
}

void Appliance::lose_power() {
  if (storage_ != nullptr) storage_->die(random_);
  for (u32 i = 0; i < shape_.net_count; ++i) {
    nets_[i].reset();
    transports_[i].reset();
  }
  for (auto& charge : charges_) charge.reset();
  journal_tile_.reset();
  storage_.reset();
  ledger_ = Pages();
}

void Appliance::start_net(u32 number) {
  app::NetTileOptions options;
  options.tile = number;
  options.charge_tile_count = shape_.charge_count;
  options.pending_max = pending_max;
  options.first_generation = generation_ += 1000;
  for (u32 i = 0; i < shape_.charge_count; ++i) {
    options.charge_links.push_back(link(net_charge(number, i)));
  }
  options.journal_links = {link(journal_net(number))};
  options.tariff = &tariff_;
  options.node = {.origin = diameter::OriginBlock("ocs.tollgate.example", "tollgate.example"),
                  .host_addresses = {&host_, 1}};
  nets_[number] = std::make_unique<app::NetTile>(options, memory(), index_, net_counters_,
                                                 *reinterpret_cast<Histogram*>(latency_.data()));
  transports_[number] = std::make_unique<SimTransport>(*nets_[number], generation_);
  nets_[number]->set_transport(*transports_[number]);
}

void Appliance::start_charge(u32 number, Instant now) {
  app::ChargeTileOptions options;
  options.tile = number;
  options.tile_count = shape_.charge_count;
  options.policy = {.session_silence_max = Duration::seconds(session_silence_s),
                    .closed_linger = Duration::seconds(closed_linger_s),
                    .thresholds = thresholds};
  for (u32 i = 0; i < shape_.net_count; ++i) {
    options.net_links.push_back(link(net_charge(i, number)));
  }
  options.control_link = link(control_charge(number));
  options.journal_link = link(charge_journal(number));
  options.tariff = &tariff_;
  options.journal = &journal();
  options.undo = reinterpret_cast<ledger::UndoMemory*>(undo_[number].data());
  charges_[number] = std::make_unique<app::ChargeTile>(options, memory(), now, charge_counters_);
}

void Appliance::start_journal() {
  app::JournalTileOptions options;
  for (u32 i = 0; i < shape_.charge_count; ++i) {
    options.charge_links.push_back(link(charge_journal(i)));
  }
  for (u32 i = 0; i < shape_.net_count; ++i) options.net_links.push_back(link(journal_net(i)));
  options.control_link = link(journal_control());
  options.write_sizes = {.second_bytes = 512,
                         .further_bytes = 1024};  // so that several are on their way
  storage_ = std::make_unique<SimStorage>(disk_);
  journal_tile_ =
      std::make_unique<app::JournalTile>(options, journal(), *storage_, journal_counters_);
}

bool Appliance::is_up(const TileName& tile) const {
  if (tile.kind == TileKind::net) return nets_[tile.number] != nullptr;
  if (tile.kind == TileKind::charge) return charges_[tile.number] != nullptr;
  return journal_tile_ != nullptr;
}

void Appliance::start(const TileName& tile, Instant now) {
  if (tile.kind == TileKind::net) start_net(tile.number);
  if (tile.kind == TileKind::charge) start_charge(tile.number, now);
  if (tile.kind == TileKind::journal) start_journal();
}

void Appliance::stop(const TileName& tile) {
  if (tile.kind == TileKind::net) {
    nets_[tile.number].reset();
    transports_[tile.number].reset();
  } else if (tile.kind == TileKind::charge) {
    charges_[tile.number].reset();
  } else {
    journal_tile_.reset();
    storage_->die(random_);
    storage_.reset();
  }
}

void Appliance::abandon(const TileName& tile) {
  if (tile.kind == TileKind::net) {
    static_cast<void>(nets_[tile.number].release());
    static_cast<void>(transports_[tile.number].release());
  } else if (tile.kind == TileKind::charge) {
    static_cast<void>(charges_[tile.number].release());
  } else {
    static_cast<void>(journal_tile_.release());
    if (storage_ != nullptr) storage_->die(random_);
    storage_.reset();
  }
}

u32 Appliance::poll(const TileName& tile, const Turn& turn) {
  if (tile.kind == TileKind::net) return nets_[tile.number]->poll(turn);
  if (tile.kind == TileKind::charge) return charges_[tile.number]->poll(turn);
  return journal_tile_->poll(turn);
}

void Appliance::housekeep(const TileName& tile, const Turn& turn) {
  if (tile.kind == TileKind::net) nets_[tile.number]->housekeep(turn);
  if (tile.kind == TileKind::charge) charges_[tile.number]->housekeep(turn);
  if (tile.kind == TileKind::journal) journal_tile_->housekeep(turn);
}

// A page that such a tile writes to, more or less often.
KillSwitch::Aim Appliance::choose_aim(const TileName& tile) {
  std::vector<u8*> pages;
  if (tile.kind == TileKind::charge) {
    pages = {undo_[tile.number].data(), undo_[tile.number].data() + page_bytes,
             links_[charge_journal(tile.number)].data(),
             links_[control_charge(tile.number)].data()};
    for (u32 i = 0; i < shape_.net_count; ++i) {
      pages.push_back(links_[net_charge(i, tile.number)].data());
    }
    const ledger::ShardMemory shard = memory().shard(random_.below(4));
    for (const void* record :
         {static_cast<void*>(shard.header), static_cast<void*>(shard.accounts),
          static_cast<void*>(shard.buckets), static_cast<void*>(shard.sessions),
          static_cast<void*>(shard.extensions), static_cast<void*>(shard.session_slots)}) {
      const u64 at = static_cast<u64>(static_cast<const u8*>(record) - ledger_.data());
      pages.push_back(ledger_.data() + at / page_bytes * page_bytes);
    }
  } else if (tile.kind == TileKind::journal) {
    pages = {journal_.data(), journal_.data(), links_[journal_control()].data()};
    const u64 slot = random_.below(ledger::JournalMemory::slot_count);
    pages.push_back(reinterpret_cast<u8*>(journal().groups[slot]));
    for (u32 i = 0; i < shape_.charge_count; ++i) pages.push_back(links_[charge_journal(i)].data());
    for (u32 i = 0; i < shape_.net_count; ++i) pages.push_back(links_[journal_net(i)].data());
  } else {
    pages = {links_[journal_net(tile.number)].data()};
    for (u32 i = 0; i < shape_.charge_count; ++i) {
      pages.push_back(links_[net_charge(tile.number, i)].data());
    }
  }
  const u32 instructions = random_.once_in(2) ? random_.below(40) : random_.below(1500);
  return {.page = pages[random_.below(pages.size())], .instructions = instructions};
}

bool Appliance::poll_killed(const TileName& tile, const Turn& turn) {
  if (!KillSwitch::run(choose_aim(tile), [&] { poll(tile, turn); })) return false;
  abandon(tile);
  return true;
}

bool Appliance::housekeep_killed(const TileName& tile, const Turn& turn) {
  if (!KillSwitch::run(choose_aim(tile), [&] { housekeep(tile, turn); })) return false;
  abandon(tile);
  return true;
}

bool Appliance::start_killed(const TileName& tile, Instant now) {
  if (!KillSwitch::run(choose_aim(tile), [&] { start(tile, now); })) return false;
  abandon(tile);
  return true;
}

std::vector<Bytes> Appliance::tap(std::size_t place) {
  std::vector<Bytes> frames;
  Bytes frame;
  while (taps_[place].next(frame)) frames.push_back(frame);
  return frames;
}
std::vector<Bytes> Appliance::tap_requests(u32 net, u32 charge) {
  return tap(net_charge(net, charge));
}
std::vector<Bytes> Appliance::tap_entries(u32 charge) {
  return tap(charge_journal(charge));
}
std::vector<Bytes> Appliance::tap_net_answers(u32 net) {
  return tap(journal_net(net));
}

std::vector<Bytes> Appliance::take_command_answers() {
  std::vector<Bytes> frames;
  Bytes frame;
  while (answers_.next(frame)) frames.push_back(frame);
  answers_.release();  // nobody writes before the next poll of the journal tile
  return frames;
}

void Appliance::send_command(const ledger::Command& command) {
  LinkProducer& link = commands_[command.shard % shape_.charge_count];
  const MutableBytes room = link.reserve(sizeof command);
  check(!room.empty(), "an operator has few commands under way");
  std::memcpy(room.data(), &command, sizeof command);
  link.commit(sizeof command);
  link.publish();
}

u64 Appliance::hash_of_shard(u32 number) const {
  const ledger::ShardMemory shard = memory().shard(number);
  const ledger::ShardHeader& header = *shard.header;
  u64 hash = header.sequence;
  for (u32 i = 1; i < header.accounts.used_end; ++i) {
    if (shard.accounts[i].state == ledger::AccountState::free) continue;
    hash = hash_record(shard.accounts[i], 1, hash ^ i);
  }
  for (u32 i = 1; i < header.buckets.used_end; ++i) {
    if (shard.buckets[i].state == ledger::BucketState::free) continue;
    hash = hash_record(shard.buckets[i], 1, hash ^ i);
  }
  for (u32 i = 1; i < header.sessions.used_end; ++i) {
    const ledger::Session& session = shard.sessions[i];
    if (session.state != ledger::SessionState::open) continue;
    hash = hash_record(session, 2, hash ^ i);
    for (u32 at = session.first_extension; at != 0; at = shard.extensions[at].quota.next) {
      hash = hash_record(shard.extensions[at], 1, hash ^ at);
    }
    for (const ledger::Answer& answer : session.answers) {
      for (u32 at = answer.next; at != 0; at = shard.extensions[at].services.next) {
        hash = hash_record(shard.extensions[at], 1, hash ^ at);
      }
    }
  }
  return hash;
}

}  // namespace tollgate::sim
