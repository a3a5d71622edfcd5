// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/command_channel.hh"

namespace tollgate::control {

CommandChannel::CommandChannel(Options options) : options_(std::move(options)) {
  check(!options_.to_charge.empty(), "there is a charge tile to send commands to");
  for (LinkMemory* link : options_.to_charge) producers_.emplace_back(link);
  for (LinkMemory* link : options_.from_journal) consumers_.emplace_back(link);
  queued_.resize(producers_.size());
}

void CommandChannel::submit(ledger::Command command, Instant now, Done done) {
  const u64 own = (u64{options_.run & 0xff'ffff} << 32) | (next_number_++ & 0xffff'ffff);
  command.tag = ledger::AnswerTag::control(own);
  const Instant deadline = now + options_.patience;
  waiting_.emplace(command.tag.value, Waiter{std::move(done), deadline});
  deadlines_.emplace_back(deadline, command.tag.value);
  queued_[command.shard % queued_.size()].push_back(command);
}

bool CommandChannel::poll(Instant now) {
  const bool has_sent = send_queued();
  const bool has_taken = take_answers();
  give_up_old(now);
  return has_sent || has_taken;
}

bool CommandChannel::send_queued() {
  bool has_sent = false;
  for (std::size_t tile = 0; tile < queued_.size(); ++tile) {
    std::deque<ledger::Command>& queue = queued_[tile];
    bool has_put = false;
    while (!queue.empty()) {
      // One that was given up before it was sent is not sent any more: its waiter knows nothing of
      // it happening now.
      if (waiting_.contains(queue.front().tag.value)) {
        const MutableBytes room = producers_[tile].reserve(sizeof(ledger::Command));
        if (room.empty()) break;
        std::memcpy(room.data(), &queue.front(), sizeof(ledger::Command));
        producers_[tile].commit(sizeof(ledger::Command));
        has_put = true;
      }
      queue.pop_front();
    }
    if (has_put) producers_[tile].publish();
    has_sent = has_sent || has_put;
  }
  return has_sent;
}

bool CommandChannel::take_answers() {
  bool has_taken = false;
  for (LinkConsumer& consumer : consumers_) {
    Bytes frame;
    while (consumer.next(frame)) {
      has_taken = true;
      struct {
        ledger::AnswerFrameHead head;
        ledger::CommandAnswer answer;
      } found;
      const auto waiter = [&] {
        if (frame.size() < sizeof found) return waiting_.end();
        std::memcpy(&found, frame.data(), sizeof found);
        return waiting_.find(found.head.tag.value);
      }();
      if (waiter == waiting_.end()) {
        ++stray_answers_;
        continue;
      }
      const Done done = std::move(waiter->second.done);
      waiting_.erase(waiter);
      done(found.answer);
    }
    consumer.release();
  }
  return has_taken;
}

void CommandChannel::give_up_old(Instant now) {
  while (!deadlines_.empty()) {
    const auto [deadline, tag] = deadlines_.front();
    const auto waiter = waiting_.find(tag);
    if (waiter != waiting_.end() && deadline > now) return;
    deadlines_.pop_front();
    if (waiter == waiting_.end()) continue;
    const Done done = std::move(waiter->second.done);
    waiting_.erase(waiter);
    done(std::nullopt);
  }
}

}  // namespace tollgate::control
