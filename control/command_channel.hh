// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// CommandChannel: commands to the shards, and their answers when they are durable.
//
// A command goes onto the link of the charge tile that owns its shard; the answer comes back on the
// link of a journal tile, known by its tag. A tag holds a number of this run of control, so answers
// to a run that was killed are told apart and passed over. What finds its link full waits in a
// queue here. If no answer comes in time (the core is down), the waiter is told so: the command may
// still be carried out later, and must be repeated with the same idempotency key or looked up.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/link.hh"
#include "base/time.hh"
#include "ledger/command.hh"

namespace tollgate::control {

class CommandChannel {
 public:
  // Called once: with the answer, or with nothing when the time was over.
  using Done = std::function<void(const std::optional<ledger::CommandAnswer>&)>;

  struct Options {
    std::vector<LinkMemory*> to_charge;     // control_charge0, 1...
    std::vector<LinkMemory*> from_journal;  // journal0_control, 1...
    u32 run = 0;                            // random, 24 bits: tells runs of control apart
    Duration patience = Duration::seconds(10);
  };
  explicit CommandChannel(Options options);

  // `command.shard` says where it goes. The tag is set here.
  void submit(ledger::Command command, Instant now, Done done);

  // Sends what waits, takes answers, gives up what is too old. True if anything was done.
  bool poll(Instant now);

  std::size_t in_flight() const { return waiting_.size(); }

  u64 stray_answers() const { return stray_answers_; }

 private:
  struct Waiter {
    Done done;
    Instant deadline;
  };
  bool send_queued();
  bool take_answers();
  void give_up_old(Instant now);

  Options options_;
  std::vector<LinkProducer> producers_;
  std::vector<LinkConsumer> consumers_;
  std::vector<std::deque<ledger::Command>> queued_;  // one a charge tile
  std::unordered_map<u64, Waiter> waiting_;          // by tag
  std::deque<std::pair<Instant, u64>> deadlines_;    // in the order of submission
  u64 next_number_ = 1;
  u64 stray_answers_ = 0;
};

}  // namespace tollgate::control
