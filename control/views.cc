// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/views.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "control/file.hh"

namespace tollgate::control {
namespace {

constexpr u64 sessions_listed_max = 10'000;
constexpr Duration reading_period = Duration::seconds(1);

// A sum of 128 bits as a decimal of its unit: beyond 64 bits the whole units are written apart.
std::string sum_text(i128 sum, Unit unit) {
  if (sum <= INT64_MAX && sum >= INT64_MIN) return to_decimal({static_cast<i64>(sum)}, unit);
  const i64 scale = is_money(unit) ? money_scale : unit == Unit::milliseconds ? 1000 : 1;
  const i128 rest = sum % scale;
  const std::string fraction = to_decimal({static_cast<i64>(rest < 0 ? -rest : rest)}, unit);
  return fmt::format("{}{}", sum / scale, std::string_view(fraction).substr(1));
}

u64 value_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? 0 : found->get<u64>();
}

void add_to(Json& object, std::string_view name, u64 value) {
  Json& place = object[std::string(name)];
  place = (place.is_number_unsigned() ? place.get<u64>() : 0) + value;
}

std::vector<rating::UnitAmount> read_amounts(const Json& json, const char* name) {
  std::vector<rating::UnitAmount> all;
  for (const std::string& text : Arguments(json).texts(name)) {
    rating::UnitAmount one;
    const std::string why = parse_amount(text, one.amount, one.unit);
    if (!why.empty()) throw Refused(refusal::bad_request, why);
    all.push_back(one);
  }
  return all;
}

Json describe_amounts(const std::vector<rating::UnitAmount>& amounts) {
  Json all = Json::array();
  for (const rating::UnitAmount& one : amounts) {
    all.push_back(
        Json{{"unit", unit_name(one.unit)}, {"amount", to_decimal(one.amount, one.unit)}});
  }
  return all;
}

}  // namespace

Json sum_net_counters(const std::vector<CounterBlock>& blocks) {
  constexpr std::string_view result = "result_";
  constexpr std::string_view drop = "drop_";
  Json told{{"ccr_received", u64{0}},
            {"cca_sent", u64{0}},
            {"result_codes", Json::object()},
            {"drops", Json::object()},
            {"ccr_per_second", u64{0}}};
  Json tiles = Json::object();
  for (const CounterBlock& block : blocks) {
    const bool is_net = block.name.starts_with("net");
    for (const CounterValue& value : block.values) {
      const std::string_view name = value.name;
      if (!is_net) {
        tiles[block.name][value.name] = value.value;
      } else if (name.starts_with(result)) {
        add_to(told["result_codes"], name.substr(result.size()), value.value);
      } else if (name.starts_with(drop)) {
        add_to(told["drops"], name.substr(drop.size()), value.value);
      } else {
        add_to(told, name, value.value);
        tiles[block.name][value.name] = value.value;
      }
    }
  }
  told["tiles"] = std::move(tiles);
  return told;
}

void describe_latency(const Histogram& latency, const Clock& clock, Json& told) {
  const auto nanoseconds = [&](u64 ticks) { return clock.ticks_to_duration(ticks).ns; };
  const auto at = [&](u64 per_million) {
    return static_cast<double>(nanoseconds(latency.at_per_million(per_million))) / 1000;
  };
  told["in_loop_us"] = Json{{"p50", at(500'000)},
                            {"p99", at(990'000)},
                            {"p999", at(999'000)},
                            {"max", static_cast<double>(nanoseconds(latency.max())) / 1000}};
  Json counts = Json::array();
  latency.for_each_step([&](u64 upper, u64 count) {
    counts.push_back(Json::array({nanoseconds(upper), count}));
  });
  told["in_loop_ns_counts"] = std::move(counts);
}

Json describe(const ledger::AuditReport& report) {
  Json units = Json::array();
  for (const ledger::AuditUnit& sum : report.units) {
    units.push_back(Json{{"unit", unit_name(sum.unit)},
                         {"put_in", sum_text(sum.put_in, sum.unit)},
                         {"balance", sum_text(sum.balance, sum.unit)},
                         {"reserved", sum_text(sum.reserved, sum.unit)},
                         {"consumed", sum_text(sum.consumed, sum.unit)},
                         {"expired", sum_text(sum.expired, sum.unit)},
                         {"in_transit", sum_text(sum.in_transit, sum.unit)}});
  }
  return Json{{"ok", report.is_clean},
              {"units", std::move(units)},
              {"accounts", report.account_count},
              {"buckets", report.bucket_count},
              {"findings", report.findings}};
}

Json list_cdr_files(const std::string& folder) {
  Json files = Json::array();
  std::error_code error;
  std::vector<std::filesystem::directory_entry> entries;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".jsonl") || name.ends_with(".jsonl.open")) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    files.push_back(Json{{"file", name},
                         {"bytes", static_cast<u64>(entry.file_size(error))},
                         {"state", name.ends_with(".open") ? "open" : "closed"}});
  }
  return Json{{"folder", folder}, {"files", std::move(files)}};
}

namespace {

// What rules, products and counters make of an event: each may be left out.
void read_circumstances(const Json& json, const Arguments& arguments, rating::PriceEvent& event) {
  const auto wrong = [](const char* name, const char* expected) -> Refused {
    return Refused(refusal::bad_request, fmt::format("argument '{}': expected {}", name, expected));
  };
  event.zone = arguments.text_or("zone", "");
  const std::string direction = arguments.text_or("direction", "");
  const std::string location = arguments.text_or("location", "");
  bool has_direction = direction.empty();
  bool has_location = location.empty();
  for (u8 way = 0; way < 16; ++way) {
    if (to_text(rating::direction_of(way)) == direction) {
      event.direction = rating::direction_of(way);
      has_direction = true;
    }
    if (to_text(rating::location_of(way)) == location) {
      event.location = rating::location_of(way);
      has_location = true;
    }
  }
  if (!has_direction) throw wrong("direction", "originating, terminating or forwarded");
  if (!has_location) throw wrong("location", "home or roaming");
  event.products = arguments.texts("products");
  const Json counted = json.value("counted", Json::object());
  for (const auto& [name, value] : counted.items()) {
    Amount amount;
    Unit unit = Unit::none;
    if (!value.is_string() || !parse_amount(value.get<std::string>(), amount, unit).empty()) {
      throw wrong("counted", "amounts by the names of counters, like {\"used\":\"900MB\"}");
    }
    event.counted.push_back({name, amount, unit});
  }
}

// A word that nobody reads would change the price without a sound.
void refuse_strangers(const Json& json) {
  constexpr std::array<std::string_view, 15> words = {"plan",         "service_context",
                                                      "rating_group", "service_identifier",
                                                      "from",         "to",
                                                      "network",      "at",
                                                      "zone",         "direction",
                                                      "location",     "products",
                                                      "counted",      "use",
                                                      "have"};
  for (const auto& [name, value] : json.items()) {
    if (std::ranges::find(words, name) != words.end()) continue;
    std::string expected;
    for (const std::string_view word : words) {
      expected += expected.empty() ? "" : ", ";
      expected += word;
    }
    throw Refused(refusal::bad_request,
                  fmt::format("argument '{}' is not known, expected {}", name, expected));
  }
}

rating::PriceEvent read_price_event(const Json& json) {
  refuse_strangers(json);
  const Arguments arguments(json);
  rating::PriceEvent event;
  event.plan = arguments.text("plan");
  event.service_context = arguments.text("service_context");
  event.rating_group = arguments.number_or("rating_group", rating::RuleKey::absent);
  event.service_identifier = arguments.number_or("service_identifier", rating::RuleKey::absent);
  constexpr std::array<std::string_view, rating::number_roles> roles = {"from", "to", "network"};
  for (std::size_t role = 0; role < roles.size(); ++role) {
    event.numbers[role] = rating::number_key(arguments.text_or(roles[role], ""));
  }
  const std::string at = arguments.text_or("at", "");
  if (!at.empty() && !parse_rfc3339(at, event.at.emplace())) {
    throw Refused(refusal::bad_request,
                  "argument 'at': expected a moment, like 2026-12-24T18:00:00+01:00");
  }
  read_circumstances(json, arguments, event);
  event.use = read_amounts(json, "use");
  event.have = read_amounts(json, "have");
  if (event.use.empty()) {
    throw Refused(refusal::bad_request,
                  "argument 'use': expected a list of amounts, like [\"10MB\", \"5MB\"]");
  }
  return event;
}

// Names that the tariff does not have.
void refuse_unknown(const rating::Image& image, const rating::PriceEvent& event) {
  for (const std::string& name : event.products) {
    if (image.find_product(rating::product_id(name)) != nullptr) continue;
    throw Refused(refusal::bad_request,
                  fmt::format("argument 'products': there is no product '{}'", name));
  }
  for (const rating::PriceEvent::Counted& counted : event.counted) {
    Unit found = Unit::none;
    for (const rating::Counter& counter : image.counters()) {
      if (image.text(counter.name) != counted.counter) continue;
      if (found != counted.unit) found = counter.unit;  // plans may have several of one name
    }
    if (found == counted.unit) continue;
    throw Refused(refusal::bad_request,
                  found == Unit::none
                      ? fmt::format("argument 'counted': there is no counter '{}'", counted.counter)
                      : fmt::format("argument 'counted': counter '{}' counts {}, not {}",
                                    counted.counter, unit_name(found), unit_name(counted.unit)));
  }
}

}  // namespace

Json describe(const rating::Explanation& explanation) {
  Json told{{"priced", explanation.is_priced}};
  switch (explanation.verdict) {
    case rating::Verdict::charged:
      told["verdict"] = "charged";
      break;
    case rating::Verdict::free:
      told["verdict"] = "free";
      break;
    case rating::Verdict::barred:
      told["verdict"] = "barred";
      break;
  }
  told["rule"] = explanation.rule;
  told["unit"] = unit_name(explanation.unit);
  told["covered"] = to_decimal({explanation.covered.count}, explanation.unit);
  told["missing"] = to_decimal({explanation.missing.count}, explanation.unit);
  told["cost"] = describe_amounts(explanation.cost);
  told["steps"] = explanation.steps;
  return told;
}

Json price_event(const rating::Image& image, const Json& event) {
  const rating::PriceEvent read = read_price_event(event);
  refuse_unknown(image, read);
  return describe(rating::explain(image, read));
}

void Views::add_verbs(Verbs& verbs) {
  verbs["info"] = [this](const Json&, const Reply& reply) { info(reply); };
  verbs["session.list"] = [this](const Json& args, const Reply& reply) {
    session_list(args, reply);
  };
  verbs["session.show"] = [this](const Json& args, const Reply& reply) {
    session_show(args, reply);
  };
  verbs["stats"] = [this](const Json&, const Reply& reply) { stats(reply); };
  verbs["audit"] = [this](const Json&, const Reply& reply) { audit(reply); };
  verbs["cdr.list"] = [this](const Json&, const Reply& reply) { cdr_list(reply); };
  verbs["peer.list"] = [this](const Json&, const Reply& reply) { peer_list(reply); };
  verbs["peer.show"] = [this](const Json& args, const Reply& reply) { peer_show(args, reply); };
}

void Views::info(const Reply& reply) {
  const ControlOptions& options = context_.options;
  reply.ok(Json{{"appliance", options.appliance_name},
                {"instance", options.instance},
                {"state_folder", options.state_folder},
                {"journal_folder", options.journal_folder},
                {"cdr_folder", options.cdr_folder},
                {"accounts", context_.store.account_count()}});
}

namespace {

// "2001:17 4012:3" as an object.
Json codes_of(const std::string& text) {
  Json codes = Json::object();
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t colon = word.find(':');
    if (colon == std::string::npos) continue;  // cut at the end of the column
    codes[word.substr(0, colon)] = std::stoull("0" + word.substr(colon + 1));
  }
  return codes;
}

}  // namespace

// Every connection of every net tile; a peer may have several.
Json Views::peers() const {
  Json peers = Json::array();
  u32 tile = 0;
  for (const StatusTable& table : context_.appliance.peers()) {
    const StatusTable::Columns columns = table.columns();
    for (const StatusTable::ReadRow& row : table.read()) {
      Json peer{{"net_tile", tile}};
      for (std::size_t i = 0; i < row.texts.size(); ++i) peer[columns.texts[i]] = row.texts[i];
      for (std::size_t i = 0; i < row.numbers.size(); ++i) {
        const std::string& name = columns.numbers[i];
        if (name == "opened_ns") {
          peer["opened"] = to_rfc3339(Instant{static_cast<i64>(row.numbers[i])});
        } else {
          peer[name] = row.numbers[i];
        }
      }
      peer["codes"] = codes_of(peer.value("codes", ""));
      peers.push_back(std::move(peer));
    }
    ++tile;
  }
  return peers;
}

void Views::peer_list(const Reply& reply) {
  reply.ok(Json{{"peers", peers()}});
}

// The connections of one peer, by Origin-Host or by address.
void Views::peer_show(const Json& args, const Reply& reply) {
  const std::string who = args.value("who", "");
  Json found = Json::array();
  for (Json& peer : peers()) {
    if (peer["origin_host"] == who || peer["remote"].get<std::string>().starts_with(who)) {
      found.push_back(std::move(peer));
    }
  }
  if (found.empty() || who.empty()) {
    throw Refused(refusal::not_there, fmt::format("no connection of a peer '{}'", who));
  }
  reply.ok(Json{{"peers", std::move(found)}});
}

Json Views::name_session(Json session, u32 shard, const ledger::Session& record) {
  ledger::Account account;
  const auto place = ledger::AccountRef::make(shard, record.account);
  if (context_.appliance.ledger().read(place, account)) {
    const auto row = context_.store.account_by_id(account.id);
    if (row) session["account"] = row->name;
  }
  session["service_context"] = context_text(context_.tariffs.image(), record.service_context);
  return session;
}

void Views::session_list(const Json& args, const Reply& reply) {
  const std::string who = Arguments(args).text_or("who", "");
  const u64 limit =
      std::min(Arguments(args).number_or("limit", sessions_listed_max), sessions_listed_max);
  std::optional<AccountRow> only;
  if (!who.empty()) only = find_account(context_.store, who);
  Json sessions = Json::array();
  u64 open_count = 0;
  const ledger::LedgerView& ledger = context_.appliance.ledger();
  for (u32 shard = 0; shard < ledger::shard_count; ++shard) {
    if (only && only->place.shard() != shard) continue;
    ledger.for_each_session(shard, [&](u32, const ledger::Session& session) {
      if (session.state != ledger::SessionState::open) return;
      if (only && session.account != only->place.index()) return;
      if (++open_count > limit) return;
      sessions.push_back(name_session(describe_session(ledger, shard, session), shard, session));
    });
  }
  reply.ok(Json{{"sessions", std::move(sessions)}, {"open_sessions", open_count}});
}

void Views::session_show(const Json& args, const Reply& reply) {
  const std::string session_id = Arguments(args).text("session_id");
  Json found;
  const ledger::LedgerView& ledger = context_.appliance.ledger();
  for (u32 shard = 0; shard < ledger::shard_count; ++shard) {
    ledger.for_each_session(shard, [&](u32, const ledger::Session& session) {
      if (session.session_id_text() != session_id) return;
      found = name_session(describe_session(ledger, shard, session), shard, session);
    });
  }
  if (found.is_null()) throw refused_by_ledger(ledger::Outcome::session_unknown);
  reply.ok(std::move(found));
}

void Views::stats(const Reply& reply) {
  Json told = sum_net_counters(context_.appliance.counters());
  describe_latency(context_.appliance.latency(), context_.clock, told);
  const i64 apart_ms = (readings_[1].at - readings_[0].at).whole_milliseconds();
  if (readings_[0].at.ns != 0 && apart_ms > 0) {
    const u64 received = readings_[1].ccr_received - readings_[0].ccr_received;
    told["ccr_per_second"] = received * 1000 / static_cast<u64>(apart_ms);
  }
  told["processes"] = Json::array();
  const std::string path = context_.options.state_folder + "/processes.json";
  if (std::filesystem::exists(path)) {
    if (auto processes = parse_json(read_whole(path))) told["processes"] = std::move(*processes);
  }
  reply.ok(std::move(told));
}

void Views::audit(const Reply& reply) {
  audit_waiters_.push_back(reply);
  if (audit_.valid()) return;  // the one that is under way answers this one too
  // Reading all accounts takes seconds when there are many: beside everything else.
  audit_ = std::async(std::launch::async, [this, now = context_.clock.now()] {
    return ledger::audit(context_.appliance.ledger(), now);
  });
}

void Views::cdr_list(const Reply& reply) {
  reply.ok(list_cdr_files(context_.options.cdr_folder));
}

bool Views::step(Instant now) {
  if (now - readings_[1].at >= reading_period) {
    const Json sums = sum_net_counters(context_.appliance.counters());
    readings_[0] = readings_[1];
    readings_[1] = {now, value_of(sums, "ccr_received")};
  }
  if (!audit_.valid()) return false;
  if (audit_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
  const Json told = describe(audit_.get());
  for (const Reply& reply : audit_waiters_) reply.ok(told);
  audit_waiters_.clear();
  return true;
}

}  // namespace tollgate::control
