// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/price.hh"

#include <algorithm>
#include <limits>

#include "base/check.hh"

namespace tollgate::rating {
namespace {

constexpr i64 count_max = std::numeric_limits<i64>::max();

// The cost curve F of one source, see the header. Bounds of rule.hh: a fee, price, money_step and
// block are below 2^50, cost_before and start below 2^61, quantities and amounts below 2^63, so the
// largest product, twice a budget in money_step times a block, stays below 2^115.
struct Curve {
  std::span<const Step> steps;
  i64 fee;
  i64 money_step;
  BlockRounding usage;
  Rounding money;

  bool is_exact() const { return usage == BlockRounding::exact; }
};

Curve money_curve(const Rule& rule) {
  return {rule.steps(), rule.setup_fee.count, rule.money_step.count, rule.usage_rounding,
          rule.money_rounding};
}

Step allowance_step(const PaymentSource& source) {
  return {.start = {}, .block = source.block, .price = {source.amount.count}, .cost_before = {}};
}

Curve allowance_curve(const PaymentSource& source, const Step& step) {
  return {{&step, 1}, 0, 1, source.rounding, Rounding::up};
}

// value / by for value >= 0, by > 0. The compiler's 128-bit division is several times slower.
i128 divide(i128 value, i128 by, i128& rest) {
  if (value <= count_max && by <= count_max) [[likely]] {
    const u64 small = static_cast<u64>(value);
    const u64 small_by = static_cast<u64>(by);
    rest = small % small_by;
    return small / small_by;
  }
  rest = value % by;
  return value / by;
}

i128 divide(i128 value, i128 by, Rounding rounding) {
  if (by == 1) return value;
  i128 rest = 0;
  const i128 quotient = divide(value, by, rest);
  switch (rounding) {
    case Rounding::down:
      return quotient;
    case Rounding::up:
      return quotient + (rest != 0 ? 1 : 0);
    case Rounding::half_up:
      return quotient + (2 * rest >= by ? 1 : 0);
    case Rounding::half_even:
      return quotient + (2 * rest > by || (2 * rest == by && (quotient & 1) != 0) ? 1 : 0);
  }
  return quotient;
}

// How many blocks a quantity counts as; `rounding` is not exact.
i64 count_blocks(i64 quantity, i64 block, BlockRounding rounding) {
  const u64 by = static_cast<u64>(block);
  const u64 blocks = static_cast<u64>(quantity) / by;
  const u64 rest = static_cast<u64>(quantity) % by;
  bool step = false;
  switch (rounding) {
    case BlockRounding::down:
      break;
    case BlockRounding::up:
      step = rest != 0;
      break;
    case BlockRounding::half_up:
      step = 2 * rest >= by;
      break;
    case BlockRounding::half_even:
      step = 2 * rest > by || (2 * rest == by && (blocks & 1) != 0);
      break;
    case BlockRounding::exact:
      check(false, "an exact price counts no blocks");
  }
  return static_cast<i64>(blocks + (step ? 1 : 0));
}

// F(used). False if it leaves 64 bits.
bool evaluate(const Curve& curve, i64 used, i64& cost) {
  cost = 0;
  if (used == 0) return true;
  std::size_t at = 0;
  while (at + 1 < curve.steps.size() && used > curve.steps[at + 1].start.count) ++at;
  const Step& step = curve.steps[at];
  const i64 inside = used - step.start.count;
  if (curve.money_step == 1 && !curve.is_exact()) [[likely]] {  // the same in 64 bits
    const i64 blocks = count_blocks(inside, step.block.count, curve.usage);
    return !__builtin_mul_overflow(blocks, step.price.count, &cost) &&
           !__builtin_add_overflow(cost, curve.fee + step.cost_before.count, &cost);
  }
  i128 value = i128{curve.fee} + step.cost_before.count;
  i128 value_unit = 1;  // value counts in this part of a millionth
  if (curve.is_exact()) {
    value_unit = step.block.count;
    value = value * value_unit + i128{inside} * step.price.count;
  } else {
    value += i128{count_blocks(inside, step.block.count, curve.usage)} * step.price.count;
  }
  const i128 rounded = divide(value, value_unit * curve.money_step, curve.money) * curve.money_step;
  if (rounded > count_max) return false;
  cost = static_cast<i64>(rounded);
  return true;
}

// The largest value, in parts of 1/value_unit millionth, that rounds to at most `budget`.
i128 value_max(const Curve& curve, i64 budget, i64 value_unit) {
  const i128 whole = budget / curve.money_step;
  const i128 unit = i128{curve.money_step} * value_unit;
  switch (curve.money) {
    case Rounding::down:
      return (whole + 1) * unit - 1;
    case Rounding::up:
      return whole * unit;
    case Rounding::half_up:
      return ((2 * whole + 1) * unit - 1) / 2;
    case Rounding::half_even:
      return ((2 * whole + 1) * unit - ((whole & 1) != 0 ? 1 : 0)) / 2;
  }
  return 0;
}

// The largest quantity that counts as at most `blocks` blocks.
i128 quantity_max(BlockRounding usage, i128 blocks, i64 block) {
  switch (usage) {
    case BlockRounding::exact:
      return blocks;
    case BlockRounding::down:
      return (blocks + 1) * block - 1;
    case BlockRounding::up:
      return blocks * block;
    case BlockRounding::half_up:
      return ((2 * blocks + 1) * block - 1) / 2;
    case BlockRounding::half_even:
      return ((2 * blocks + 1) * block - ((blocks & 1) != 0 ? 1 : 0)) / 2;
  }
  return 0;
}

// The largest q from `used` to `limit` with F(q) <= budget, given that F(used) <= budget.
i64 invert(const Curve& curve, i64 used, i64 limit, i64 budget) {
  std::size_t at = 0;
  while (at + 1 < curve.steps.size() && used > curve.steps[at + 1].start.count) ++at;
  i64 reached = used;
  for (; at < curve.steps.size(); ++at) {
    const Step& step = curve.steps[at];
    const bool is_last = at + 1 == curve.steps.size();
    const i64 end = is_last ? limit : std::min(limit, curve.steps[at + 1].start.count);
    const i64 value_unit = curve.is_exact() ? step.block.count : 1;
    const i128 left = value_max(curve, budget, value_unit) -
                      (i128{curve.fee} + step.cost_before.count) * value_unit;
    if (left < 0) break;
    i128 last = end;
    if (step.price.is_positive()) {
      i128 rest = 0;
      const i128 blocks = divide(left, step.price.count, rest);
      last = step.start.count + quantity_max(curve.usage, blocks, step.block.count);
    }
    if (last < end) return std::max(reached, static_cast<i64>(last));
    reached = end;
    if (end == limit) break;
  }
  return reached;
}

i64 paid_before(const PaymentSource& source, UsageSoFar so_far) {
  return source.is_money() ? so_far.by_money.count : so_far.by_allowance.count;
}

Outcome price_piece(const Curve& curve, i64 before, Quantity quantity, i64& cost) {
  if (quantity.is_negative()) return Outcome::quantity_negative;
  if (curve.steps.empty()) return Outcome::no_price;
  i64 after = 0;
  if (__builtin_add_overflow(before, quantity.count, &after)) return Outcome::quantity_overflow;
  i64 cost_before = 0;
  i64 cost_after = 0;
  if (!evaluate(curve, before, cost_before)) return Outcome::cost_overflow;
  if (!evaluate(curve, after, cost_after)) return Outcome::cost_overflow;
  check(cost_after >= cost_before, "a cost curve never falls");
  cost = cost_after - cost_before;
  return Outcome::ok;
}

Charge afford(const Curve& curve, i64 before, const Ask& ask) {
  Charge charge;
  i64 cost_before = 0;
  if (curve.steps.empty() || !evaluate(curve, before, cost_before)) return charge;
  const i64 wanted = std::clamp(ask.wanted.count, i64{0}, count_max - before);
  const i64 available = std::max(ask.available.count, i64{0});
  i64 budget = 0;
  if (__builtin_add_overflow(cost_before, available, &budget)) budget = count_max;
  i64 cost_after = 0;
  if (evaluate(curve, before + wanted, cost_after) && cost_after <= budget) {
    return {{wanted}, {cost_after - cost_before}};
  }
  i64 covered = invert(curve, before, before + wanted, budget) - before;
  if (ask.granule.count > 1) covered -= covered % ask.granule.count;
  check(evaluate(curve, before + covered, cost_after), "what is within a budget has a cost");
  check(cost_after <= budget, "what a budget buys costs no more");
  return {{covered}, {cost_after - cost_before}};
}

// An allowance that is paid one for one, as most are: no division.
bool is_one_for_one(const PaymentSource& source) {
  return source.block.count == 1 && source.amount.count == 1;
}

Charge afford_one_for_one(i64 before, const Ask& ask) {
  const i64 wanted = std::clamp(ask.wanted.count, i64{0}, count_max - before);
  i64 covered = std::clamp(ask.available.count, i64{0}, wanted);
  if (covered < wanted && ask.granule.count > 1) covered -= covered % ask.granule.count;
  return {{covered}, {covered}};
}

}  // namespace

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::quantity_negative:
      return "quantity_negative";
    case Outcome::quantity_overflow:
      return "quantity_overflow";
    case Outcome::cost_overflow:
      return "cost_overflow";
    case Outcome::no_price:
      return "no_price";
  }
  return "unknown";
}

Outcome price(const Rule& rule, const PaymentSource& source, UsageSoFar so_far, Quantity quantity,
              Amount& cost) {
  const i64 before = paid_before(source, so_far);
  if (source.is_money()) return price_piece(money_curve(rule), before, quantity, cost.count);
  const Step step = allowance_step(source);
  return price_piece(allowance_curve(source, step), before, quantity, cost.count);
}

Outcome price(const Rule& rule, UsageSoFar so_far, Quantity quantity, Money& cost) {
  return price_piece(money_curve(rule), so_far.by_money.count, quantity, cost.count);
}

Quantity reverse(const Rule& rule, const PaymentSource& source, UsageSoFar so_far,
                 Amount available) {
  const Ask ask{.so_far = so_far, .wanted = Quantity::max(), .available = available};
  return affordable(rule, source, ask).covered;
}

Charge affordable(const Rule& rule, const PaymentSource& source, const Ask& ask) {
  check(ask.granule.is_positive(), "a granule is at least one");
  const i64 before = paid_before(source, ask.so_far);
  check(before >= 0, "nobody has used less than nothing");
  if (source.is_money()) return afford(money_curve(rule), before, ask);
  if (is_one_for_one(source)) return afford_one_for_one(before, ask);
  const Step step = allowance_step(source);
  return afford(allowance_curve(source, step), before, ask);
}

UsageSoFar advance(const PaymentSource& source, UsageSoFar so_far, Quantity covered) {
  Quantity& paid = source.is_money() ? so_far.by_money : so_far.by_allowance;
  check(!covered.is_negative(), "usage is never taken back");
  check(add(paid, covered, paid), "what was covered can be counted");
  return so_far;
}

Coverage cover(const Rule& rule, const Wish& wish) {
  Coverage result;
  result.after = wish.so_far;
  result.missing = {std::max(wish.wanted.count, i64{0})};
  if (rule.verdict == Verdict::free) std::swap(result.covered, result.missing);
  if (rule.verdict != Verdict::charged) return result;
  check(wish.available.size() == rule.source_count, "an amount for each source");
  for (std::size_t i = 0; i < rule.source_count && result.missing.is_positive(); ++i) {
    const PaymentSource& source = rule.source[i];
    const Charge charge = affordable(rule, source,
                                     {.so_far = result.after,
                                      .wanted = result.missing,
                                      .available = wish.available[i],
                                      .granule = wish.granule});
    result.charge[i] = charge;
    result.after = advance(source, result.after, charge.covered);
    result.covered.count += charge.covered.count;
    result.missing.count -= charge.covered.count;
  }
  return result;
}

}  // namespace tollgate::rating
