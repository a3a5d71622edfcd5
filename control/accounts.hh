// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Accounts: the verbs of provisioning. account.add, show, list, set, remove.
//
// A new account is pending in the database first, then made by its shard, then entered into the
// index and active. A refusal of the ledger takes the pending row back; an answer that does not
// come leaves it to Reconcile.
#pragma once

#include "control/command_book.hh"
#include "control/reconcile.hh"

namespace tollgate::control {

// All parts of a new account, checked: ready to be stored and sent.
struct NewAccount {
  AccountRow row;
  std::vector<IdentityRow> identities;
  ledger::Command command;
  std::string payer;  // a name; empty: it pays for itself
};

class Accounts {
 public:
  Accounts(Context& context, CommandBook& book, Reconcile& reconcile)
      : context_(context), book_(book), reconcile_(reconcile) {}

  void add_verbs(Verbs& verbs);

  // What an account's products are, for account.show.
  void tell_products(std::function<Json(u64 account_id)> tell) { products_of_ = std::move(tell); }

 private:
  void add(const Json& args, const Reply& reply);
  void show(const Json& args, const Reply& reply);
  void list(const Json& args, const Reply& reply);
  void set(const Json& args, const Reply& reply);
  void remove(const Json& args, const Reply& reply);

  void created(const NewAccount& account, const std::optional<ledger::CommandAnswer>& answer,
               const Reply& reply);
  void set_identities(const AccountRow& account, const Json& args, const Reply& reply,
                      const std::function<void()>& then);
  void set_account(const AccountRow& account, const Json& args, const Reply& reply);
  void set_payer(const AccountRow& account, const Json& args, const Reply& reply);
  u64 take_id_beside(const AccountRow& other);
  void check_settings(const Json& args) const;
  Json describe(const AccountRow& account);
  // Sends back what a command came to.
  CommandBook::Finished tell(const AccountRow& account, const Reply& reply);

  Context& context_;
  CommandBook& book_;
  Reconcile& reconcile_;
  std::function<Json(u64 account_id)> products_of_;
};

struct AccountOrder {
  std::string name;
  std::vector<std::string> identities;
  std::string plan;
  std::string balance;  // may be empty
};

// Checks everything about a new account but what the database knows. Throws Refused.
NewAccount prepare_account(const Tariffs& tariffs, Instant now, const AccountOrder& order);

// Gives it its number; the command is ready to be sent afterwards.
void set_account_id(NewAccount& account, u64 id);

// The refusal of a command that went through the CommandBook.
void refuse_command(std::string_view outcome, const Reply& reply);

}  // namespace tollgate::control
