// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/appliance.hh"

#include <map>

#include "base/time.hh"
#include "ledger/balance.hh"
#include "ledger/counter_unit.hh"

namespace tollgate::control {
namespace {

// A service's usage in the integer of its unit, as a decimal text.
std::string used_text(Quantity used, ledger::UnitKind kind) {
  const Unit unit = ledger::is_of_octets(kind)       ? Unit::octets
                    : kind == ledger::UnitKind::time ? Unit::milliseconds
                                                     : Unit::events;
  return to_decimal({used.count}, unit);
}

Json describe_quota(const ledger::Quota& quota) {
  Json one = Json::object();
  if ((quota.flags & ledger::service_flag::has_rating_group) != 0) {
    one["rating_group"] = quota.rating_group;
  }
  if ((quota.flags & ledger::service_flag::has_service_identifier) != 0) {
    one["service_identifier"] = quota.service_identifier;
  }
  one["kind"] = to_text(quota.kind);
  one["granted"] = used_text(quota.granted, quota.kind);
  one["used"] = used_text({quota.used_by_money.count + quota.used_by_allowance.count}, quota.kind);
  if (is_money(quota.cost_unit)) {
    one["cost"] = to_decimal({quota.cost.count}, quota.cost_unit);
    one["currency"] = unit_name(quota.cost_unit);
  }
  return one;
}

std::string second_text(ledger::Second second) {
  return to_rfc3339(Instant::from_seconds(second));
}

}  // namespace

std::string Appliance::join(const ControlOptions& options) {
  const auto join_one = [&](Segment& segment, const char* name, u32 layout, Access access) {
    return segment.join({.folder = options.memory_folder,
                         .name = options.instance + "." + name,
                         .bytes = 0,
                         .layout = layout},
                        access);
  };
  std::string why = join_one(ledger_segment_, "ledger", ledger::ledger_layout, Access::read);
  if (why.empty()) {
    why = join_one(index_segment_, "index", ledger::identity_index_layout, Access::read_write);
  }
  if (why.empty()) {
    why = join_one(tariff_segment_, "tariff", VersionedBlob::layout, Access::read_write);
  }
  if (why.empty()) why = join_one(links_, "links", link_table_layout, Access::read_write);
  if (why.empty()) why = join_one(counters_segment_, "counters", counters_layout, Access::read);
  for (u32 stream = 0; why.empty() && stream < options.journal_tile_count; ++stream) {
    const std::string name = "journal" + std::to_string(stream);
    Segment& segment = journal_segments_.emplace_back();
    why = join_one(segment, name.c_str(), ledger::journal_memory_layout, Access::read);
    if (why.empty()) journal_streams_.push_back(segment.at<ledger::JournalMemory>(0));
  }
  for (u32 tile = 0; why.empty() && tile < options.net_tile_count; ++tile) {
    const std::string name = "peers" + std::to_string(tile);
    why = join_one(peer_segments_.emplace_back(), name.c_str(), StatusTable::layout, Access::read);
  }
  if (!why.empty()) return why;
  for (const CounterBlock& block : counters()) {
    if (!block.name.starts_with("net")) continue;
    // Without it nothing is charged wrongly: an appliance may lack it.
    Segment segment;
    const std::string name = "latency" + block.name.substr(3);
    if (join_one(segment, name.c_str(), histogram_layout, Access::read).empty()) {
      latency_segments_.push_back(std::move(segment));
    }
  }
  // Without it nobody can be watched, and that is all.
  (void)join_one(trace_segment_, "trace", ledger::trace_layout, Access::read_write);
  ledger_ = ledger::LedgerView(ledger::LedgerMemory(ledger_segment_.data()));
  index_ = ledger::IdentityIndex(index_segment_.data());
  tariff_ = tariff_segment_.at<VersionedBlob>(0);
  return {};
}

std::vector<StatusTable> Appliance::peers() const {
  std::vector<StatusTable> tables;
  for (const Segment& segment : peer_segments_) tables.emplace_back(segment.data());
  return tables;
}

Histogram Appliance::latency() const {
  Histogram all;
  for (const Segment& segment : latency_segments_) all.merge(*segment.at<Histogram>(0));
  return all;
}

ledger::AccountRef Appliance::find_account(u64 account_id) const {
  ledger::AccountRef place;
  ledger_.for_each_account(shard_of_account(account_id),
                           [&](ledger::AccountRef ref, const ledger::Account& account) {
                             if (account.id == account_id) place = ref;
                           });
  return place;
}

std::vector<std::string> Appliance::link_names() const {
  std::vector<std::string> names;
  for (LinkState& link : read_link_states(links_)) names.push_back(std::move(link.name));
  return names;
}

u32 shard_of_account(u64 account_id) {
  return static_cast<u32>(mix64(account_id) % ledger::shard_count);
}

Json describe_buckets(const ledger::LedgerView& ledger, ledger::AccountRef account) {
  Json all = Json::array();
  ledger.for_each_bucket_of(account, [&](const ledger::Bucket& bucket) {
    const bool is_open = bucket.state == ledger::BucketState::open;
    const bool is_limit = bucket.state == ledger::BucketState::limit;
    const bool is_moving = bucket.state == ledger::BucketState::in_transit;
    if (!is_open && !is_limit && !is_moving) return;
    Json one{{"unit", unit_name(bucket.unit)},
             {"balance", to_decimal(bucket.balance, bucket.unit)},
             {"reserved", to_decimal(bucket.reserved, bucket.unit)},
             {"consumed", to_decimal(bucket.consumed, bucket.unit)},
             {"expires", nullptr},
             {"priority", bucket.priority}};
    if (is_limit) one["kind"] = "limit";
    if (is_moving) {
      one["kind"] = "in_transit";
      all.push_back(std::move(one));
      return;  // it has the transfer's number where others have their validity
    }
    if (bucket.unit == ledger::counter_unit) {
      one["kind"] = "counter";  // what it has counted is consumed
      if (bucket.valid_from_s != ledger::never_s) {
        one["begins_anew"] = second_text(bucket.valid_from_s);
      }
      all.push_back(std::move(one));
      return;
    }
    if (bucket.expires_s != 0) one["expires"] = second_text(bucket.expires_s);
    if (bucket.valid_from_s == ledger::never_s) {
      one["suspended"] = true;
      all.push_back(std::move(one));
      return;
    }
    if (bucket.valid_from_s != 0) one["valid_from"] = second_text(bucket.valid_from_s);
    all.push_back(std::move(one));
  });
  return all;
}

Json describe_session(const ledger::LedgerView& ledger, u32 shard, const ledger::Session& session) {
  std::map<Unit, Amount> held;
  Json services = Json::array();
  ledger.for_each_quota(shard, session, [&](const ledger::Quota& quota) {
    const std::size_t holds = std::min<std::size_t>(quota.hold_count, quota.hold_bucket.size());
    for (std::size_t i = 0; i < holds; ++i) {
      const ledger::ShardMemory memory = ledger.shard(shard);
      const u32 index = quota.hold_bucket[i];
      if (index == 0 || index >= memory.header->buckets.used_end) continue;
      const Unit unit = memory.buckets[index].unit;
      if (unit != ledger::counter_unit) held[unit].count += quota.hold_amount[i].count;
    }
    services.push_back(describe_quota(quota));
  });
  Json reserved = Json::array();
  for (const auto& [unit, amount] : held) {
    if (amount.is_zero()) continue;
    reserved.push_back(Json{{"unit", unit_name(unit)}, {"amount", to_decimal(amount, unit)}});
  }
  return Json{{"session_id", session.session_id_text()},
              {"account", nullptr},
              {"state", session.state == ledger::SessionState::open ? "open" : "closed"},
              {"started", to_rfc3339(Instant{session.started_ns})},
              {"deadline", to_rfc3339(Instant{session.deadline_ns})},
              {"reserved", std::move(reserved)},
              {"services", std::move(services)}};
}

std::string_view to_text(ledger::AccountState state) {
  switch (state) {
    case ledger::AccountState::active:
      return "active";
    case ledger::AccountState::inactive:
      return "inactive";
    case ledger::AccountState::suspended:
      return "suspended";
    case ledger::AccountState::expired:
      return "expired";
    case ledger::AccountState::one_way:
      return "one_way";
    case ledger::AccountState::free:
      break;
  }
  return "removed";
}

std::string_view to_text(ledger::UnitKind kind) {
  switch (kind) {
    case ledger::UnitKind::octets:
      return "octets";
    case ledger::UnitKind::time:
      return "time";
    case ledger::UnitKind::events:
      return "events";
    case ledger::UnitKind::money:
      return "money";
    case ledger::UnitKind::input_octets:
      return "input_octets";
    case ledger::UnitKind::output_octets:
      return "output_octets";
    case ledger::UnitKind::none:
      break;
  }
  return "none";
}

}  // namespace tollgate::control
