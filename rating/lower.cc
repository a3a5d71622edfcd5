// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower.hh"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "rating/lower_conditions.hh"
#include "rating/lower_product.hh"
#include "rating/lower_rule.hh"
#include "rating/parser.hh"
#include "rating/services.hh"

namespace tollgate::rating {
namespace {

std::string list_of(const std::vector<NumberText>& numbers) {
  std::string list;
  for (const NumberText& number : numbers) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", number.value);
  }
  return list;
}

std::string key_text(const RuleText& rule) {
  if (rule.is_default) return "default";
  if (rule.identifiers.empty()) return fmt::format("group {}", list_of(rule.groups));
  if (rule.groups.empty()) return fmt::format("identifier {}", list_of(rule.identifiers));
  return fmt::format("group {} identifier {}", list_of(rule.groups), list_of(rule.identifiers));
}

std::string match_text(const RuleText& rule) {
  if (rule.name) return rule.name->text;
  constexpr std::array<std::string_view, number_roles> words = {"from", "to", "in"};
  std::string text = key_text(rule);
  const auto add = [&](std::string_view word, const std::vector<NameText>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      text += i == 0 ? fmt::format(" {} ", word) : ",";
      text += names[i].text;
    }
  };
  for (std::size_t role = 0; role < number_roles; ++role) {
    add(words[role], rule.conditions.zones[role]);
  }
  add("during", rule.conditions.bands);
  add("with", rule.conditions.products);
  return text;
}

class Lowering {
 public:
  Lowering(const TariffSyntax& syntax, std::span<const TariffText> texts, ImageBuilder& builder,
           Report& report)
      : syntax_(syntax),
        texts_(texts),
        builder_(builder),
        report_(report),
        world_(syntax, builder, report),
        python_(texts, builder, report) {}

  void plan(const PlanText& plan);
  std::vector<FunctionUse> take_uses() { return std::move(uses_); }
  void products() { lower_products(syntax_, paying_, world_, builder_, report_); }

 private:
  void buckets(const PlanText& plan, const std::vector<Unit>& paying);
  std::vector<Bonus> bonuses(const PlanText& plan, const std::vector<Unit>& paying);
  void service(const PlanText& plan, const ServiceText& service, std::vector<Unit>& paying);
  std::vector<u64> contexts(const ServiceText& service, std::vector<Meter>& meters);
  void context_name(const NameText& name);
  void counters(const PlanText& plan);
  u32 product_of(const PlanText& plan, const NameText& name);
  void compare_shared(const CounterText& counter);
  void add_variants(const RuleText& rule, u32 index);

  const TariffSyntax& syntax_;
  std::span<const TariffText> texts_;
  ImageBuilder& builder_;
  Report& report_;
  std::map<u32, const NameText*> plan_ids_;
  std::map<u64, Place> plan_contexts_;  // of the plan at hand
  World world_;
  PayingUnits paying_;
  PythonFunctions python_;
  std::vector<FunctionUse> uses_;
  PlanScope scope_;                                            // of the plan at hand
  std::map<std::string, const CounterText*> shared_counters_;  // of all plans
  // Of the service at hand: rules by shape, group and identifier, shape 0 for the default.
  std::map<std::tuple<u32, u32, u32>, std::vector<ServiceConditions::Variant>> variants_;
};

bool is_all_whole(const PlanText& plan) {
  return std::ranges::all_of(plan.services, [](const ServiceText& service) {
    return std::ranges::all_of(service.rules, &RuleText::is_whole);
  });
}

void Lowering::plan(const PlanText& plan) {
  if (plan.name.text.empty()) return;  // told by the parser
  const u32 id = plan_id(plan.name.text);
  const auto [known, is_new] = plan_ids_.emplace(id, &plan.name);
  if (!is_new && known->second->text == plan.name.text) {
    report_.add(plan.name.at, fmt::format("found plan '{}' twice; the first is at {}",
                                          plan.name.text, report_.line_of(known->second->at)));
  } else if (!is_new || id == 0) {
    report_.add(plan.name.at,
                fmt::format("the name '{}' cannot be told from another plan's by its number",
                            plan.name.text),
                "choose another name for the newer of the two");
  }
  if (plan.currency == Unit::none) {
    if (!plan.is_whole) return;
    report_.add(plan.name.at, fmt::format("plan '{}' has no currency", plan.name.text),
                "for example: currency EUR");
    return;
  }
  plan_contexts_.clear();
  if (plan.timezone) (void)world_.find_timezone(*plan.timezone);
  counters(plan);
  std::vector<Unit> paying;
  for (const ServiceText& each : plan.services) service(plan, each, paying);
  buckets(plan, paying);
  paying_[plan.name.text] = std::move(paying);
}

u32 id_of(const CounterText& counter) {
  return counter.is_shared ? shared_counter_id(counter.name.text) : counter_id(counter.name.text);
}

void Lowering::counters(const PlanText& plan) {
  scope_ = {};
  for (const CounterText& counter : plan.counters) {
    const u32 id = id_of(counter);
    const auto has_id = [&](const auto& known) { return known.second.id == id; };
    const bool is_known = scope_.counters.contains(counter.name.text);
    if (is_known || std::ranges::any_of(scope_.counters, has_id)) {
      report_.add(counter.name.at, fmt::format("found counter '{}' twice, or another that has its "
                                               "number",
                                               counter.name.text));
      continue;
    }
    if (counter.is_shared) compare_shared(counter);
    Counter record;
    record.id = id;
    record.is_shared = counter.is_shared ? 1 : 0;
    record.unit = counter.unit;
    record.period = counter.period;
    record.timeline = world_.periods(plan, counter.period);
    if (counter.product) record.product = product_of(plan, *counter.product);
    record.name = builder_.add_text(counter.name.text);
    const u32 number = builder_.add_counter(record);
    if (number > 0xffff) report_.add(counter.name.at, "found more than 65535 counters");
    scope_.counters.emplace(
        counter.name.text,
        PlanScope::Counter{number, id, counter.unit, counter.product ? counter.product->text : ""});
  }
}

// Its number, also where it is wrong: then there will be no image.
u32 Lowering::product_of(const PlanText& plan, const NameText& name) {
  const ProductText* product = world_.find_product(name);
  const auto is_plan = [&](const NameText& each) { return each.text == plan.name.text; };
  if (product != nullptr && std::ranges::none_of(product->plans, is_plan)) {
    report_.add(name.at, fmt::format("found product '{}', which is not for plan '{}'", name.text,
                                     plan.name.text));
  }
  return product_id(name.text);
}

// Members of one family may have different plans: what they share must be the same in all.
void Lowering::compare_shared(const CounterText& counter) {
  const auto [first, is_new] = shared_counters_.emplace(counter.name.text, &counter);
  const CounterText& known = *first->second;
  if (known.unit == counter.unit && known.period == counter.period) return;
  report_.add(counter.name.at,
              fmt::format("found the shared counter '{}' with another unit or period than at {}",
                          counter.name.text, report_.line_of(known.name.at)),
              "a family counts together what has the same name");
}

void Lowering::buckets(const PlanText& plan, const std::vector<Unit>& paying) {
  std::vector<InitialBucket> made;
  for (const BucketText& bucket : plan.buckets) {
    const Unit unit = bucket.amount.unit;
    const bool is_exchanged = std::ranges::any_of(
        plan.exchanges, [&](const ExchangeText& each) { return each.foreign.unit == unit; });
    if (is_money(unit) && unit != plan.currency && !is_exchanged) {
      report_.add(bucket.amount.at, fmt::format("found {}, expected {}, the currency of the plan",
                                                unit_name(unit), unit_name(plan.currency)));
    } else if (!is_money(unit) && std::ranges::find(paying, unit) == paying.end() &&
               is_all_whole(plan)) {
      report_.add(bucket.amount.at,
                  fmt::format("found an allowance of {} that no rule of the plan pays with",
                              unit_name(unit)),
                  fmt::format("add to a rule: pay with {} then {}", unit_name(unit),
                              unit_name(plan.currency)));
    }
    if (made.size() == initial_buckets_max) {
      report_.add(bucket.amount.at,
                  fmt::format("found more than {} balances and allowances", initial_buckets_max));
      break;
    }
    InitialBucket record;
    record.unit = unit;
    record.priority = bucket.priority;
    record.amount = {bucket.amount.count};
    if (bucket.lifetime) {
      if (bucket.lifetime->count > INT64_MAX / 1'000'000 / 2) {
        report_.add(bucket.lifetime->at, "found a lifetime of more than 146 years");
      } else {
        record.lifetime = Duration::milliseconds(bucket.lifetime->count);
      }
    }
    made.push_back(record);
  }
  Plan record;
  record.id = plan_id(plan.name.text);
  record.currency = plan.currency;
  record.keeps_sessions = plan.keeps_sessions ? 1 : 0;
  record.name = builder_.add_text(plan.name.text);
  builder_.add_plan(record, made, bonuses(plan, paying));
}

std::vector<Bonus> Lowering::bonuses(const PlanText& plan, const std::vector<Unit>& paying) {
  std::vector<Bonus> all;
  for (const BonusText& text : plan.bonuses) {
    Bonus made;
    made.from = {text.from.count};
    made.unit = text.share ? plan.currency : text.bucket.amount.unit;
    made.amount = {text.bucket.amount.count};
    made.ppm = text.share ? text.share->ppm : 0;
    made.priority = text.bucket.priority;
    if (text.bucket.lifetime) {
      made.lifetime = Duration::seconds(std::min(text.bucket.lifetime->count / 1000, i64{1} << 32));
    }
    if (text.from.unit != plan.currency || text.from.count <= 0) {
      report_.add(text.from.at, fmt::format("found {}, expected a top-up in {}",
                                            to_text(Amount{text.from.count}, text.from.unit),
                                            unit_name(plan.currency)));
    }
    if (made.unit != plan.currency && std::ranges::find(paying, made.unit) == paying.end() &&
        is_all_whole(plan)) {
      report_.add(text.bucket.amount.at,
                  fmt::format("found a bonus of {} that no rule of the plan pays with",
                              unit_name(made.unit)));
    }
    all.push_back(made);
  }
  if (all.size() >= initial_buckets_max) {
    report_.add(plan.bonuses.back().from.at,
                fmt::format("found more than {} bonuses", initial_buckets_max - 1));
  }
  return all;
}

// A text in quotes is a Service-Context-Id; one of 3GPP's is written as it is looked for.
void Lowering::context_name(const NameText& name) {
  const u64 key = context_key(name.text);
  const bool is_3gpp = key >> 63 == 0;
  const std::string plain = fmt::format("{}@3gpp.org", key);
  if (is_3gpp && name.text != plain) {
    report_.add(name.at, fmt::format("found context \"{}\", expected \"{}\"", name.text, plain),
                "releases and prefixes are not told apart");
  }
}

std::vector<u64> Lowering::contexts(const ServiceText& service, std::vector<Meter>& meters) {
  std::vector<u64> keys;
  for (const NameText& name : service.names) {
    const NamedService* named = name.is_quoted ? nullptr : find_named_service(name.text);
    if (named != nullptr) {
      meters.push_back(named->meter);
    } else if (name.is_quoted) {
      context_name(name);
    } else {
      std::vector<std::string_view> words;
      for (const NamedService& known : named_services()) words.push_back(known.name);
      const std::string near = nearest(name.text, words);
      report_.add(name.at,
                  fmt::format("found '{}', expected a service: data, voice, sms, mms or \"a "
                              "service context\"",
                              name.text),
                  near.empty() ? "a Service-Context-Id stands in quotes" : near);
      continue;
    }
    const std::vector<u64> more =
        named != nullptr ? contexts_of(name.text) : std::vector{context_key(name.text)};
    for (const u64 key : more) {
      const auto [known, is_new] = plan_contexts_.emplace(key, name.at);
      if (is_new) {
        keys.push_back(key);
      } else {
        report_.add(name.at, fmt::format("found '{}' twice in one plan; the first is at {}",
                                         name.text, report_.line_of(known->second)));
        break;  // once is enough for a name with several contexts
      }
    }
  }
  return keys;
}

void Lowering::service(const PlanText& plan, const ServiceText& service,
                       std::vector<Unit>& paying) {
  if (service.names.empty()) return;  // told by the parser
  std::vector<Meter> meters;          // of each name that says one
  const std::vector<u64> keys = contexts(service, meters);
  if (service.meter) meters = {*service.meter};
  const bool is_clear =
      !meters.empty() && std::ranges::count(meters, meters.front()) == std::ssize(meters);
  const std::string& name = service.names.front().text;
  if (!is_clear && !keys.empty()) {
    report_.add(service.at, fmt::format("nothing says what service '{}' is measured by", name),
                "add to the service: meter volume, time, events or money");
  }
  if (service.rules.empty()) {
    report_.add(service.at, fmt::format("service '{}' has no rule", name),
                "for example: rule default barred");
  }
  Service made;
  made.plan = plan_id(plan.name.text);
  made.name = builder_.add_text(name);
  if (service.default_group) {
    made.default_group_known = 1;
    made.default_group = service.default_group->value;
  }
  variants_.clear();
  ServiceConditions conditions(world_, plan, service, builder_, report_);
  conditions.describe(made);
  for (const RuleText& each : service.rules) {
    const std::string whole = fmt::format("{}/{}/{}", plan.name.text, name, match_text(each));
    const RuleScope scope{plan,
                          service,
                          scope_,
                          world_,
                          python_,
                          is_clear ? meters.front() : Meter::volume,
                          texts_[each.at.file].name,
                          whole};
    RuleLowering lowering(scope, each, builder_, report_);
    const Rule rule = lowering.run();
    for (const PaymentSource& source : rule.sources()) paying.push_back(source.unit);
    const u32 index = builder_.add_rule(rule);
    if (rule.functions != 0) {
      uses_.push_back({index, lowering.price_text(), lowering.discount_python()});
    }
    add_variants(each, index);
  }
  std::vector<RuleSlot> slots;
  for (const auto& [key, variants] : variants_) {
    const u32 place = conditions.place_of(variants);
    const auto [shape, group, identifier] = key;
    if (shape != 0) {
      slots.push_back({group, identifier, shape, place});
    } else {
      made.default_rule = (place & cells_bit) != 0 ? place : place + 1;
    }
  }
  conditions.tell_unreachable();
  builder_.add_service(made, keys, slots);
}

void Lowering::add_variants(const RuleText& rule, u32 index) {
  const auto add = [&](RuleSlot slot, Place at) {
    const auto key = std::tuple(slot.shape, slot.rating_group, slot.service_identifier);
    variants_[key].push_back({index, &rule, at});
  };
  if (rule.is_default) add({}, rule.at);
  for (const NumberText& group : rule.groups) {
    if (rule.identifiers.empty()) add({group.value, 0, RuleSlot::by_group, 0}, group.at);
    for (const NumberText& identifier : rule.identifiers) {
      add({group.value, identifier.value, RuleSlot::by_both, 0}, identifier.at);
    }
  }
  if (!rule.groups.empty()) return;
  for (const NumberText& identifier : rule.identifiers) {
    add({0, identifier.value, RuleSlot::by_identifier, 0}, identifier.at);
  }
}

}  // namespace

std::vector<FunctionUse> lower(const TariffSyntax& syntax, std::span<const TariffText> texts,
                               ImageBuilder& builder, Report& report) {
  Lowering lowering(syntax, texts, builder, report);
  for (const PlanText& plan : syntax.plans) lowering.plan(plan);
  lowering.products();
  return lowering.take_uses();
}

}  // namespace tollgate::rating
