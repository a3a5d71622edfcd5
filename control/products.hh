// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Products: the verbs about them, and their lives: product.list, buy, suspend, resume, end.
//
//   (buying) -> active <-> suspended -> ended          bought: begins at a later moment
//
// A turn is a command of the CommandBook with a key of its own, made of subscription, turn and
// attempt; its outcome moves the row on in the same transaction. So a turn is begun once and its
// fee taken once, whatever is killed, and a fee that could not be paid is tried under another key.
#pragma once

#include "control/command_book.hh"
#include "control/product_turns.hh"
#include "control/subscriptions.hh"

namespace tollgate::control {

class Products {
 public:
  Products(Context& context, CommandBook& book)
      : context_(context), book_(book), subscriptions_(context.store.database()) {}

  void add_verbs(Verbs& verbs);

  // Part of the transaction that finishes a command: see CommandBook::follow.
  void follow(const CommandRow& row, ledger::Outcome outcome);

  // Begins what is due. A bounded piece of it.
  void step(Instant now);

  // What an account has, for account.show: [{"product","state",...}].
  Json describe_of(u64 account_id);

 private:
  void list(const Json& args, const Reply& reply);
  void buy(const Json& args, const Reply& reply);
  void suspend(const Json& args, const Reply& reply);
  void resume(const Json& args, const Reply& reply);
  void end(const Json& args, const Reply& reply);

  const rating::Product* known_product(std::string_view name) const;  // nullptr: lost, or never
  const rating::Product& find_product(const Json& args) const;
  SubscriptionRow find_subscription(const AccountRow& account, const std::string& product);
  void refuse_unfit(const rating::Product& product, const AccountRow& account);
  bool is_for(const rating::Product& product, const std::string& plan) const;
  bool has_other(const SubscriptionRow& row);
  void change(const Json& args, std::string_view verb, ledger::CommandKind kind,
              std::string_view needed_state, const Reply& reply);
  CommandBook::Finished tell(const AccountRow& account, const std::string& product,
                             const Reply& reply);
  void act(SubscriptionRow row, i64 now_s);
  void move_on(SubscriptionRow& row, std::string_view kind, ledger::Outcome outcome, i64 now_s);
  void order(SubscriptionRow row, const AccountRow& account, std::string_view kind,
             const ledger::Command& command);
  void put_off(SubscriptionRow row, i64 due_s);

  Context& context_;
  CommandBook& book_;
  Subscriptions subscriptions_;
  ProductTurns turns_;
};

// What a product of the tariff is: {"product","plans","fee","per",...}.
Json describe_product(const rating::Image& image, const rating::Product& product);

}  // namespace tollgate::control
