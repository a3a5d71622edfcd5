// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/command_book.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace tollgate::control {
namespace {

u64 random_key() {
  std::random_device device;
  const u64 key = u64{device()} << 32 | device();
  return key == 0 ? 1 : key;
}

Json describe(const ledger::CommandAnswer& answer) {
  Json told{{"outcome", to_text(answer.outcome)}};
  if (answer.unit != Unit::none) {
    told["unit"] = unit_name(answer.unit);
    told["balance"] = to_decimal(answer.balance, answer.unit);
  }
  told["repeated"] = answer.is_repeated != 0;
  return told;
}

// Identities listed in a detail; they were read by parse_identity once.
std::vector<IdentityRow> identities_in(const Json& detail, std::string_view name) {
  std::vector<IdentityRow> all;
  if (!detail.contains(name)) return all;
  for (const Json& text : detail[std::string(name)]) {
    IdentityRow row;
    if (ledger::parse_identity(text.get<std::string>(), row.key, row.text).empty()) {
      all.push_back(std::move(row));
    }
  }
  return all;
}

}  // namespace

void CommandBook::carry_out(Order order, const Finished& finished,
                            const std::function<void(u64 key)>& also) {
  Store& store = context_.store;
  if (!order.client_key.empty()) {
    if (const auto earlier = store.command_by_client_key(order.client_key)) {
      if (earlier->kind != order.kind || earlier->account_id != order.account.id ||
          earlier->detail != to_line(order.detail)) {
        throw Refused(refusal::bad_request,
                      fmt::format("key '{}' was used for another command", order.client_key));
      }
      if (!earlier->is_done) throw Refused(refusal::busy, "this command is under way");
      Json told = parse_json(earlier->answer).value_or(Json::object());
      told["repeated"] = true;
      if (finished) finished(told);
      return;
    }
  }
  CommandRow row{.key = random_key(),
                 .client_key = order.client_key,
                 .kind = order.kind,
                 .account_id = order.account.id,
                 .detail = to_line(order.detail)};
  ledger::Command& command = order.command;
  command.idempotency_key = row.key;
  command.account_id = order.account.id;
  command.account = order.account.place;
  command.shard = static_cast<u8>(shard_of_account(order.account.id));
  const auto* octets = reinterpret_cast<const u8*>(&command);
  row.payload.assign(octets, octets + sizeof command);
  Transaction transaction(store.database());
  store.insert_command(row);
  if (also) also(row.key);
  transaction.commit();
  const u64 key = row.key;
  open_.emplace(key, Open{.row = std::move(row), .finished = finished});
  send(key);
}

void CommandBook::begin_with_open() {
  constexpr Duration kept = Duration::seconds(90 * 86'400);
  context_.store.forget_commands_before(context_.clock.now() - kept);
  for (CommandRow& row : context_.store.commands_under_way()) {
    if (row.payload.size() != sizeof(ledger::Command)) {
      spdlog::error(
          "command {} ({}) was stored by another version of the program: it stays as it "
          "is; check the account by hand",
          row.key, row.kind);
      continue;
    }
    const u64 key = row.key;
    open_.emplace(key, Open{.row = std::move(row), .mark = quiet_.mark()});
  }
}

void CommandBook::send(u64 key) {
  Open& open = open_.at(key);
  ledger::Command command;
  check(open.row.payload.size() == sizeof command, "a stored command has the size of a command");
  std::memcpy(&command, open.row.payload.data(), sizeof command);
  open.is_waiting = true;
  context_.channel.submit(command, context_.clock.now(),
                          [this, key](const std::optional<ledger::CommandAnswer>& answer) {
                            if (answer) return settle(key, *answer);
                            const auto found = open_.find(key);
                            if (found == open_.end()) return;
                            found->second.is_waiting = false;
                            found->second.mark = quiet_.mark();
                            const Finished finished = std::move(found->second.finished);
                            found->second.finished = nullptr;
                            if (finished) finished(Json{{"outcome", refusal::no_answer}});
                          });
}

void CommandBook::journaled(u64 key, const ledger::CommandAnswer& answer) {
  if (open_.contains(key)) settle(key, answer);
}

// The answer and the journal both come here; the first of them settles it.
void CommandBook::settle(u64 key, const ledger::CommandAnswer& answer) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  if (answer.is_in_transit != 0) return settle_sent(found->second, answer);
  const Json told = describe(answer);
  finish(found->second.row, answer, told);
  if (observer_ && answer.outcome == ledger::Outcome::ok) observer_(found->second.row);
  const Finished finished = std::move(found->second.finished);
  open_.erase(found);
  if (finished) finished(told);
}

// A transfer has left. That is stored before the journal's reader may pass its entry, so that a
// restart does not look for it in vain and send it again.
void CommandBook::settle_sent(Open& open, const ledger::CommandAnswer& answer) {
  open.is_waiting = false;
  if (open.row.is_sent) return;
  open.row.is_sent = true;
  open.answer = answer;
  Transaction transaction(context_.store.database());
  context_.store.set_sent(open.row.key);
  transaction.commit();
  if (transfer_sent_) transfer_sent_(open.row);
}

const CommandRow* CommandBook::find_open(u64 key) const {
  const auto found = open_.find(key);
  return found == open_.end() ? nullptr : &found->second.row;
}

void CommandBook::finish_transfer(u64 key, ledger::Outcome outcome) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  ledger::CommandAnswer answer = found->second.answer;
  answer.outcome = outcome;
  answer.is_in_transit = 0;
  answer.is_repeated = 0;
  if (outcome != ledger::Outcome::ok) answer.unit = Unit::none;  // it comes back
  settle(key, answer);
}

void CommandBook::stop_waiting(u64 key) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  const Finished finished = std::move(found->second.finished);
  found->second.finished = nullptr;
  if (finished) finished(Json{{"outcome", refusal::no_answer}});
}

void CommandBook::step() {
  for (auto& [key, open] : open_) {
    if (open.row.is_sent) continue;  // see transfers.hh
    if (open.is_waiting || !quiet_.is_over(open.mark)) continue;
    spdlog::info("command {} ({}) left no trace: sending it again", key, open.row.kind);
    send(key);
  }
}

void CommandBook::finish(const CommandRow& row, const ledger::CommandAnswer& answer,
                         const Json& told) {
  Store& store = context_.store;
  const bool is_ok = answer.outcome == ledger::Outcome::ok;
  const Json detail = parse_json(row.detail).value_or(Json::object());
  Transaction transaction(store.database());
  store.finish_command(row, to_line(told));
  if (is_ok) store.note_change(row.kind, row.account_id, row.detail, row);
  if (row.kind == "redeem" && !is_ok) store.give_voucher_back(row.key);
  if (row.kind == "set_identities") apply_identities(row, detail, is_ok);
  if (row.kind == "set" && is_ok && detail.contains("plan")) {
    store.set_plan(row.account_id, detail["plan"].get<std::string>());
  }
  // Asked to remove one that is gone: it was removed, and the answer was lost.
  const bool is_gone = is_ok || answer.outcome == ledger::Outcome::account_unknown;
  if (row.kind == "remove" && is_gone) apply_removal(row);
  if (follower_) follower_(row, answer.outcome);
  transaction.commit();
}

// The added identities are in the database since the command was stored, so that nobody else could
// take them meanwhile. They stay if the ledger agreed; else they go, and the removed ones stay.
void CommandBook::apply_identities(const CommandRow& row, const Json& detail, bool is_ok) {
  Store& store = context_.store;
  const std::vector<IdentityRow> gone = identities_in(detail, is_ok ? "removed" : "added");
  const std::vector<IdentityRow> all = store.identities(row.account_id);
  std::vector<IdentityRow> kept;
  for (const IdentityRow& identity : all) {
    const bool is_gone = std::any_of(gone.begin(), gone.end(), [&](const IdentityRow& other) {
      return other.key == identity.key;
    });
    if (!is_gone) kept.push_back(identity);
  }
  store.replace_identities(row.account_id, kept);
  const auto account = store.account_by_id(row.account_id);
  if (!is_ok || !account) return;
  for (const IdentityRow& identity : gone) context_.appliance.index().remove(identity.key);
  if (!index_account(context_.appliance.index(), kept, account->place)) {
    spdlog::error("the identity index is full: account '{}' is not found by all of its identities",
                  account->name);
  }
}

void CommandBook::apply_removal(const CommandRow& row) {
  for (const IdentityRow& identity : context_.store.identities(row.account_id)) {
    context_.appliance.index().remove(identity.key);
  }
  context_.store.set_removed(row.account_id);
}

}  // namespace tollgate::control
