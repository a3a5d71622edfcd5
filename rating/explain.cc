// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/explain.hh"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.hh"
#include "rating/charge_event.hh"
#include "rating/price.hh"
#include "rating/services.hh"
#include "rating/stretch.hh"

namespace tollgate::rating {
namespace {

std::string show(Quantity quantity, Unit unit) {
  return to_text(Amount{quantity.count}, unit);
}

// What an account with these products has of those with prices. What does not fit or is not there
// is left out, as it could not have been bought.
ProductSet priced_products(const Image& image, const std::vector<std::string>& names) {
  ProductSet set{};
  std::size_t count = 0;
  for (const std::string& name : names) {
    const Product* product = image.find_product(product_id(name));
    if (product == nullptr) continue;
    for (const u32 id : image.numbers(product->prices)) {
      if (count < set.size()) set[count++] = id;
    }
  }
  return set;
}

class Explainer {
 public:
  Explainer(const Image& image, const PriceEvent& event)
      : image_(image), event_(event), products_(priced_products(image, event.products)) {}

  Explanation run();

 private:
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    result_.steps.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  RuleKey key_of(u64 context) const;
  Found find(Instant at);
  void say_rule();
  void say_zones();
  void prepare_purse();
  void prepare_rule();
  bool use(std::size_t number);
  bool stretches(Quantity used);
  bool piece(Quantity used);
  i64& counter(u16 number);
  void pay(std::size_t source, const Charge& charge);
  void say_charge(const PaymentSource& source, UsageSoFar before, const Charge& charge);
  void say_steps(Quantity before, Quantity after);
  void say_discount(Quantity until);
  void say_money(UsageSoFar before, Quantity covered);
  void say_missing(Quantity missing, UsageSoFar so_far);
  void sum_up();

  const Image& image_;
  const PriceEvent& event_;
  const ProductSet products_;
  Match match_;
  const Rule* rule_ = nullptr;
  Instant now_;
  Instant piece_began_;
  UsageSoFar so_far_;
  std::map<Unit, Amount> purse_;
  bool has_all_money_ = false;
  std::map<u16, i64> counters_;
  PriceFacts facts_;
  Explanation result_;
};

RuleKey Explainer::key_of(u64 context) const {
  return {.plan = plan_id(event_.plan),
          .context = context,
          .rating_group = event_.rating_group,
          .service_identifier = event_.service_identifier,
          .origin = event_.numbers[0],
          .destination = event_.numbers[1],
          .network = event_.numbers[2],
          .zone = event_.zone.empty() ? 0 : zone_id(text_key(event_.zone)),
          .products = products_,
          .direction = event_.direction,
          .location = event_.location};
}

Found Explainer::find(Instant at) {
  Found found = Found::no_service;
  for (const u64 context : contexts_of(event_.service_context)) {
    found = image_.find(key_of(context), at, match_);
    if (found != Found::no_service) break;
  }
  if (match_.until != Instant::never()) result_.depends_on_time = true;
  return found;
}

void Explainer::say_zones() {
  constexpr std::array<std::string_view, number_roles> words = {"from", "to", "in"};
  for (u32 role = 0; role < number_roles; ++role) {
    const u32 map = match_.service->map[role];
    if (map == 0) continue;
    const u32 zone = image_.zone_of(*match_.service, static_cast<NumberRole>(role), key_of(0));
    const ZoneMap& zones = image_.zone_maps()[map - 1];
    say("{} {} (zones {})", words[role], zone == 0 ? "no zone" : image_.zone_name(zones, zone),
        image_.text(zones.name));
  }
}

void Explainer::say_rule() {
  say("rule {} ({}:{}) measures {}", image_.text(rule_->name), image_.text(rule_->file),
      rule_->line, to_text(rule_->meter));
  if (rule_->verdict == Verdict::free) say("it is free: nothing is charged");
  if (rule_->verdict == Verdict::barred) say("it is barred: the service is denied");
  if (rule_->verdict != Verdict::charged) return;
  std::string order;
  for (const PaymentSource& source : rule_->sources()) {
    order += fmt::format("{}{}", order.empty() ? "" : ", then ", unit_name(source.unit));
  }
  say("it is paid with {}", order);
}

void Explainer::prepare_purse() {
  has_all_money_ = event_.have.empty();
  for (const UnitAmount& have : event_.have) {
    Amount& sum = purse_[have.unit];
    if (!add(sum, have.amount, sum)) sum = Amount::max();
  }
}

// The rule that match_ found: what there is to pay with, and where its counters stand.
void Explainer::prepare_rule() {
  rule_ = match_.rule;
  for (const PaymentSource& source : rule_->sources()) {
    if (has_all_money_ && source.is_money()) purse_.emplace(source.unit, Amount::max());
  }
  if (rule_->functions != 0) {
    const RuleFunctions& functions = functions_of(*rule_);
    const Instant began = event_.at.value_or(Instant{});
    image_.fill_facts(*rule_, key_of(match_.service->context), began, facts_);
    visit_counters(functions, facts_, [&](u16 number, i64& value) { value = counter(number); });
    so_far_.facts = &facts_;
    if (functions.clock != 0) result_.depends_on_time = true;
  }
  if (rule_->usage_counter != 0) so_far_.counted = {counter(rule_->usage_counter)};
  if (rule_->money_counter != 0) so_far_.spent = {counter(rule_->money_counter)};
}

i64& Explainer::counter(u16 number) {
  const auto [known, is_new] = counters_.try_emplace(number);
  if (is_new) {
    const Counter& asked = image_.counters()[number - 1];
    if (!has_product(products_, asked.product)) return known->second;
    const std::string_view name = image_.text(asked.name);
    for (const PriceEvent::Counted& counted : event_.counted) {
      if (counted.counter == name) known->second = std::max(counted.amount.count, i64{0});
    }
  }
  return known->second;
}

// The blocks of every step that this piece reaches, as price() counts them.
void Explainer::say_steps(Quantity before, Quantity after) {
  if (rule_->functions != 0 && functions_of(*rule_).price != 0) {
    const FunctionResult result = ask_functions(*rule_, facts_, after);
    say("    a Python function says that {} cost {} in all", show(after, rule_->unit),
        to_text(Amount{result.said}, rule_->currency));
    return;
  }
  if (rule_->cycle.is_positive()) {
    const i64 rounds = after.count / rule_->cycle.count;
    say("    {} whole round(s) of {} at {}", rounds, show(rule_->cycle, rule_->unit),
        to_text(Amount{rule_->cycle_cost.count}, rule_->currency));
    after.count -= rounds * rule_->cycle.count;
    before = {};
    if (after.is_zero()) return;
  }
  const auto steps = rule_->steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (i > 0 && step.start >= after) break;
    const bool is_last = i + 1 == steps.size();
    const Quantity end = is_last ? after : std::min(after, steps[i + 1].start);
    if (!is_last && end <= before) continue;
    const i64 inside = end.count - step.start.count;
    const std::string price = to_text(Amount{step.price.count}, rule_->currency);
    const std::string block = show(step.block, rule_->unit);
    if (rule_->usage_rounding == BlockRounding::exact) {
      say("    from {}: {} at {} per {}, parts of a block by their part",
          show(step.start, rule_->unit), show({inside}, rule_->unit), price, block);
      continue;
    }
    i64 blocks = 0;
    check(scale(inside, 1, step.block.count, static_cast<Rounding>(rule_->usage_rounding), blocks),
          "blocks are fewer than what they hold");
    say("    from {}: {} is {} block(s) of {} (rounded {}) at {}", show(step.start, rule_->unit),
        show({inside}, rule_->unit), blocks, block, to_text(rule_->usage_rounding), price);
  }
}

void Explainer::say_discount(Quantity until) {
  const RuleFunctions& functions = functions_of(*rule_);
  if (functions.off.is_positive()) {
    say("    less {} for the session, down to nothing",
        to_text(Amount{functions.off.count}, rule_->currency));
  }
  if (functions.discount == 0) return;
  const FunctionResult result = ask_functions(*rule_, facts_, until);
  say("    a Python function leaves {} of {} for {}",
      to_text(Amount{std::clamp(result.discounted, i64{0}, result.price)}, rule_->currency),
      to_text(Amount{result.price}, rule_->currency), show(until, rule_->unit));
}

// Then what becomes of it.
void Explainer::say_money(UsageSoFar before, Quantity covered) {
  const Unit money = rule_->currency;
  const bool is_counted = rule_->usage_counter != 0;
  const Quantity from = is_counted ? before.counted : before.by_money;
  if (is_counted) {
    say("    counter {} stands at {}",
        image_.text(image_.counters()[rule_->usage_counter - 1].name), show(from, rule_->unit));
  }
  Quantity until;
  if (add(from, covered, until)) say_steps(from, until);
  if (rule_->setup_fee.is_positive() && before.by_money.is_zero()) {
    say("    setup fee {}", to_text(Amount{rule_->setup_fee.count}, money));
  }
  if (rule_->functions != 0 && until.is_positive()) say_discount(until);
  if (rule_->factor != rule_->factor_by) {
    say("    times {}/{} for discount and tax", rule_->factor, rule_->factor_by);
  }
  const bool is_even = rule_->money_step.count == 1 && rule_->factor_by == 1;
  if (!is_even || rule_->usage_rounding == BlockRounding::exact) {
    say("    what the session costs is rounded {} to a multiple of {}",
        to_text(rule_->money_rounding), to_text(Amount{rule_->money_step.count}, money));
  }
  if (rule_->minimum.is_positive()) {
    say("    at least {} a session", to_text(Amount{rule_->minimum.count}, money));
  }
  if (rule_->cap.is_positive()) {
    say("    at most {} a session", to_text(Amount{rule_->cap.count}, money));
  }
  if (rule_->money_counter != 0) {
    say("    counter {} stands at {} of {}",
        image_.text(image_.counters()[rule_->money_counter - 1].name),
        to_text(Amount{before.spent.count}, money),
        to_text(Amount{rule_->counted_limit.count}, money));
  }
}

void Explainer::say_charge(const PaymentSource& source, UsageSoFar before, const Charge& charge) {
  const std::string covered = show(charge.covered, rule_->unit);
  const std::string cost = to_text(charge.cost, source.unit);
  if (!source.is_money()) {
    say("  {} paid with {} of allowance", covered, cost);
    return;
  }
  say("  {} paid with {}", covered, cost);
  say_money(before, charge.covered);
  if (source.unit != rule_->currency) {
    say("    {} for {}, rounded {}", to_text(source.amount, source.unit),
        to_text(Amount{source.block.count}, rule_->currency), to_text(source.rounding));
    return;
  }
  const Quantity after{before.by_money.count + charge.covered.count};
  Money total;
  if (before.by_money.is_zero() || rule_->usage_counter != 0 || rule_->money_counter != 0) return;
  if (price(*rule_, {.facts = so_far_.facts}, after, total) != Outcome::ok) return;
  say("    {} for all {} of the session, less {} for the {} before",
      to_text(Amount{total.count}, source.unit), show(after, rule_->unit),
      to_text(Amount{total.count - charge.cost.count}, source.unit),
      show(before.by_money, rule_->unit));
}

void Explainer::say_missing(Quantity missing, UsageSoFar so_far) {
  Money cost;
  const Outcome outcome = price(*rule_, so_far, missing, cost);
  if (outcome == Outcome::ok) {
    say("  {} cannot be paid; it would cost {}", show(missing, rule_->unit),
        to_text(Amount{cost.count}, rule_->currency));
  } else {
    say("  {} cannot be paid ({})", show(missing, rule_->unit), to_text(outcome));
  }
}

void Explainer::pay(std::size_t number, const Charge& charge) {
  const PaymentSource& source = rule_->source[number];
  purse_[source.unit].count -= charge.cost.count;
  const auto has_unit = [&](const UnitAmount& cost) { return cost.unit == source.unit; };
  auto known = std::ranges::find_if(result_.cost, has_unit);
  if (known == result_.cost.end()) known = result_.cost.insert(known, {{}, source.unit});
  check(add(known->amount, charge.cost, known->amount),
        "what was there to pay with can be counted");
  if (!source.is_money()) return;
  if (rule_->usage_counter != 0) counter(rule_->usage_counter) += charge.covered.count;
  if (rule_->money_counter != 0) counter(rule_->money_counter) += charge.cost.count;
}

// What one rule prices.
bool Explainer::piece(Quantity used) {
  std::array<Amount, sources_max> available{};
  for (std::size_t i = 0; i < rule_->source_count; ++i) {
    available[i] = purse_[rule_->source[i].unit];
  }
  const Coverage coverage =
      cover(*rule_, {.so_far = so_far_,
                     .wanted = used,
                     .available = std::span(available).first(rule_->source_count)});
  UsageSoFar before = so_far_;
  for (std::size_t i = 0; i < rule_->source_count; ++i) {
    const Charge& charge = coverage.charge[i];
    if (charge.covered.is_positive()) say_charge(rule_->source[i], before, charge);
    before = advance(rule_->source[i], before, charge);
    pay(i, charge);
  }
  so_far_ = coverage.after;
  if (coverage.missing.is_positive()) say_missing(coverage.missing, so_far_);
  return add(result_.covered, coverage.covered, result_.covered) &&
         add(result_.missing, coverage.missing, result_.missing);
}

// A piece, cut where the rule changes. Time is used without a gap, so it is known where that is.
bool Explainer::stretches(Quantity used) {
  do {
    if (find(now_) != Found::rule) {
      say("no price from {} on", to_rfc3339(now_));
      return false;
    }
    if (match_.rule != rule_) {
      say("from {} on", to_rfc3339(now_));
      rule_ = match_.rule;
      say_rule();
    }
    prepare_rule();
    if (rule_->unit != result_.unit || rule_->meter != result_.meter) {
      say("no price: the rule measures {}", to_text(rule_->meter));
      return false;
    }
    const Stretch stretch = first_stretch(match_, now_, used);
    if (!piece(stretch.quantity)) return false;
    used.count -= stretch.quantity.count;
    now_ = stretch.end;
  } while (used.is_positive());
  return true;
}

bool Explainer::use(std::size_t number) {
  const UnitAmount& use = event_.use[number];
  if (use.unit != result_.unit) {
    say("no price: {} was used, but the rule measures {}", to_text(use.amount, use.unit),
        unit_name(result_.unit));
    return false;
  }
  if (number < event_.after.size() && event_.after[number]) {
    now_ = piece_began_ + *event_.after[number];
  }
  piece_began_ = now_;
  if (use.amount.is_negative()) {
    say("no price: the quantities are negative or more than can be counted");
    return false;
  }
  say("use of {}", to_text(use.amount, use.unit));
  if (stretches({use.amount.count})) return true;
  say("no price: the quantities are negative or more than can be counted");
  return false;
}

void Explainer::sum_up() {
  std::string total;
  for (const UnitAmount& cost : result_.cost) {
    if (cost.amount.is_zero()) continue;
    total += fmt::format("{}{}", total.empty() ? "" : " and ", to_text(cost.amount, cost.unit));
  }
  say("cost: {}", total.empty() ? "nothing" : total);
}

Explanation Explainer::run() {
  now_ = event_.at.value_or(Instant{});
  const Found found = find(now_);
  if (found != Found::rule) {
    say("no price: {} (plan {}, service {})", to_text(found), event_.plan, event_.service_context);
    return result_;
  }
  rule_ = match_.rule;
  result_.rule = image_.text(rule_->name);
  result_.verdict = rule_->verdict;
  result_.unit = rule_->unit;
  result_.meter = rule_->meter;
  for (const PaymentSource& source : rule_->sources()) result_.cost.push_back({{}, source.unit});
  say_rule();
  say_zones();
  prepare_purse();
  for (std::size_t i = 0; i < event_.use.size(); ++i) {
    if (!use(i)) return result_;
  }
  if (result_.verdict == Verdict::charged) sum_up();
  result_.is_priced = true;
  return result_;
}

}  // namespace

Explanation explain(const Image& image, const PriceEvent& event) {
  check(image.is_loaded(), "an image is there");
  return Explainer(image, event).run();
}

}  // namespace tollgate::rating
