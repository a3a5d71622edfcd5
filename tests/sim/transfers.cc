// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/transfers.hh"

#include <algorithm>

#include "ledger/balance.hh"

namespace tollgate::sim {

using ledger::Command;
using ledger::CommandKind;

void Transfers::begin(const Command& first) {
  if (first.other_account.shard() != first.shard) stored_[first.idempotency_key] = {.first = first};
}

void Transfers::sent(u64 id) {
  const auto found = stored_.find(id);
  if (found == stored_.end()) return;  // within a shard
  found->second.has_left = true;
  if (!is_looking_) send(found->second.first, CommandKind::transfer_receive);
}

void Transfers::send(const Command& first, CommandKind kind) {
  const bool is_for_target =
      kind == CommandKind::transfer_receive || kind == CommandKind::transfer_forget;
  Command command = first;
  command.kind = kind;
  command.transfer_id = first.idempotency_key;
  if (is_for_target) {
    std::swap(command.account, command.other_account);
    std::swap(command.account_id, command.other_account_id);
  }
  command.shard = static_cast<u8>(command.account.shard());
  const u32 number = judge_.add(command);
  waiting_[number] = first;
  const u32 times = random_.once_in(6) ? 2 : 1;  // each may be repeated
  for (u32 i = 0; i < times; ++i) appliance_.send_command(judge_.command(number));
}

bool Transfers::on_answer(u32 number, Outcome outcome) {
  if (forgotten_.erase(number) != 0) return true;
  if (!waiting_.contains(number)) return false;
  if (outcome == Outcome::too_busy) {
    appliance_.send_command(judge_.command(number));
    return true;
  }
  go_on(number, outcome);
  return true;
}

// The outcome is stored before the step that makes it so.
void Transfers::go_on(u32 number, Outcome outcome) {
  const Command first = waiting_.at(number);
  const CommandKind kind = judge_.command(number).kind;
  waiting_.erase(number);
  if (kind == CommandKind::transfer_receive) {
    stored_.erase(first.idempotency_key);
    const bool has_arrived = outcome == Outcome::ok;
    send(first, has_arrived ? CommandKind::transfer_settle : CommandKind::transfer_return);
    return;
  }
  if (outcome != Outcome::ok) fail("a step of a transfer is refused: {}", to_text(outcome));
  if (kind == CommandKind::transfer_settle) send(first, CommandKind::transfer_forget);
}

void Transfers::forget() {
  for (const auto& [number, first] : waiting_) forgotten_.insert(number);
  waiting_.clear();
  is_looking_ = true;
}

// An answer may be lost with the tile that was about to give it.
bool Transfers::has_lost_an_answer() const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& step) { return was_waiting_.contains(step.first); });
}

void Transfers::look_through(bool is_quiet) {
  if (is_quiet) {
    forgotten_.clear();
    if (has_lost_an_answer()) forget();
  }
  bool can_look = is_looking_ && forgotten_.empty();
  for (u32 charge = 0; charge < appliance_.shape().charge_count; ++charge) {
    can_look = can_look && appliance_.is_up({TileKind::charge, charge});
  }
  if (can_look) go_on_with_found();
  if (!is_quiet) return;
  was_waiting_.clear();
  for (const auto& [number, first] : waiting_) was_waiting_.insert(number);
}

void Transfers::go_on_with_found() {
  is_looking_ = false;
  std::map<u64, Command> sent;
  std::map<u64, Command> received;
  for (u32 number = 0; number < shards_used; ++number) {
    const ledger::Shard shard(appliance_.memory(), number);
    const ledger::ShardMemory memory = appliance_.memory().shard(number);
    for (u32 i = 1; i < memory.header->buckets.used_end; ++i) {
      const ledger::Bucket& bucket = memory.buckets[i];
      const bool is_sent = bucket.state == ledger::BucketState::in_transit;
      if (!is_sent && bucket.state != ledger::BucketState::received) continue;
      Command first{.idempotency_key = transfer_id_of(bucket), .bucket_count = 1};
      const auto here = ledger::AccountRef::make(number, bucket.account);
      const u64 id = shard.account(bucket.account).id;
      (is_sent ? first.account : first.other_account) = here;
      (is_sent ? first.account_id : first.other_account_id) = id;
      (is_sent ? first.other_account : first.account) = ledger::AccountRef{bucket.product};
      first.buckets[0] = {.amount = bucket.balance, .unit = bucket.unit};
      (is_sent ? sent : received)[first.idempotency_key] = first;
    }
  }
  for (auto& [id, first] : sent) {
    const auto stored = stored_.find(id);
    if (received.contains(id)) {
      first.other_account_id = received[id].other_account_id;
      stored_.erase(id);
      send(first, CommandKind::transfer_settle);
    } else if (stored == stored_.end()) {
      send(first, CommandKind::transfer_return);
    } else if (stored->second.has_left) {  // else its first answer is still to come
      send(stored->second.first, CommandKind::transfer_receive);
    }
  }
  for (const auto& [id, first] : received) {
    if (!sent.contains(id)) send(first, CommandKind::transfer_forget);
  }
}

}  // namespace tollgate::sim
