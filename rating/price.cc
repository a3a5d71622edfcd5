// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/price.hh"

#include <algorithm>
#include <limits>
#include <span>

#include "base/check.hh"
#include "rating/functions.hh"

namespace tollgate::rating {
namespace {

constexpr i64 count_max = std::numeric_limits<i64>::max();

// The cost curve F of one source, see the header. Bounds of rule.hh: a fee, price, money_step and
// block are below 2^50, cost_before and start below 2^61, quantities and amounts below 2^63, either
// part of a factor at most 2^28 and then an exact block at most 2^32. So the largest product, twice
// a budget in money_step times a block times a factor, stays below 2^125.
struct Curve {
  std::span<const Step> steps;
  i64 fee = 0;
  i64 fee_apart = 0;  // counted rules: added to the first piece, rounded for itself
  i64 money_step = 1;
  i64 factor = 1;
  i64 factor_by = 1;
  i64 minimum = 0;
  i64 cap = 0;
  i64 cycle = 0;
  i64 cycle_cost = 0;
  i64 exchange = 1;
  i64 exchange_by = 1;
  BlockRounding usage = BlockRounding::up;
  Rounding money = Rounding::up;
  Rounding exchange_rounding = Rounding::up;
  const RuleFunctions* functions = nullptr;  // instead of the steps, and behind them
  const PriceFacts* facts = nullptr;
  bool is_plain = true;  // only fee and steps: 64 bits are enough

  bool is_exact() const { return usage == BlockRounding::exact; }
};

Curve money_curve(const Rule& rule, const PriceFacts* facts) {
  Curve curve{.steps = rule.steps(),
              .fee = rule.setup_fee.count,
              .money_step = rule.money_step.count,
              .factor = rule.factor,
              .factor_by = rule.factor_by,
              .minimum = rule.minimum.count,
              .cap = rule.cap.count,
              .cycle = rule.cycle.count,
              .cycle_cost = rule.cycle_cost.count,
              .usage = rule.usage_rounding,
              .money = rule.money_rounding};
  curve.is_plain = rule.factor == rule.factor_by &&
                   (curve.minimum | curve.cap | curve.cycle | rule.functions) == 0 &&
                   curve.money_step == 1 && !curve.is_exact();
  if (rule.usage_counter != 0) std::swap(curve.fee, curve.fee_apart);
  if (rule.functions != 0) {
    curve.functions = &functions_of(rule);
    curve.facts = facts;
  }
  return curve;
}

Curve money_curve(const Rule& rule, const PaymentSource& source, const PriceFacts* facts) {
  Curve curve = money_curve(rule, facts);
  if (source.unit == rule.currency) return curve;
  curve.exchange = source.amount.count;
  curve.exchange_by = source.block.count;
  curve.exchange_rounding = static_cast<Rounding>(source.rounding);
  curve.is_plain = false;
  return curve;
}

Step allowance_step(const PaymentSource& source) {
  return {.start = {}, .block = source.block, .price = {source.amount.count}, .cost_before = {}};
}

Curve allowance_curve(const PaymentSource& source, const Step& step) {
  return {.steps = {&step, 1},
          .usage = source.rounding,
          .is_plain = source.rounding != BlockRounding::exact};
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

// The cost in the currency of the source.
bool change(const Curve& curve, i64& cost) {
  if (curve.exchange == curve.exchange_by) return true;
  const i128 changed =
      divide(i128{cost} * curve.exchange, curve.exchange_by, curve.exchange_rounding);
  if (changed > count_max) return false;
  cost = static_cast<i64>(changed);
  return true;
}

// What fee and steps come out as: multiplied, rounded, bounded, changed. `value` counts in parts of
// 1/value_unit; beyond 64 bits there is no cost, but for a cap.
bool finish(const Curve& curve, i128 value, i64 value_unit, i64& cost) {
  if (value > i128{count_max} * value_unit) {
    cost = curve.cap;
    return curve.cap != 0 && change(curve, cost);
  }
  const i128 by = i128{value_unit} * curve.factor_by * curve.money_step;
  const i128 rounded = divide(value * curve.factor, by, curve.money) * curve.money_step;
  if (curve.cap != 0 && rounded > curve.cap) {
    cost = curve.cap;
  } else if (rounded > count_max) {
    return false;
  } else {
    cost = std::max(static_cast<i64>(rounded), curve.minimum);
  }
  return change(curve, cost);
}

const Step& step_at(const Curve& curve, i64 used) {
  std::size_t at = 0;
  while (at + 1 < curve.steps.size() && used > curve.steps[at + 1].start.count) ++at;
  return curve.steps[at];
}

thread_local Program::Mapping price_mapping = Program::Mapping::data;

// A program of the curve, with its parameters before the facts.
ProgramResult run_function(const Curve& curve, u32 distance, std::span<const i64> parameters,
                           i64 used, bool is_discount) {
  std::array<i64, discount_parameters + fact_count> inputs{};
  std::ranges::copy(parameters, inputs.begin());
  const std::span<i64> facts = std::span(inputs).subspan(parameters.size());
  if (curve.facts != nullptr) {
    std::ranges::copy(curve.facts->facts.value, facts.begin());
    if (is_discount) {
      std::ranges::copy(curve.facts->discount_counter,
                        facts.begin() + static_cast<u32>(Fact::counter0));
    }
  }
  facts[static_cast<u32>(Fact::quantity)] = used;
  const u8* program = program_behind(*curve.functions, distance);
  const u32 bytes = reinterpret_cast<const ProgramHeader*>(program)->bytes;
  return Program({program, bytes}, price_mapping).run(inputs);
}

// A value counts in parts of 1/unit, so that exact prices stay exact until they are rounded.
struct CurveValue {
  i128 count = 0;
  i64 unit = 1;
};

// What fee and steps, or the function, say. False: the function has no result.
bool value_of(const Curve& curve, i64 used, CurveValue& value) {
  if (curve.functions != nullptr && curve.functions->price != 0) {
    const ProgramResult result = run_function(curve, curve.functions->price, {}, used, false);
    value.count = i128{curve.fee} + result.value;
    return result.outcome == ProgramOutcome::ok && result.value >= 0;
  }
  i128 before = curve.fee;
  if (curve.cycle != 0) {
    before += i128{used / curve.cycle} * curve.cycle_cost;
    used %= curve.cycle;
  }
  const Step& step = step_at(curve, used);
  const i64 inside = used - step.start.count;
  before += step.cost_before.count;
  if (before > count_max) {
    value.count = before;
  } else if (!curve.is_exact()) {
    const i64 blocks = count_blocks(inside, step.block.count, curve.usage);
    value.count = before + i128{blocks} * step.price.count;
  } else {
    value = {before * step.block.count + i128{inside} * step.price.count, step.block.count};
  }
  return true;
}

// Discounts that are no factor. A function sees whole millionths, rounded as the rule rounds money;
// beyond what it was tried out for, less than nothing is nothing and more than the price the price.
ProgramOutcome take_discount(const Curve& curve, i64 used, CurveValue& value) {
  const RuleFunctions& functions = *curve.functions;
  value.count -= std::min(value.count, i128{functions.off.count} * value.unit);
  if (functions.discount == 0) return ProgramOutcome::ok;
  value = {divide(value.count, value.unit, curve.money), 1};
  if (value.count > count_max) return ProgramOutcome::overflow;
  const std::array before = {static_cast<i64>(value.count)};
  const ProgramResult result = run_function(curve, functions.discount, before, used, true);
  value.count = result.value;
  return result.outcome;
}

bool discount(const Curve& curve, i64 used, CurveValue& value) {
  if (curve.functions == nullptr) return true;
  CurveValue left = value;
  if (take_discount(curve, used, left) != ProgramOutcome::ok) return false;
  const i128 before = divide(value.count, value.unit, Rounding::up) * left.unit;
  value = {std::clamp(left.count, i128{0}, before), left.unit};
  return true;
}

// F(used). False if it leaves 64 bits, or a function has no result.
bool evaluate(const Curve& curve, i64 used, i64& cost) {
  cost = 0;
  if (used == 0) return true;
  if (curve.is_plain) [[likely]] {
    const Step& step = step_at(curve, used);
    const i64 blocks = count_blocks(used - step.start.count, step.block.count, curve.usage);
    return !__builtin_mul_overflow(blocks, step.price.count, &cost) &&
           !__builtin_add_overflow(cost, curve.fee + step.cost_before.count, &cost);
  }
  CurveValue value;
  return value_of(curve, used, value) && discount(curve, used, value) &&
         finish(curve, value.count, value.unit, cost);
}

// The largest value >= 0 that is at most `whole` when it is divided by `by` and rounded.
i128 value_within(Rounding rounding, i128 whole, i128 by) {
  switch (rounding) {
    case Rounding::down:
      return (whole + 1) * by - 1;
    case Rounding::up:
      return whole * by;
    case Rounding::half_up:
      return ((2 * whole + 1) * by - 1) / 2;
    case Rounding::half_even:
      return ((2 * whole + 1) * by - ((whole & 1) != 0 ? 1 : 0)) / 2;
  }
  return 0;
}

// The largest value of fee and steps, in parts of 1/value_unit, that comes out at most as `budget`.
i128 value_max(const Curve& curve, i64 budget, i64 value_unit) {
  const i128 by = i128{curve.money_step} * value_unit * curve.factor_by;
  i128 most = value_within(curve.money, budget / curve.money_step, by);
  i128 rest = 0;
  if (curve.factor != 1) most = divide(most, curve.factor, rest);
  return std::min(most, i128{count_max} * value_unit);
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

// The largest q up to `limit` whose steps cost at most `left`, without fee, factor and cycle; in
// parts of 1/value_unit of that step.
template <class Left>
i64 reach(const Curve& curve, i64 limit, Left left_at) {
  i64 reached = 0;
  for (std::size_t at = 0; at < curve.steps.size(); ++at) {
    const Step& step = curve.steps[at];
    const bool is_last = at + 1 == curve.steps.size();
    const i64 end = is_last ? limit : std::min(limit, curve.steps[at + 1].start.count);
    const i64 value_unit = curve.is_exact() ? step.block.count : 1;
    const i128 left = left_at(value_unit) - i128{step.cost_before.count} * value_unit;
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

// The largest q from `used` to `limit` with F(q) <= budget, given that F(used) <= budget.
i64 invert(const Curve& curve, i64 used, i64 limit, i64 budget) {
  if (curve.exchange != curve.exchange_by) {
    i128 rest = 0;
    const i128 most = value_within(curve.exchange_rounding, budget, curve.exchange_by);
    budget = static_cast<i64>(std::min<i128>(divide(most, curve.exchange, rest), count_max));
  }
  if (curve.cap != 0 && budget >= curve.cap) return limit;
  if (budget < curve.minimum) return used;
  if (curve.cycle == 0) {
    const auto left_at = [&](i64 value_unit) {
      return value_max(curve, budget, value_unit) - i128{curve.fee} * value_unit;
    };
    return std::clamp(reach(curve, limit, left_at), used, limit);
  }
  const i128 left = value_max(curve, budget, 1) - curve.fee;
  if (left < 0) return used;
  if (curve.cycle_cost == 0) return limit;
  const i128 cycles = std::min(left / curve.cycle_cost, i128{limit} / curve.cycle + 1);
  const auto left_at = [&](i64 value_unit) {
    return value_max(curve, budget, value_unit) -
           (curve.fee + cycles * curve.cycle_cost) * value_unit;
  };
  const i128 last = cycles * curve.cycle + reach(curve, curve.cycle, left_at);
  return std::clamp(static_cast<i64>(std::min<i128>(last, limit)), used, limit);
}

i64 paid_before(const Rule& rule, const PaymentSource& source, UsageSoFar so_far) {
  if (!source.is_money()) return so_far.by_allowance.count;
  return rule.usage_counter != 0 ? so_far.counted.count : so_far.by_money.count;
}

// The fee of a counted rule belongs to the first piece of the session that money pays for.
i64 first_fee(const Curve& curve, UsageSoFar so_far) {
  if (curve.fee_apart == 0 || !so_far.by_money.is_zero()) return 0;
  i64 fee = 0;
  return finish(curve, curve.fee_apart, 1, fee) ? fee : count_max;
}

// How much the money counter lets this rule still take.
i64 left_of_limit(const Rule& rule, UsageSoFar so_far) {
  if (rule.money_counter == 0 || rule.counted_limit.is_zero()) return count_max;
  return std::max(rule.counted_limit.count - so_far.spent.count, i64{0});
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
  // Of functions it was tried out where they were loaded; where one falls all the same, more is
  // free.
  if (curve.functions != nullptr) cost_after = std::max(cost_after, cost_before);
  check(cost_after >= cost_before, "a cost curve never falls");
  cost = cost_after - cost_before;
  return Outcome::ok;
}

// With what the counters of the rule change about it. A limit that is no cap does not make it
// cheaper: it only ends what money pays for (money_charge below).
Outcome price_money(const Rule& rule, const Curve& curve, UsageSoFar so_far, Quantity quantity,
                    i64& cost) {
  const i64 before = rule.usage_counter != 0 ? so_far.counted.count : so_far.by_money.count;
  i64 piece = 0;
  const Outcome outcome = price_piece(curve, before, quantity, piece);
  if (outcome != Outcome::ok) return outcome;
  i128 sum = i128{piece} + (quantity.is_positive() ? first_fee(curve, so_far) : 0);
  if (rule.is_limit_cap != 0) sum = std::min<i128>(sum, left_of_limit(rule, so_far));
  if (sum > count_max) return Outcome::cost_overflow;
  cost = static_cast<i64>(sum);
  return Outcome::ok;
}

// The largest part of `wanted`, in whole granules, whose F is within the budget, given that
// F(before) is: by trying.
i64 search(const Curve& curve, i64 before, i64 budget, const Ask& ask) {
  const i64 granule = ask.granule.count;
  i64 low = 0;
  // Beyond what may be covered: all that is wanted was tried.
  i64 high = ask.wanted.count / granule + (granule > 1 ? 1 : 0);
  while (high - low > 1) {
    const i64 middle = low + (high - low) / 2;
    i64 cost = 0;
    const bool fits = evaluate(curve, before + middle * granule, cost) && cost <= budget;
    (fits ? low : high) = middle;
  }
  return low * granule;
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
    return {{wanted}, {std::max(cost_after, cost_before) - cost_before}};
  }
  if (curve.functions != nullptr) {
    const Ask within{.wanted = {wanted}, .granule = ask.granule};
    const i64 part = search(curve, before, budget, within);
    check(evaluate(curve, before + part, cost_after), "what was tried out has a cost");
    return {{part}, {std::max(cost_after, cost_before) - cost_before}};
  }
  i64 covered = invert(curve, before, before + wanted, budget) - before;
  if (ask.granule.count > 1) covered -= covered % ask.granule.count;
  check(evaluate(curve, before + covered, cost_after), "what is within a budget has a cost");
  check(cost_after <= budget, "what a budget buys costs no more");
  return {{covered}, {cost_after - cost_before}};
}

// afford, with what the counters of the rule change about it.
Charge afford_money(const Rule& rule, const Curve& curve, i64 before, Ask ask) {
  const i64 limit = left_of_limit(rule, ask.so_far);
  const i64 available = std::max(ask.available.count, i64{0});
  const i64 fee = first_fee(curve, ask.so_far);
  const bool is_capped = rule.is_limit_cap != 0 && available >= limit;
  ask.available.count = is_capped ? count_max : std::min(available, limit) - fee;
  if (ask.available.is_negative()) return {};
  Charge charge = afford(curve, before, ask);
  if (charge.covered.is_zero()) return charge;
  const i128 sum = i128{charge.cost.count} + fee;
  charge.cost.count = static_cast<i64>(is_capped ? std::min<i128>(sum, limit) : sum);
  return charge;
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

void run_price_programs(Program::Mapping mapping) {
  price_mapping = mapping;
}

FunctionResult ask_functions(const Rule& rule, const PriceFacts& facts, Quantity quantity) {
  const Curve curve = money_curve(rule, &facts);
  FunctionResult result;
  CurveValue value;
  if (curve.functions->price != 0) {
    const ProgramResult said =
        run_function(curve, curve.functions->price, {}, quantity.count, false);
    result.outcome = said.outcome;
    result.said = said.value;
    if (said.outcome != ProgramOutcome::ok || said.value < 0) return result;
    value.count = i128{curve.fee} + said.value;
  } else {
    check(value_of(curve, quantity.count, value), "steps always say something");
  }
  const i128 whole = divide(value.count, value.unit, curve.money);
  result.is_beyond = whole > count_max;
  if (result.is_beyond) return result;
  result.price = static_cast<i64>(whole);
  result.outcome = take_discount(curve, quantity.count, value);
  result.is_of_discount = true;
  result.discounted = static_cast<i64>(divide(value.count, value.unit, curve.money));
  return result;
}

Outcome price(const Rule& rule, const PaymentSource& source, UsageSoFar so_far, Quantity quantity,
              Amount& cost) {
  if (source.is_money()) {
    const Curve curve = money_curve(rule, source, so_far.facts);
    return price_money(rule, curve, so_far, quantity, cost.count);
  }
  const Step step = allowance_step(source);
  const i64 before = so_far.by_allowance.count;
  return price_piece(allowance_curve(source, step), before, quantity, cost.count);
}

Outcome price(const Rule& rule, UsageSoFar so_far, Quantity quantity, Money& cost) {
  return price_money(rule, money_curve(rule, so_far.facts), so_far, quantity, cost.count);
}

Quantity reverse(const Rule& rule, const PaymentSource& source, UsageSoFar so_far,
                 Amount available) {
  const Ask ask{.so_far = so_far, .wanted = Quantity::max(), .available = available};
  return affordable(rule, source, ask).covered;
}

Charge affordable(const Rule& rule, const PaymentSource& source, const Ask& ask) {
  check(ask.granule.is_positive(), "a granule is at least one");
  const i64 before = paid_before(rule, source, ask.so_far);
  check(before >= 0, "nobody has used less than nothing");
  if (source.is_money()) {
    const Curve curve = money_curve(rule, source, ask.so_far.facts);
    if ((rule.usage_counter | rule.money_counter) == 0) [[likely]] {
      return afford(curve, before, ask);
    }
    return afford_money(rule, curve, before, ask);
  }
  if (is_one_for_one(source)) return afford_one_for_one(before, ask);
  const Step step = allowance_step(source);
  return afford(allowance_curve(source, step), before, ask);
}

UsageSoFar advance(const PaymentSource& source, UsageSoFar so_far, Quantity covered) {
  Quantity& paid = source.is_money() ? so_far.by_money : so_far.by_allowance;
  check(!covered.is_negative(), "usage is never taken back");
  check(add(paid, covered, paid), "what was covered can be counted");
  if (source.is_money() && !add(so_far.counted, covered, so_far.counted)) {
    so_far.counted = Quantity::max();
  }
  return so_far;
}

UsageSoFar advance(const PaymentSource& source, UsageSoFar so_far, const Charge& charge) {
  so_far = advance(source, so_far, charge.covered);
  if (!source.is_money()) return so_far;
  if (!add(so_far.spent, Money{charge.cost.count}, so_far.spent)) so_far.spent = Money::max();
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
    result.after = advance(source, result.after, charge);
    result.covered.count += charge.covered.count;
    result.missing.count -= charge.covered.count;
  }
  return result;
}

}  // namespace tollgate::rating
