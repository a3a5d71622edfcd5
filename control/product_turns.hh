// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ProductTurns: what is to be done about a subscription at a moment, and the commands that do it.
// Knows the tariff and the calendar; neither the database nor the ledger.
#pragma once

#include <optional>

#include "control/subscriptions.hh"
#include "ledger/command.hh"
#include "rating/image.hh"

namespace tollgate::control {

enum class ProductStep : u8 {
  none,     // it is looked at again when `due_s` says
  turn,     // its next turn begins
  suspend,  // unpaid for longer than the product lets it
  end,
};

class ProductTurns {
 public:
  // A subscription to the product that begins at that moment.
  SubscriptionRow begin(const rating::Product& product, i64 begins_s);

  // What is due. Moves the row over what has gone by: turns that nobody paid are not caught up on,
  // and a product that renews begins anew.
  ProductStep due(const rating::Image& image, const rating::Product& product, SubscriptionRow& row,
                  i64 now_s);

  // The command that begins turn row.turn, and in row.next_ends_s when that turn ends.
  ledger::Command turn(const rating::Image& image, const rating::Product& product,
                       SubscriptionRow& row, i64 now_s);

  // One of the others: prices and buckets of the product.
  static ledger::Command command(const rating::Image& image, const rating::Product& product,
                                 ledger::CommandKind kind);

  // The turn was begun; it was refused.
  static void turn_begun(const rating::Product& product, SubscriptionRow& row);
  static void turn_refused(const rating::Product& product, SubscriptionRow& row, i64 now_s);

  // So that it is looked at when the turn or all of it is over, or when its fee is tried again.
  static void set_due(const rating::Product& product, SubscriptionRow& row);

  // What SubscriptionRow::reason says of one that was suspended until now.
  static constexpr std::string_view resumed = "resumed";

 private:
  i64 turn_begin(const rating::Image& image, const rating::Product& product,
                 const SubscriptionRow& row, i64 turn);
  const rating::TimeZone& zone_of(const rating::Image& image, const rating::Product& product);

  rating::TimeZones zones_;
};

}  // namespace tollgate::control
