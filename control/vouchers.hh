// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Vouchers: the verbs voucher.import, voucher.redeem, voucher.show and voucher.list.
//
// A voucher is redeemed by a command of the book: that it is taken, and by which command, is stored
// in the transaction that stores the command, so it is taken once, whatever dies. If the ledger
// refuses the command the voucher is free again. Refusals of a redemption in this order:
//
//   account_unknown, voucher_guessed (too many wrong codes, see voucher_misses.hh),
//   voucher_unknown, voucher_used, voucher_expired, voucher_wrong_unit,
//   then those of the ledger for a top-up
#pragma once

#include "control/command_book.hh"
#include "control/voucher_misses.hh"

namespace tollgate::control {

class Vouchers {
 public:
  Vouchers(Context& context, CommandBook& book) : context_(context), book_(book) {}

  void add_verbs(Verbs& verbs);

 private:
  void import(const Json& args, const Reply& reply);
  void redeem(const Json& args, const Reply& reply);
  void show(const Json& args, const Reply& reply);
  void list(const Reply& reply);
  VoucherRow find(const Json& args);
  VoucherRow find_for(const AccountRow& account, const Json& args);
  void refuse_unfit(const VoucherRow& voucher, const AccountRow& account, const Json& args) const;

  Context& context_;
  CommandBook& book_;
  VoucherMisses misses_;
};

}  // namespace tollgate::control
