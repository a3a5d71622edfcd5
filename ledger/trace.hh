// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Trace: whose messages and money somebody wants to watch, and what tiles tell of them.
//
//   control          arms a few traces, each of one account, session or peer, in the TraceTable
//   net tiles        look at the table once in each housekeeping; while nothing is armed a message
//                    costs them one comparison. What matches is copied onto net<N>_control
//   charge tiles     tell which buckets moved and what was answered, on charge<C>_control: of a
//                    request that a net tile has marked, and of commands and timers, which are
//                    rare, by the table
//
// A ring that is full is passed over and counted: nothing waits for who watches. What is told is
// for eyes, not for the books: a request that a tile died over may be told twice.
#pragma once

#include <array>
#include <atomic>
#include <cstring>

#include "base/time.hh"
#include "ledger/command.hh"
#include "ledger/journal_format.hh"

namespace tollgate::ledger {

inline constexpr u32 trace_layout = 1;
inline constexpr u32 traces_max = 8;  // a bit each in a mask of eight
inline constexpr u32 trace_tiles_max = 16;

// One armed trace: of a session or a peer, by its name, or else of the account at a place, known by
// these identities. Of a peer only what is between it and us is told (CER, DWR, DPR and their
// answers), and what it sends that is refused before anything is charged.
struct TraceWanted {
  i64 until_ns = 0;  // then tiles forget it by themselves; 0: this place is free
  AccountRef account;
  u32 session_hash = 0;  // filled in by who looks for it
  std::array<IdentityKey, identities_per_account_max> identities{};
  u16 name_bytes = 0;  // 0: of the account
  u8 is_peer = 0;      // the name is an Origin-Host or an address; else it is a Session-Id
  u8 reserved[5] = {};
  std::array<char, session_id_bytes_max> name{};

  bool is_armed(Instant now) const { return now.ns < until_ns; }
  std::string_view name_text() const { return {name.data(), name_bytes}; }
};
static_assert(sizeof(TraceWanted) == 88 + session_id_bytes_max, "no padding in shared memory");

// In shared memory; zeroes are an empty one. Control writes it, net tiles only their `seen`.
class TraceTable {
 public:
  using Wanted = std::array<TraceWanted, traces_max>;

  u32 version() const { return version_.load(std::memory_order_acquire); }

  // Control. Returns the version that says so.
  u32 write(const Wanted& wanted) {
    const u32 next = (version() & ~u32{1}) + 2;
    version_.store(next - 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    std::memcpy(&wanted_, &wanted, sizeof wanted);
    version_.store(next, std::memory_order_release);
    return next;
  }

  // False while it is being written: then it is asked again later.
  [[nodiscard]] bool read(Wanted& wanted, u32& version) const {
    version = this->version();
    if ((version & 1) != 0) return false;
    std::memcpy(&wanted, &wanted_, sizeof wanted);
    std::atomic_thread_fence(std::memory_order_acquire);
    return version_.load(std::memory_order_relaxed) == version;
  }

  // What a net tile goes by from now on.
  void note_seen(u32 tile, u32 version) { seen_[tile].store(version, std::memory_order_release); }
  u32 seen(u32 tile) const { return seen_[tile].load(std::memory_order_acquire); }

 private:
  std::atomic<u32> version_;  // odd while it changes
  u32 reserved_;
  Wanted wanted_;
  std::array<std::atomic<u32>, trace_tiles_max> seen_;
};

enum class TraceKind : u8 {
  received = 1,  // octets of a message follow
  sent = 2,      // likewise
  effects = 3,   // a TraceEffects follows, the octets of an Answer, and TraceBuckets
};

// What a charge tile did it for.
enum class TraceCause : u8 {
  request = 0,
  timer = 1,            // nobody has spoken for the session
  restart = 2,          // its client has restarted
  unknown_session = 3,  // its client says that it does not know it
  command = 4,          // of an operator, or of provisioning: TraceRecord::command
};

// What begins each frame on a ring of traces.
struct TraceRecord {
  i64 at_ns = 0;
  AnswerTag tag;  // of the request that was charged or answered; none where it is not known
  TraceKind kind = TraceKind::received;
  u8 traces = 0;       // a bit for each place in the table that this was wanted by
  u8 is_outgoing = 0;  // we have called the peer
  u8 is_ipv6 = 0;
  u16 local_port = 0;
  u16 remote_port = 0;
  std::array<u8, 16> local{};  // addresses; IPv4 takes the first four octets
  std::array<u8, 16> remote{};
  u32 whole_bytes = 0;                     // of the message; fewer follow if it was cut
  TraceCause cause = TraceCause::request;  // of effects
  CommandKind command = CommandKind::none;
  u16 reserved = 0;
};
static_assert(sizeof(TraceRecord) == 64);

struct TraceEffects {
  u64 account_id = 0;
  u32 answer_bytes = 0;
  u32 bucket_count = 0;  // of those that moved
};

struct TraceBucket {
  struct Figures {
    Amount put_in;
    Amount balance;
    Amount reserved;
    Amount consumed;
    friend bool operator==(const Figures&, const Figures&) = default;
  };
  u32 bucket = 0;  // its place in the shard
  Unit unit = Unit::none;
  u16 reserved = 0;
  Figures before;
  Figures after;
};
static_assert(sizeof(TraceBucket) == 72);

}  // namespace tollgate::ledger
