// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/explain.hh"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hh"
#include "rating/price.hh"
#include "rating/services.hh"

namespace tollgate::rating {
namespace {

std::string show(Quantity quantity, Unit unit) {
  return to_text(Amount{quantity.count}, unit);
}

class Explainer {
 public:
  Explainer(const Image& image, const PriceEvent& event) : image_(image), event_(event) {}

  Explanation run();

 private:
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    result_.steps.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  Found find();
  void say_rule();
  void prepare_purse();
  bool piece(Quantity used);
  void say_charge(const PaymentSource& source, UsageSoFar before, const Charge& charge);
  void say_money(Quantity before, Quantity after);
  void say_missing(Quantity missing, UsageSoFar so_far);
  void sum_up();

  const Image& image_;
  const PriceEvent& event_;
  const Rule* rule_ = nullptr;
  UsageSoFar so_far_;
  std::array<Amount, sources_max> available_{};
  std::array<Amount, sources_max> cost_{};
  Explanation result_;
};

Found Explainer::find() {
  Found found = Found::no_service;
  for (const u64 context : contexts_of(event_.service_context)) {
    found = image_.find_rule({.plan = plan_id(event_.plan),
                              .context = context,
                              .rating_group = event_.rating_group,
                              .service_identifier = event_.service_identifier},
                             {}, rule_);
    if (found != Found::no_service) break;
  }
  return found;
}

void Explainer::say_rule() {
  say("rule {} ({}:{}) measures {}", image_.text(rule_->name), image_.text(rule_->file),
      rule_->line, to_text(rule_->meter));
  result_.rule = image_.text(rule_->name);
  result_.verdict = rule_->verdict;
  result_.unit = rule_->unit;
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
  for (std::size_t i = 0; i < rule_->source_count; ++i) {
    const PaymentSource& source = rule_->source[i];
    if (event_.have.empty() && source.is_money()) available_[i] = Amount::max();
    for (const UnitAmount& have : event_.have) {
      if (have.unit != source.unit) continue;
      if (!add(available_[i], have.amount, available_[i])) available_[i] = Amount::max();
    }
  }
}

// The blocks of every step that this piece reaches, then the roundings, as price() does them.
void Explainer::say_money(Quantity before, Quantity after) {
  const Unit money = rule_->currency;
  const auto steps = rule_->steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (i > 0 && step.start >= after) break;
    const bool is_last = i + 1 == steps.size();
    const Quantity end = is_last ? after : std::min(after, steps[i + 1].start);
    if (!is_last && end <= before) continue;
    const i64 inside = end.count - step.start.count;
    const std::string price = to_text(Amount{step.price.count}, money);
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
  if (rule_->setup_fee.is_positive() && before.is_zero()) {
    say("    setup fee {}", to_text(Amount{rule_->setup_fee.count}, money));
  }
  const bool is_even = rule_->money_step.count == 1;
  if (is_even && rule_->usage_rounding != BlockRounding::exact) return;
  say("    what the session costs is rounded {} to a multiple of {}",
      to_text(rule_->money_rounding), to_text(Amount{rule_->money_step.count}, money));
}

void Explainer::say_charge(const PaymentSource& source, UsageSoFar before, const Charge& charge) {
  const std::string covered = show(charge.covered, rule_->unit);
  const std::string cost = to_text(charge.cost, source.unit);
  if (!source.is_money()) {
    say("  {} paid with {} of allowance", covered, cost);
    return;
  }
  say("  {} paid with {}", covered, cost);
  const Quantity after{before.by_money.count + charge.covered.count};
  say_money(before.by_money, after);
  Money total;
  if (before.by_money.is_zero() || price(*rule_, {}, after, total) != Outcome::ok) return;
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

bool Explainer::piece(Quantity used) {
  say("use of {}", show(used, rule_->unit));
  const std::span<const Amount> available(available_.data(), rule_->source_count);
  const Coverage coverage =
      cover(*rule_, {.so_far = so_far_, .wanted = used, .available = available});
  UsageSoFar before = so_far_;
  for (std::size_t i = 0; i < rule_->source_count; ++i) {
    const Charge& charge = coverage.charge[i];
    if (charge.covered.is_positive()) say_charge(rule_->source[i], before, charge);
    before = advance(rule_->source[i], before, charge.covered);
    available_[i].count -= charge.cost.count;
    check(add(cost_[i], charge.cost, cost_[i]), "what was there to pay with can be counted");
  }
  so_far_ = coverage.after;
  if (coverage.missing.is_positive()) say_missing(coverage.missing, so_far_);
  return add(result_.covered, coverage.covered, result_.covered) &&
         add(result_.missing, coverage.missing, result_.missing);
}

void Explainer::sum_up() {
  std::string total;
  for (std::size_t i = 0; i < rule_->source_count; ++i) {
    const UnitAmount cost{cost_[i], rule_->source[i].unit};
    result_.cost.push_back(cost);
    if (cost.amount.is_zero()) continue;
    total += fmt::format("{}{}", total.empty() ? "" : " and ", to_text(cost.amount, cost.unit));
  }
  say("cost: {}", total.empty() ? "nothing" : total);
}

Explanation Explainer::run() {
  const Found found = find();
  if (found != Found::rule) {
    say("no price: {} (plan {}, service {})", to_text(found), event_.plan, event_.service_context);
    return result_;
  }
  say_rule();
  prepare_purse();
  bool is_counted = true;
  for (const UnitAmount& use : event_.use) {
    if (use.unit != rule_->unit) {
      say("no price: {} was used, but the rule measures {}", to_text(use.amount, use.unit),
          unit_name(rule_->unit));
      return result_;
    }
    is_counted = is_counted && !use.amount.is_negative() && piece({use.amount.count});
  }
  if (rule_->verdict == Verdict::charged) sum_up();
  if (!is_counted) say("no price: the quantities are negative or more than can be counted");
  result_.is_priced = is_counted;
  return result_;
}

}  // namespace

Explanation explain(const Image& image, const PriceEvent& event) {
  check(image.is_loaded(), "an image is there");
  return Explainer(image, event).run();
}

}  // namespace tollgate::rating
