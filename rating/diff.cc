// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/diff.hh"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "base/hash.hh"
#include "rating/price.hh"
#include "rating/program.hh"
#include "rating/services.hh"

namespace tollgate::rating {
namespace {

std::string show(i64 count, Unit unit) {
  return to_text(Amount{count}, unit);
}

std::string function_text(const RuleFunctions& functions, u32 distance) {
  const u8* program = program_behind(functions, distance);
  const u32 bytes = reinterpret_cast<const ProgramHeader*>(program)->bytes;
  return fmt::format("a Python function, {:08x}", crc32c({program, bytes}));
}

std::string price_text(const Rule& rule) {
  if (rule.functions != 0 && functions_of(rule).price != 0) {
    return "price by " + function_text(functions_of(rule), functions_of(rule).price);
  }
  std::string text = "price";
  for (std::size_t i = 0; i < rule.step_count; ++i) {
    const Step& step = rule.step[i];
    const bool is_last = i + 1 == rule.step_count;
    if (i > 0) text += " then";
    if (!is_last) {
      text += fmt::format(" {} {}", i == 0 ? "first" : "next",
                          show(rule.step[i + 1].start.count - step.start.count, rule.unit));
    }
    text += fmt::format(" {} per {}", show(step.price.count, rule.currency),
                        show(step.block.count, rule.unit));
  }
  return text;
}

std::string sources_text(const Rule& rule) {
  std::string text = "pay with";
  for (std::size_t i = 0; i < rule.source_count; ++i) {
    const PaymentSource& source = rule.source[i];
    text += fmt::format("{} {}", i == 0 ? "" : " then", unit_name(source.unit));
    if (source.block.count == 1 && source.amount.count == 1) continue;
    text += fmt::format(" ({} per {} {})", show(source.amount.count, source.unit),
                        show(source.block.count, source.is_money() ? rule.currency : rule.unit),
                        to_text(source.rounding));
  }
  return text;
}

// As it is written.
std::string counter_text(const Image& image, const Counter& counter) {
  std::string text(image.text(counter.name));
  constexpr std::string_view periods[] = {"", " per day", " per week", " per month"};
  text += periods[static_cast<u8>(counter.period)];
  const Product* product = image.find_product(counter.product);
  if (product != nullptr) text += fmt::format(" per product {}", image.text(product->name));
  return counter.is_shared != 0 ? text + " shared" : text;
}

void describe_bounds(const Image& image, const Rule& rule, std::vector<std::string>& all) {
  const auto counter = [&](u16 number) {
    return counter_text(image, image.counters()[number - 1u]);
  };
  if (rule.factor != rule.factor_by) {
    all.push_back(fmt::format("discount and tax times {}/{}", rule.factor, rule.factor_by));
  }
  if (rule.functions != 0) {
    const RuleFunctions& functions = functions_of(rule);
    if (functions.off.is_positive()) {
      all.push_back("discount " + show(functions.off.count, rule.currency));
    }
    if (functions.discount != 0) {
      all.push_back("discount by " + function_text(functions, functions.discount));
    }
    for (const u16 number : functions.price_counter) {
      if (number != 0) all.push_back(fmt::format("price by counter {}", counter(number)));
    }
    for (const u16 number : functions.discount_counter) {
      if (number != 0) all.push_back(fmt::format("discount by counter {}", counter(number)));
    }
  }
  if (rule.tax_ppm != 0) all.push_back(fmt::format("tax {}ppm", rule.tax_ppm));
  if (rule.minimum.is_positive())
    all.push_back("minimum " + show(rule.minimum.count, rule.currency));
  if (rule.cap.is_positive()) all.push_back("cap " + show(rule.cap.count, rule.currency));
  if (rule.cycle.is_positive()) all.push_back("restart after " + show(rule.cycle.count, rule.unit));
  if (rule.usage_counter != 0) {
    all.push_back(fmt::format("steps by {}", counter(rule.usage_counter)));
  }
  if (rule.money_counter != 0) {
    all.push_back(fmt::format("{} {} by {}", rule.is_limit_cap != 0 ? "cap" : "limit",
                              show(rule.counted_limit.count, rule.currency),
                              counter(rule.money_counter)));
  }
}

void describe_grant(const Image& image, const Rule& rule, std::vector<std::string>& all) {
  const GrantPolicy& grant = rule.grant;
  all.push_back(fmt::format("grant {} min {} max {}", show(grant.size.count, rule.unit),
                            show(grant.smallest.count, rule.unit),
                            show(grant.largest.count, rule.unit)));
  all.push_back(fmt::format("threshold {} or {} permille", show(grant.threshold.count, rule.unit),
                            grant.threshold_permille));
  all.push_back(fmt::format("validity {}s", grant.validity_seconds));
  all.push_back(fmt::format("holding {}s", grant.holding_seconds));
  constexpr std::string_view actions[] = {"terminate", "redirect", "restrict", "restrict"};
  all.push_back(fmt::format("final {} {}", actions[static_cast<u8>(grant.final_action)],
                            image.redirect(rule.redirect)));
}

// What usual quantities cost, for people to see the difference at a glance.
void describe_costs(const Rule& rule, std::vector<std::string>& all) {
  std::vector<i64> quantities = {1};
  if (rule.unit == Unit::octets) quantities = {1'000'000, 100'000'000, 10'000'000'000};
  if (rule.unit == Unit::milliseconds) quantities = {10'000, 60'000, 600'000};
  if (rule.unit == Unit::events) quantities = {1, 10};
  for (const i64 quantity : quantities) {
    Money cost;
    if (price(rule, {}, {quantity}, cost) != Outcome::ok) continue;
    all.push_back(
        fmt::format("cost of {}: {}", show(quantity, rule.unit), show(cost.count, rule.currency)));
  }
}

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : "; ") + one;
  return text;
}

// The statements of `one` that `other` does not have.
std::string without(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  std::vector<std::string> only;
  std::ranges::copy_if(one, std::back_inserter(only), [&](const std::string& statement) {
    return std::ranges::find(other, statement) == other.end();
  });
  return lines(only);
}

// Rules by name; a name that stands several times by its turn as well.
std::map<std::string, const Rule*> rules_of(const Image& image) {
  std::map<std::string, const Rule*> all;
  for (const Rule& rule : image.rules()) {
    std::string name(image.text(rule.name));
    for (int turn = 2; all.contains(name); ++turn) {
      name = fmt::format("{} ({})", image.text(rule.name), turn);
    }
    all.emplace(std::move(name), &rule);
  }
  return all;
}

std::string plan_of(const std::string& rule) {
  return rule.substr(0, rule.find('/'));
}

void compare_rules(const Image& before, const Image& after, std::vector<Difference>& all) {
  const auto old_rules = rules_of(before);
  const auto new_rules = rules_of(after);
  for (const auto& [name, rule] : old_rules) {
    const auto known = new_rules.find(name);
    const std::vector<std::string> was = describe(before, *rule);
    if (known == new_rules.end()) {
      all.push_back({plan_of(name), name, lines(was), ""});
      continue;
    }
    const std::vector<std::string> is = describe(after, *known->second);
    if (was != is) all.push_back({plan_of(name), name, without(was, is), without(is, was)});
  }
  for (const auto& [name, rule] : new_rules) {
    if (old_rules.contains(name)) continue;
    all.push_back({plan_of(name), name, "", lines(describe(after, *rule))});
  }
}

std::string buckets_text(const Image& image, const Plan& plan) {
  std::vector<std::string> all;
  for (const InitialBucket& bucket : image.buckets(plan)) {
    all.push_back(fmt::format("{} priority {} for {}s", show(bucket.amount.count, bucket.unit),
                              bucket.priority, bucket.lifetime.whole_seconds()));
  }
  return lines(all);
}

std::string bonuses_text(const Image& image, const Plan& plan) {
  std::vector<std::string> all;
  for (const Bonus& bonus : image.bonuses(plan)) {
    const std::string what = bonus.ppm != 0 ? fmt::format("{} millionths", bonus.ppm)
                                            : show(bonus.amount.count, bonus.unit);
    all.push_back(fmt::format("{} from {} priority {} for {}s", what,
                              show(bonus.from.count, plan.currency), bonus.priority,
                              bonus.lifetime.whole_seconds()));
  }
  return lines(all);
}

void compare_plans(const Image& before, const Image& after, std::vector<Difference>& all) {
  for (const Plan& plan : before.plans()) {
    const Plan* known = after.find_plan(plan.id);
    const std::string name(before.text(plan.name));
    if (known == nullptr) {
      all.push_back({name, "plan", unit_name(plan.currency), ""});
      continue;
    }
    const std::string was = buckets_text(before, plan);
    const std::string is = buckets_text(after, *known);
    if (was != is) all.push_back({name, "buckets", was, is});
    const std::string brought = bonuses_text(before, plan);
    const std::string brings = bonuses_text(after, *known);
    if (brought != brings) all.push_back({name, "bonuses", brought, brings});
    const auto sessions = [](const Plan& one) {
      return one.keeps_sessions != 0 ? "keep" : "change";
    };
    if (plan.keeps_sessions != known->keeps_sessions) {
      all.push_back({name, "sessions", sessions(plan), sessions(*known)});
    }
  }
  for (const Plan& plan : after.plans()) {
    if (before.find_plan(plan.id) != nullptr) continue;
    all.push_back({std::string(after.text(plan.name)), "plan", "", unit_name(plan.currency)});
  }
}

// The words of a product's turns: "month on 1", "30d".
std::string turns_text(const Product& product) {
  constexpr std::string_view periods[] = {"ever", "day", "week", "month"};
  std::string text(periods[static_cast<std::size_t>(product.period)]);
  if (product.day != 0) text += fmt::format(" on {}", product.day);
  if (product.has(Product::is_prorated)) text += " prorated";
  return text;
}

std::string numbers_text(const Image& image, Extent extent) {
  std::string text;
  for (const u32 id : image.numbers(extent)) {
    const Plan* plan = image.find_plan(id);
    const Product* product = image.find_product(id);
    const bool is_plan = plan != nullptr;
    text += text.empty() ? "" : ", ";
    text += is_plan              ? image.text(plan->name)
            : product != nullptr ? image.text(product->name)
                                 : std::string_view("?");
  }
  return text;
}

std::string product_text(const Image& image, const Product& product) {
  std::vector<std::string> all;
  all.push_back("plans " + numbers_text(image, product.plans));
  all.push_back("fee " + show(product.fee.count, product.currency));
  all.push_back(fmt::format("{} per {}", show(product.recurring_fee.count, product.currency),
                            turns_text(product)));
  all.push_back(fmt::format("lasts {}s{}{}", product.lasts_s,
                            product.has(Product::renews) ? " renews" : "",
                            product.has(Product::repeatable) ? " repeatable" : ""));
  all.push_back(fmt::format("retry {}s for {}s, grace {}s", product.retry_s, product.retry_for_s,
                            product.grace_s));
  for (const InitialBucket& bucket : image.allowances(product)) {
    all.push_back(fmt::format("{} priority {} for {}s rollover {}",
                              show(bucket.amount.count, bucket.unit), bucket.priority,
                              bucket.lifetime.whole_seconds(),
                              show(bucket.rollover.count, bucket.unit)));
  }
  all.push_back("rules of " + numbers_text(image, product.prices));
  all.push_back("needs " + numbers_text(image, product.needs));
  all.push_back("excludes " + numbers_text(image, product.excludes));
  return lines(all);
}

void compare_products(const Image& before, const Image& after, std::vector<Difference>& all) {
  for (const Product& product : before.products()) {
    const Product* known = after.find_product(product.id);
    const std::string name = fmt::format("product {}", before.text(product.name));
    const std::string was = product_text(before, product);
    const std::string is = known == nullptr ? "" : product_text(after, *known);
    if (was != is) all.push_back({numbers_text(before, product.plans), name, was, is});
  }
  for (const Product& product : after.products()) {
    if (before.find_product(product.id) != nullptr) continue;
    all.push_back({numbers_text(after, product.plans),
                   fmt::format("product {}", after.text(product.name)), "",
                   product_text(after, product)});
  }
}

// Where stretches of numbers begin in either map, and what their zones are called.
std::map<u64, std::string> leaves_of(const Image& image, const ZoneMap& map) {
  std::map<u64, std::string> all;
  for (const u64 leaf : image.zone_tables(map).leaves) {
    all.emplace(leaf >> zone_bits, image.zone_name(map, static_cast<u32>(leaf & zones_max)));
  }
  return all;
}

const ZoneMap* find_map(const Image& image, std::string_view name) {
  for (const ZoneMap& map : image.zone_maps()) {
    if (image.text(map.name) == name) return &map;
  }
  return nullptr;
}

void compare_zones(const Image& before, const Image& after, std::vector<Difference>& all) {
  for (const ZoneMap& map : before.zone_maps()) {
    const std::string name(before.text(map.name));
    const ZoneMap* other = find_map(after, name);
    if (other == nullptr) {
      all.push_back({"", "zones " + name, fmt::format("{} zones", map.zone_count), ""});
      continue;
    }
    const auto was = leaves_of(before, map);
    const auto is = leaves_of(after, *other);
    const auto changed = std::ranges::count_if(is, [&](const auto& leaf) {
      return std::prev(was.upper_bound(leaf.first))->second != leaf.second;
    });
    if (was == is) continue;
    all.push_back({"", "zones " + name, fmt::format("{} stretches of numbers", was.size()),
                   fmt::format("{} stretches of numbers, {} of another zone", is.size(), changed)});
  }
  for (const ZoneMap& map : after.zone_maps()) {
    const std::string name(after.text(map.name));
    if (find_map(before, name) != nullptr) continue;
    all.push_back({"", "zones " + name, "", fmt::format("{} zones", map.zone_count)});
  }
}

}  // namespace

std::vector<std::string> describe(const Image& image, const Rule& rule) {
  std::vector<std::string> all;
  if (rule.verdict == Verdict::free) all.push_back("free");
  if (rule.verdict == Verdict::barred) all.push_back("barred");
  all.push_back(fmt::format("meter {}", to_text(rule.meter)));
  if (rule.verdict == Verdict::charged) {
    if (rule.step_count != 0) all.push_back(price_text(rule));
    all.push_back(sources_text(rule));
    all.push_back(fmt::format("round {}", to_text(rule.usage_rounding)));
    all.push_back(fmt::format("round money {} to {}", to_text(rule.money_rounding),
                              show(rule.money_step.count, rule.currency)));
    if (rule.setup_fee.is_positive()) {
      all.push_back("setup " + show(rule.setup_fee.count, rule.currency));
    }
    describe_bounds(image, rule, all);
    describe_costs(rule, all);
  }
  describe_grant(image, rule, all);
  return all;
}

std::vector<Difference> compare(const Image& before, const Image& after) {
  std::vector<Difference> all;
  compare_plans(before, after, all);
  compare_products(before, after, all);
  compare_rules(before, after, all);
  compare_zones(before, after, all);
  return all;
}

}  // namespace tollgate::rating
