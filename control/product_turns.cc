// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/product_turns.hh"

#include <algorithm>

#include "base/check.hh"

namespace tollgate::control {
namespace {

constexpr i64 never = 0;

// The earlier of two moments, of which 0 is none.
i64 earlier(i64 a, i64 b) {
  if (a == never || b == never) return std::max(a, b);
  return std::min(a, b);
}

ledger::Second second(i64 at) {
  return static_cast<ledger::Second>(std::clamp<i64>(at, 0, ledger::Second{UINT32_MAX} - 1));
}

}  // namespace

const rating::TimeZone& ProductTurns::zone_of(const rating::Image& image,
                                              const rating::Product& product) {
  const rating::TimeZone* zone = zones_.find(std::string(image.text(product.timezone)));
  return zone != nullptr ? *zone : *zones_.find("UTC");
}

// 0: there is no such turn.
i64 ProductTurns::turn_begin(const rating::Image& image, const rating::Product& product,
                             const SubscriptionRow& row, i64 turn) {
  const Instant at =
      rating::turn_begin(product, zone_of(image, product), Instant::from_seconds(row.begins_s),
                         static_cast<u32>(turn));
  return at == Instant::never() ? never : at.whole_seconds();
}

SubscriptionRow ProductTurns::begin(const rating::Product& product, i64 begins_s) {
  SubscriptionRow row;
  row.begins_s = begins_s;
  if (product.lasts_s != 0) row.ends_s = begins_s + product.lasts_s;
  row.due_s = begins_s;
  return row;
}

ProductStep ProductTurns::due(const rating::Image& image, const rating::Product& product,
                              SubscriptionRow& row, i64 now_s) {
  const bool is_unpaid = row.unpaid_since_s != 0;
  if (is_unpaid && now_s >= row.unpaid_since_s + product.retry_for_s) {
    row.reason = "unpaid";
    return ProductStep::end;
  }
  const bool renews = product.has(rating::Product::renews) && row.is_ending == 0;
  while (renews && row.ends_s != never && row.ends_s <= now_s && product.lasts_s != 0) {
    row.begins_s = row.ends_s;
    row.ends_s += product.lasts_s;
    row.turn = 0;
    row.turn_ends_s = row.begins_s;
    if (!is_unpaid) break;  // each is paid, also one that nobody was there to begin
  }
  if (row.ends_s != never && row.ends_s <= now_s && !renews) {
    row.reason = "over";
    return ProductStep::end;
  }
  if (is_unpaid && now_s < row.retry_s) {
    const bool is_suspended = row.state != subscription_state::active;
    if (is_suspended || now_s < row.unpaid_since_s + product.grace_s) return ProductStep::none;
    row.reason = "unpaid";
    return ProductStep::suspend;
  }
  const bool is_next_due = row.turn == 0 || (row.turn_ends_s != never && row.turn_ends_s <= now_s);
  if (!is_next_due && !is_unpaid) return ProductStep::none;
  const bool is_skipping = is_unpaid || row.reason == resumed;
  while (is_skipping) {
    const i64 next = turn_begin(image, product, row, row.turn + 1);
    if (next == never || next > now_s) break;
    ++row.turn;
    row.attempt = 0;
  }
  return ProductStep::turn;
}

ledger::Command ProductTurns::command(const rating::Image& image, const rating::Product& product,
                                      ledger::CommandKind kind) {
  ledger::Command command;
  command.kind = kind;
  command.plan = product.id;
  const std::span<const u32> prices = image.numbers(product.prices);
  check(prices.size() <= command.products.size(), "an image was validated");
  std::ranges::copy(prices, command.products.begin());
  return command;
}

ledger::Command ProductTurns::turn(const rating::Image& image, const rating::Product& product,
                                   SubscriptionRow& row, i64 now_s) {
  ledger::Command made = command(image, product, ledger::CommandKind::product_turn);
  const auto put = [&](const ledger::NewBucket& bucket) {
    if (made.bucket_count == made.buckets.size()) return;  // the compiler has told of more
    made.buckets[made.bucket_count++] = bucket;
  };
  const Money fee =
      rating::turn_fee(product, zone_of(image, product), Instant::from_seconds(row.begins_s),
                       static_cast<u32>(row.turn));
  if (fee.is_positive()) {
    put({.amount = {fee.count}, .unit = product.currency, .role = ledger::BucketRole::fee});
  }
  row.next_ends_s = earlier(turn_begin(image, product, row, row.turn + 1), row.ends_s);
  const i64 begins_s = turn_begin(image, product, row, row.turn);
  for (const rating::InitialBucket& each : image.allowances(product)) {
    i64 ends_s = row.next_ends_s;
    if (each.lifetime.ns > 0) ends_s = earlier(ends_s, begins_s + each.lifetime.whole_seconds());
    if (ends_s != never && ends_s <= now_s) continue;  // of a turn that has gone by
    put({.amount = each.amount,
         .product = product.id,
         .unit = each.unit,
         .priority = each.priority,
         .expires_s = ends_s == never ? 0 : second(ends_s)});
    if (!each.rollover.is_positive()) continue;
    put({.amount = each.rollover, .unit = each.unit, .role = ledger::BucketRole::rollover});
  }
  return made;
}

void ProductTurns::set_due(const rating::Product& product, SubscriptionRow& row) {
  if (row.unpaid_since_s == 0) {
    row.due_s = row.turn == 0 ? row.begins_s : earlier(row.turn_ends_s, row.ends_s);
    return;
  }
  // Until its fee is tried again it may have to be suspended, or to end.
  row.due_s = std::min(row.retry_s, row.unpaid_since_s + i64{product.retry_for_s});
  if (row.state == subscription_state::active) {
    row.due_s = std::min(row.due_s, row.unpaid_since_s + i64{product.grace_s});
  }
  row.due_s = earlier(row.due_s, row.ends_s);
}

void ProductTurns::turn_begun(const rating::Product& product, SubscriptionRow& row) {
  row.state = subscription_state::active;
  row.reason.clear();
  ++row.turn;
  row.turn_ends_s = row.next_ends_s;
  row.unpaid_since_s = 0;
  row.retry_s = 0;
  row.attempt = 0;
  set_due(product, row);
}

void ProductTurns::turn_refused(const rating::Product& product, SubscriptionRow& row, i64 now_s) {
  if (row.unpaid_since_s == 0) row.unpaid_since_s = now_s;
  ++row.attempt;
  row.retry_s = now_s + product.retry_s;
  set_due(product, row);
}

}  // namespace tollgate::control
