// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The model's tariff and its buckets: what a quantity costs, and which bucket is meant.

#include <algorithm>

#include "base/check.hh"
#include "rating/image.hh"
#include "tests/sim/model.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

const char* const metered_plan = "sim-metered";
const char* const pack_plan = "sim-pack";

const ledger::Thresholds thresholds{
    .all = {ledger::Threshold{.unit = Unit::eur, .below = Amount{1'000'000}},
            ledger::Threshold{.unit = Unit::eur, .below = Amount{250'000}},
            ledger::Threshold{.unit = Unit::octets, .below = Amount{8 << 20}}},
    .count = 3};

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

bool is_same(const ledger::NewBucket& a, const ledger::NewBucket& b) {
  return a.unit == b.unit && a.priority == b.priority && a.product == b.product &&
         a.expires_s == b.expires_s && a.valid_from_s == b.valid_from_s;
}

// What never ends, ends last.
u64 end_of(const ledger::NewBucket& terms) {
  return terms.expires_s == 0 ? UINT64_MAX : terms.expires_s;
}

}  // namespace

bool is_usable(const ModelBucket& bucket, Instant at) {
  const i64 now = at.whole_seconds();
  const ledger::NewBucket& terms = bucket.terms;
  return bucket.role == ModelBucket::Role::pays && terms.valid_from_s <= now &&
         (terms.expires_s == 0 || now < terms.expires_s);
}

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

// Into the order in which they pay.
void Model::insert(ModelAccount& account, const ModelBucket& bucket) {
  const ledger::NewBucket& terms = bucket.terms;
  auto at = account.buckets.begin();
  while (at != account.buckets.end() &&
         (at->terms.priority < terms.priority ||
          (at->terms.priority == terms.priority && end_of(at->terms) <= end_of(terms)))) {
    ++at;
  }
  account.buckets.insert(at, bucket);
}

ModelBucket& Model::add_bucket(ModelAccount& account, const ledger::NewBucket& terms) {
  const u64 id = next_bucket_++;
  insert(account, {.id = id, .terms = terms});
  return *std::find_if(account.buckets.begin(), account.buckets.end(),
                       [&](const ModelBucket& one) { return one.id == id; });
}

void Model::shift(ModelBucket& bucket, i64 amount) {
  bucket.put_in += amount;
  bucket.balance += amount;
}

void Model::put(ModelBucket& bucket, i64 amount) {
  shift(bucket, amount);
  put_in_[bucket.terms.unit] += amount;
}

}  // namespace tollgate::sim
