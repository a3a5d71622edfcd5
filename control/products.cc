// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/products.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "control/accounts.hh"
#include "control/balances.hh"

namespace tollgate::control {
namespace {

using ledger::CommandKind;
using ledger::Outcome;

constexpr u64 due_max = 32;            // that are looked at in one step
constexpr i64 unknown_put_off = 3600;  // until a product that the tariff lost is looked for again
constexpr i64 command_put_off = 5;     // after a refusal of control itself

Json moment(i64 at_s) {
  return at_s == 0 ? Json(nullptr) : Json(to_rfc3339(Instant::from_seconds(at_s)));
}

Json describe(const SubscriptionRow& row) {
  Json told{{"product", row.product},
            {"state", row.state},
            {"begins", moment(row.begins_s)},
            {"turns", row.turn},
            {"turn_ends", moment(row.turn_ends_s)},
            {"ends", moment(row.ends_s)},
            {"unpaid_since", moment(row.unpaid_since_s)}};
  if (!row.reason.empty()) told["reason"] = row.reason;
  return told;
}

}  // namespace

Json Products::describe_of(u64 account_id) {
  Json all = Json::array();
  for (const SubscriptionRow& row : subscriptions_.of_account(account_id, false)) {
    all.push_back(describe(row));
  }
  return all;
}

void Products::add_verbs(Verbs& verbs) {
  const auto bind = [this](void (Products::*method)(const Json&, const Reply&)) {
    return [this, method](const Json& args, const Reply& reply) { (this->*method)(args, reply); };
  };
  verbs["product.list"] = bind(&Products::list);
  verbs["product.buy"] = bind(&Products::buy);
  verbs["product.suspend"] = bind(&Products::suspend);
  verbs["product.resume"] = bind(&Products::resume);
  verbs["product.end"] = bind(&Products::end);
}

// What is sold; of an account, what it has.
void Products::list(const Json& args, const Reply& reply) {
  const rating::Image& image = context_.tariffs.image();
  Json all = Json::array();
  if (args.contains("who")) {
    const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
    for (const SubscriptionRow& row : subscriptions_.of_account(account.id, true)) {
      all.push_back(describe(row));
    }
    return reply.ok(Json{{"account", account.name}, {"products", std::move(all)}});
  }
  if (image.is_loaded()) {
    for (const rating::Product& product : image.products()) {
      all.push_back(describe_product(image, product));
    }
  }
  reply.ok(Json{{"products", std::move(all)}});
}

const rating::Product* Products::known_product(std::string_view name) const {
  const rating::Image& image = context_.tariffs.image();
  return image.is_loaded() ? image.find_product(rating::product_id(name)) : nullptr;
}

const rating::Product& Products::find_product(const Json& args) const {
  const std::string name = Arguments(args).text("product");
  const rating::Product* product = known_product(name);
  if (product != nullptr) return *product;
  throw Refused("product_unknown",
                fmt::format("the tariff has no product '{}': see product list", name));
}

bool Products::is_for(const rating::Product& product, const std::string& plan) const {
  const auto plans = context_.tariffs.image().numbers(product.plans);
  return std::ranges::find(plans, rating::plan_id(plan)) != plans.end();
}

// Whether the account may have it beside what it has.
void Products::refuse_unfit(const rating::Product& product, const AccountRow& account) {
  const rating::Image& image = context_.tariffs.image();
  const std::string name(image.text(product.name));
  if (!is_for(product, account.plan)) {
    throw Refused("product_not_for_plan",
                  fmt::format("product '{}' is not for plan '{}'", name, account.plan));
  }
  std::vector<u32> owned;
  for (const SubscriptionRow& row : subscriptions_.of_account(account.id, false)) {
    owned.push_back(rating::product_id(row.product));
    const rating::Product* other = image.find_product(owned.back());
    const bool is_same = row.product == name;
    if (is_same && !product.has(rating::Product::repeatable)) {
      throw Refused("product_owned", fmt::format("the account has product '{}' already", name));
    }
    if (is_same || other == nullptr) continue;
    const auto has = [&](rating::Extent numbers, u32 id) {
      const auto all = image.numbers(numbers);
      return std::ranges::find(all, id) != all.end();
    };
    const auto theirs = image.numbers(other->prices);
    const bool is_shared = std::ranges::any_of(image.numbers(product.prices), [&](u32 id) {
      return std::ranges::find(theirs, id) != theirs.end();
    });
    if (has(product.excludes, other->id) || has(other->excludes, product.id) || is_shared) {
      throw Refused("product_excluded",
                    fmt::format("product '{}' cannot be had beside '{}'", name, row.product));
    }
  }
  for (const u32 needed : image.numbers(product.needs)) {
    if (std::ranges::find(owned, needed) != owned.end()) continue;
    const rating::Product* other = image.find_product(needed);
    throw Refused("product_needs", fmt::format("product '{}' is sold to those who have '{}'", name,
                                               other != nullptr ? image.text(other->name) : "?"));
  }
}

CommandBook::Finished Products::tell(const AccountRow& account, const std::string& product,
                                     const Reply& reply) {
  return [this, account, product, reply](const Json& answer) {
    const std::string outcome = answer.value("outcome", "");
    if (outcome != "ok") return refuse_command(outcome, reply);
    Json told{{"account", account.name}, {"product", product}};
    told.update(answer);
    told["products"] = describe_of(account.id);
    reply.ok(std::move(told));
  };
}

void Products::buy(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const AccountRow account = find_account(context_.store, arguments.text("who"));
  CommandBook::Order order = make_order("product_buy", account, args);
  const std::string name = arguments.text("product");
  if (!order.client_key.empty() && context_.store.command_by_client_key(order.client_key)) {
    return book_.carry_out(std::move(order), tell(account, name, reply));  // as it was told before
  }
  const rating::Product& product = find_product(args);
  refuse_unfit(product, account);
  const i64 now_s = context_.clock.now().whole_seconds();
  SubscriptionRow row = turns_.begin(product, now_s);
  row.account_id = account.id;
  row.product = name;
  if (arguments.has("at")) {
    Instant at;
    if (!parse_rfc3339(arguments.text("at"), at) || at.whole_seconds() <= now_s) {
      throw Refused(refusal::bad_request,
                    "argument 'at': expected a moment to come, like 2026-12-24T18:00:00+01:00");
    }
    if (!order.client_key.empty()) {
      throw Refused(refusal::bad_request, "a later beginning is stored at once and takes no key");
    }
    row = turns_.begin(product, at.whole_seconds());
    row.account_id = account.id;
    row.product = name;
    row.state = subscription_state::bought;
    Transaction transaction(context_.store.database());
    subscriptions_.insert(row);
    context_.store.note_change("product_bought", account.id, to_line(order.detail));
    transaction.commit();
    return reply.ok(Json{{"account", account.name},
                         {"product", name},
                         {"outcome", "ok"},
                         {"products", describe_of(account.id)}});
  }
  row.state = subscription_state::buying;
  order.command = turns_.turn(context_.tariffs.image(), product, row, now_s);
  book_.carry_out(std::move(order), tell(account, name, reply), [this, row](u64 key) mutable {
    row.command_key = key;
    subscriptions_.insert(row);
  });
}

SubscriptionRow Products::find_subscription(const AccountRow& account, const std::string& product) {
  for (const SubscriptionRow& row : subscriptions_.of_account(account.id, false)) {
    if (row.product != product) continue;
    if (row.command_key != 0) throw Refused(refusal::busy, "a command about it is under way");
    return row;
  }
  throw Refused("product_not_owned", fmt::format("the account has no product '{}'", product));
}

// An order of an operator about a product that the account has.
void Products::change(const Json& args, std::string_view verb, CommandKind kind,
                      std::string_view needed_state, const Reply& reply) {
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  CommandBook::Order order = make_order(verb, account, args);
  const std::string name = Arguments(args).text("product");
  if (!order.client_key.empty() && context_.store.command_by_client_key(order.client_key)) {
    return book_.carry_out(std::move(order), tell(account, name, reply));
  }
  SubscriptionRow row = find_subscription(account, name);
  if (!needed_state.empty() && row.state != needed_state) {
    throw Refused("product_state", fmt::format("product '{}' is {}", name, row.state));
  }
  // One that the tariff has lost can still be ended.
  const bool is_lost = known_product(name) == nullptr && kind == CommandKind::product_end;
  if (is_lost) {
    order.command.kind = kind;
    order.command.plan = order.command.products[0] = rating::product_id(name);
  } else {
    order.command = ProductTurns::command(context_.tariffs.image(), find_product(args), kind);
  }
  row.reason = "operator";
  book_.carry_out(std::move(order), tell(account, name, reply), [this, row](u64 key) mutable {
    row.command_key = key;
    subscriptions_.update(row);
  });
}

void Products::suspend(const Json& args, const Reply& reply) {
  change(args, "product_suspend", CommandKind::product_suspend, subscription_state::active, reply);
}

void Products::resume(const Json& args, const Reply& reply) {
  change(args, "product_resume", CommandKind::product_resume, subscription_state::suspended, reply);
}

void Products::end(const Json& args, const Reply& reply) {
  if (Arguments(args).number_or("with_turn", 0) == 0) {
    return change(args, "product_end", CommandKind::product_end, {}, reply);
  }
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  SubscriptionRow row = find_subscription(account, Arguments(args).text("product"));
  if (row.turn_ends_s == 0) {
    throw Refused("product_state", "this product has no turn that ends: end it at once");
  }
  row.is_ending = 1;
  row.ends_s = row.turn_ends_s;
  if (row.state == subscription_state::active) row.due_s = row.ends_s;
  Transaction transaction(context_.store.database());
  subscriptions_.update(row);
  context_.store.note_change("product_ends", account.id, to_line(args));
  transaction.commit();
  reply.ok(Json{{"account", account.name},
                {"product", row.product},
                {"outcome", "ok"},
                {"products", describe_of(account.id)}});
}

void Products::follow(const CommandRow& command, Outcome outcome) {
  const i64 now_s = context_.clock.now().whole_seconds();
  const bool is_ok = outcome == Outcome::ok;
  if (command.kind == "remove" && (is_ok || outcome == Outcome::account_unknown)) {
    return subscriptions_.end_all_of(command.account_id);
  }
  if (is_ok && (command.kind == "topup" || command.kind == "adjust" || command.kind == "redeem")) {
    return subscriptions_.retry_all_of(command.account_id, now_s);
  }
  if (!command.kind.starts_with("product_")) return;
  auto row = subscriptions_.by_command(command.key);
  if (!row) return;
  row->command_key = 0;
  if (command.kind == "product_buy" && !is_ok) return subscriptions_.erase(row->number);
  move_on(*row, command.kind, outcome, now_s);
  subscriptions_.update(*row);
}

// The row after a command about it. What the tariff has lost meanwhile is looked for later.
void Products::move_on(SubscriptionRow& row, std::string_view kind, Outcome outcome, i64 now_s) {
  const bool is_ok = outcome == Outcome::ok;
  const rating::Product* product = known_product(row.product);
  if (outcome == Outcome::account_unknown || (kind == "product_end" && is_ok)) {
    row.state = subscription_state::ended;
    row.due_s = 0;
    return;
  }
  static const rating::Product unknown;  // it has no grace, and is tried again at once
  const rating::Product& terms = product != nullptr ? *product : unknown;
  if (kind == "product_buy" || (kind == "product_turn" && is_ok)) {
    ProductTurns::turn_begun(terms, row);
  } else if (kind == "product_turn" && outcome == Outcome::too_busy) {
    ++row.attempt;  // nobody's fault: under another key, soon
    row.due_s = now_s + command_put_off;
  } else if (kind == "product_turn") {
    ProductTurns::turn_refused(terms, row, now_s);
  } else if (kind == "product_suspend" && is_ok) {
    row.state = subscription_state::suspended;
    ProductTurns::set_due(terms, row);
    if (row.unpaid_since_s == 0) row.due_s = 0;
  } else if (kind == "product_resume" && is_ok) {
    // Turns that went by meanwhile are not caught up on.
    row.state = subscription_state::active;
    row.reason = ProductTurns::resumed;
    if (row.unpaid_since_s != 0) row.retry_s = now_s;
    ProductTurns::set_due(terms, row);
  } else {
    row.due_s = now_s + command_put_off;
  }
  if (product == nullptr) row.due_s = now_s + unknown_put_off;
}

void Products::step(Instant now) {
  const i64 now_s = now.whole_seconds();
  if (!context_.tariffs.image().is_loaded()) return;
  for (const SubscriptionRow& row : subscriptions_.due(now_s, due_max)) {
    try {
      act(row, now_s);
    } catch (const Refused& refused) {
      spdlog::warn("product {} of account {}: {}", row.product, row.account_id, refused.what());
      put_off(row, now_s + command_put_off);
    }
  }
}

void Products::put_off(SubscriptionRow row, i64 due_s) {
  row.due_s = due_s;
  Transaction transaction(context_.store.database());
  subscriptions_.update(row);
  transaction.commit();
}

// Another one of the same product that goes on: its prices and buckets stay.
bool Products::has_other(const SubscriptionRow& row) {
  return std::ranges::any_of(subscriptions_.of_account(row.account_id, false),
                             [&](const SubscriptionRow& other) {
                               return other.product == row.product && other.number != row.number;
                             });
}

void Products::act(SubscriptionRow row, i64 now_s) {
  const rating::Image& image = context_.tariffs.image();
  const rating::Product* product = known_product(row.product);
  const auto account = context_.store.account_by_id(row.account_id);
  if (!account || account->status == AccountStatus::removed) {
    row.state = subscription_state::ended;
    return put_off(row, 0);
  }
  if (product == nullptr) {
    spdlog::warn("account {} has product '{}', which the tariff has not: it waits for it",
                 account->name, row.product);
    return put_off(row, now_s + unknown_put_off);
  }
  ProductStep next = turns_.due(image, *product, row, now_s);
  if (next == ProductStep::turn && !is_for(*product, account->plan)) {
    row.reason = "plan";
    next = ProductStep::end;
  }
  switch (next) {
    case ProductStep::none:
      ProductTurns::set_due(*product, row);
      return put_off(row, row.due_s <= now_s ? now_s + command_put_off : row.due_s);
    case ProductStep::turn:
      return order(row, *account, "product_turn", turns_.turn(image, *product, row, now_s));
    case ProductStep::suspend:
      return order(row, *account, "product_suspend",
                   ProductTurns::command(image, *product, CommandKind::product_suspend));
    case ProductStep::end:
      if (has_other(row)) {
        row.state = subscription_state::ended;
        return put_off(row, 0);
      }
      return order(row, *account, "product_end",
                   ProductTurns::command(image, *product, CommandKind::product_end));
  }
}

// The key names what is done: a turn of this life of this subscription, for the so manieth time.
void Products::order(SubscriptionRow row, const AccountRow& account, std::string_view kind,
                     const ledger::Command& command) {
  CommandBook::Order made{
      .kind = std::string(kind),
      .account = account,
      .detail = Json{{"product", row.product}, {"turn", row.turn}, {"reason", row.reason}},
      .client_key = {},
      .command = command};
  if (kind == "product_turn") {
    made.client_key = fmt::format("{}{}/{}/{}/{}", product_key_prefix, row.number, row.begins_s,
                                  row.turn, row.attempt);
    made.detail.erase("reason");
  }
  book_.carry_out(std::move(made), nullptr, [this, row](u64 key) mutable {
    row.command_key = key;
    subscriptions_.update(row);
  });
}

Json describe_product(const rating::Image& image, const rating::Product& product) {
  constexpr std::array<std::string_view, 4> periods = {"", "day", "week", "month"};
  const auto money = [&](Money fee) { return to_text(Amount{fee.count}, product.currency); };
  Json told{{"product", image.text(product.name)},
            {"fee", product.fee.is_positive() ? Json(money(product.fee)) : Json(nullptr)},
            {"recurring_fee", nullptr},
            {"per", nullptr},
            {"lasts_s", product.lasts_s},
            {"renews", product.has(rating::Product::renews)},
            {"plans", Json::array()},
            {"allowances", Json::array()}};
  if (product.period != rating::Period::ever) {
    told["recurring_fee"] = money(product.recurring_fee);
    told["per"] = periods[static_cast<std::size_t>(product.period)];
  }
  for (const u32 id : image.numbers(product.plans)) {
    const rating::Plan* plan = image.find_plan(id);
    if (plan != nullptr) told["plans"].push_back(image.text(plan->name));
  }
  for (const rating::InitialBucket& bucket : image.allowances(product)) {
    told["allowances"].push_back(to_text(bucket.amount, bucket.unit));
  }
  return told;
}

}  // namespace tollgate::control
