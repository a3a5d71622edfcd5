// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/accounts.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "control/balances.hh"
#include "ledger/balance.hh"

namespace tollgate::control {
namespace {

constexpr u64 list_rows_max = 1000;

ledger::AccountState parse_state(const std::string& text) {
  for (const auto state : {ledger::AccountState::active, ledger::AccountState::inactive,
                           ledger::AccountState::suspended, ledger::AccountState::expired,
                           ledger::AccountState::one_way}) {
    if (to_text(state) == text) return state;
  }
  throw Refused(
      refusal::bad_request,
      fmt::format("'{}' is no state: expected active, inactive, one_way, suspended or expired",
                  text));
}

// "30d" from now, a time as in RFC 3339, or "never".
ledger::Second parse_end(const std::string& text, Instant now) {
  if (text == "never") return 0;
  Instant end;
  if (!parse_rfc3339(text, end)) end = now + parse_period(text);
  if (end.whole_seconds() <= 0 || end.whole_seconds() > UINT32_MAX) {
    throw Refused(refusal::bad_request, fmt::format("'{}' is no time up to the year 2106", text));
  }
  return static_cast<ledger::Second>(end.whole_seconds());
}

std::vector<std::string> texts_of(const std::vector<IdentityRow>& identities) {
  std::vector<std::string> all;
  for (const IdentityRow& identity : identities) all.push_back(identity.text);
  return all;
}

void set_keys(ledger::Command& command, const std::vector<IdentityRow>& identities) {
  command.identity_count = static_cast<u8>(identities.size());
  for (std::size_t i = 0; i < identities.size(); ++i) command.identities[i] = identities[i].key;
}

void refuse_taken(Store& store, const IdentityRow& identity) {
  const auto other = store.account_by_key(identity.key);
  if (!other) return;
  throw Refused(to_text(ledger::Outcome::identity_taken),
                fmt::format("'{}' belongs to account '{}'", identity.text, other->name));
}

}  // namespace

NewAccount prepare_account(const Tariffs& tariffs, Instant now, const AccountOrder& order) {
  const std::string mistake = name_mistake(order.name);
  if (!mistake.empty()) throw Refused(refusal::bad_request, mistake);
  NewAccount account;
  account.row = {.name = order.name, .plan = order.plan};
  account.identities = parse_identities(order.identities);
  if (account.identities.empty()) {
    throw Refused(refusal::bad_request, "an account needs an identity: --identity msisdn:4670...");
  }
  const rating::Plan* plan = tariffs.find_plan(order.plan);
  if (plan == nullptr) {
    throw Refused(refusal::not_there,
                  fmt::format("the tariff has no plan '{}': see tariff list", order.plan));
  }
  std::vector<ledger::NewBucket> buckets;
  if (!order.balance.empty()) {
    ledger::NewBucket bucket;
    const std::string why = parse_amount(order.balance, bucket.amount, bucket.unit);
    if (!why.empty()) throw Refused(refusal::bad_request, why);
    if (bucket.amount.is_negative()) {
      throw Refused(to_text(ledger::Outcome::amount_invalid),
                    "a balance to begin with is not "
                    "below zero");
    }
    buckets.push_back(bucket);
  }
  if (!initial_buckets(tariffs.image(), *plan, now, buckets)) {
    throw Refused(refusal::bad_request,
                  fmt::format("plan '{}' and the balance make more than {} buckets", order.plan,
                              ledger::initial_buckets_max));
  }
  account.command.kind = ledger::CommandKind::create_account;
  account.command.plan = plan->id;
  account.command.state = ledger::AccountState::active;
  set_keys(account.command, account.identities);
  account.command.bucket_count = static_cast<u8>(buckets.size());
  std::copy(buckets.begin(), buckets.end(), account.command.buckets.begin());
  return account;
}

void set_account_id(NewAccount& account, u64 id) {
  account.row.id = id;
  account.command.account_id = id;
  account.command.shard = static_cast<u8>(shard_of_account(id));
}

void Accounts::add_verbs(Verbs& verbs) {
  const auto bind = [this](void (Accounts::*method)(const Json&, const Reply&)) {
    return [this, method](const Json& args, const Reply& reply) { (this->*method)(args, reply); };
  };
  verbs["account.add"] = bind(&Accounts::add);
  verbs["account.show"] = bind(&Accounts::show);
  verbs["account.list"] = bind(&Accounts::list);
  verbs["account.set"] = bind(&Accounts::set);
  verbs["account.remove"] = bind(&Accounts::remove);
}

void Accounts::add(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const Instant now = context_.clock.now();
  NewAccount account = prepare_account(context_.tariffs, now,
                                       {.name = arguments.text("account"),
                                        .identities = arguments.texts("identities"),
                                        .plan = arguments.text("plan"),
                                        .balance = arguments.text_or("balance", "")});
  Store& store = context_.store;
  if (store.account_by_name(account.row.name)) {
    throw Refused(to_text(ledger::Outcome::account_exists),
                  fmt::format("there is an account '{}' already", account.row.name));
  }
  for (const IdentityRow& identity : account.identities) refuse_taken(store, identity);
  const bool has_payer = arguments.has("payer");
  AccountRow payer;
  if (has_payer) payer = find_account(store, arguments.text("payer"));
  account.payer = arguments.text_or("payer", "");
  account.command.valid_until_s =
      arguments.has("valid_until") ? parse_end(arguments.text("valid_until"), now) : 0;
  if (arguments.has("state")) account.command.state = parse_state(arguments.text("state"));
  Transaction transaction(store.database());
  set_account_id(account, has_payer ? take_id_beside(payer) : store.take_account_ids(1));
  store.insert_pending(account.row, account.identities);
  transaction.commit();
  context_.channel.submit(account.command, now, [this, account, reply](const auto& answer) {
    created(account, answer, reply);
  });
}

void Accounts::created(const NewAccount& account,
                       const std::optional<ledger::CommandAnswer>& answer, const Reply& reply) {
  if (!answer) {
    reconcile_.add(account.row);
    reply.refuse(refusal::no_answer,
                 "the core did not answer: whether the account was made is found out as soon as "
                 "it is there again; ask with account show");
    return;
  }
  Store& store = context_.store;
  Transaction transaction(store.database());
  if (answer->outcome != ledger::Outcome::ok) {
    store.erase_pending(account.row.id);
    transaction.commit();
    reply.refuse(refused_by_ledger(answer->outcome));
    return;
  }
  store.set_active(account.row.id, answer->account);
  store.note_change("add", account.row.id,
                    to_line(Json{{"account", account.row.name},
                                 {"identities", texts_of(account.identities)},
                                 {"plan", account.row.plan}}));
  transaction.commit();
  if (!index_account(context_.appliance.index(), account.identities, answer->account)) {
    reply.refuse(to_text(ledger::Outcome::too_busy),
                 "the account was made, but the identity index is full: requests do not find it; "
                 "make room for more identities in the configuration and start again");
    return;
  }
  AccountRow row = account.row;
  row.place = answer->account;
  if (!account.payer.empty()) {
    row.status = AccountStatus::active;
    try {
      return set_payer(row, Json{{"who", row.name}, {"payer", account.payer}}, reply);
    } catch (const Refused& refused) {
      return reply.refuse(refused);
    }
  }
  reply.ok(describe(row));
}

Json Accounts::describe(const AccountRow& account) {
  Json told{{"account", account.name},
            {"account_id", account.id},
            {"identities", texts_of(context_.store.identities(account.id))},
            {"plan", account.plan}};
  ledger::Account record;
  ledger::AccountRef place = account.place;
  if (!context_.appliance.ledger().read(place, record) || record.id != account.id) {
    place = context_.appliance.find_account(account.id);
    if (place.is_none() || !context_.appliance.ledger().read(place, record)) {
      throw Refused(to_text(ledger::Outcome::account_unknown),
                    fmt::format("account '{}' is not in the ledger: was another journal put in "
                                "its place?",
                                account.name));
    }
  }
  const auto now_s = static_cast<ledger::Second>(context_.clock.now().whole_seconds());
  told["state"] = to_text(state_at(record, now_s));
  told["valid_until"] = nullptr;
  if (record.valid_until_s != 0) {
    told["valid_until"] = to_rfc3339(Instant::from_seconds(record.valid_until_s));
  }
  told["payer"] = nullptr;
  ledger::Account payer;
  if (record.payer != 0 && context_.appliance.ledger().read(
                               ledger::AccountRef::make(place.shard(), record.payer), payer)) {
    const auto row = context_.store.account_by_id(payer.id);
    told["payer"] = row ? Json(row->name) : Json(payer.id);
  }
  told["buckets"] = describe_buckets(context_.appliance.ledger(), place);
  if (products_of_) told["products"] = products_of_(account.id);
  told["open_sessions"] = record.open_sessions;
  const rating::Plan* plan = context_.tariffs.find_plan(account.plan);
  told["credit_limit"] =
      to_decimal({record.credit_limit}, plan != nullptr ? plan->currency : Unit::eur);
  told["created"] = to_rfc3339(Instant::from_seconds(record.created_s));
  told["shard"] = place.shard();
  return told;
}

void Accounts::show(const Json& args, const Reply& reply) {
  reply.ok(describe(find_account(context_.store, Arguments(args).text("who"))));
}

void Accounts::list(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const u64 limit = std::min(arguments.number_or("limit", list_rows_max), list_rows_max);
  const auto rows = context_.store.list_accounts(arguments.text_or("after", ""), limit);
  Json accounts = Json::array();
  for (const AccountRow& row : rows) {
    accounts.push_back(
        Json{{"account", row.name},
             {"identities", texts_of(context_.store.identities(row.id))},
             {"plan", row.plan},
             {"status", row.status == AccountStatus::active ? "active" : "pending"}});
  }
  const bool has_more = rows.size() == limit && !rows.empty();
  reply.ok(Json{{"accounts", std::move(accounts)},
                {"next", has_more ? Json(rows.back().name) : Json(nullptr)}});
}

CommandBook::Finished Accounts::tell(const AccountRow& account, const Reply& reply) {
  return [this, account, reply](const Json& answer) {
    const std::string outcome = answer.value("outcome", "");
    if (outcome == "ok") {
      const auto row = context_.store.account_by_id(account.id);
      const bool is_there = row && row->status == AccountStatus::active;
      try {
        reply.ok(is_there ? describe(*row) : Json{{"account", account.name}, {"state", "removed"}});
      } catch (const Refused& refused) {
        reply.refuse(refused);
      }
      return;
    }
    refuse_command(outcome, reply);
  };
}

void Accounts::set(const Json& args, const Reply& reply) {
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  const bool has_identities = args.contains("add") || args.contains("remove");
  const bool has_others = args.contains("plan") || args.contains("state") ||
                          args.contains("credit_limit") || args.contains("valid_until");
  if (args.contains("payer")) {
    if (has_identities || has_others) {
      throw Refused(refusal::bad_request, "a payer is set by a command of its own");
    }
    return set_payer(account, args, reply);
  }
  if (!has_identities && !has_others) throw Refused(refusal::bad_request, "nothing to set");
  if (has_others) check_settings(args);  // before anything is changed
  if (!has_identities) return set_account(account, args, reply);
  set_identities(account, args, reply, [this, account, args, reply, has_others] {
    if (has_others) {
      set_account(account, args, reply);
    } else {
      tell(account, reply)(Json{{"outcome", "ok"}});
    }
  });
}

void Accounts::check_settings(const Json& args) const {
  const Arguments arguments(args);
  if (arguments.has("state")) static_cast<void>(parse_state(arguments.text("state")));
  if (arguments.has("plan") && context_.tariffs.find_plan(arguments.text("plan")) == nullptr) {
    throw Refused(refusal::not_there, fmt::format("the tariff has no plan '{}': see tariff list",
                                                  arguments.text("plan")));
  }
  if (arguments.has("valid_until")) {
    static_cast<void>(parse_end(arguments.text("valid_until"), context_.clock.now()));
  }
  if (!arguments.has("credit_limit")) return;
  Amount limit;
  Unit unit = Unit::none;
  const std::string why = parse_amount(arguments.text("credit_limit"), limit, unit);
  if (!why.empty()) throw Refused(refusal::bad_request, why);
  if (!is_money(unit) || limit.is_negative()) {
    throw Refused(refusal::bad_request, "a credit limit is money, zero or more");
  }
}

void Accounts::set_account(const AccountRow& account, const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  CommandBook::Order order{.kind = "set",
                           .account = account,
                           .detail = Json::object(),
                           .client_key = arguments.text_or("key", "")};
  order.command.kind = ledger::CommandKind::set_account;
  if (arguments.has("valid_until")) {
    order.detail["valid_until"] = arguments.text("valid_until");
    order.command.flags = ledger::command_flag::has_valid_until;
    order.command.valid_until_s = parse_end(arguments.text("valid_until"), context_.clock.now());
  }
  if (arguments.has("plan")) {
    order.detail["plan"] = arguments.text("plan");
    order.command.plan = rating::plan_id(arguments.text("plan"));
  }
  if (arguments.has("state")) {
    order.detail["state"] = arguments.text("state");
    order.command.state = parse_state(arguments.text("state"));
  }
  if (arguments.has("credit_limit")) {
    order.detail["credit_limit"] = arguments.text("credit_limit");
    Amount limit;
    Unit unit = Unit::none;
    const std::string why = parse_amount(arguments.text("credit_limit"), limit, unit);
    check(why.empty(), "the credit limit was read before");
    order.command.credit_limit = limit.count;
  }
  book_.carry_out(std::move(order), tell(account, reply));
}

// Members and payers lie in one shard, which is where an account is made: see account.add.
void Accounts::set_payer(const AccountRow& account, const Json& args, const Reply& reply) {
  const std::string name = Arguments(args).text("payer");
  CommandBook::Order order = make_order("set_payer", account, args);
  order.command.kind = ledger::CommandKind::set_payer;
  if (name != "none") {
    const AccountRow payer = find_account(context_.store, name);
    order.command.other_account = payer.place;
    order.command.other_account_id = payer.id;
  }
  book_.carry_out(std::move(order), tell(account, reply));
}

// A number whose account lies in the shard of `other`.
u64 Accounts::take_id_beside(const AccountRow& other) {
  for (;;) {
    const u64 id = context_.store.take_account_ids(1);
    if (shard_of_account(id) == other.place.shard()) return id;
  }
}

void Accounts::set_identities(const AccountRow& account, const Json& args, const Reply& reply,
                              const std::function<void()>& then) {
  const Arguments arguments(args);
  const std::vector<IdentityRow> added = parse_identities(arguments.texts("add"));
  const std::vector<IdentityRow> removed = parse_identities(arguments.texts("remove"));
  const std::string client_key = arguments.text_or("key", "");
  const bool is_repeated =
      !client_key.empty() && context_.store.command_by_client_key(client_key + "/identities");
  for (const IdentityRow& identity : added) {
    if (!is_repeated) refuse_taken(context_.store, identity);
  }
  std::vector<IdentityRow> wanted;
  std::size_t removed_count = 0;
  for (const IdentityRow& has : context_.store.identities(account.id)) {
    const bool is_removed = std::any_of(removed.begin(), removed.end(),
                                        [&](const auto& other) { return other.key == has.key; });
    if (is_removed) ++removed_count;
    if (!is_removed) wanted.push_back(has);
  }
  if (removed_count != removed.size() && !is_repeated) {
    throw Refused(refusal::not_there, "the account does not have an identity that is to go");
  }
  // What was done before is not done again: the book has its outcome.
  if (!is_repeated) wanted.insert(wanted.end(), added.begin(), added.end());
  if (wanted.size() > ledger::identities_per_account_max) {
    throw refused_by_ledger(ledger::Outcome::too_many_identities);
  }
  if (wanted.empty() && !is_repeated)
    throw Refused(refusal::bad_request, "an account keeps at least one identity");
  CommandBook::Order order{
      .kind = "set_identities",
      .account = account,
      .detail = Json{{"added", texts_of(added)}, {"removed", texts_of(removed)}}};
  // The rest of the command has the key itself.
  if (!client_key.empty()) order.client_key = client_key + "/identities";
  order.command.kind = ledger::CommandKind::set_identities;
  set_keys(order.command, wanted);
  const auto finished = [reply, then](const Json& answer) {
    const std::string outcome = answer.value("outcome", "");
    if (outcome != "ok") return refuse_command(outcome, reply);
    try {
      then();
    } catch (const Refused& refused) {
      reply.refuse(refused);
    }
  };
  book_.carry_out(std::move(order), finished, [this, account, added](u64) {
    std::vector<IdentityRow> all = context_.store.identities(account.id);
    all.insert(all.end(), added.begin(), added.end());
    context_.store.replace_identities(account.id, all);
  });
}

void Accounts::remove(const Json& args, const Reply& reply) {
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  CommandBook::Order order{
      .kind = "remove", .account = account, .detail = Json{{"account", account.name}}};
  order.command.kind = ledger::CommandKind::remove_account;
  book_.carry_out(std::move(order), tell(account, reply));
}

void refuse_command(std::string_view outcome, const Reply& reply) {
  if (outcome == refusal::no_answer) {
    reply.refuse(outcome,
                 "the core did not answer: the command is kept and carried out once, as soon as it "
                 "is there again");
    return;
  }
  for (const ledger::OutcomeRow& row : ledger::outcome_table) {
    if (row.name == outcome) return reply.refuse(outcome, row.sentence);
  }
  reply.refuse(outcome, "refused");
}

}  // namespace tollgate::control
