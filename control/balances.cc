// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/balances.hh"

#include <fmt/format.h>

#include <algorithm>

#include "control/accounts.hh"

namespace tollgate::control {

CommandBook::Order make_order(std::string_view kind, const AccountRow& account, const Json& args) {
  constexpr std::size_t key_bytes_max = 128;
  const std::string key = Arguments(args).text_or("key", "");
  if (key.size() > key_bytes_max) {
    throw Refused(refusal::bad_request,
                  fmt::format("a key has at most {} characters", key_bytes_max));
  }
  if (key.starts_with(product_key_prefix)) {
    throw Refused(refusal::bad_request,
                  fmt::format("keys that begin with {} are those of fees", product_key_prefix));
  }
  // What the client said, but for its key: a repeated key must come with the same words.
  Json detail = args;
  detail.erase("key");
  return {.kind = std::string(kind),
          .account = account,
          .detail = std::move(detail),
          .client_key = key};
}

namespace {

CommandBook::Finished tell_balance(const AccountRow& account, const Reply& reply) {
  return [account, reply](const Json& answer) {
    const std::string outcome = answer.value("outcome", "");
    if (outcome != "ok") return refuse_command(outcome, reply);
    Json told{{"account", account.name}};
    told.update(answer);
    reply.ok(std::move(told));
  };
}

void need_unlike(const AccountRow& a, const AccountRow& b) {
  if (a.id == b.id) throw Refused(refusal::bad_request, "both are the same account");
}

}  // namespace

void Balances::add_verbs(Verbs& verbs) {
  const auto bind = [this](void (Balances::*method)(const Json&, const Reply&)) {
    return [this, method](const Json& args, const Reply& reply) { (this->*method)(args, reply); };
  };
  verbs["topup"] = bind(&Balances::top_up);
  verbs["adjust"] = bind(&Balances::adjust);
  verbs["transfer"] = bind(&Balances::transfer);
  verbs["refund"] = bind(&Balances::refund);
  verbs["account.limit"] = bind(&Balances::set_limit);
  verbs["session.drop"] = bind(&Balances::drop_session);
}

ledger::NewBucket Balances::read_bucket(const Json& args) const {
  const Arguments arguments(args);
  ledger::NewBucket bucket;
  const std::string why = parse_amount(arguments.text("amount"), bucket.amount, bucket.unit);
  if (!why.empty()) throw Refused(refusal::bad_request, why);
  if (arguments.has("expires")) {
    const Instant end = context_.clock.now() + parse_period(arguments.text("expires"));
    bucket.expires_s = static_cast<ledger::Second>(end.whole_seconds());
  }
  const u64 priority = arguments.number_or("priority", 0);
  if (priority > 255) throw Refused(refusal::bad_request, "a priority is a number from 0 to 255");
  bucket.priority = static_cast<u8>(priority);
  return bucket;
}

void Balances::top_up(const Json& args, const Reply& reply) {
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  CommandBook::Order order = make_order("topup", account, args);
  order.command.kind = ledger::CommandKind::top_up;
  if (Arguments(args).number_or("extend", 0) != 0) {
    if (!args.contains("expires")) {
      throw Refused(refusal::bad_request, "to extend validity, say until when: --expires 30d");
    }
    order.command.flags = ledger::command_flag::extend;
  }
  order.command.buckets[0] = read_bucket(args);
  order.command.bucket_count = 1;
  if (const rating::Plan* plan = context_.tariffs.find_plan(account.plan)) {
    add_bonuses(context_.tariffs.image(), *plan, context_.clock.now(), order.command);
  }
  book_.carry_out(std::move(order), tell_balance(account, reply));
}

void Balances::adjust(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const AccountRow account = find_account(context_.store, arguments.text("who"));
  if (arguments.text_or("reason", "").empty()) {
    throw Refused(refusal::bad_request, "an adjustment needs a reason");
  }
  CommandBook::Order order = make_order("adjust", account, args);
  order.command.kind = ledger::CommandKind::adjust;
  order.command.buckets[0] = read_bucket(args);
  order.command.bucket_count = 1;
  book_.carry_out(std::move(order), tell_balance(account, reply));
}

void Balances::refund(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const AccountRow account = find_account(context_.store, arguments.text("who"));
  if (arguments.text_or("reason", "").empty()) {
    throw Refused(refusal::bad_request, "a refund needs a reason");
  }
  CommandBook::Order order = make_order("refund", account, args);
  order.command.kind = ledger::CommandKind::refund;
  order.command.buckets[0] = read_bucket(args);
  order.command.bucket_count = 1;
  book_.carry_out(std::move(order), tell_balance(account, reply));
}

// How much a member may use of its payer's unit from now on; an amount below zero lifts the limit.
void Balances::set_limit(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const AccountRow account = find_account(context_.store, arguments.text("who"));
  CommandBook::Order order = make_order("limit", account, args);
  order.command.kind = ledger::CommandKind::set_limit;
  order.command.buckets[0] = read_bucket(args);
  order.command.bucket_count = 1;
  book_.carry_out(std::move(order), tell_balance(account, reply));
}

void Balances::transfer(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const AccountRow from = find_account(context_.store, arguments.text("from"));
  const AccountRow to = find_account(context_.store, arguments.text("to"));
  need_unlike(from, to);
  CommandBook::Order order = make_order("transfer", from, args);
  order.command.kind = ledger::CommandKind::transfer;
  order.command.other_account = to.place;
  order.command.other_account_id = to.id;
  order.command.buckets[0] = read_bucket(args);
  order.command.bucket_count = 1;
  book_.carry_out(std::move(order), tell_balance(from, reply));
}

void Balances::drop_session(const Json& args, const Reply& reply) {
  const std::string session_id = Arguments(args).text("session_id");
  ledger::AccountRef place;
  for (u32 shard = 0; shard < ledger::shard_count; ++shard) {
    context_.appliance.ledger().for_each_session(shard, [&](u32, const ledger::Session& session) {
      const bool is_open = session.state == ledger::SessionState::open;
      if (is_open && session.session_id_text() == session_id) {
        place = ledger::AccountRef::make(shard, session.account);
      }
    });
  }
  ledger::Account record;
  if (place.is_none() || !context_.appliance.ledger().read(place, record)) {
    throw refused_by_ledger(ledger::Outcome::session_unknown);
  }
  AccountRow account =
      context_.store.account_by_id(record.id).value_or(AccountRow{.id = record.id, .place = place});
  account.place = place;
  CommandBook::Order order = make_order("session_drop", account, args);
  order.command.kind = ledger::CommandKind::drop_session;
  order.command.session_id_bytes = static_cast<u8>(session_id.size());
  std::copy(session_id.begin(), session_id.end(), order.command.session_id.begin());
  book_.carry_out(std::move(order), tell_balance(account, reply));
}

}  // namespace tollgate::control
