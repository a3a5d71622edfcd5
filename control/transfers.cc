// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/transfers.hh"

#include <spdlog/spdlog.h>

#include <cstring>

#include "ledger/balance.hh"

namespace tollgate::control {

using ledger::CommandKind;
using ledger::Outcome;

namespace {

constexpr u32 shards_per_step = 8;
static_assert(ledger::shard_count % shards_per_step == 0, "the last step ends with the last shard");

}  // namespace

void Transfers::sent(const CommandRow& row) {
  ledger::Command command;
  check(row.payload.size() == sizeof command, "a stored command has the size of a command");
  std::memcpy(&command, row.payload.data(), sizeof command);
  receive({.id = row.key,
           .source = command.account,
           .target = command.other_account,
           .source_id = command.account_id,
           .target_id = command.other_account_id,
           .bucket = command.buckets[0]});
}

ledger::Command Transfers::make_command(const Transfer& transfer, CommandKind kind) const {
  const bool is_for_target =
      kind == CommandKind::transfer_receive || kind == CommandKind::transfer_forget;
  ledger::Command command{.kind = kind, .bucket_count = 1};
  command.account = is_for_target ? transfer.target : transfer.source;
  command.account_id = is_for_target ? transfer.target_id : transfer.source_id;
  command.other_account = is_for_target ? transfer.source : transfer.target;
  command.other_account_id = is_for_target ? transfer.source_id : transfer.target_id;
  command.shard = static_cast<u8>(command.account.shard());
  command.transfer_id = transfer.id;
  command.buckets[0] = transfer.bucket;
  return command;
}

void Transfers::ask(const Transfer& transfer, CommandKind kind, Next next) {
  ++under_way_;
  context_.channel.submit(
      make_command(transfer, kind), context_.clock.now(),
      [this, transfer, kind, next](const std::optional<ledger::CommandAnswer>& answer) {
        --under_way_;
        if (!answer) {
          book_.stop_waiting(transfer.id);
          return look_again();
        }
        if (kind == CommandKind::transfer_receive) return answered_receive(transfer, *answer);
        if (answer->outcome == Outcome::too_busy) return look_again();
        if (answer->outcome != Outcome::ok) {
          spdlog::error("transfer {}: {} is refused: {}", transfer.id, static_cast<int>(kind),
                        to_text(answer->outcome));
          return;
        }
        if (next != nullptr) (this->*next)(transfer);
      });
}

void Transfers::receive(const Transfer& transfer) {
  ask(transfer, CommandKind::transfer_receive, nullptr);
}

// The outcome is stored first: after a crash the transfer is settled or returned accordingly.
void Transfers::answered_receive(const Transfer& transfer, const ledger::CommandAnswer& answer) {
  book_.finish_transfer(transfer.id, answer.outcome);
  if (answer.outcome == Outcome::ok) {
    settle(transfer);
  } else {
    give_back(transfer);
  }
}

void Transfers::settle(const Transfer& transfer) {
  ask(transfer, CommandKind::transfer_settle, &Transfers::forget);
}

void Transfers::give_back(const Transfer& transfer) {
  ask(transfer, CommandKind::transfer_return, nullptr);
}

void Transfers::forget(const Transfer& transfer) {
  ask(transfer, CommandKind::transfer_forget, nullptr);
}

void Transfers::look_again() {
  is_looking_ = true;
  mark_ = quiet_.mark();
  next_shard_ = 0;
  found_sent_.clear();
  found_received_.clear();
}

void Transfers::step() {
  if (!is_looking_ || under_way_ != 0 || !quiet_.is_over(mark_)) return;
  for (u32 i = 0; i < shards_per_step; ++i) look_through(next_shard_++);
  if (next_shard_ < ledger::shard_count) return;
  is_looking_ = false;
  go_on();
}

u64 Transfers::id_of(ledger::AccountRef place) const {
  ledger::Account account;
  return context_.appliance.ledger().read(place, account) ? account.id : 0;
}

void Transfers::look_through(u32 shard) {
  context_.appliance.ledger().for_each_bucket(shard, [&](u32, const ledger::Bucket& bucket) {
    const bool is_sent = bucket.state == ledger::BucketState::in_transit;
    if (!is_sent && bucket.state != ledger::BucketState::received) return;
    const auto here = ledger::AccountRef::make(shard, bucket.account);
    const ledger::AccountRef other{bucket.product};
    Transfer transfer{.id = ledger::transfer_id_of(bucket),
                      .source = is_sent ? here : other,
                      .target = is_sent ? other : here};
    transfer.source_id = is_sent ? id_of(here) : 0;
    transfer.target_id = is_sent ? 0 : id_of(here);
    transfer.bucket = {.amount = bucket.balance, .unit = bucket.unit};
    (is_sent ? found_sent_ : found_received_).emplace(transfer.id, transfer);
  });
}

void Transfers::go_on() {
  if (!found_sent_.empty() || !found_received_.empty()) {
    spdlog::info("{} transfers were on their way, {} had arrived: going on with them",
                 found_sent_.size(), found_received_.size());
  }
  for (const auto& [id, sent] : found_sent_) go_on_with(sent);
  for (const auto& [id, received] : found_received_) {
    if (!found_sent_.contains(id)) forget(received);
  }
  found_sent_.clear();
  found_received_.clear();
}

void Transfers::go_on_with(const Transfer& found) {
  const CommandRow* row = book_.find_open(found.id);
  const auto received = found_received_.find(found.id);
  if (received != found_received_.end()) {
    Transfer transfer = found;
    transfer.target_id = received->second.target_id;
    if (row != nullptr) book_.finish_transfer(found.id, Outcome::ok);
    settle(transfer);
  } else if (row == nullptr) {
    give_back(found);
  } else if (row->is_sent) {
    sent(*row);
  }
  // Else its first answer is still to come, and with it the next step.
}

}  // namespace tollgate::control
