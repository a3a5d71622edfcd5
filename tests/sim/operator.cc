// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/operator.hh"

#include "rating/image.hh"

namespace tollgate::sim {

using ledger::Command;
using ledger::CommandKind;

constexpr u64 no_account = 1'000'000;

ledger::IdentityKey Operator::identity_of(u64 account) {
  return ledger::number_key(ledger::IdentityType::msisdn, fmt::format("4670{:06}", account));
}

// Money or octets, some of it for a short time only.
ledger::NewBucket Operator::some_bucket(Instant now) {
  const bool is_money = !random_.once_in(3);
  ledger::NewBucket bucket{.amount = Amount{random_.between(1, 300) * 10'000},
                           .unit = is_money ? Unit::eur : Unit::octets,
                           .priority = static_cast<u8>(random_.below(2))};
  if (!is_money) bucket.amount = Amount{random_.between(1, 50) << 20};
  if (random_.once_in(4)) {
    bucket.expires_s = static_cast<ledger::Second>(now.whole_seconds() + random_.between(1, 600));
  }
  return bucket;
}

void Operator::make_account() {
  const u64 id = next_account_++;
  Command command{.kind = CommandKind::create_account,
                  .shard = static_cast<u8>(random_.below(shards_used)),
                  .identity_count = 1,
                  .bucket_count = 1,
                  .plan = rating::plan_id(random_.once_in(2) ? metered_plan : pack_plan),
                  .account_id = id,
                  .state = ledger::AccountState::active};
  command.identities[0] = identity_of(id);
  command.buckets[0] = {.amount = Amount{random_.between(0, 500) * 10'000}, .unit = Unit::eur};
  if (random_.once_in(2)) {
    command.bucket_count = 2;
    command.buckets[1] = {
        .amount = Amount{random_.between(1, 40) << 20}, .unit = Unit::octets, .priority = 10};
  }
  send(command);
}

void Operator::act(Instant now) {
  if (waiting_.size() >= 4) return;
  if (accounts_.size() < 2 || (accounts_.size() < accounts_max && random_.once_in(8))) {
    make_account();
    return;
  }
  auto chosen = accounts_.begin();
  std::advance(chosen, random_.below(accounts_.size()));
  auto other = accounts_.begin();
  std::advance(other, random_.below(accounts_.size()));
  Account& account = chosen->second;
  if (account.is_removing) return;
  Command command{.shard = static_cast<u8>(account.place.shard()),
                  .account_id = chosen->first,
                  .account = account.place};
  const u32 what = random_.below(20);
  command.bucket_count = 1;
  command.buckets[0] = some_bucket(now);
  if (what < 6) {
    command.kind = CommandKind::top_up;
  } else if (what < 9) {
    command.kind = CommandKind::adjust;
    if (random_.once_in(2)) command.buckets[0].amount.count *= -1;
  } else if (what < 16) {
    command.kind = CommandKind::transfer;
    command.buckets[0].amount.count /= 4;
    command.other_account = other->second.place;
    command.other_account_id = other->first;
    if (random_.once_in(8)) command.other_account_id = no_account;  // it is refused over there
    command.buckets[0].expires_s = 0;
  } else if (what < 18) {
    command.kind = CommandKind::set_account;
    command.state =
        random_.once_in(3) ? ledger::AccountState::suspended : ledger::AccountState::active;
  } else if (what < 19) {
    command.kind = CommandKind::drop_session;
    for (const auto& [id, session] : judge_.model().sessions()) {
      if (session.subscriber != chosen->first) continue;
      command.session_id_bytes = static_cast<u8>(id.size());
      id.copy(command.session_id.data(), id.size());
      if (random_.once_in(3)) break;
    }
    if (command.session_id_bytes == 0) return;
  } else {
    command.kind = CommandKind::remove_account;
    account.is_removing = true;
  }
  send(command);
}

void Operator::send(const Command& command) {
  const u32 number = judge_.add(command);
  waiting_.insert(number);
  if (command.kind == CommandKind::transfer) transfers_.begin(judge_.command(number));
  appliance_.send_command(judge_.command(number));
}

void Operator::receive() {
  for (const Judge::CommandDone& done : judge_.read_command_answers()) {
    if (transfers_.on_answer(done.number, done.answer.outcome)) continue;
    if (!waiting_.contains(done.number)) continue;  // a second answer, of a tile that was killed
    if (done.answer.outcome == Outcome::too_busy) {
      appliance_.send_command(judge_.command(done.number));
      continue;
    }
    waiting_.erase(done.number);
    finish(done.number, done.answer.outcome, done.answer.account);
  }
}

void Operator::finish(u32 number, Outcome outcome, ledger::AccountRef place) {
  const Command& command = judge_.command(number);
  const bool is_ok = outcome == Outcome::ok;
  if (command.kind == CommandKind::transfer && is_ok) transfers_.sent(command.idempotency_key);
  if (command.kind == CommandKind::transfer && !is_ok) transfers_.refused(command.idempotency_key);
  if (command.kind == CommandKind::create_account && is_ok) {
    const bool is_new = appliance_.index().find(identity_of(command.account_id)).is_none();
    if (is_new && !appliance_.index().insert(identity_of(command.account_id), place)) {
      fail("the index has no place");
    }
    accounts_[command.account_id] = {.place = place};
    clients_.set_known(static_cast<u32>(command.account_id), true);
  } else if (command.kind == CommandKind::remove_account) {
    if (is_ok) {
      appliance_.index().remove(identity_of(command.account_id));
      clients_.set_known(static_cast<u32>(command.account_id), false);
      accounts_.erase(command.account_id);
    } else {
      accounts_[command.account_id].is_removing = false;
    }
  }
}

void Operator::look_up(bool is_quiet) {
  for (const u32 number : std::set<u32>(waiting_)) {
    const Judge::Trail trail = judge_.trail_of(number);
    if (trail == Judge::Trail::none && is_quiet) appliance_.send_command(judge_.command(number));
    if (trail != Judge::Trail::durable) continue;
    waiting_.erase(number);
    const auto& accounts = judge_.model().accounts();
    const auto found = accounts.find(static_cast<u32>(judge_.command(number).account_id));
    finish(number, Outcome::ok,
           found == accounts.end() ? ledger::AccountRef{} : found->second.place);
  }
  transfers_.look_through(is_quiet);
}

}  // namespace tollgate::sim
