// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Traces: lets operators watch one account, session or peer (trace.account, .session, .peer).
//
// Each request is one trace. It gets a progress line {"armed":true} when all net tiles know of it,
// then one for each message and for each effect on the ledger, in the order in which they happened
// (trace_record.hh); and at the end {"messages","effects","dropped","ended":"time"|"messages"}. It
// ends when its time is over, when it has told so many messages as were asked for, or when its
// client goes away. Tiles forget it by themselves if control does not live to say so.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/link.hh"
#include "control/context.hh"
#include "ledger/trace.hh"

namespace tollgate::control {

class Traces {
 public:
  explicit Traces(Context& context);

  void add_verbs(Verbs& verbs);

  // Tells what has come. True if there is more right now.
  bool step(Instant now);

 private:
  struct Watch {
    ledger::TraceWanted wanted;
    Reply reply;
    Instant since;
    u64 messages_left = 0;
    u64 messages = 0;
    u64 effects = 0;
    u64 full_before = 0;
    u32 version = 0;  // of the table that has it
    bool is_armed = false;
  };
  struct Told {
    i64 at_ns;
    std::vector<u8> frame;
  };
  void watch_account(const Json& args, const Reply& reply);
  void watch_session(const Json& args, const Reply& reply);
  void watch_peer(const Json& args, const Reply& reply);
  void begin(ledger::TraceWanted wanted, const Json& args, const Reply& reply);
  bool take_frames();
  void tell(const Told& told);
  void tell_armed(Watch& watch);
  void end(u32 place, std::string_view why);
  void write_table();
  u64 full_count() const;

  Context& context_;
  ledger::TraceTable* table_;
  std::vector<LinkMemory*> rings_;
  std::vector<LinkConsumer> consumers_;
  std::vector<Told> told_;
  u32 next_place_ = 0;
  std::array<std::optional<Watch>, ledger::traces_max> watches_;
};

}  // namespace tollgate::control
