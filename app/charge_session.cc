// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A session's record: its head, its deadline, and every way in which it ends.

#include <algorithm>
#include <cstring>

#include "app/charge.hh"
#include "app/quota_pool.hh"

namespace tollgate::app {
namespace {

using ledger::Pool;
using ledger::Session;
using ledger::SessionState;

constexpr u32 head_first_word = 2;
constexpr u32 head_word_count = 4;
static_assert(offsetof(Session, account) == head_first_word * 8, "the words of touch_head");
static_assert(offsetof(Session, started_ns) == (head_first_word + head_word_count) * 8,
              "the words of touch_head");
}  // namespace

void Charger::touch_head(const ChargeContext& context, u32 session_index) {
  context.op.change(context.shard.session(session_index), {.pool = Pool::session,
                                                           .index = session_index,
                                                           .at_word = head_first_word,
                                                           .word_count = head_word_count});
}

// A session lives twice the longest Validity-Time of what was answered last.
void Charger::set_deadline(const ChargeContext& context, u32 session_index) {
  u32 validity_s = 0;
  for (u32 i = 0; i < frame_.answer.service_count; ++i) {
    validity_s = std::max(validity_s, frame_.service(i).validity_s);
  }
  constexpr i64 patience_least_s = 30;  // beyond it, however short
  const i64 alive_s = i64{validity_s} + std::max(i64{validity_s}, patience_least_s);
  const Duration silence =
      validity_s != 0 ? Duration::seconds(alive_s) : policy_.session_silence_max;
  Session& session = context.shard.session(session_index);
  const i64 deadline_before_ns = session.deadline_ns;
  session.deadline_ns = (context.op.now() + silence).ns;
  if (session.deadline_ns < deadline_before_ns) context.shard.hasten(session_index);
}

// The session gives all back and is from now on only a memory of its answers.
void Charger::close(const ChargeContext& context, u32 session_index) {
  Session& session = context.shard.session(session_index);
  if (session.quota_count != 0) {
    const QuotaPlace first{&session.quota, Pool::session, session_index};
    if (session.quota.hold_count != 0) {
      change_quota(context, first);
      release_holds(context, session.quota);
    }
  }
  for (u32 at = session.first_extension; at != 0;) {
    ledger::Quota& quota = context.shard.extension(at).quota;
    if (quota.hold_count != 0) {
      change_quota(context, {&quota, Pool::extension, at});
      release_holds(context, quota);
    }
    at = quota.next;
  }
  session.state = SessionState::closed;
  session.deadline_ns = (context.op.now() + policy_.closed_linger).ns;
  context.shard.queue_closed(session_index);
  --context.account().open_sessions;
}

void Charger::note_charging_data(const ChargeContext& context, u32 session_index,
                                 ledger::ClosingCause cause) {
  const Session& session = context.shard.session(session_index);
  u32 count = 0;
  const auto add = [&](const ledger::Quota& quota) {
    data_services_[count++] = {
        .rating_group = quota.rating_group,
        .service_identifier = quota.service_identifier,
        .flags = quota.flags,
        .kind = quota.kind,
        .cost_unit = quota.cost_unit,
        .used_seconds = quota.used_seconds,
        .used = Quantity{quota.used_by_money.count + quota.used_by_allowance.count},
        .cost = quota.cost,
        .used_input_octets = quota.used_input_octets,
        .used_output_octets = quota.used_output_octets,
        .used_events = quota.used_events};
  };
  if (session.quota_count != 0) add(session.quota);
  for (u32 at = session.first_extension; at != 0; at = context.shard.extension(at).quota.next) {
    add(context.shard.extension(at).quota);
  }
  const bool is_event = session.type == static_cast<u8>(RequestKind::event);
  note_.data = {.account_id = context.account().id,
                .started_ns = session.started_ns,
                .ended_ns = context.op.now().ns,
                .service_context = session.service_context,
                .origin_host = session.origin_host,
                .plan = context.account().plan,
                .cause = cause,
                .is_event = static_cast<u8>(is_event ? 1 : 0),
                .service_count = static_cast<u16>(count),
                .session_id_bytes = session.session_id_bytes};
  const u64 extra_bytes = add_extras(context, session.numbers);
  context.op.add_note(
      ledger::NoteKind::charging_data,
      {reinterpret_cast<const u8*>(&note_), sizeof note_.data + extra_bytes},
      {reinterpret_cast<const u8*>(data_services_.data()), count * sizeof(ledger::ChargingService)},
      as_bytes(session.session_id_text()));
}

// What a record says of its account and session if there is something to say; octets.
u64 Charger::add_extras(const ChargeContext& context, const ledger::SessionNumbers& numbers) {
  u64 bytes = 0;
  const auto add = [&](u16 extra, const auto& words) {
    note_.data.extras |= extra;
    std::memcpy(note_.extras.data() + bytes, &words, sizeof words);
    bytes += sizeof words;
  };
  const auto& products = context.account().products;
  if (products != ledger::Account{}.products) add(ledger::charging_extra::products, products);
  if (!numbers.is_none()) add(ledger::charging_extra::numbers, numbers);
  return bytes;
}

void Charger::expire(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                     u32 session_index) {
  ++counters_.sessions_expired;
  drop(shard, op, image, session_index);
  op.finish(ledger::EntryKind::timer, ledger::AnswerTag::none());
}

void Charger::forget(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                     u32 session_index) {
  end(shard, op, image, session_index, ledger::ClosingCause::abnormal_release);
  op.finish(ledger::EntryKind::timer, ledger::AnswerTag::none());
}

void Charger::hasten(ledger::Shard& shard, ledger::Operation& op, u32 session_index) {
  constexpr Duration patience = Duration::seconds(30);
  const Instant due = op.now() + patience;
  Session& session = shard.session(session_index);
  if (session.deadline_ns <= due.ns) return;
  op.change(session, {.pool = Pool::session,
                      .index = session_index,
                      .at_word = head_first_word,
                      .word_count = head_word_count});
  session.deadline_ns = due.ns;
  shard.hasten(session_index);
  op.finish(ledger::EntryKind::timer, ledger::AnswerTag::none());
}

void Charger::drop(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                   u32 session_index) {
  const bool is_silent = shard.session(session_index).deadline_ns <= op.now().ns;
  end(shard, op, image, session_index,
      is_silent ? ledger::ClosingCause::abnormal_release
                : ledger::ClosingCause::management_intervention);
}

void Charger::end(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
                  u32 session_index, ledger::ClosingCause cause) {
  const Session& session = shard.session(session_index);
  const ChargeContext context{.shard = shard,
                              .op = op,
                              .image = image,
                              .policy = policy_,
                              .account_index = session.account,
                              .service_context = session.service_context};
  touch_head(context, session_index);
  close(context, session_index);
  note_charging_data(context, session_index, cause);
}

}  // namespace tollgate::app
