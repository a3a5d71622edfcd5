// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_product.hh"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "rating/parser.hh"

namespace tollgate::rating {
namespace {

constexpr u32 retry_default_s = 6 * 3600;
constexpr u32 retry_for_default_s = 30 * 86'400;
constexpr i64 seconds_max = 100LL * 366 * 86'400;
// With the two of a fee, all that a turn brings fits into one command of the ledger.
constexpr std::size_t places_max = initial_buckets_max - 1;

// Whether some rule of any plan is written with the product.
std::set<std::string, std::less<>> priced_products(const TariffSyntax& syntax) {
  std::set<std::string, std::less<>> all;
  for (const PlanText& plan : syntax.plans) {
    for (const ServiceText& service : plan.services) {
      for (const RuleText& rule : service.rules) {
        for (const NameText& name : rule.conditions.products) all.insert(name.text);
      }
    }
  }
  return all;
}

class ProductLowering {
 public:
  ProductLowering(const TariffSyntax& syntax, const PayingUnits& paying, World& world,
                  ImageBuilder& builder, Report& report)
      : syntax_(syntax),
        paying_(paying),
        priced_(priced_products(syntax)),
        world_(world),
        builder_(builder),
        report_(report) {}

  void product(const ProductText& text);
  void names();

 private:
  void plans(const ProductText& text, Product& made);
  void money(const ProductText& text, Product& made);
  void times(const ProductText& text, Product& made);
  void is_money_of(const AmountText& amount, const Product& made);
  u32 seconds(const std::optional<AmountText>& amount, u32 otherwise);
  void needs(const ProductText& text);
  bool is_needed(const ProductText& text, const ProductText& by);
  Extent others(const ProductText& text, const std::vector<NameText>& names);
  void parts(const ProductText& text, Product& made);
  void allowances(const ProductText& owner, const std::vector<BucketText>& texts);

  const TariffSyntax& syntax_;
  const PayingUnits& paying_;
  const std::set<std::string, std::less<>> priced_;
  World& world_;
  ImageBuilder& builder_;
  Report& report_;
  std::vector<InitialBucket> allowances_;  // of the product at hand
  std::size_t places_ = 0;                 // that they take in a command
};

// Plans and products share the numbers that buckets say where they come from.
void ProductLowering::names() {
  std::map<u32, std::string> known;
  for (const PlanText& plan : syntax_.plans) known.emplace(plan_id(plan.name.text), "");
  for (const ProductText& product : syntax_.products) {
    const std::string& name = product.name.text;
    if (name.empty()) continue;
    const auto [at, is_new] = known.emplace(product_id(name), name);
    if (is_new) continue;
    if (at->second == name) {
      report_.add(product.name.at, fmt::format("found product '{}' twice", name));
    } else {
      report_.add(product.name.at,
                  fmt::format("the name '{}' cannot be told from another's by its number", name),
                  "choose another name for the newer of the two");
    }
  }
}

void ProductLowering::plans(const ProductText& text, Product& made) {
  std::vector<u32> ids;
  for (const NameText& name : text.plans) {
    const PlanText* plan = syntax_.find_plan(name.text);
    if (plan == nullptr) {
      report_.add(name.at, fmt::format("found '{}', expected the name of a plan", name.text));
      continue;
    }
    if (made.currency == Unit::none) made.currency = plan->currency;
    if (plan->currency != made.currency) {
      report_.add(name.at,
                  fmt::format("found plan '{}' in {}, expected one in {} as the first", name.text,
                              unit_name(plan->currency), unit_name(made.currency)));
    }
    ids.push_back(plan_id(name.text));
  }
  if (text.plans.empty() && text.is_whole) {
    report_.add(text.name.at, fmt::format("product '{}' is for no plan", text.name.text),
                "for example: plans prepaid, family");
  }
  made.plans = builder_.add_product_numbers(ids);
}

void ProductLowering::is_money_of(const AmountText& amount, const Product& made) {
  if (amount.unit != made.currency && made.currency != Unit::none) {
    report_.add(amount.at, fmt::format("found {}, expected {}, the currency of its plans",
                                       unit_name(amount.unit), unit_name(made.currency)));
  } else if (amount.count > price_max) {
    report_.add(amount.at, fmt::format("found a fee of more than {}",
                                       to_text(Amount{price_max}, amount.unit)));
  }
}

void ProductLowering::money(const ProductText& text, Product& made) {
  if (text.fee) {
    is_money_of(*text.fee, made);
    made.fee = {text.fee->count};
  }
  if (text.recurring) {
    is_money_of(text.recurring->fee, made);
    made.recurring_fee = {text.recurring->fee.count};
    made.period = text.recurring->period;
    made.day = text.recurring->day;
  }
  if (!text.proration) return;
  if (made.day == 0) {
    report_.add(text.proration_at, "found 'prorate', but no turn of this product is a short one",
                "say when turns begin: fee 10.00EUR per month on 1");
  }
  made.flags = static_cast<u8>(made.flags | Product::is_prorated);
  made.proration = text.proration->rounding;
  if (!text.proration->step) return;
  const AmountText& step = *text.proration->step;
  is_money_of(step, made);
  if (step.count < 1 || step.count > proration_step_max) {
    report_.add(step.at, fmt::format("found {}, expected a step up to {}",
                                     to_text(Amount{step.count}, step.unit),
                                     to_text(Amount{proration_step_max}, step.unit)));
  }
  made.proration_step = {step.count};
}

u32 ProductLowering::seconds(const std::optional<AmountText>& amount, u32 otherwise) {
  if (!amount) return otherwise;
  const i64 value = amount->count / 1000;
  if (value >= 1 && value <= seconds_max) return static_cast<u32>(value);
  report_.add(amount->at, "found a time outside of 1s to 100 years");
  return otherwise;
}

void ProductLowering::times(const ProductText& text, Product& made) {
  made.lasts_s = seconds(text.lasts, 0);
  made.retry_s = seconds(text.retry, retry_default_s);
  made.retry_for_s = seconds(text.retry_for, retry_for_default_s);
  made.grace_s = seconds(text.grace, 0);
  if (text.renews) made.flags = static_cast<u8>(made.flags | Product::renews);
  if (text.is_repeatable) made.flags = static_cast<u8>(made.flags | Product::repeatable);
  if (text.renews && (text.recurring || !text.lasts)) {
    report_.add(text.flags_at, "found 'renews' in a product that does not end by itself",
                "for example: fee 5.00EUR; lasts 30d; renews");
  }
  if (text.is_repeatable && (text.recurring || text.renews)) {
    report_.add(text.flags_at, "found 'repeatable' in a product that goes on by itself",
                "only a product that is paid once can be bought again while it lasts");
  }
  if (text.timezone) (void)world_.find_timezone(*text.timezone);
  const auto of_file = syntax_.timezones.find(text.name.at.file);
  const std::string zone = text.timezone                        ? text.timezone->text
                           : of_file == syntax_.timezones.end() ? "UTC"
                                                                : of_file->second.text;
  made.timezone = builder_.add_text(zone);
}

Extent ProductLowering::others(const ProductText& text, const std::vector<NameText>& names) {
  std::vector<u32> ids;
  for (const NameText& name : names) {
    const ProductText* other = world_.find_product(name);
    if (other == nullptr) continue;
    if (other == &text) {
      report_.add(name.at, fmt::format("found '{}' in itself", name.text));
    }
    ids.push_back(product_id(name.text));
  }
  return builder_.add_product_numbers(ids);
}

bool names_it(const std::vector<NameText>& names, const ProductText& product) {
  return std::ranges::any_of(names,
                             [&](const NameText& each) { return each.text == product.name.text; });
}

bool excludes(const ProductText& one, const ProductText& other) {
  return names_it(one.excludes, other) || names_it(other.excludes, one);
}

// Whether one must have `text` to buy `by`, or to buy what that needs.
bool ProductLowering::is_needed(const ProductText& text, const ProductText& by) {
  std::vector<const ProductText*> open = {&by};
  for (std::size_t i = 0; i < open.size(); ++i) {
    for (const NameText& name : open[i]->needs) {
      const ProductText* product = syntax_.find_product(name.text);
      if (product == &text) return true;
      const bool is_known = std::ranges::find(open, product) != open.end();
      if (product != nullptr && !is_known) open.push_back(product);
    }
  }
  return false;
}

// One that nobody could ever buy is a mistake.
void ProductLowering::needs(const ProductText& text) {
  for (const NameText& name : text.needs) {
    const ProductText* needed = syntax_.find_product(name.text);
    if (needed == nullptr || needed == &text) continue;  // told
    if (is_needed(text, *needed)) {
      report_.add(name.at, fmt::format("found '{}', which needs '{}' itself: nobody could buy the "
                                       "first of them",
                                       name.text, text.name.text));
    }
    const auto is_its = [&](const NameText& plan) {
      return std::ranges::any_of(needed->plans,
                                 [&](const NameText& each) { return each.text == plan.text; });
    };
    if (!needed->plans.empty() && std::ranges::none_of(text.plans, is_its)) {
      report_.add(name.at, fmt::format("found '{}', which is for none of the plans of '{}'",
                                       name.text, text.name.text));
    }
    for (const ProductText& other : syntax_.products) {
      const bool is_beside = &other == &text || names_it(text.needs, other);
      if (!is_beside || &other == needed || !excludes(*needed, other)) continue;
      report_.add(name.at, fmt::format("found '{}', which cannot be had beside '{}': nobody could "
                                       "buy '{}'",
                                       name.text, other.name.text, text.name.text));
      break;
    }
  }
}

// What the product brings: its own allowances and rules, and those of the products it includes.
void ProductLowering::parts(const ProductText& text, Product& made) {
  std::vector<u32> prices;
  if (priced_.contains(text.name.text)) prices.push_back(made.id);
  allowances_.clear();
  places_ = 0;
  allowances(text, text.allowances);
  for (const NameText& name : text.includes) {
    const ProductText* part = world_.find_product(name);
    if (part == nullptr) continue;
    if (!part->includes.empty() || part == &text) {
      report_.add(name.at, fmt::format("found '{}', which is a package itself", name.text),
                  "name what it includes");
      continue;
    }
    if (priced_.contains(name.text)) prices.push_back(product_id(name.text));
    allowances(text, part->allowances);
  }
  if (prices.size() > priced_products_max) {
    report_.add(text.name.at,
                fmt::format("product '{}' brings {} products with prices of their own, an account "
                            "has room for {}",
                            text.name.text, prices.size(), priced_products_max));
    prices.resize(priced_products_max);
  }
  made.prices = builder_.add_product_numbers(prices);
}

void ProductLowering::allowances(const ProductText& owner, const std::vector<BucketText>& texts) {
  for (const BucketText& text : texts) {
    const Unit unit = text.amount.unit;
    const bool is_paying = std::ranges::all_of(owner.plans, [&](const NameText& plan) {
      const auto units = paying_.find(plan.text);
      return units == paying_.end() ||
             std::ranges::find(units->second, unit) != units->second.end();
    });
    if (!is_paying) {
      report_.add(text.amount.at,
                  fmt::format("found an allowance of {} that no rule of a plan of product '{}' "
                              "pays with",
                              unit_name(unit), owner.name.text));
    }
    InitialBucket made;
    made.unit = unit;
    made.priority = text.priority;
    made.amount = {text.amount.count};
    if (text.lifetime) made.lifetime = Duration::seconds(seconds(text.lifetime, 0));
    if (text.rollover && text.rollover->unit != unit) {
      report_.add(text.rollover->at, fmt::format("found {}, expected {} as the allowance",
                                                 unit_name(text.rollover->unit), unit_name(unit)));
    } else if (text.rollover) {
      made.rollover = {text.rollover->count};
    }
    allowances_.push_back(made);
    places_ += text.rollover ? 2U : 1U;
    if (places_ == places_max + 1) {
      report_.add(text.amount.at,
                  fmt::format("found more than {} allowances, one with rollover counted twice, in "
                              "product '{}'",
                              places_max, owner.name.text));
    }
  }
}

void ProductLowering::product(const ProductText& text) {
  if (text.name.text.empty()) return;  // told by the parser
  Product made;
  made.id = product_id(text.name.text);
  made.name = builder_.add_text(text.name.text);
  plans(text, made);
  if (made.currency == Unit::none) return;  // told
  money(text, made);
  times(text, made);
  made.needs = others(text, text.needs);
  needs(text);
  made.excludes = others(text, text.excludes);
  parts(text, made);
  builder_.add_product(made, allowances_);
}

}  // namespace

void lower_products(const TariffSyntax& syntax, const PayingUnits& paying, World& world,
                    ImageBuilder& builder, Report& report) {
  ProductLowering lowering(syntax, paying, world, builder, report);
  lowering.names();
  for (const ProductText& product : syntax.products) lowering.product(product);
}

}  // namespace tollgate::rating
