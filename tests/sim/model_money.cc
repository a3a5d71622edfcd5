// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The model's tariff and its buckets: what a quantity costs, who pays, and what commands do.

#include <algorithm>

#include "base/check.hh"
#include "rating/image.hh"
#include "tests/sim/model.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

const char* const metered_plan = "sim-metered";
const char* const pack_plan = "sim-pack";

const char* const tariff_text = R"(
plan sim-metered {
  currency EUR
  final terminate
  validity 10min
  service data {
    rule "paid" group 10 {
      price 0.01EUR per 100KiB
      grant 10MiB max 20MiB
      threshold 20%
    }
    rule "free" group 20 free {
      grant 100MiB
      validity 1h
    }
    rule "barred" group 30 barred
  }
  service voice {
    rule "call" group 40 {
      setup 0.05EUR
      price 0.01EUR per 6s
      grant 60s max 10min
    }
  }
  service sms {
    rule "message" default { price 0.10EUR; grant 1event }
  }
}
plan sim-pack {
  currency EUR
  final redirect "http://top-up.example/"
  validity 5min
  service data {
    rule "paid" group 10 {
      pay with octets then EUR
      price 0.02EUR per 1MiB
      grant 20MiB
    }
    rule "free" group 20 free { grant 100MiB }
    rule "barred" group 30 barred
  }
  service sms {
    rule "message" default { price 0.08EUR; grant 1event }
  }
}
)";

namespace {

constexpr i64 mebi = 1 << 20;
constexpr i64 cent = 10'000;

i64 whole_seconds(Instant at) {
  return at.ns / 1'000'000'000;
}

bool is_usable(const ModelBucket& bucket, Instant at) {
  const i64 now = whole_seconds(at);
  const ledger::NewBucket& terms = bucket.terms;
  return bucket.role == ModelBucket::Role::pays && terms.valid_from_s <= now &&
         (terms.expires_s == 0 || now < terms.expires_s);
}

bool is_same(const ledger::NewBucket& a, const ledger::NewBucket& b) {
  return a.unit == b.unit && a.priority == b.priority && a.product == b.product &&
         a.expires_s == b.expires_s && a.valid_from_s == b.valid_from_s;
}

// What never ends, ends last.
u64 end_of(const ledger::NewBucket& terms) {
  return terms.expires_s == 0 ? UINT64_MAX : terms.expires_s;
}

}  // namespace

Model::Rule Model::rule_for(u32 plan, Context context, u32 rating_group) {
  const bool is_pack = plan == rating::plan_id(pack_plan);
  Rule rule{.validity_s = is_pack ? 300u : 600u,
            .last = is_pack ? LastAction::redirect : LastAction::terminate};
  if (context == Context::sms) {
    rule.verdict = Verdict::charged;
    rule.price = is_pack ? 8 * cent : 10 * cent;
    rule.grant_size = 1;
  } else if (context == Context::voice && !is_pack && rating_group == 40) {
    rule.verdict = Verdict::charged;
    rule.setup = 5 * cent;
    rule.price = cent;
    rule.block = 6000;
    rule.granule = 1000;
    rule.grant_size = 60'000;
    rule.grant_max = 600'000;
  } else if (context == Context::data && rating_group == 10) {
    rule.verdict = Verdict::charged;
    rule.pays_with_octets = is_pack;
    rule.price = is_pack ? 2 * cent : cent;
    rule.block = is_pack ? mebi : 100 << 10;
    rule.grant_size = is_pack ? 20 * mebi : 10 * mebi;
    rule.grant_max = is_pack ? 0 : 20 * mebi;
    rule.threshold_percent = is_pack ? 0 : 20;
  } else if (context == Context::data && rating_group == 20) {
    rule.verdict = Verdict::free;
    rule.grant_size = 100 * mebi;
    if (!is_pack) rule.validity_s = 3600;
  } else if (context == Context::data && rating_group == 30) {
    rule.verdict = Verdict::barred;
  }
  return rule;
}

// Of all that a session has used by money.
i64 Model::cost_of(const Rule& rule, i64 quantity) {
  if (quantity == 0) return 0;
  return rule.setup + (quantity + rule.block - 1) / rule.block * rule.price;
}

Model::Cover Model::cover(const Rule& rule, i64 used_by_money, i64 wanted, const Payers& payers,
                          i64 granule) {
  Cover covered;
  if (rule.pays_with_octets) covered.octets = std::min(wanted, payers.octets);
  const i64 rest = wanted - covered.octets;
  const i64 before = cost_of(rule, used_by_money);
  const i64 budget = before + payers.money;
  const i64 most = budget < rule.setup ? 0 : (budget - rule.setup) / rule.price * rule.block;
  covered.by_money = std::clamp<i64>(most - used_by_money, 0, rest);
  if (covered.by_money < rest) covered.by_money -= covered.by_money % granule;
  covered.cost = cost_of(rule, used_by_money + covered.by_money) - before;
  covered.missing = rest - covered.by_money;
  return covered;
}

Model::Payers Model::find_payers(const ModelAccount& account, const Rule& rule, Instant at,
                                 std::size_t payers_max,
                                 const std::vector<ModelQuota::Hold>& held) {
  Payers payers;
  for (const bool is_money : {false, true}) {
    if (!is_money && !rule.pays_with_octets) continue;
    for (std::size_t i = 0; i < account.buckets.size(); ++i) {
      const ModelBucket& one = account.buckets[i];
      const bool is_held = std::any_of(held.begin(), held.end(),
                                       [&](const auto& hold) { return hold.bucket == one.id; });
      if (one.terms.unit != (is_money ? Unit::eur : Unit::octets)) continue;
      if (!is_usable(one, at) && !is_held) continue;
      if (is_money) payers.last_money = static_cast<i64>(i);
      if (one.balance <= 0) continue;
      if (payers.all.size() >= payers_max) {
        payers.is_cut = true;
        continue;
      }
      payers.all.push_back({.bucket = i, .available = one.balance, .is_money = is_money});
      (is_money ? payers.money : payers.octets) += one.balance;
    }
  }
  return payers;
}

void Model::take(ModelAccount& account, const Payers& payers, const Cover& cover,
                 i64 ModelBucket::*into, std::vector<ModelQuota::Hold>* holds) {
  i64 octets = cover.octets;
  i64 money = cover.cost;
  for (const Payer& payer : payers.all) {
    i64& left = payer.is_money ? money : octets;
    const i64 part = std::min(left, payer.available);
    if (part == 0) continue;
    ModelBucket& from = account.buckets[payer.bucket];
    from.balance -= part;
    from.*into += part;
    left -= part;
    if (holds != nullptr) holds->push_back({.bucket = from.id, .amount = part});
  }
  check(octets == 0 && money == 0, "the model takes what is there");
}

ModelBucket& Model::bucket(ModelAccount& account, u64 id) {
  for (ModelBucket& one : account.buckets) {
    if (one.id == id) return one;
  }
  fail("a hold of a bucket that is gone");
}

ModelBucket* Model::same_terms(ModelAccount& account, const ledger::NewBucket& terms) {
  for (ModelBucket& one : account.buckets) {
    if (one.role == ModelBucket::Role::pays && is_same(one.terms, terms)) return &one;
  }
  return nullptr;
}

ModelBucket* Model::first_of(ModelAccount& account, Unit unit, Instant at) {
  for (ModelBucket& one : account.buckets) {
    if (one.terms.unit == unit && is_usable(one, at)) return &one;
  }
  return nullptr;
}

ModelBucket& Model::add_bucket(ModelAccount& account, const ledger::NewBucket& terms) {
  auto at = account.buckets.begin();
  while (at != account.buckets.end() &&
         (at->terms.priority < terms.priority ||
          (at->terms.priority == terms.priority && end_of(at->terms) <= end_of(terms)))) {
    ++at;
  }
  return *account.buckets.insert(at, {.id = next_bucket_++, .terms = terms});
}

void Model::shift(ModelBucket& bucket, i64 amount) {
  bucket.put_in += amount;
  bucket.balance += amount;
}

void Model::put(ModelBucket& bucket, i64 amount) {
  shift(bucket, amount);
  put_in_[bucket.terms.unit] += amount;
}

Model::CommandReply Model::carry_out(const ledger::Command& command, ledger::AccountRef place,
                                     Instant at, bool may_move) {
  using ledger::CommandKind;
  CommandReply reply;
  if (!may_move) {
    reply.outcome = Outcome::too_busy;
    return reply;
  }
  if (command.kind == CommandKind::create_account) {
    command_create(command, place, reply);
    return reply;
  }
  if (command.kind == CommandKind::drop_session) {
    command_drop(command, at, reply);
    return reply;
  }
  const auto found = accounts_.find(static_cast<u32>(command.account_id));
  if (found == accounts_.end()) {
    reply.outcome = Outcome::account_unknown;
    return reply;
  }
  ModelAccount& account = found->second;
  if (command.kind == CommandKind::remove_account) {
    command_remove(found->first, reply);
  } else if (command.kind == CommandKind::set_account) {
    account.is_suspended = command.state == ledger::AccountState::suspended;
    reply.has_effect = true;
  } else if (command.kind == CommandKind::top_up) {
    command_top_up(account, command.buckets[0], reply);
  } else if (command.kind == CommandKind::adjust) {
    command_adjust(account, command, at, reply);
  } else if (command.kind == CommandKind::transfer) {
    command_transfer(account, command, at, reply);
  } else if (command.kind == CommandKind::transfer_receive) {
    command_receive(account, command, at, reply);
  } else {
    command_end_transfer(account, command, at, reply);
  }
  return reply;
}

void Model::command_remove(u32 number, CommandReply& reply) {
  for (const auto& [id, session] : sessions_) {
    if (session.is_open && session.subscriber == number) {
      reply.outcome = Outcome::account_has_sessions;
      return;
    }
  }
  ModelAccount& account = accounts_.at(number);
  for (const ModelBucket& one : account.buckets) {
    if (one.role != ModelBucket::Role::pays) {
      reply.outcome = Outcome::transfer_pending;
      return;
    }
  }
  for (ModelBucket& one : account.buckets) put(one, -one.put_in);
  accounts_.erase(number);
  reply.has_effect = true;
}

void Model::command_create(const ledger::Command& command, ledger::AccountRef place,
                           CommandReply& reply) {
  ModelAccount& account = accounts_[static_cast<u32>(command.account_id)];
  if (!account.place.is_none()) fail("account {} was made twice", command.account_id);
  account.place = place;
  account.plan = command.plan;
  for (u32 i = 0; i < command.bucket_count; ++i) {
    ModelBucket& fresh = add_bucket(account, command.buckets[i]);
    put(fresh, command.buckets[i].amount.count);
    reply.has_balance = true;
    reply.balance = fresh.balance;
  }
  reply.has_effect = true;
}

void Model::command_top_up(ModelAccount& account, const ledger::NewBucket& wanted,
                           CommandReply& reply) {
  ModelBucket* target = same_terms(account, wanted);
  if (target == nullptr) target = &add_bucket(account, wanted);
  put(*target, wanted.amount.count);
  reply = {.has_balance = true, .balance = target->balance, .has_effect = true};
}

void Model::command_adjust(ModelAccount& account, const ledger::Command& command, Instant at,
                           CommandReply& reply) {
  const ledger::NewBucket& change = command.buckets[0];
  ModelBucket* target = first_of(account, change.unit, at);
  if (target == nullptr && change.amount.count > 0) {
    command_top_up(account, change, reply);
    return;
  }
  if (target == nullptr) {
    reply.outcome = Outcome::bucket_unknown;
    return;
  }
  if (target->balance + std::min<i64>(0, change.amount.count) < 0 && change.amount.count < 0) {
    reply.outcome = Outcome::credit_limit_reached;
    return;
  }
  put(*target, change.amount.count);
  reply = {.has_balance = true, .balance = target->balance, .has_effect = true};
}

void Model::command_drop(const ledger::Command& command, Instant at, CommandReply& reply) {
  const std::string session_id(command.session_id.data(), command.session_id_bytes);
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) {
    reply.outcome = Outcome::session_unknown;
  } else if (!found->second.is_open) {
    reply.outcome = Outcome::session_closed;
  } else {
    close(found->second, at);
    reply.has_effect = true;
  }
}

}  // namespace tollgate::sim
