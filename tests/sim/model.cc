// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/model.hh"

#include <algorithm>

#include "base/check.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

using ledger::AccountState;

// What the session refuses or repeats, before anything is looked at.
Outcome Model::find_repeated(const ModelSession& session, const Question& question,
                             Reply& reply) const {
  for (const ExpectedAnswer& answer : session.answers) {
    if (answer.kind != question.kind || answer.number != question.number) continue;
    reply.answer = answer;
    reply.is_repeated = true;
    return Outcome::ok;
  }
  if (question.kind == RequestKind::initial || question.kind == RequestKind::event) {
    return Outcome::session_forgotten;
  }
  if (question.kind == RequestKind::update && !session.updates.empty()) {
    const u32 last = *session.updates.rbegin();
    const bool is_old = question.number <= last && last - question.number >= 64;
    if (is_old || session.updates.contains(question.number)) return Outcome::session_forgotten;
  }
  return session.is_open ? Outcome::session_unknown : Outcome::session_closed;
}

// A suspension is told before the end.
AccountState Model::state_at(const ModelAccount& account, Instant at) {
  const bool is_over = account.valid_until_s != 0 && at.whole_seconds() >= account.valid_until_s;
  if (account.state == AccountState::suspended || !is_over) return account.state;
  return AccountState::expired;
}

Outcome Model::account_outcome(u32 subscriber, Instant at) const {
  const auto found = accounts_.find(subscriber);
  if (found == accounts_.end()) return Outcome::account_unknown;
  const AccountState state = state_at(found->second, at);
  if (state == AccountState::suspended) return Outcome::account_suspended;
  if (state == AccountState::expired) return Outcome::account_expired;
  return Outcome::ok;
}

// The first use of an account makes it active.
void Model::begin_use(u32 subscriber) {
  ModelAccount& account = accounts_.at(subscriber);
  if (account.state == AccountState::inactive) account.state = AccountState::active;
}

Model::Reply Model::carry_out(const Question& question, Instant at, bool may_move) {
  const std::map<u64, i64> before = worths();
  Reply reply = answer(question, at, may_move);
  look_for_crossings(before);
  return reply;
}

Model::Reply Model::answer(const Question& question, Instant at, bool may_move) {
  Reply reply;
  auto found = sessions_.find(question.session_id);
  Outcome outcome = Outcome::session_unknown;
  if (found != sessions_.end()) outcome = find_repeated(found->second, question, reply);
  if (reply.is_repeated) return reply;
  if (outcome == Outcome::session_unknown && !may_move) outcome = Outcome::too_busy;
  if (outcome == Outcome::session_unknown) {
    outcome = Outcome::ok;
    if (question.kind == RequestKind::event) {
      outcome = event(question, at, reply);
    } else if (question.kind == RequestKind::initial) {
      outcome = account_outcome(question.subscriber, at);
      if (outcome == Outcome::ok) {
        begin_use(question.subscriber);
        ModelSession fresh{.subscriber = question.subscriber, .context = question.context};
        forgotten_.erase(question.session_id);
        found = sessions_.insert_or_assign(question.session_id, std::move(fresh)).first;
      }
    } else if (found == sessions_.end()) {
      outcome = Outcome::session_unknown;
    }
    if (outcome == Outcome::ok && question.kind != RequestKind::event) {
      serve(found->second, question, at, reply.answer);
      reply.has_effect = true;
    }
  }
  if (outcome != Outcome::ok) {
    // What cannot be rated is named.
    const bool is_named = outcome == Outcome::refund_too_large;
    if (!is_named) reply.answer.services.clear();
    reply.answer = {.outcome = outcome, .services = std::move(reply.answer.services)};
  }
  reply.answer.kind = question.kind;
  reply.answer.number = question.number;
  if (reply.has_effect) {
    ModelSession& session = sessions_.at(question.session_id);
    session.answers.push_back(reply.answer);
    if (session.answers.size() > 2) session.answers.pop_front();
  }
  return reply;
}

void Model::serve(ModelSession& session, const Question& question, Instant at,
                  ExpectedAnswer& answer) {
  if (question.kind == RequestKind::update) session.updates.insert(question.number);
  // All reports first, then all grants.
  for (const AskedService& service : question.services) {
    answer.services.push_back(settle_one(session, question, service, at));
  }
  i64 validity_s = 0;
  for (std::size_t i = 0; i < question.services.size(); ++i) {
    const AskedService& service = question.services[i];
    ExpectedService& part = answer.services[i];
    const bool is_report =
        question.kind == RequestKind::termination || service.wanted == Wanted::nothing;
    if (!is_report && part.outcome == Outcome::ok) {
      ModelAccount& account = accounts_.at(session.subscriber);
      const Rule rule = rule_for(account.plan, session.context, service.rating_group);
      grant(account, rule, service, quota_of(session, service.rating_group), at, part);
    }
    validity_s = std::max(validity_s, i64{part.validity_s});
  }
  const i64 patience_s = validity_s + std::max<i64>(validity_s, 30);
  session.deadline_ns =
      (at + Duration::seconds(validity_s != 0 ? patience_s : session_silence_s)).ns;
  if (question.kind == RequestKind::termination) close(session, at);
}

ModelQuota& Model::quota_of(ModelSession& session, u32 rating_group) {
  for (ModelQuota& quota : session.quotas) {
    if (quota.rating_group == rating_group) return quota;
  }
  return session.quotas.emplace_back(ModelQuota{.rating_group = rating_group});
}

ExpectedService Model::settle_one(ModelSession& session, const Question& question,
                                  const AskedService& service, Instant at) {
  ExpectedService answer{.rating_group = service.rating_group};
  ModelAccount& account = accounts_.at(session.subscriber);
  const Rule rule = rule_for(account.plan, session.context, service.rating_group);
  answer.outcome = settle(account, rule, service, quota_of(session, service.rating_group), at);
  if (answer.outcome != Outcome::ok) return answer;
  const bool is_report =
      question.kind == RequestKind::termination || service.wanted == Wanted::nothing;
  if (!is_report) {
    answer.outcome = account_outcome(session.subscriber, at);
  } else if (rule.verdict == Verdict::absent) {
    answer.outcome = Outcome::rating_failed;
  }
  return answer;
}

// What was held goes back, and what was used is taken, beyond the balance if need be.
Outcome Model::settle(ModelAccount& account, const Rule& rule, const AskedService& service,
                      ModelQuota& quota, Instant at) {
  const std::vector<ModelQuota::Hold> held = quota.holds;
  release(account, quota);
  if (!service.has_used) return Outcome::ok;
  if (rule.verdict == Verdict::absent) return Outcome::rating_failed;
  if (rule.verdict != Verdict::charged) {
    quota.used_by_allowance += service.used;
    return Outcome::ok;
  }
  if (service.used == 0) return Outcome::ok;
  const Payers payers = find_payers(account, rule, at, 64, held);
  const Cover covered = cover(rule, quota.used_by_money, service.used, payers, 1);
  take(account, payers, covered, &ModelBucket::consumed, nullptr);
  quota.used_by_allowance += covered.octets;
  quota.used_by_money += covered.by_money;
  quota.cost += covered.cost;
  if (covered.missing == 0 || payers.last_money == nullptr) return Outcome::ok;
  const i64 more =
      cost_of(rule, quota.used_by_money + covered.missing) - cost_of(rule, quota.used_by_money);
  move(account, {.purse = payers.last_purse, .bucket = payers.last_money}, more,
       &ModelBucket::balance, &ModelBucket::consumed);
  quota.cost += more;
  quota.used_by_money += covered.missing;
  return Outcome::ok;
}

void Model::grant(ModelAccount& account, const Rule& rule, const AskedService& service,
                  ModelQuota& quota, Instant at, ExpectedService& answer) {
  if (rule.verdict == Verdict::absent) answer.outcome = Outcome::rating_failed;
  if (rule.verdict == Verdict::barred) answer.outcome = Outcome::service_barred;
  if (rule.verdict == Verdict::charged && account.state == AccountState::one_way) {
    answer.outcome = Outcome::account_one_way;
  }
  if (answer.outcome != Outcome::ok) return;
  const bool has_wish = service.wanted == Wanted::units && service.asked > 0;
  i64 wanted = has_wish ? service.asked : rule.grant_size;
  if (rule.grant_max != 0) wanted = std::min(wanted, rule.grant_max);
  i64 granted = wanted;
  i64 validity_s = rule.validity_s;
  if (rule.verdict == Verdict::charged) {
    Payers payers = find_payers(account, rule, at, 4, {});
    const Cover covered = cover(rule, quota.used_by_money, wanted, payers, rule.granule);
    granted = covered.octets + covered.by_money;
    if (granted == 0) {
      answer.outcome = Outcome::credit_limit_reached;
      return;
    }
    take(account, payers, covered, &ModelBucket::reserved, &quota.holds);
    // It is the last if it is cut short, or if not the smallest part could follow it.
    payers.octets -= covered.octets;
    payers.money -= covered.cost;
    const Cover next =
        cover(rule, quota.used_by_money + covered.by_money, rule.granule, payers, rule.granule);
    const bool is_last = covered.missing != 0 || next.missing == rule.granule;
    if (is_last && !payers.is_cut) answer.last = rule.last;
    // It is good as long as the buckets that pay for it.
    for (const ModelQuota::Hold& hold : quota.holds) {
      const ModelBucket& leaned_on = *held_bucket(account, hold.bucket).bucket;
      const i64 left_s = i64{leaned_on.terms.expires_s} - at.whole_seconds();
      if (left_s > 0) validity_s = std::min(validity_s, left_s);
    }
  }
  quota.granted = granted;
  answer.has_grant = true;
  answer.granted = granted;
  answer.validity_s = static_cast<u32>(validity_s);
  if (answer.last == LastAction::none) {
    answer.threshold = static_cast<u32>(granted * rule.threshold_percent / 100);
  }
}

void Model::release(ModelAccount& account, ModelQuota& quota) {
  for (const ModelQuota::Hold& hold : quota.holds) {
    move(account, held_bucket(account, hold.bucket), hold.amount, &ModelBucket::reserved,
         &ModelBucket::balance);
  }
  quota.holds.clear();
  quota.granted = 0;
}

void Model::close(ModelSession& session, Instant at) {
  last_closing_cost_ = 0;
  for (ModelQuota& quota : session.quotas) {
    if (!quota.holds.empty()) release(accounts_.at(session.subscriber), quota);
    last_closing_cost_ += quota.cost;
  }
  session.is_open = false;
  session.deadline_ns = (at + Duration::seconds(closed_linger_s)).ns;
}

// One service, all or nothing.
Outcome Model::event(const Question& question, Instant at, Reply& reply) {
  const Outcome of_account = account_outcome(question.subscriber, at);
  if (of_account != Outcome::ok) return of_account;
  ModelAccount& account = accounts_.at(question.subscriber);
  if (question.action == EventAction::refund_account) {
    return refund(account, question, at, reply);
  }
  const Rule rule = rule_for(account.plan, question.context, 0);
  const i64 units = question.services[0].asked;
  const i64 cost = cost_of(rule, units);
  const Payers payers = find_payers(account, rule, at, 64, {});
  const Cover covered = cover(rule, 0, units, payers, 1);
  ExpectedService service;
  ExpectedAnswer& answer = reply.answer;
  answer.is_event = true;
  if (question.action != EventAction::price_enquiry && covered.missing != 0) {
    service.outcome = Outcome::credit_limit_reached;
  }
  if (account.state == AccountState::one_way) service.outcome = Outcome::account_one_way;
  if (question.action == EventAction::check_balance) {
    answer.is_check = true;
    answer.services.push_back(service);
    return Outcome::ok;
  }
  if (service.outcome != Outcome::ok) return service.outcome;
  answer.has_cost = true;
  answer.cost_micros = cost;
  if (question.action == EventAction::direct_debiting) {
    begin_use(question.subscriber);
    take(account, payers, covered, &ModelBucket::consumed, nullptr);
    service.has_grant = true;
    service.granted = units;
    ModelSession done{.subscriber = question.subscriber, .context = question.context};
    done.quotas.push_back({.used_by_money = units, .cost = cost});
    forgotten_.erase(question.session_id);
    close(sessions_.insert_or_assign(question.session_id, std::move(done)).first->second, at);
    reply.has_effect = true;
  }
  answer.services.push_back(service);
  return Outcome::ok;
}

// Each bucket gets back what it was charged, a payer's what it was charged for this account.
Outcome Model::refund(ModelAccount& account, const Question& question, Instant at, Reply& reply) {
  std::vector<std::pair<Payer, i64>> parts;
  i64 left = question.refund_micros;
  bool has_bucket = false;
  const ModelBucket* limit = limit_of(account, Unit::eur);
  i64 of_payer = limit == nullptr ? INT64_MAX : limit->consumed;
  for (ModelAccount* purse : purses_of(account, at)) {
    for (ModelBucket& one : purse->buckets) {
      if (one.terms.unit != Unit::eur || !is_usable(one, at)) continue;
      has_bucket = true;
      i64 part = std::min(left, one.consumed);
      if (purse != &account) part = std::min(part, of_payer);
      if (part <= 0) continue;
      if (purse != &account) of_payer -= part;
      left -= part;
      parts.push_back({{.purse = purse, .bucket = &one}, part});
    }
  }
  if (!has_bucket) return Outcome::bucket_unknown;
  if (left != 0) {
    reply.answer.services.push_back({.outcome = Outcome::refund_too_large});
    return Outcome::refund_too_large;
  }
  begin_use(question.subscriber);
  for (const auto& [payer, part] : parts) {
    move(account, payer, part, &ModelBucket::consumed, &ModelBucket::balance);
  }
  ModelSession done{.subscriber = question.subscriber, .context = question.context};
  forgotten_.erase(question.session_id);
  close(sessions_.insert_or_assign(question.session_id, std::move(done)).first->second, at);
  reply.has_effect = true;
  reply.answer.is_event = true;
  reply.answer.has_cost = true;
  reply.answer.cost_micros = question.refund_micros;
  reply.answer.services.push_back(ExpectedService{});
  return Outcome::ok;
}

void Model::expire(const std::string& session_id, Instant at) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) fail("a session that is not there expired: {}", session_id);
  if (!found->second.is_open) fail("a session expired that had ended: {}", session_id);
  if (found->second.deadline_ns > at.ns) {
    fail("session {} expired {} ms early", session_id,
         (found->second.deadline_ns - at.ns) / 1'000'000);
  }
  close(found->second, at);
}

void Model::forget(const std::string& session_id) {
  auto node = sessions_.extract(session_id);
  check(!node.empty(), "what is forgotten was there");
  forgotten_[session_id] = std::move(node.mapped());
}

bool Model::remember(const std::string& session_id) {
  auto node = forgotten_.extract(session_id);
  if (node.empty()) return false;
  sessions_[session_id] = std::move(node.mapped());
  return true;
}

void Model::check_conservation() const {
  std::map<Unit, i64> put_in;
  std::map<Unit, i64> there;
  std::set<u64> received;
  for (const auto& [number, account] : accounts_) {
    for (const ModelBucket& one : account.buckets) {
      if (one.role == ModelBucket::Role::received) received.insert(one.transfer);
    }
  }
  for (const auto& [number, account] : accounts_) {
    for (const ModelBucket& one : account.buckets) {
      if (one.role == ModelBucket::Role::sent && received.contains(one.transfer)) continue;
      if (one.role == ModelBucket::Role::limit) continue;
      put_in[one.terms.unit] += one.put_in;
      there[one.terms.unit] += one.balance + one.reserved + one.consumed;
    }
  }
  for (const auto& [unit, sum] : put_in_) {
    if (put_in[unit] != sum || there[unit] != sum) {
      fail("of {} {} was put in, the buckets say {}, and {} is there", sum, unit_name(unit),
           put_in[unit], there[unit]);
    }
  }
}

}  // namespace tollgate::sim
