// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/core_process.hh"

#include <fmt/format.h>
#include <sys/mman.h>

#include "app/topology.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

// How long peers get to answer our DPR before we go anyway.
constexpr Duration stop_patience = Duration::seconds(3);

diameter::HostAddress host_address(const dataplane::IpAddress& address) {
  return {.is_ipv6 = address.version == dataplane::IpVersion::v6, .octets = address.octets};
}

// Programs of a tariff run where they lie if this process may execute its mapping of them. It never
// writes to it, so it gives that up; control, which does, has a mapping of its own. Where the
// memory file system does not allow it, programs are interpreted.
rating::Program::Mapping map_for_running(const Config& config, const VersionedBlob& blob) {
  auto* base = reinterpret_cast<u8*>(const_cast<VersionedBlob*>(&blob)) - Segment::header_bytes;
  const u64 bytes = Segment::header_bytes + VersionedBlob::footprint(config.tariff_bytes_max);
  const u64 whole_bytes = round_up(bytes, page_bytes_of(config.memory_folder));
  return ::mprotect(base, whole_bytes, PROT_READ | PROT_EXEC) == 0
             ? rating::Program::Mapping::executable
             : rating::Program::Mapping::data;
}

}  // namespace

bool CoreProcess::has_net() const {
  for (const TileName& tile : config_.cores[core_].tiles) {
    if (tile.kind == TileKind::net) return true;
  }
  return false;
}

LinkMemory* CoreProcess::link(const std::string& producer, const std::string& consumer) const {
  LinkMemory* found = find_link(memory_.links(), link_name(producer, consumer));
  check(found != nullptr, "the topology has a link for each pair of tiles");
  return found;
}

std::vector<LinkMemory*> CoreProcess::links(const std::string& producer, TileKind consumer) const {
  std::vector<LinkMemory*> all;
  for (u32 i = 0; i < config_.tile_count(consumer); ++i) {
    all.push_back(link(producer, to_text(TileName{consumer, i})));
  }
  return all;
}

std::vector<LinkMemory*> CoreProcess::links(TileKind producer, const std::string& consumer) const {
  std::vector<LinkMemory*> all;
  for (u32 i = 0; i < config_.tile_count(producer); ++i) {
    all.push_back(link(to_text(TileName{producer, i}), consumer));
  }
  return all;
}

std::string CoreProcess::prepare(dataplane::Port& port) {
  std::string why = memory_.join(config_);
  for (const TileName& tile : config_.cores[core_].tiles) {
    if (!why.empty()) return why;
    switch (tile.kind) {
      case TileKind::net:
        why = prepare_net(tile.number, port);
        break;
      case TileKind::charge:
        prepare_charge(tile.number);
        break;
      case TileKind::journal:
        why = prepare_journal(tile.number);
        break;
    }
  }
  return why;
}

std::string CoreProcess::prepare_net(u32 number, dataplane::Port& port) {
  const std::string name = to_text(TileName{TileKind::net, number});
  node_.product_name = config_.product_name;
  for (const dataplane::IpAddress& address : {config_.address4.address, config_.address6.address}) {
    if (address.is_set()) node_.addresses.push_back(host_address(address));
  }
  NetTileOptions options;
  options.tile = number;
  options.charge_tile_count = config_.tile_count(TileKind::charge);
  options.connections_max = config_.connections_max;
  options.pending_max = config_.pending_max;
  options.message_bytes_max = config_.message_bytes_max;
  options.first_generation = static_cast<u32>(read_tsc() >> 16);
  options.allowed_peers = config_.allowed_peers;
  options.peer_rules = config_.peer_rules;
  options.unauthenticated_max = config_.unauthenticated_max;
  options.charge_links = links(name, TileKind::charge);
  options.journal_links = links(TileKind::journal, name);
  options.order_links = links(TileKind::charge, name);
  options.tariff = memory_.tariff();
  options.tariff_mapping = map_for_running(config_, *memory_.tariff());
  options.peers = memory_.peers(number);
  options.trace_table = memory_.trace();
  options.trace_link = link(name, "control");
  options.listen_port = config_.listen_port;
  options.profiles = config_.profiles;
  options.node.origin = diameter::OriginBlock(config_.identity, config_.realm);
  options.node.product_name = node_.product_name;
  options.node.host_addresses = node_.addresses;
  options.node.watchdog = config_.watchdog;
  // Sessions outlive a restart, so this stays as it is: it would tell peers that theirs are gone.
  options.node.origin_state_id = 1;
  net_ =
      std::make_unique<NetTile>(options, memory_.ledger(), memory_.index(),
                                find_counters(memory_.counters(), name), *memory_.latency(number));
  dataplane::TcpOptions tcp;
  tcp.queue_first = number;
  tcp.address4 = config_.address4;
  tcp.address6 = config_.address6;
  tcp.gateway4 = config_.gateway4;
  tcp.gateway6 = config_.gateway6;
  tcp.stream_count_max = config_.connections_max;
  tcp.output_bytes_per_stream = 1 << 20;
  std::string error;
  transport_ = dataplane::TcpTransport::create(port, tcp, *net_, error);
  if (transport_ == nullptr) return error;
  net_->set_transport(*transport_);
  return transport_->listen({.address = {}, .port = config_.listen_port});
}

void CoreProcess::prepare_charge(u32 number) {
  const std::string name = to_text(TileName{TileKind::charge, number});
  // A charge tile's entries go to one stream: its shards are always the same tile's.
  const u32 journal = number % config_.tile_count(TileKind::journal);
  ChargeTileOptions options;
  options.tile = number;
  options.tile_count = config_.tile_count(TileKind::charge);
  options.policy = config_.charging;
  options.net_links = links(TileKind::net, name);
  options.control_link = link("control", name);
  options.order_links = links(name, TileKind::net);
  options.journal_link = link(name, to_text(TileName{TileKind::journal, journal}));
  options.trace_link = link(name, "control");
  options.trace_table = memory_.trace();
  options.tariff = memory_.tariff();
  options.tariff_mapping = map_for_running(config_, *memory_.tariff());
  options.journal = memory_.journal(journal);
  options.undo = memory_.undo(number);
  charges_.push_back(std::make_unique<ChargeTile>(options, memory_.ledger(), clock_.now(),
                                                  counters_of<ChargeCounters>(name)));
}

std::string CoreProcess::prepare_journal(u32 number) {
  const std::string name = to_text(TileName{TileKind::journal, number});
  std::string error;
  auto storage = ledger::IoUringStorage::create(config_.journal_folder, number, error);
  if (storage == nullptr) return error;
  JournalTileOptions options;
  options.charge_links = links(TileKind::charge, name);
  options.net_links = links(name, TileKind::net);
  options.control_link = link(name, "control");
  journals_.push_back(std::make_unique<JournalTile>(options, *memory_.journal(number), *storage,
                                                    counters_of<ledger::JournalCounters>(name)));
  storages_.push_back(std::move(storage));
  return {};
}

// After `stop`: the peers first, then what is on its way, then the disk.
bool CoreProcess::is_done() {
  const Instant now = clock_.now();
  if (!is_stopping_) {
    is_stopping_ = true;
    stop_deadline_ = now + stop_patience;
    if (net_ != nullptr) net_->begin_stop(now);
    return false;
  }
  const bool is_late = now > stop_deadline_;
  if (net_ != nullptr && !net_->is_stopped() && !is_late) return false;
  for (const auto& charge : charges_) {
    if (!charge->is_idle() && !is_late) return false;
  }
  for (const auto& journal : journals_) {
    if (!journal->is_sealed(now) && !is_late) return false;
  }
  return true;
}

void CoreProcess::run(const std::atomic<bool>& stop) {
  Core core({.yield_interval = config_.yield_interval},
            counters_of<CoreCounters>(fmt::format("core{}", core_)));
  if (net_ != nullptr) core.add(*net_);
  for (const auto& charge : charges_) core.add(*charge);
  for (const auto& journal : journals_) core.add(*journal);
  core.run(stop, [this] { return is_done(); });
}

}  // namespace tollgate::app
