// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_conditions.hh"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::rating {
namespace {

constexpr std::array<std::string_view, number_roles> role_words = {"from", "to", "in"};
constexpr std::array<std::string_view, number_roles> map_words = {"origin", "destination",
                                                                  "network"};
constexpr u32 priority_default = 128;

}  // namespace

ServiceConditions::ServiceConditions(World& world, const PlanText& plan, const ServiceText& service,
                                     ImageBuilder& builder, Report& report)
    : world_(world), builder_(builder), report_(report) {
  const std::size_t told_before = report.count();
  const auto is_any = [](const RuleText& rule) { return rule.conditions.is_any(); };
  if (std::ranges::none_of(service.rules, is_any)) return;
  read_zones(plan, service);
  read_bands(plan, service);
  read_products(plan, service);
  is_broken_ = report.count() != told_before;
}

void ServiceConditions::read_zones(const PlanText& plan, const ServiceText& service) {
  for (std::size_t role = 0; role < number_roles; ++role) {
    const std::optional<NameText>& name = service.maps[role] ? service.maps[role] : plan.maps[role];
    u32 next_class = 1;
    std::vector<u16> classes;
    for (const RuleText& rule : service.rules) {
      for (const NameText& zone : rule.conditions.zones[role]) {
        if (!name) {
          report_.add(zone.at,
                      fmt::format("found '{} {}', but nothing says which zones the number is "
                                  "looked up in",
                                  role_words[role], zone.text),
                      fmt::format("add to the service: {} NAME", map_words[role]));
          continue;
        }
        if (maps_[role] == nullptr) maps_[role] = world_.find_map(*name);
        if (maps_[role] == nullptr) return;
        if (classes.empty()) classes.resize(maps_[role]->zones.size() + 1);
        const u32 number = world_.find_zone(*maps_[role], zone);
        if (number == 0 || !class_of_[role].emplace(zone.text, next_class).second) continue;
        classes[number] = static_cast<u16>(next_class++);
      }
    }
    if (maps_[role] == nullptr) continue;
    made_.map[role] = maps_[role]->number;
    made_.classes_first[role] = builder_.add_classes(classes);
    made_.class_count[role] = static_cast<u16>(next_class);
  }
}

void ServiceConditions::read_bands(const PlanText& plan, const ServiceText& service) {
  for (const RuleText& rule : service.rules) {
    for (const NameText& name : rule.conditions.bands) {
      const Band* band = world_.find_band(name);
      if (band == nullptr) continue;
      if (band_bits_.size() == timeline_class_bits && !band_bits_.contains(name.text)) {
        report_.add(name.at,
                    fmt::format("found more than {} bands in one service", timeline_class_bits));
        continue;
      }
      if (band_bits_.emplace(name.text, band_bits_.size()).second) bands_.push_back(band);
    }
  }
  if (bands_.empty()) return;
  const World::Bands& bands = world_.bands(plan, bands_);
  made_.timeline = bands.timeline;
  made_.band_count = static_cast<u16>(bands.masks.size());
  masks_ = bands.masks;
}

// Each product that a rule asks for is a bit, each set of them a class: a rule `with` two of them
// fits who has either.
void ServiceConditions::read_products(const PlanText& plan, const ServiceText& service) {
  ProductRow row;
  for (const RuleText& rule : service.rules) {
    for (const NameText& name : rule.conditions.products) {
      const ProductText* product = world_.find_product(name);
      if (product == nullptr) continue;
      const auto is_plan = [&](const NameText& each) { return each.text == plan.name.text; };
      if (std::ranges::none_of(product->plans, is_plan)) {
        report_.add(name.at, fmt::format("found product '{}', which is not for plan '{}'",
                                         name.text, plan.name.text));
      }
      const auto bit = static_cast<u32>(product_bits_.size());
      if (bit == service_products_max && !product_bits_.contains(name.text)) {
        report_.add(name.at, fmt::format("found more than {} products in one service", bit));
        continue;
      }
      if (product_bits_.emplace(name.text, bit).second) row.id[bit] = product_id(name.text);
    }
  }
  if (product_bits_.empty()) return;
  for (const auto& [name, bit] : product_bits_) {
    for (const NameText& other : world_.find_product({name, {}, false})->excludes) {
      const auto known = product_bits_.find(other.text);
      if (known != product_bits_.end()) exclusions_.push_back(1U << bit | 1U << known->second);
    }
  }
  made_.products = builder_.add_product_row(row);
  made_.product_count = 1U << product_bits_.size();
}

void ServiceConditions::describe(Service& service) {
  service.timeline = made_.timeline;
  service.band_count = made_.band_count;
  service.products = made_.products;
  service.product_count = made_.product_count;
  for (std::size_t role = 0; role < number_roles; ++role) {
    service.map[role] = made_.map[role];
    service.classes_first[role] = made_.classes_first[role];
    service.class_count[role] = made_.class_count[role];
  }
}

ServiceConditions::Fit ServiceConditions::fit_of(const RuleText& rule) const {
  Fit fit;
  fit.priority = rule.conditions.priority ? rule.conditions.priority->value : priority_default;
  for (std::size_t role = 0; role < number_roles; ++role) {
    const std::vector<NameText>& zones = rule.conditions.zones[role];
    fit.classes[role].resize(made_.class_count[role], zones.empty());
    for (const NameText& zone : zones) {
      const auto known = class_of_[role].find(zone.text);
      if (known != class_of_[role].end()) fit.classes[role][known->second] = true;
    }
  }
  std::vector<bool>& times = fit.classes[number_roles];
  times.resize(masks_.size(), rule.conditions.bands.empty());
  for (const NameText& band : rule.conditions.bands) {
    const auto bit = band_bits_.find(band.text);
    if (bit == band_bits_.end()) continue;
    for (std::size_t i = 0; i < masks_.size(); ++i) {
      if (((masks_[i] >> bit->second) & 1) != 0) times[i] = true;
    }
  }
  std::vector<bool>& sets = fit.classes[number_roles + 1];
  sets.resize(made_.product_count, rule.conditions.products.empty());
  for (const NameText& name : rule.conditions.products) {
    const auto bit = product_bits_.find(name.text);
    if (bit == product_bits_.end()) continue;
    for (std::size_t set = 0; set < sets.size(); ++set) {
      if (((set >> bit->second) & 1) != 0) sets[set] = true;
    }
  }
  return fit;
}

// Not if they exclude each other: then it does not matter which of two rules counts.
bool ServiceConditions::is_possible(u64 products) const {
  return std::ranges::none_of(exclusions_, [&](u32 pair) { return (products & pair) == pair; });
}

bool ServiceConditions::is_within(const Fit& inner, const Fit& outer) {
  for (std::size_t i = 0; i < dimensions; ++i) {
    for (std::size_t k = 0; k < inner.classes[i].size(); ++k) {
      if (inner.classes[i][k] && !outer.classes[i][k]) return false;
    }
  }
  return true;
}

bool ServiceConditions::outranks(const Fit& one, const Fit& other) {
  if (one.priority != other.priority) return one.priority < other.priority;
  return is_within(one, other) && !is_within(other, one);
}

void ServiceConditions::tell_ambiguous(const Variant& one, const Variant& other) {
  const Variant& first = std::min(one.rule, other.rule) == one.rule ? one : other;
  const Variant& second = first.rule == one.rule ? other : one;
  if (!told_.emplace(first.text, second.text).second) return;
  const bool is_same = fit_of(*first.text).classes == fit_of(*second.text).classes;
  if (!is_same) {
    report_.add(second.at,
                fmt::format("found a rule and the one at {} that fit the same request, and neither "
                            "is the more particular",
                            report_.line_of(first.at)),
                "give one of them 'priority 1', or write a rule for what both fit");
  } else if (second.text->is_default) {
    report_.add(second.at, fmt::format("found a second default rule; the first is at {}",
                                       report_.line_of(first.at)));
  } else {
    report_.add(second.at, fmt::format("found a second rule for the same; the first is at {}",
                                       report_.line_of(first.at)));
  }
}

u32 ServiceConditions::place_of(const std::vector<Variant>& variants) {
  for (const Variant& variant : variants) placed_.insert(variant.text);
  const auto has_none = [](const Variant& each) { return !each.text->conditions.is_any(); };
  if (variants.size() == 1 && has_none(variants.front())) {
    reached_.insert(variants.front().text);
    return variants.front().rule;
  }
  const u64 cell_count = u64{made_.product_count} * made_.class_count[0] * made_.class_count[1] *
                         made_.class_count[2] * made_.band_count;
  if (cell_count > cells_max) {
    report_.add(variants.front().at,
                fmt::format("found {} combinations of zones, bands and products in one service, "
                            "expected at most {}",
                            cell_count, cells_max));
    return 0;
  }
  std::vector<Fit> fits;
  for (const Variant& variant : variants) fits.push_back(fit_of(*variant.text));
  std::vector<u32> cells(cell_count);
  std::vector<std::size_t> fitting;
  for (u64 cell = 0; cell < cell_count; ++cell) {
    u64 rest = cell;
    std::array<std::size_t, dimensions> at{};
    at[number_roles] = rest % made_.band_count;
    rest /= made_.band_count;
    for (std::size_t role = number_roles; role-- > 0; rest /= made_.class_count[role]) {
      at[role] = rest % made_.class_count[role];
    }
    at[number_roles + 1] = rest;
    fitting.clear();
    for (std::size_t i = 0; i < fits.size(); ++i) {
      bool is_fitting = true;
      for (std::size_t k = 0; k < dimensions && is_fitting; ++k) {
        is_fitting = fits[i].classes[k][at[k]];
      }
      if (is_fitting) fitting.push_back(i);
    }
    if (fitting.empty()) continue;
    std::size_t best = fitting.front();
    for (const std::size_t i : fitting) {
      if (outranks(fits[i], fits[best])) best = i;
    }
    for (const std::size_t i : fitting) {
      if (i != best && !outranks(fits[best], fits[i]) && is_possible(at[number_roles + 1])) {
        tell_ambiguous(variants[best], variants[i]);
      }
    }
    cells[cell] = variants[best].rule + 1;
    reached_.insert(variants[best].text);
  }
  return builder_.add_cells(cells);
}

void ServiceConditions::tell_unreachable() {
  for (const RuleText* rule : placed_) {
    if (reached_.contains(rule)) continue;
    const bool is_told = std::ranges::any_of(
        told_, [&](const auto& pair) { return pair.first == rule || pair.second == rule; });
    if (!is_told && !is_broken_ && rule->is_whole) {
      report_.add(rule->at, "found a rule that never counts: others fit all that it fits",
                  "change its conditions or its priority, or take it away");
    }
  }
}

}  // namespace tollgate::rating
