// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SessionSweep: looks through a charge tile's sessions for those that a restarted client has begun
// and forgotten, a few at a time. It knows where it is and nothing else; the tile ends what it
// finds.
#pragma once

#include <array>

#include "base/time.hh"
#include "base/types.hh"

namespace tollgate::app {

class SessionSweep {
 public:
  // Clients that restarted at once beyond this number are left to the sessions' own timers.
  static constexpr u32 clients_max = 32;

  // True if sessions begun by `origin_host` before `before` will be found from now on.
  bool add(u64 origin_host, Instant before) {
    for (u32 i = 0; i < client_count_; ++i) {
      if (clients_[i].origin_host != origin_host) continue;
      clients_[i] = {.origin_host = origin_host, .before = before};
      return true;
    }
    if (client_count_ == clients_max) return false;
    clients_[client_count_++] = {.origin_host = origin_host, .before = before};
    return true;
  }
  bool is_idle() const { return client_count_ == 0; }

  // Calls found(session index) for up to `visit_max` sessions of the shard under way that match.
  // `sessions_end` and `session_of(index)` are that shard's, `shard_count` how many there are;
  // `shard` is which one to look at. A client's turn is over after one round of all shards.
  u32 shard() const { return shard_; }
  template <class SessionOf, class Found>
  void step(u32 sessions_end, u32 visit_max, SessionOf session_of, Found found) {
    for (u32 visits = 0; visits < visit_max && next_ < sessions_end; ++visits, ++next_) {
      const auto& session = session_of(next_);
      if (matches(session.origin_host, session.started_ns)) found(next_);
    }
    if (next_ >= sessions_end) next_shard();
  }

  // On to the next shard; also for one that is not this tile's.
  void next_shard();

 private:
  struct Client {
    u64 origin_host = 0;
    Instant before;
    u32 shards_done = 0;
  };
  bool matches(u64 origin_host, i64 started_ns) const {
    for (u32 i = 0; i < client_count_; ++i) {
      if (clients_[i].origin_host == origin_host && started_ns < clients_[i].before.ns) return true;
    }
    return false;
  }

  std::array<Client, clients_max> clients_;
  u32 client_count_ = 0;
  u32 shard_ = 0;
  u32 next_ = 1;  // session 0 is none
};

}  // namespace tollgate::app
