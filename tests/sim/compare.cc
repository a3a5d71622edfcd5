// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The judge's comparisons: answers, and the records of the ledger, with what the model says.

#include <algorithm>

#include "ledger/shard.hh"
#include "tests/sim/judge.hh"

namespace tollgate::sim {
namespace {

LastAction last_action_of(ledger::FinalAction action) {
  switch (action) {
    case ledger::FinalAction::none:
      return LastAction::none;
    case ledger::FinalAction::redirect:
      return LastAction::redirect;
    case ledger::FinalAction::terminate:
    case ledger::FinalAction::restrict_access:
    case ledger::FinalAction::restrict_to_filter:
      break;
  }
  return LastAction::terminate;
}

std::string to_text(const ExpectedService& service) {
  return fmt::format("[rg {} {} granted {} validity {} threshold {}{}]", service.rating_group,
                     ledger::to_text(service.outcome), service.has_grant ? service.granted : -1,
                     service.validity_s, service.threshold,
                     service.last == LastAction::none ? "" : " last");
}

ModelBucket::Role role_of(const ledger::Bucket& bucket) {
  if (bucket.state == ledger::BucketState::in_transit) return ModelBucket::Role::sent;
  if (bucket.state == ledger::BucketState::received) return ModelBucket::Role::received;
  if (bucket.state == ledger::BucketState::limit) return ModelBucket::Role::limit;
  return ModelBucket::Role::pays;
}

struct Holds {
  i64 sum = 0;
  std::size_t count = 0;
};

}  // namespace

std::string to_text(const Question& question) {
  std::string text =
      fmt::format("{} kind {} number {} of {}", question.session_id,
                  static_cast<u32>(question.kind), question.number, question.subscriber);
  for (const AskedService& service : question.services) {
    text += fmt::format(" [rg {} wants {} asked {} used {}]", service.rating_group,
                        static_cast<u32>(service.wanted), service.asked,
                        service.has_used ? service.used : -1);
  }
  return text;
}

std::string to_text(const ExpectedAnswer& answer) {
  std::string text(ledger::to_text(answer.outcome));
  for (const ExpectedService& service : answer.services) text += " " + to_text(service);
  if (answer.has_cost) text += fmt::format(" cost {}", answer.cost_micros);
  return text;
}

std::string compare_answer(const app::AnswerFrame& frame, const ExpectedAnswer& expected) {
  const ledger::Answer& answer = frame.answer;
  ExpectedAnswer got{.kind = static_cast<RequestKind>(answer.type),
                     .number = answer.number,
                     .outcome = answer.outcome,
                     .is_event = expected.is_event,
                     .is_check = (answer.flags & ledger::answer_flag::check_balance) != 0,
                     .has_cost = (answer.flags & ledger::answer_flag::has_cost) != 0,
                     .cost_micros = answer.cost.count};
  for (u32 i = 0; i < answer.service_count; ++i) {
    const ledger::ServiceAnswer& service = frame.service(i);
    got.services.push_back({.rating_group = service.rating_group,
                            .outcome = service.outcome,
                            .has_grant = service.has_grant,
                            .granted = service.granted.count,
                            .validity_s = service.validity_s,
                            .threshold = service.threshold,
                            .last = last_action_of(service.final_action)});
  }
  return got == expected ? std::string() : "answered " + to_text(got);
}

void Judge::compare() {
  for (const auto& [number, account] : model_.accounts()) {
    if (is_up(account.place.shard())) compare_account(number, account);
  }
  for (const auto& [id, session] : model_.sessions()) compare_session(id, session);
  compare_counts();
  model_.check_conservation();
}

void Judge::compare_account(u32 number, const ModelAccount& expected) const {
  const ledger::Shard shard(appliance_.memory(), expected.place.shard());
  const u32 index = expected.place.index();
  if (!shard.is_account(index)) fail("account {} is gone", number);
  const ledger::Account& account = shard.account(index);
  const auto payer = model_.accounts().find(expected.payer);
  const u32 payer_place = payer == model_.accounts().end() ? 0 : payer->second.place.index();
  if (account.id != number || account.plan != expected.plan || account.state != expected.state ||
      account.valid_until_s != expected.valid_until_s ||
      account.credit_limit != expected.credit_limit || account.payer != payer_place ||
      account.bucket_count != expected.buckets.size()) {
    fail("account {} has other terms or {} buckets, expected {}", number, account.bucket_count,
         expected.buckets.size());
  }
  const auto members =
      std::count_if(model_.accounts().begin(), model_.accounts().end(),
                    [&](const auto& other) { return other.second.payer == number; });
  if (account.member_count != members) {
    fail("account {} counts {} members, expected {}", number, account.member_count, members);
  }
  u32 open = 0;
  for (const auto& [id, session] : model_.sessions()) {
    if (session.is_open && session.subscriber == number) ++open;
  }
  if (account.open_sessions != open) {
    fail("account {} counts {} open sessions, expected {}", number, account.open_sessions, open);
  }
  u32 at = account.first_bucket;
  for (const ModelBucket& wanted : expected.buckets) {
    if (at == 0) fail("account {} has too few buckets", number);
    const ledger::Bucket& bucket = shard.bucket(at);
    if (role_of(bucket) != wanted.role) fail("account {}: a transfer is half there", number);
    if (bucket.unit != wanted.terms.unit || bucket.expires_s != wanted.terms.expires_s ||
        bucket.priority != wanted.terms.priority || bucket.put_in.count != wanted.put_in ||
        bucket.balance.count != wanted.balance || bucket.reserved.count != wanted.reserved ||
        bucket.consumed.count != wanted.consumed) {
      fail(
          "account {}, a bucket of {}: put in {} balance {} reserved {} consumed {}; expected {} "
          "{} {} {}",
          number, unit_name(bucket.unit), bucket.put_in.count, bucket.balance.count,
          bucket.reserved.count, bucket.consumed.count, wanted.put_in, wanted.balance,
          wanted.reserved, wanted.consumed);
    }
    at = bucket.next;
  }
  if (at != 0) fail("account {} has too many buckets", number);
}

void Judge::compare_session(const std::string& id, const ModelSession& expected) const {
  u32 index = 0;
  u32 number = 0;
  for (; number < shards_used; ++number) {
    const ledger::Shard shard(appliance_.memory(), number);
    if (!is_up(number)) return;  // perhaps it is one of that tile's
    index = shard.find_session(ledger::Shard::session_hash(id), id);
    if (index != 0) break;
  }
  if (index == 0) fail("session {} is gone", id);
  const ledger::Shard shard(appliance_.memory(), number);
  const ledger::Session& session = shard.session(index);
  const bool is_open = session.state == ledger::SessionState::open;
  if (is_open != expected.is_open || session.deadline_ns != expected.deadline_ns) {
    fail("session {} is {} until {}, expected {} until {}", id, is_open ? "open" : "closed",
         session.deadline_ns, expected.is_open ? "open" : "closed", expected.deadline_ns);
  }
  if (session.quota_count != expected.quotas.size() && session.quota_count != 0) {
    fail("session {} has {} rating groups, expected {}", id, session.quota_count,
         expected.quotas.size());
  }
  const auto compare_quota = [&](const ledger::Quota& quota) {
    const auto wanted =
        std::find_if(expected.quotas.begin(), expected.quotas.end(),
                     [&](const ModelQuota& one) { return one.rating_group == quota.rating_group; });
    if (wanted == expected.quotas.end())
      fail("session {} has rating group {}", id, quota.rating_group);
    Holds held;
    for (u32 i = 0; i < quota.hold_count; ++i) held.sum += quota.hold_amount[i].count;
    held.count = quota.hold_count;
    Holds model_held{.count = wanted->holds.size()};
    for (const ModelQuota::Hold& hold : wanted->holds) model_held.sum += hold.amount;
    if (held.sum != model_held.sum || held.count != model_held.count ||
        quota.granted.count != wanted->granted || quota.cost.count != wanted->cost ||
        quota.used_by_money.count != wanted->used_by_money ||
        quota.used_by_allowance.count != wanted->used_by_allowance) {
      fail("session {} rating group {}: granted {} held {} cost {}, expected {} {} {}", id,
           quota.rating_group, quota.granted.count, held.sum, quota.cost.count, wanted->granted,
           model_held.sum, wanted->cost);
    }
  };
  if (session.quota_count != 0) compare_quota(session.quota);
  for (u32 at = session.first_extension; at != 0; at = shard.extension(at).quota.next) {
    compare_quota(shard.extension(at).quota);
  }
  for (const ExpectedAnswer& wanted : expected.answers) {
    const bool is_there = std::any_of(
        session.answers.begin(), session.answers.end(), [&](const ledger::Answer& answer) {
          return answer.type == static_cast<u8>(wanted.kind) && answer.number == wanted.number &&
                 answer.service_count == wanted.services.size();
        });
    if (!is_there) fail("session {} lost its answer number {}", id, wanted.number);
  }
}

void Judge::compare_counts() const {
  u32 accounts = 0;
  u32 sessions = 0;
  for (u32 number = 0; number < shards_used; ++number) {
    if (!is_up(number)) return;
    const ledger::ShardHeader& header = *appliance_.memory().shard(number).header;
    accounts += header.accounts.used_count;
    sessions += header.sessions.used_count;
  }
  if (accounts != model_.accounts().size()) {
    fail("{} accounts, expected {}", accounts, model_.accounts().size());
  }
  if (sessions != model_.sessions().size()) {
    fail("{} sessions, expected {}", sessions, model_.sessions().size());
  }
}

}  // namespace tollgate::sim
