// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/net_rig.hh"

#include "base/check.hh"
#include "rating/image.hh"

namespace tollgate::app {
namespace {

constexpr u32 identities_max = 64;
constexpr u8 accounts_shard = 7;  // all accounts of a test may share one
constexpr u32 generations_a_life = 1000;
constexpr u64 trace_link_bytes = 16_KiB;

}  // namespace

NetRig::NetRig(const Options& options)
    : options_(options),
      index_memory_(ledger::IdentityIndex::footprint(identities_max)),
      index_(ledger::IdentityIndex::format(index_memory_.data(), identities_max)),
      counters_(net_block_names().size()),
      latency_memory_(sizeof(Histogram)),
      trace_link_(LinkMemory::footprint(trace_link_bytes)) {
  LinkMemory::format(trace_link_.data(), trace_link_bytes);
  if (options.tariff.empty()) {
    charge_.load_tariff(SOURCE_ROOT "/config/tariffs");
  } else {
    charge_.load_tariff_text(options.tariff);
  }
  const std::string wrong = read_profiles(SOURCE_ROOT "/config/profiles", profiles_);
  check(wrong.empty(), "the profiles of the product are good");
  if (options.profile) {
    profiles_.add(*options.profile);
    profiles_.assign("*", options.profile->name);
  }
  if (!options.rules.empty()) charge_.load_rules(options.rules);
  make_tile();
}

void NetRig::make_tile() {
  tile_ = std::make_unique<NetTile>(
      NetTileOptions{.connections_max = options_.connections_max,
                     .pending_max = options_.pending_max,
                     .first_generation = options_.first_generation + lives_++ * generations_a_life,
                     .allowed_peers = options_.allowed,
                     .peer_rules = options_.peer_rules,
                     .unauthenticated_max = options_.unauthenticated_max,
                     .charge_links = {charge_.net_charge()},
                     .journal_links = {charge_.journal_net()},
                     .order_links = {charge_.charge_net()},
                     .tariff = charge_.tariff(),
                     .profiles = profiles_,
                     .trace_table = &trace_table(),
                     .trace_link = traced(),
                     .node = {.origin = diameter::OriginBlock(options_.identity, options_.realm),
                              .host_addresses = {&host_, 1}}},
      charge_.memory(), index_, counters_, *reinterpret_cast<Histogram*>(latency_memory_.data()));
  transport_ = std::make_unique<FakeTransport>(*tile_);
  tile_->set_transport(*transport_);
  poll();  // it learns the time
}

u64 NetRig::counter(std::string_view name) const {
  const std::span<const CounterName> names = net_block_names();
  for (u32 i = 0; i < names.size(); ++i) {
    if (names[i].name == name) return counters_[i];
  }
  check(false, "a test asks for a counter that there is");
  return 0;
}

ledger::AccountRef NetRig::add_account(std::string_view msisdn, std::string_view plan,
                                       const Balance& balance) {
  ledger::Command command{.kind = ledger::CommandKind::create_account,
                          .identity_count = 1,
                          .bucket_count = 1,
                          .plan = rating::plan_id(plan),
                          .account_id = ++account_count_,
                          .state = ledger::AccountState::active};
  command.buckets[0] = {.amount = balance.amount, .unit = balance.unit};
  command.identities[0] = ledger::number_key(ledger::IdentityType::msisdn, msisdn);
  command.shard = accounts_shard;
  const ledger::AccountRef account = charge_.command(command).account;
  check(index_.insert(ledger::number_key(ledger::IdentityType::msisdn, msisdn), account),
        "the index of a test has room");
  return account;
}

std::string NetRig::order(const ledger::Command& command) {
  const ledger::CommandAnswer answer = charge_.command(command);
  wait(Duration::milliseconds(1));
  return std::string(to_text(answer.outcome));
}

void NetRig::turn() {
  poll();
  charge_.work();
  poll();
}

void NetRig::wait(Duration time) {
  charge_.wait(time);
  tile_->housekeep({.tsc = ++tsc_, .now = charge_.now});
  turn();
}

void NetRig::restart() {
  transport_.reset();
  tile_.reset();
  charge_.restart();
  make_tile();
}

std::vector<NetRig::Octets> NetRig::sent(dataplane::StreamId id) {
  const Octets output = transport_->take_output(id);
  std::vector<Octets> messages;
  for (std::size_t at = 0; at < output.size();) {
    const auto header = diameter::read_header(Bytes(output).subspan(at));
    check(
        header.length_bytes >= diameter::header_bytes && at + header.length_bytes <= output.size(),
        "what goes out is whole messages");
    messages.emplace_back(output.begin() + static_cast<i64>(at),
                          output.begin() + static_cast<i64>(at + header.length_bytes));
    at += header.length_bytes;
  }
  return messages;
}

}  // namespace tollgate::app
