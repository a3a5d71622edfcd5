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

// Often beside another account, so that the two may be a family.
u32 Operator::some_shard() {
  if (accounts_.empty() || random_.once_in(2)) return random_.below(shards_used);
  auto beside = accounts_.begin();
  std::advance(beside, random_.below(accounts_.size()));
  return beside->second.place.shard();
}

void Operator::make_account() {
  const u64 id = next_account_++;
  Command command{
      .kind = CommandKind::create_account,
      .shard = static_cast<u8>(some_shard()),
      .identity_count = 1,
      .bucket_count = 1,
      .plan = rating::plan_id(random_.once_in(2) ? metered_plan : pack_plan),
      .account_id = id,
      .state = random_.once_in(8) ? ledger::AccountState::inactive : ledger::AccountState::active};
  command.identities[0] = identity_of(id);
  const i64 cents = random_.once_in(3) ? random_.below(20) : random_.between(0, 500);
  command.buckets[0] = {.amount = Amount{cents * 10'000}, .unit = Unit::eur};
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
  const u32 what = random_.below(34);
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
    set_terms(command, now);
  } else if (what < 19) {
    command.kind = CommandKind::drop_session;
    for (const auto& [id, session] : judge_.model().sessions()) {
      if (session.subscriber != chosen->first) continue;
      command.session_id_bytes = static_cast<u8>(id.size());
      id.copy(command.session_id.data(), id.size());
      if (random_.once_in(3)) break;
    }
    if (command.session_id_bytes == 0) return;
  } else if (what < 20) {
    command.kind = CommandKind::remove_account;
    account.is_removing = true;
  } else if (what < 21) {
    command.kind = CommandKind::refund;
    command.buckets[0] = {.amount = Amount{random_.between(1, 40) * 10'000}, .unit = Unit::eur};
  } else if (what < 27) {
    // Mostly somebody who can be, or is, of one family.
    const bool is_apart = other->second.place.shard() != account.place.shard();
    if (is_apart && !random_.once_in(4)) return;
    set_family(command, other->first, other->second.place);
  } else {
    set_product(command, now);
  }
  send(command);
}

// One thing of many that an account can be: over at some time, with credit, not used yet.
void Operator::set_terms(Command& command, Instant now) {
  using ledger::AccountState;
  command.kind = CommandKind::set_account;
  const u32 what = random_.below(6);
  if (what == 0) {
    command.credit_limit = random_.between(0, 300) * 10'000;
  } else if (what == 1) {
    command.flags = ledger::command_flag::has_valid_until;
    const i64 in_s = random_.between(1, 1200);
    command.valid_until_s =
        random_.once_in(2) ? 0 : static_cast<ledger::Second>(now.whole_seconds() + in_s);
  } else if (what == 2) {
    constexpr std::array others{AccountState::suspended, AccountState::inactive,
                                AccountState::one_way};
    command.state = others[random_.below(others.size())];
  } else {
    command.state = AccountState::active;
  }
}

// Who pays for it, or how much of that it may use.
void Operator::set_family(Command& command, u64 other, ledger::AccountRef place) {
  command.kind = random_.once_in(2) ? CommandKind::set_payer : CommandKind::set_limit;
  if (command.kind == CommandKind::set_payer) {
    command.bucket_count = 0;
    if (random_.once_in(4)) return;
    command.other_account = place;
    command.other_account_id = other;
    return;
  }
  const bool is_money = !random_.once_in(4);
  const Amount most{is_money ? random_.between(0, 200) * 10'000 : random_.between(0, 30) << 20};
  command.buckets[0] = {.amount = random_.once_in(4) ? Amount{-1} : most,
                        .unit = is_money ? Unit::eur : Unit::octets};
}

// A turn with a fee and octets, of which some of the last turn's may come along; or another step of
// a product's life.
void Operator::set_product(Command& command, Instant now) {
  constexpr std::array steps{CommandKind::product_suspend, CommandKind::product_resume,
                             CommandKind::product_end};
  command.plan = 77 + (random_.once_in(5) ? 1 : 0);
  command.kind = CommandKind::product_turn;
  command.bucket_count = 0;
  if (random_.once_in(3)) {
    command.kind = steps[random_.below(steps.size())];
    return;
  }
  command.bucket_count = random_.once_in(2) ? 3 : 2;
  command.buckets[0] = {.amount = Amount{random_.between(0, 100) * 10'000},
                        .unit = Unit::eur,
                        .role = ledger::BucketRole::fee};
  command.buckets[1] = {
      .amount = Amount{random_.between(1, 30) << 20},
      .product = command.plan,
      .unit = Unit::octets,
      .priority = 5,
      .expires_s = static_cast<ledger::Second>(now.whole_seconds() + random_.between(1, 120))};
  command.buckets[2] = {.amount = Amount{random_.between(0, 10) << 20},
                        .unit = Unit::octets,
                        .role = ledger::BucketRole::rollover};
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
