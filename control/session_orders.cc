// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/session_orders.hh"

#include <algorithm>

#include "control/appliance.hh"

namespace tollgate::control {
namespace {

using ledger::Command;
using ledger::CommandKind;
using ledger::Outcome;
using ledger::Session;

// After a tariff, so that gateways and we have time for it: a million sessions take half an hour.
constexpr u32 orders_per_second = 500;

bool is_end(const ledger::ServiceAnswer& service) {
  return service.final_action != ledger::FinalAction::none ||
         service.outcome == Outcome::credit_limit_reached;
}

// Whether the client knows that the money is at its end. Further services of an answer lie
// elsewhere: they are taken to have said so.
bool is_short_of_money(const Session& session) {
  return std::ranges::any_of(session.answers, [](const ledger::Answer& answer) {
    return answer.type != 0 && (answer.service_count > 1 || is_end(answer.first));
  });
}

Command command_for(CommandKind kind) {
  Command command{.kind = kind};
  command.rating_group = -1;
  return command;
}

}  // namespace

void SessionOrders::add_verbs(Verbs& verbs) {
  verbs["session.reauth"] = [this](const Json& args, const Reply& reply) { re_auth(args, reply); };
  verbs["session.abort"] = [this](const Json& args, const Reply& reply) { abort(args, reply); };
}

std::optional<SessionOrders::Found> SessionOrders::find(const std::string& session_id) const {
  std::optional<Found> found;
  for (u32 shard = 0; shard < ledger::shard_count && !found; ++shard) {
    context_.appliance.ledger().for_each_session(shard, [&](u32, const Session& session) {
      const bool is_open = session.state == ledger::SessionState::open;
      if (is_open && session.session_id_text() == session_id) found = Found{shard, session_id};
    });
  }
  return found;
}

void SessionOrders::re_auth(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  Command command = command_for(CommandKind::re_auth_session);
  if (arguments.has("rating_group")) {
    const u64 group = arguments.number_or("rating_group", 0);
    if (group > UINT32_MAX) {
      throw Refused(refusal::bad_request, "a rating group is a number of 32 bits");
    }
    command.rating_group = static_cast<i64>(group);
  }
  if (arguments.has("pool")) {
    if (arguments.has("rating_group")) {
      throw Refused(refusal::bad_request, "a rating group or a pool, not both");
    }
    const Unit currency = unit_from_name(arguments.text("pool"));
    if (!is_money(currency)) {
      throw Refused(refusal::bad_request, "a pool is named by its currency: EUR");
    }
    command.flags = ledger::command_flag::names_pool;
    command.pool = currency_code(currency);
  }
  const auto found = find(arguments.text("session_id"));
  if (!found) throw refused_by_ledger(Outcome::session_unknown);
  carry_out(*found, command, reply);
}

void SessionOrders::abort(const Json& args, const Reply& reply) {
  const auto found = find(Arguments(args).text("session_id"));
  if (!found) throw refused_by_ledger(Outcome::session_unknown);
  carry_out(*found, command_for(CommandKind::abort_session), reply);
}

void SessionOrders::carry_out(const Found& found, Command command, const Reply& reply) {
  command.shard = static_cast<u8>(found.shard);
  command.session_id_bytes = static_cast<u8>(found.session_id.size());
  std::ranges::copy(found.session_id, command.session_id.begin());
  const std::string session_id = found.session_id;
  context_.channel.submit(command, context_.clock.now(),
                          [reply, session_id](const std::optional<ledger::CommandAnswer>& answer) {
                            if (!answer) {
                              return reply.refuse(refusal::no_answer, "the core did not answer");
                            }
                            if (answer->outcome != Outcome::ok) {
                              return reply.refuse(refused_by_ledger(answer->outcome));
                            }
                            reply.ok(Json{{"session_id", session_id}, {"outcome", "ok"}});
                          });
}

// Nobody waits for the outcome: what became of it is counted.
void SessionOrders::send(const Found& found, Command command) {
  command.shard = static_cast<u8>(found.shard);
  command.session_id_bytes = static_cast<u8>(found.session_id.size());
  std::ranges::copy(found.session_id, command.session_id.begin());
  context_.channel.submit(command, context_.clock.now(),
                          [](const std::optional<ledger::CommandAnswer>&) {});
}

template <class Wanted>
void SessionOrders::order_all(u64 account_id, CommandKind kind, Wanted wanted) {
  const auto row = context_.store.account_by_id(account_id);
  ledger::Account account;
  if (!row || !context_.appliance.ledger().read(row->place, account)) return;
  if (account.open_sessions == 0) return;  // as most have: then nothing is looked through
  std::vector<Found> all;
  const u32 shard = row->place.shard();
  context_.appliance.ledger().for_each_session(shard, [&](u32, const Session& session) {
    const bool is_theirs = session.state == ledger::SessionState::open &&
                           session.account == row->place.index() && wanted(session);
    if (is_theirs) all.push_back({shard, std::string(session.session_id_text())});
  });
  for (const Found& found : all) send(found, command_for(kind));
}

void SessionOrders::after_command(const CommandRow& row) {
  const Json detail = parse_json(row.detail).value_or(Json::object());
  if (row.kind == "topup" || row.kind == "adjust") {
    order_all(row.account_id, CommandKind::re_auth_session, is_short_of_money);
  } else if (row.kind == "transfer" && detail.contains("to")) {
    order_receiver(detail["to"]);
  }
  if (row.kind.starts_with("product_")) {
    order_all(row.account_id, CommandKind::re_auth_session, [](const Session&) { return true; });
  }
  if (row.kind != "set") return;
  if (detail.contains("state") && detail["state"] != "active") {
    order_all(row.account_id, CommandKind::abort_session, [](const Session&) { return true; });
  } else if (detail.contains("plan") || detail.contains("credit_limit")) {
    order_all(row.account_id, CommandKind::re_auth_session, [](const Session&) { return true; });
  }
}

// Who got a transfer; gone since, if this is told after a restart: then there is nobody to ask.
void SessionOrders::order_receiver(const Json& name) {
  if (!name.is_string()) return;
  try {
    const AccountRow to = find_account(context_.store, name.get<std::string>());
    order_all(to.id, CommandKind::re_auth_session, is_short_of_money);
  } catch (const Refused&) {
    return;
  }
}

void SessionOrders::after_tariff() {
  queue_.clear();
  next_shard_ = 0;
}

void SessionOrders::fill_queue() {
  while (queue_.empty() && next_shard_ < ledger::shard_count) {
    const u32 shard = next_shard_++;
    context_.appliance.ledger().for_each_session(shard, [&](u32, const Session& session) {
      if (session.state != ledger::SessionState::open) return;
      queue_.push_back({shard, std::string(session.session_id_text())});
    });
  }
}

bool SessionOrders::step(Instant now) {
  if (now - refilled_at_ >= Duration::seconds(1)) {
    refilled_at_ = now;
    left_this_second_ = orders_per_second;
  }
  if (left_this_second_ == 0) return false;
  fill_queue();
  if (queue_.empty()) return false;
  --left_this_second_;
  send(queue_.front(), command_for(CommandKind::re_auth_session));
  queue_.pop_front();
  return true;
}

}  // namespace tollgate::control
