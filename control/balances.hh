// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Balances: the verbs that move money or units by hand. topup, adjust, transfer, refund;
// account.limit; session.drop.
//
// All of them go through the CommandBook: carried out once, whatever happens in between. A client
// that gives a `key` may repeat the request until it has an answer.
#pragma once

#include "control/command_book.hh"

namespace tollgate::control {

// What the keys of a product's turns begin with; a client's do not (products.hh).
inline constexpr std::string_view product_key_prefix = "product/";

// An order for the book as a client's words say it: what it said, but for its key, is the detail,
// so that a repeated key must come with the same words.
CommandBook::Order make_order(std::string_view kind, const AccountRow& account, const Json& args);

class Balances {
 public:
  Balances(Context& context, CommandBook& book) : context_(context), book_(book) {}

  void add_verbs(Verbs& verbs);

 private:
  void top_up(const Json& args, const Reply& reply);
  void adjust(const Json& args, const Reply& reply);
  void transfer(const Json& args, const Reply& reply);
  void refund(const Json& args, const Reply& reply);
  void set_limit(const Json& args, const Reply& reply);
  void drop_session(const Json& args, const Reply& reply);
  ledger::NewBucket read_bucket(const Json& args) const;

  Context& context_;
  CommandBook& book_;
};

}  // namespace tollgate::control
