// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/script.hh"

#include <numeric>

#include "base/check.hh"

namespace tollgate::tollload {
namespace {

// A prime beyond any count of subscribers, far from simple fractions of them: stepping by it visits
// every subscriber once before any comes again, and neighbours in time are strangers in number.
constexpr u64 subscriber_stride = 2'654'435'761;

}  // namespace

Script::Script(const Options& options)
    : options_(options), random_(options.seed), subscriber_step_(subscriber_stride) {
  check(options.subscriber_count > 0, "somebody uses the services");
  while (std::gcd(subscriber_step_, u64{options.subscriber_count}) != 1) subscriber_step_ += 2;
}

void Script::init(u32 slot, Session& session) const {
  // Services alternate as evenly as a hundred slots allow: 37 is coprime to 100.
  const u32 place = slot * 37 % 100;
  session = {};
  if (place < options_.mix[0])
    session.service = Service::data;
  else if (place < options_.mix[0] + options_.mix[1])
    session.service = Service::voice;
  else
    session.service = Service::sms;
}

u32 Script::next_subscriber() {
  return static_cast<u32>(subscriber_turn_++ * subscriber_step_ % options_.subscriber_count);
}

void Script::begin(RequestType type, Session& session) {
  session.type = type;
  session.used = 0;
  switch (type) {
    case RequestType::initial:
    case RequestType::event: {
      ++session.incarnation;
      session.number = 0;
      session.subscriber_index = next_subscriber();
      session.used_carried = 0;
      const u32 mean = options_.updates_mean;
      session.updates_left =
          mean == 0 ? UINT32_MAX : mean / 2 + static_cast<u32>(random_() % (u64{mean} + 1));
      break;
    }
    default:
      ++session.number;
      session.used = use_of(session.service).used + session.used_carried;
      session.used_carried = 0;
      if (session.updates_left > 0 && session.updates_left != UINT32_MAX) --session.updates_left;
      break;
  }
}

void Script::answered(AnswerFault fault, const AnswerFacts& facts, Session& session) const {
  const bool is_first = session.type == RequestType::initial || session.type == RequestType::event;
  if (fault == AnswerFault::none && facts.outcome == Outcome::too_busy) {
    // It was not charged: the usage is reported again, with the next request.
    if (!is_first) session.used_carried = session.used;
    return;
  }
  if (session.type == RequestType::termination || session.type == RequestType::event) {
    session.clear(session_is_open | session_must_end);
    return;
  }
  // A refusal of the whole command ends the session at the server; one of the service does not.
  if (facts.result_code != 2001) {
    session.clear(session_is_open | session_must_end);
    return;
  }
  session.set(session_is_open);
  if (fault != AnswerFault::none || facts.outcome == Outcome::refused || facts.has_final_unit)
    session.set(session_must_end);
}

void Script::unanswered(Session& session) const {
  // An open session is ended properly, so that nothing stays reserved. Of one that was to begin
  // nobody knows whether it did: its slot begins another.
  if (session.type == RequestType::update) {
    session.set(session_must_end);
  } else {
    session.clear(session_is_open | session_must_end);
  }
}

}  // namespace tollgate::tollload
