// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Script: what each session does next, and what an answer does to it. Pure: no i/o, no time.
//
//   closed --INITIAL ok--> open --UPDATE ok--> open ... --TERMINATION--> closed
//   an sms session is always closed: each of its requests is an EVENT with a Session-Id of its own
//
// A session ends after a number of updates drawn at its beginning (half to one and a half times the
// configured mean), when its credit has come to the last slice, or when the load ends.
#pragma once

#include <random>

#include "base/types.hh"
#include "tools/tollload/answer_check.hh"
#include "tools/tollload/session.hh"

namespace tollgate::tollload {

class Script {
 public:
  struct Options {
    Mix mix{100, 0, 0};
    std::array<ServiceUse, service_count> uses{};
    u32 subscriber_count = 1;
    u32 updates_mean = 100;  // 0: sessions end only when the load ends
    u64 seed = 1;
  };
  explicit Script(const Options& options);

  // Makes the session of `slot` before its first request.
  void init(u32 slot, Session& session) const;

  // What the session sends next. No effect.
  RequestType next_type(const Session& session, bool is_ending) const {
    if (!session.has(session_is_open))
      return session.service == Service::sms ? RequestType::event : RequestType::initial;
    const bool is_last = is_ending || session.has(session_must_end) || session.updates_left == 0;
    return is_last ? RequestType::termination : RequestType::update;
  }

  // The session sends a request of `type`: its number, usage, subscriber and Session-Id.
  void begin(RequestType type, Session& session);

  // The answer of the request under way is there.
  void answered(AnswerFault fault, const AnswerFacts& facts, Session& session) const;

  // No answer came.
  void unanswered(Session& session) const;

  const ServiceUse& use_of(Service service) const {
    return options_.uses[static_cast<std::size_t>(service)];
  }
  std::mt19937_64& random() { return random_; }

 private:
  u32 next_subscriber();

  Options options_;
  std::mt19937_64 random_;
  u64 subscriber_step_ = 1;
  u64 subscriber_turn_ = 0;
};

}  // namespace tollgate::tollload
