// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The answers that a session keeps: how one is stored, found again when its request is repeated,
// and loaded.

#include "app/charge.hh"
#include "app/extension_room.hh"
#include "app/request_window.hh"
#include "base/check.hh"

namespace tollgate::app {
namespace {

using ledger::Answer;
using ledger::Outcome;
using ledger::Pool;
using ledger::Session;
using ledger::SessionState;

// False for what cannot have been answered before: an UPDATE beyond the highest number, a
// TERMINATION of an open session. Then the answers need not be fetched.
bool may_be_repeated(const Session& session, const ChargeRequest& request) {
  if (request.kind == RequestKind::update) {
    return session.update_seen != 0 && request.number <= session.update_last;
  }
  return request.kind != RequestKind::termination || session.state != SessionState::open;
}

const Answer* find_answer(const Session& session, const ChargeRequest& request) {
  if (!may_be_repeated(session, request)) return nullptr;
  for (const Answer& answer : session.answers) {
    if (answer.type == static_cast<u8>(request.kind) && answer.number == request.number) {
      return &answer;
    }
  }
  return nullptr;
}

}  // namespace

// ok: the stored answer is in frame_. session_unknown: this is not a repetition.
Outcome Charger::find_repeated(const ledger::Shard& shard, u32 session_index,
                               const ChargeRequest& request) {
  if (session_index == 0) return Outcome::session_unknown;
  const Session& session = shard.session(session_index);
  if (const Answer* stored = find_answer(session, request)) {
    load_answer(shard, *stored);
    frame_.answer.flags |= ledger::answer_flag::is_repeated;
    ++counters_.repeated;
    return Outcome::ok;
  }
  switch (request.kind) {
    case RequestKind::initial:
    case RequestKind::event:
      return Outcome::session_forgotten;
    case RequestKind::update:
      if (was_seen(session, request.number)) return Outcome::session_forgotten;
      break;
    case RequestKind::termination:
    case RequestKind::none:
    case RequestKind::session_answer:
      break;
  }
  return session.state == SessionState::open ? Outcome::session_unknown : Outcome::session_closed;
}

void Charger::count_told(Outcome outcome) {
  if (outcome == Outcome::ok) [[likely]]
    return;
  for (std::size_t row = 1; row < ledger::outcome_table.size(); ++row) {
    if (ledger::outcome_table[row].outcome == outcome) ++counters_.told[row - 1];
  }
}

// Keeps the answer in the session, in the older of its two places, and points the entry to it.
void Charger::store_answer(const ChargeContext& context, u32 session_index) {
  Session& session = context.shard.session(session_index);
  const u32 turn = session.answer_turn % ledger::answers_per_session;
  session.answer_turn = static_cast<u8>((turn + 1) % ledger::answers_per_session);
  Answer& stored = session.answers[turn];
  for (u32 at = stored.next; at != 0;) {
    const u32 next = context.shard.extension(at).services.next;
    context.shard.give_extension(at);
    at = next;
  }
  context.op.change(
      session, {.pool = Pool::session,
                .index = session_index,
                .at_word = static_cast<u32>(offsetof(Session, answers) + turn * sizeof(Answer)) / 8,
                .word_count = sizeof(Answer) / 8});
  const u32 count = frame_.answer.service_count;
  u32 next = 0;
  // From the last piece to the first, so that each knows its successor.
  constexpr u32 per_piece = services_per_extension;
  for (u32 piece = answer_extensions(count); piece-- > 0;) {
    const u32 index = context.shard.take_extension();
    check(index != 0, "begin_session or has_extensions asked for room");
    ledger::Extension& extension = context.shard.extension(index);
    context.op.change_all(extension, Pool::extension, index);
    extension.use = ledger::Extension::Use::services;
    extension.services = {};
    extension.services.next = next;
    for (u32 i = 1 + piece * per_piece; i < count && i < 1 + (piece + 1) * per_piece; ++i) {
      extension.services.service[extension.services.count++] = frame_.service(i);
    }
    next = index;
  }
  frame_.answer.next = next;
  stored = frame_.answer;
  if (count > 1) {
    context.op.set_answer_in_note(frame_.octets());
  } else {
    context.op.set_answer_in_record(&stored, sizeof(Answer) / 8);
  }
}

void Charger::load_answer(const ledger::Shard& shard, const Answer& stored) {
  frame_.answer = stored;
  u32 number = 1;
  for (u32 at = stored.next; at != 0; at = shard.extension(at).services.next) {
    const ledger::Extension::Services& piece = shard.extension(at).services;
    for (u32 i = 0; i < piece.count && number < stored.service_count; ++i) {
      frame_.service(number++) = piece.service[i];
    }
  }
  frame_.answer.service_count =
      static_cast<u8>(number < stored.service_count ? number : stored.service_count);
}

}  // namespace tollgate::app
