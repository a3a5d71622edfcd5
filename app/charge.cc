// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/charge.hh"

#include "app/extension_room.hh"
#include "app/quota_pool.hh"
#include "app/request_numbers.hh"
#include "app/request_window.hh"
#include "app/tariff_change.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Answer;
using ledger::Outcome;
using ledger::Pool;
using ledger::Session;
using ledger::SessionState;

void copy_key(const ChargeService& service, ledger::ServiceAnswer& answer) {
  answer = {};
  answer.rating_group = service.rating_group;
  answer.service_identifier = service.service_identifier;
  answer.flags = service.flags;
}

// A client that is told the Remaining-Balance is not told a Tariff-Time-Change: answers have one
// place for both.
constexpr u8 change_habits = habit::knows_tariff_change | habit::tell_remaining;

bool is_same_service(const ChargeService& one, const ChargeService& other) {
  return one.rating_group == other.rating_group &&
         one.service_identifier == other.service_identifier && one.flags == other.flags;
}

// What a client is told as DIAMETER_RATING_FAILED, with the service in Failed-AVP.
bool is_unrated(Outcome outcome) {
  switch (outcome) {
    case Outcome::rating_failed:
    case Outcome::unit_mismatch:
    case Outcome::amount_invalid:
    case Outcome::amount_overflow:
    case Outcome::refund_too_large:
      return true;
    default:
      return false;
  }
}

ledger::SessionNumbers numbers_of(const ChargeRequestView& request) {
  if (request.head().has_numbers == 0) return {};
  return request.numbers();
}

}  // namespace

// Whether the account may be served at all. An inactive one may: that is its first use. One that
// may only receive is told so for each service that costs something; see find_rule.
Outcome Charger::account_outcome(const ChargeContext& context) const {
  if (!context.shard.is_account(context.account_index)) return Outcome::account_unknown;
  switch (state_at(context.account(), context.op.now_second())) {
    case ledger::AccountState::active:
    case ledger::AccountState::inactive:
    case ledger::AccountState::one_way:
      return Outcome::ok;
    case ledger::AccountState::suspended:
      return Outcome::account_suspended;
    case ledger::AccountState::expired:
      return Outcome::account_expired;
    case ledger::AccountState::free:
      break;
  }
  return Outcome::account_unknown;
}

// The tariff that a session goes on under: the one that it began with, where that tariff says so
// and is still there.
const rating::Image& Charger::image_of(const ledger::Shard& shard, u32 session_index) {
  if (session_index == 0) return *newest_;
  const Session& session = shard.session(session_index);
  const u32 kept = session.tariff_version;
  if (kept == 0 || kept == newest_->tag() || tariffs_ == nullptr) [[likely]]
    return *newest_;
  older_ = tariffs_->find(kept);
  const bool has_plan =
      older_.is_loaded() && older_.find_plan(shard.account(session.account).plan) != nullptr;
  return has_plan ? older_ : *newest_;
}

// The account that a request was sent to, or nobody: it may have been removed on the way, and its
// place given to another one.
u32 Charger::account_of(const ledger::Shard& shard, const ChargeRequest& head) {
  const u32 index = head.account.index();
  if (head.identity_check == 0 || !shard.is_account(index)) return index;
  for (const ledger::IdentityKey identity : shard.account(index).identities) {
    if (!identity.is_none() && identity.check_value() == head.identity_check) return index;
  }
  return 0;
}

void Charger::charge(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                     ChargeRequestView request, bool may_move) {
  const ChargeRequest& head = request.head();
  ++counters_.requests;
  frame_.answer = {};
  const u32 session_index = shard.find_session(head.session_hash, request.session_id());
  Outcome outcome = find_repeated(shard, session_index, head);
  if (outcome == Outcome::session_unknown) {
    if (!may_move) {
      outcome = Outcome::too_busy;
      ++counters_.refused_no_room;
    } else {
      const u32 account =
          session_index != 0 ? shard.session(session_index).account : account_of(shard, head);
      newest_ = &image;
      const ChargeContext context{.shard = shard,
                                  .op = op,
                                  .image = image_of(shard, session_index),
                                  .policy = policy_,
                                  .account_index = account,
                                  .service_context = head.service_context,
                                  .numbers = numbers_of(request),
                                  .habits = head.habits,
                                  .facts = &facts_};
      outcome = carry_out(context, request, session_index);
    }
  }
  if (!op.has_changes()) {
    // A refusal as a whole, or a repetition: nothing to journal, but the answer keeps its place.
    if (outcome != Outcome::ok) {
      // Of an event that cannot be rated its services stay: the answer names them.
      const u8 named = is_unrated(outcome) ? frame_.answer.service_count : u8{0};
      const ledger::ServiceAnswer first = frame_.answer.first;
      frame_.answer = {};
      frame_.answer.outcome = outcome;
      if (named != 0) frame_.answer.first = first;
      frame_.answer.service_count = named;
    }
    frame_.answer.type = static_cast<u8>(head.kind);
    frame_.answer.number = head.number;
    op.set_answer_in_note(frame_.octets());
  }
  count_told(frame_.answer.outcome);
  const bool is_whole = !op.has_changes() && frame_.answer.outcome != Outcome::ok;
  for (u32 i = 0; !is_whole && i < frame_.answer.service_count; ++i) {
    count_told(frame_.service(i).outcome);
  }
  op.finish(ledger::EntryKind::request, head.tag);
}

Outcome Charger::carry_out(const ChargeContext& context, ChargeRequestView request,
                           u32 session_index) {
  switch (request.head().kind) {
    case RequestKind::initial: {
      ++counters_.initial;
      const Outcome outcome = begin_session(context, request, session_index);
      if (outcome != Outcome::ok) return outcome;
      break;
    }
    case RequestKind::update:
      ++counters_.update;
      if (session_index == 0) return Outcome::session_unknown;
      if (!has_extensions(context, request, session_index)) return Outcome::too_busy;
      break;
    case RequestKind::termination:
      ++counters_.termination;
      if (session_index == 0) return Outcome::session_unknown;
      if (!has_extensions(context, request, session_index)) return Outcome::too_busy;
      break;
    case RequestKind::event:
      ++counters_.event;
      return event(context, request);
    case RequestKind::none:
    case RequestKind::session_answer:
      return Outcome::session_unknown;
  }
  serve(context, request, session_index);
  return Outcome::ok;
}

Outcome Charger::begin_session(const ChargeContext& context, ChargeRequestView request,
                               u32& session_index) {
  const Outcome account = account_outcome(context);
  if (account != Outcome::ok) return account;
  if (request.session_id().size() > ledger::session_id_bytes_max) {
    return Outcome::session_id_too_long;
  }
  const u32 service_count = request.head().service_count;
  const u32 extensions = quota_extensions(service_count) + answer_extensions(service_count);
  if (!context.shard.has_free_session() || context.shard.make_extensions(extensions) < extensions) {
    ++counters_.refused_too_busy;
    return Outcome::too_busy;
  }
  session_index = context.shard.take_session(
      context.op, {.session_id = request.session_id(),
                   .hash = request.head().session_hash,
                   .deadline = context.op.now() + policy_.session_silence_max});
  check(session_index != 0, "has_free_session was asked");
  Session& session = context.shard.session(session_index);
  session.account = context.account_index;
  session.state = SessionState::open;
  session.type = static_cast<u8>(request.head().kind);
  session.service_context = request.head().service_context;
  session.origin_host = request.head().origin_host;
  session.numbers = context.numbers;
  session.tariff_version = context.image.tag_to_keep(context.account().plan);
  ++context.account().open_sessions;
  begin_use(context);
  return Outcome::ok;
}

// The first use of an account makes it active.
void Charger::begin_use(const ChargeContext& context) {
  ledger::Account& account = context.account();
  if (account.state != ledger::AccountState::inactive) return;
  constexpr u32 word = offsetof(ledger::Account, state) / 8;
  context.op.change(
      account,
      {.pool = Pool::account, .index = context.account_index, .at_word = word, .word_count = 1});
  account.state = ledger::AccountState::active;
}

// Whether there is room for the quotas that the request adds and for its answer. The services are
// only counted when the pool is nearly empty.
bool Charger::has_extensions(const ChargeContext& context, ChargeRequestView request,
                             u32 session_index) {
  const u32 service_count = request.head().service_count;
  const u32 answer = answer_extensions(service_count);
  u32 free = context.shard.make_extensions(service_count + answer);
  if (free >= service_count + answer) return true;
  const Session& session = context.shard.session(session_index);
  const Answer& replaced = session.answers[session.answer_turn % ledger::answers_per_session];
  free += answer_extensions(replaced.service_count);
  u32 fresh = 0;
  for (const ChargeService& service : request.services()) {
    if (find_quota(context, session_index, service).quota == nullptr) ++fresh;
  }
  if (session.quota_count == 0) fresh = quota_extensions(fresh);
  if (free >= fresh + answer) return true;
  ++counters_.refused_too_busy;
  return false;
}

// All reports are booked before anything is granted: so two parts that speak of one rating group
// (a report beside a wish, or the two of a dual quota) neither release nor starve each other.
void Charger::serve(const ChargeContext& base, ChargeRequestView request, u32 session_index) {
  touch_head(base, session_index);
  Session& session = base.shard.session(session_index);
  ChargeContext context = base;
  context.service_context = session.service_context;  // of the INITIAL; updates may leave it out
  context.session_hash = session.hash;
  context.session_index = session_index;
  const ChargeRequest& head = request.head();
  context.numbers = session.numbers;
  context.began = Instant{session.started_ns};
  if (head.has_numbers != 0) fill_numbers(request.numbers(), context.numbers);
  if (head.after_count != 0) context.tariff_change = told_change(session, context.op.now());
  const bool is_last = head.kind == RequestKind::termination;
  if (head.kind == RequestKind::update) mark_seen(session, head.number);
  if (!head.way.is_none()) session.closed_next = head.way.value;

  frame_.answer.type = static_cast<u8>(head.kind);
  frame_.answer.number = head.number;
  frame_.answer.service_count = static_cast<u8>(head.service_count);
  u32 number = 0;
  for (const ChargeService& service : request.services()) {
    ledger::ServiceAnswer& answer = frame_.service(number);
    copy_key(service, answer);
    settle_one(context, service, session_index, is_last, work_[number], answer);
    ++number;
  }
  for (const ChargeService& after : request.used_after()) [[unlikely]] {
      settle_after(context, request.services(), after);
    }
  if (head.has_numbers != 0) keep_numbers(request, session_index, context);
  grant_all(context, request);
  tell_money(context, head, session_index);
  if (is_last) {
    close(context, session_index);
    note_charging_data(context, session_index, ledger::ClosingCause::normal_release);
  } else {
    if ((head.habits & habit::whole_denial) != 0) frame_.answer.outcome = denial_of_all();
    if (is_refused_beginning(head)) {
      close(context, session_index);  // it never began: there is nothing to tell in a CDR
    } else {
      set_deadline(context, session_index);
    }
  }
  store_answer(context, session_index);
}

// From the grants of this request on, other numbers may count: of a subscriber who has moved to
// another network. What he has reported was used before.
void Charger::keep_numbers(ChargeRequestView request, u32 session_index, ChargeContext& context) {
  Session& session = context.shard.session(session_index);
  ledger::SessionNumbers numbers = request.numbers();
  fill_numbers(session.numbers, numbers);
  if (numbers == session.numbers) return;
  context.op.change(session, {.pool = Pool::session,
                              .index = session_index,
                              .at_word = offsetof(Session, numbers) / 8,
                              .word_count = sizeof session.numbers / 8});
  session.numbers = numbers;
  context.numbers = numbers;
  u32 number = 0;
  for (const ChargeService& service : request.services()) {
    if (work_[number].wants_grant) work_[number].found = find_rule(context, service);
    ++number;
  }
}

// An INITIAL that is refused as a whole, or told that it costs nothing: its client sends nothing
// more.
bool Charger::is_refused_beginning(const ChargeRequest& head) const {
  if (head.kind != RequestKind::initial || head.service_count == 0) return false;
  const Answer& answer = frame_.answer;
  const bool is_part = (answer.first.flags & ledger::service_flag::is_multiple_services) != 0;
  if (answer.outcome != Outcome::ok || (!is_part && answer.first.outcome != Outcome::ok))
    return true;
  if ((head.habits & habit::free_ends) == 0) return false;
  for (u32 i = 0; i < answer.service_count; ++i) {
    if ((frame_.service(i).flags & ledger::service_flag::is_free) == 0) return false;
  }
  return true;
}

// What the first service was denied with, if each of them was; for clients that look nowhere else.
Outcome Charger::denial_of_all() const {
  const u32 count = frame_.answer.service_count;
  for (u32 i = 0; i < count; ++i) {
    if (frame_.service(i).outcome == Outcome::ok) return Outcome::ok;
  }
  return count != 0 ? frame_.answer.first.outcome : Outcome::ok;
}

void Charger::settle_one(const ChargeContext& context, const ChargeService& service,
                         u32 session_index, bool is_last, Work& work,
                         ledger::ServiceAnswer& answer) {
  work.wants_grant = work.is_pooled = false;
  work.found = {};
  work.place = find_quota(context, session_index, service);
  if (work.place.quota != nullptr) {
    change_quota(context, work.place);
  } else {
    work.place = add_quota(context, session_index, service);
  }
  if (work.place.quota == nullptr) {
    answer.outcome = Outcome::too_many_quotas;
    return;
  }
  work.found = find_rule(context, service);
  answer.outcome = settle(context, work.found, service, *work.place.quota);
  if (is_last || service.is_final_report != 0 || service.wanted == Wanted::nothing) {
    if (answer.outcome == Outcome::ok && work.found.rule == nullptr) {
      answer.outcome = work.found.outcome;
    }
    return;
  }
  if (answer.outcome != Outcome::ok) return;
  answer.outcome = account_outcome(context);
  const bool has_rule = (service.priced_flags & ChargeService::is_without_rule) == 0;
  if (answer.outcome == Outcome::ok && !has_rule) answer.outcome = Outcome::rating_failed;
  work.wants_grant = answer.outcome == Outcome::ok;
}

// What was used after the tariff changed, of a service whose part before it has been booked.
void Charger::settle_after(const ChargeContext& context, std::span<const ChargeService> services,
                           const ChargeService& after) {
  u32 number = 0;
  while (number < services.size() && !is_same_service(services[number], after)) ++number;
  check(number < services.size(), "it is a part of one of them");
  Work& work = work_[number];
  if (work.place.quota == nullptr) return;
  const Outcome outcome = settle(context, work.found, after, *work.place.quota);
  if (outcome == Outcome::ok) return;
  frame_.service(number).outcome = outcome;
  work.wants_grant = false;
}

void Charger::grant_all(const ChargeContext& context, ChargeRequestView request) {
  const bool knows_pools = (context.habits & habit::knows_pools) != 0;
  u32 number = 0;
  if (knows_pools) [[unlikely]] {
    for (const ChargeService& service : request.services()) {
      Work& work = work_[number];
      if (work.wants_grant) {
        begin_grant(number);
        work.is_pooled = grant_pooled(context, work.found, service, work.after, *work.place.quota,
                                      frame_.service(number));
      }
      ++number;
    }
    number = 0;
  }
  for (const ChargeService& service : request.services()) {
    const Work& work = work_[number];
    if (work.wants_grant && !work.is_pooled) {
      grant_one(context, service, number, frame_.service(number));
    }
    ++number;
  }
  if (knows_pools) [[unlikely]]
    end_idle_pools(context);
}

// Where the price of the next grant goes on.
void Charger::begin_grant(u32 number) {
  Work& work = work_[number];
  const ledger::Quota& quota = *work.place.quota;
  work.after = {.by_money = quota.used_by_money, .by_allowance = quota.used_by_allowance};
  if (!quota.granted.is_zero()) {
    // A further grant to the same group in one answer is priced behind the first.
    for (u32 i = number; i-- > 0;) {
      if (work_[i].place.quota != &quota || !work_[i].wants_grant) continue;
      work.after = work_[i].after;
      break;
    }
  }
}

void Charger::grant_one(const ChargeContext& context, const ChargeService& service, u32 number,
                        ledger::ServiceAnswer& answer) {
  Work& work = work_[number];
  begin_grant(number);
  // An answer tells of one change.
  Answer& whole = frame_.answer;
  const bool tells_other = (whole.flags & ledger::answer_flag::has_tariff_change) != 0 &&
                           work.found.until != Instant::from_seconds(whole.tariff_change_s);
  work.found.may_tell_change =
      !tells_other && (context.habits & change_habits) == habit::knows_tariff_change;
  grant(context, work.found, service, work.after, *work.place.quota, answer);
  if (&context.image != newest_ && has_text(answer.final_action)) {
    // Answers are read with the newest tariff: the text is found there, or the service ends.
    answer.text = newest_->redirect_number(context.image.redirect(answer.text));
  }
  if ((answer.flags & ledger::service_flag::has_tariff_change) == 0) return;
  whole.flags |= ledger::answer_flag::has_tariff_change;
  whole.tariff_change_s = work.found.until.whole_seconds();
}

// What the answer tells of the account's money, if its client wants to know.
void Charger::tell_money(const ChargeContext& context, const ChargeRequest& head,
                         u32 session_index) {
  Answer& answer = frame_.answer;
  u32 rated = 0;  // a plan has one currency: any of its rules tells it
  while (rated < answer.service_count && work_[rated].found.rule == nullptr) ++rated;
  if (rated == answer.service_count) return;
  answer.cost_unit = work_[rated].found.rule->currency;
  for (const ChargePolicy::LowBalance& low : policy_.low_balances) {
    if (low.currency == Unit::none) break;
    if (low.currency != answer.cost_unit) continue;
    answer.flags |= ledger::answer_flag::has_low_balance;
    if (money_left(context, low.currency) < low.below) {
      answer.flags |= ledger::answer_flag::is_low_balance;
    }
  }
  if ((head.habits & habit::tell_remaining) != 0) {
    answer.remaining = money_left(context, answer.cost_unit).count;
    answer.flags |= ledger::answer_flag::has_remaining;
  }
  if ((head.habits & habit::tell_advice) != 0) {
    answer.cost = cost_so_far(context, session_index);
    answer.flags |= ledger::answer_flag::has_advice;
  }
}

Money Charger::cost_so_far(const ChargeContext& context, u32 session_index) {
  const Session& session = context.shard.session(session_index);
  Money sum = session.quota_count != 0 ? session.quota.cost : Money{};
  for (u32 at = session.first_extension; at != 0; at = context.shard.extension(at).quota.next) {
    Money next;
    if (add(sum, context.shard.extension(at).quota.cost, next)) sum = next;
  }
  return sum;
}

}  // namespace tollgate::app
