// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/functions.hh"
#include "rating/image.hh"

namespace tollgate::rating {
namespace {

bool is_within(i64 value, i64 least, i64 most) {
  return value >= least && value <= most;
}

// The tables of an image whose header and extents are known to be good.
class Checker {
 public:
  explicit Checker(Bytes bytes) : bytes_(bytes) {
    std::memcpy(&header_, bytes.data(), sizeof header_);
  }

  ImageFault extents() const;
  bool plans() const;
  bool buckets() const;
  bool services() const;
  bool rule_slots() const;
  bool functions() const;
  bool rules() const;
  bool redirects() const;
  bool zones() const;
  bool timelines() const;
  bool counters() const;
  bool products() const;

 private:
  template <class Record>
  std::span<const Record> table(Extent extent) const {
    return {reinterpret_cast<const Record*>(bytes_.data() + extent.offset), extent.count};
  }
  template <class Record>
  bool fits(Extent extent) const {
    const u64 end = u64{extent.offset} + u64{extent.count} * sizeof(Record);
    return extent.offset >= sizeof(ImageHeader) && end <= bytes_.size() &&
           extent.offset % alignof(Record) == 0;
  }
  bool is_text(TextRef ref) const { return u64{ref.offset} + ref.length <= header_.texts.count; }
  bool is_policy(const Rule& rule) const;
  bool is_source(const Rule& rule, const PaymentSource& source) const;
  bool are_steps(std::span<const Step> steps) const;
  bool is_price(const Rule& rule) const;
  bool is_counted(const Rule& rule) const;
  bool has_functions(const Rule& rule) const;
  bool is_program(u64 record, u32 distance, u32 parameters) const;
  bool is_rule(const Rule& rule) const;
  bool is_zone_map(const ZoneMap& map) const;
  bool is_timeline(const Timeline& timeline) const;
  bool are_conditions(const Service& service) const;
  bool is_place(const Service& service, u32 place) const;
  bool is_product(const Product& product) const;

  Bytes bytes_;
  ImageHeader header_;
};

ImageFault Checker::extents() const {
  const bool all_fit = fits<Plan>(header_.plans) && fits<InitialBucket>(header_.buckets) &&
                       fits<Service>(header_.services) && fits<RuleSlot>(header_.rule_slots) &&
                       fits<Rule>(header_.rules) && fits<TextRef>(header_.redirects) &&
                       fits<u8>(header_.texts) && fits<ZoneMap>(header_.zone_maps) &&
                       fits<u32>(header_.zone_index) && fits<u64>(header_.zone_leaves) &&
                       fits<TextRef>(header_.zone_names) && fits<u64>(header_.zone_keys) &&
                       fits<Timeline>(header_.timelines) && fits<u32>(header_.timeline_days) &&
                       fits<u64>(header_.timeline_edges) && fits<u16>(header_.classes) &&
                       fits<u32>(header_.cells) && fits<Counter>(header_.counters) &&
                       fits<RuleFunctions>(header_.functions) && fits<u8>(header_.programs) &&
                       fits<Product>(header_.products) && fits<u32>(header_.product_numbers) &&
                       fits<ProductRow>(header_.product_rows) && fits<Bonus>(header_.bonuses);
  if (!all_fit || header_.redirects.count > 0xffff) return ImageFault::bad_extent;
  return ImageFault::none;
}

bool Checker::plans() const {
  u32 before = 0;
  u64 keeping = 0;
  for (const Plan& plan : table<Plan>(header_.plans)) {
    if (plan.keeps_sessions > 1) return false;
    keeping += plan.keeps_sessions;
    if (plan.id <= before) return false;  // in order, none twice, none zero
    before = plan.id;
    if (!is_money(plan.currency) || !is_text(plan.name)) return false;
    if (u64{plan.buckets.offset} + plan.buckets.count > header_.buckets.count) return false;
    if (u64{plan.bonuses.offset} + plan.bonuses.count > header_.bonuses.count) return false;
  }
  return keeping == header_.keeping_plans;
}

bool Checker::buckets() const {
  const auto is_bonus = [](const Bonus& bonus) {
    return bonus.unit != Unit::none && bonus.from.is_positive() && !bonus.amount.is_negative() &&
           bonus.lifetime.ns >= 0 && bonus.ppm <= 10'000'000;
  };
  if (!std::ranges::all_of(table<Bonus>(header_.bonuses), is_bonus)) return false;
  const auto all = table<InitialBucket>(header_.buckets);
  return std::ranges::all_of(all, [](const InitialBucket& bucket) {
    return bucket.unit != Unit::none && !bucket.amount.is_negative() && bucket.lifetime.ns >= 0 &&
           !bucket.rollover.is_negative();
  });
}

bool Checker::services() const {
  const auto all = table<Service>(header_.services);
  if (!is_power_of_two(all.size())) return false;
  const auto slots = table<RuleSlot>(header_.rule_slots);
  std::vector<u32> empty_before(slots.size() + 1);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    empty_before[i + 1] = empty_before[i] + (slots[i].shape == 0 ? 1 : 0);
  }
  bool has_empty = false;  // or a search for what is not there would never end
  for (const Service& service : all) {
    if (service.plan == 0) {
      has_empty = true;
      continue;
    }
    if (!is_text(service.name) || !are_conditions(service)) return false;
    const bool is_row = (service.default_rule & cells_bit) != 0;
    if (is_row ? !is_place(service, service.default_rule)
               : service.default_rule > header_.rules.count) {
      return false;
    }
    if (service.slots_count == 0) {
      if (service.shapes != 0) return false;
      continue;
    }
    const u64 end = u64{service.slots_first} + service.slots_count;
    if (!is_power_of_two(service.slots_count) || end > slots.size()) return false;
    if (empty_before[end] == empty_before[service.slots_first]) return false;
    const auto own = slots.subspan(service.slots_first, service.slots_count);
    const auto is_good = [&](const RuleSlot& slot) {
      return slot.shape == 0 || is_place(service, slot.rule);
    };
    if (!std::ranges::all_of(own, is_good)) return false;
  }
  return has_empty;
}

bool Checker::is_place(const Service& service, u32 place) const {
  if ((place & cells_bit) == 0) return place < header_.rules.count;
  const u64 end = u64{place & ~cells_bit} + service.cell_count();
  return end <= header_.cells.count;
}

bool Checker::are_conditions(const Service& service) const {
  u64 cells = service.band_count;
  if (service.products > header_.product_rows.count) return false;
  const u32 sets = service.products == 0 ? 1 : 1 << service_products_max;
  if (!is_power_of_two(service.product_count) || service.product_count > sets) return false;
  if (service.products != 0) {
    // A set has a bit for each of the row's numbers, so those without one are none.
    const ProductRow& row = table<ProductRow>(header_.product_rows)[service.products - 1];
    for (u32 i = 0; i < service_products_max; ++i) {
      if (row.id[i] != 0 && service.product_count >> (i + 1) == 0) return false;
    }
  }
  cells *= service.product_count;
  const auto classes = table<u16>(header_.classes);
  for (u32 role = 0; role < number_roles; ++role) {
    const u16 count = service.class_count[role];
    cells *= count;
    if (count == 0 || cells > cells_max) return false;
    if (service.map[role] == 0) continue;
    if (service.map[role] > header_.zone_maps.count) return false;
    const u64 zones = u64{table<ZoneMap>(header_.zone_maps)[service.map[role] - 1].zone_count} + 1;
    if (service.classes_first[role] + zones > classes.size()) return false;
    const auto own = classes.subspan(service.classes_first[role], zones);
    if (std::ranges::any_of(own, [&](u16 number) { return number >= count; })) return false;
  }
  if (cells == 0) return false;
  if (service.timeline == 0) return true;
  if (service.timeline > header_.timelines.count) return false;
  return table<Timeline>(header_.timelines)[service.timeline - 1].class_count <= service.band_count;
}

bool Checker::rule_slots() const {
  const auto cells = table<u32>(header_.cells);
  if (std::ranges::any_of(cells, [this](u32 rule) { return rule > header_.rules.count; })) {
    return false;
  }
  const auto all = table<RuleSlot>(header_.rule_slots);
  return std::ranges::all_of(all, [this](const RuleSlot& slot) {
    return slot.shape == 0 || (slot.rule & cells_bit) != 0 || slot.rule < header_.rules.count;
  });
}

bool Checker::is_policy(const Rule& rule) const {
  const GrantPolicy& grant = rule.grant;
  if (grant.size.is_negative() || grant.smallest.is_negative()) return false;
  if (grant.largest.is_negative() || grant.threshold.is_negative()) return false;
  if (grant.largest.is_positive() && grant.smallest > grant.largest) return false;
  if (grant.threshold_permille > 1000) return false;
  if (grant.final_action > FinalAction::restrict_to_filter) return false;
  if (rule.redirect > header_.redirects.count) return false;
  const bool has_text = grant.final_action == FinalAction::redirect ||
                        grant.final_action == FinalAction::restrict_to_filter;
  return !has_text || rule.redirect != 0;
}

bool Checker::is_source(const Rule& rule, const PaymentSource& source) const {
  if (source.unit == Unit::none || source.rounding > BlockRounding::exact) return false;
  if (!is_within(source.block.count, 1, block_max)) return false;
  if (!is_within(source.amount.count, 1, price_max)) return false;
  if (!source.is_money()) return true;
  if (rule.step_count == 0 || source.rounding > BlockRounding::half_even) return false;
  if (source.unit == rule.currency) return source.block.count == 1 && source.amount.count == 1;
  return source.block.count <= exchange_max && source.amount.count <= exchange_max;
}

bool Checker::are_steps(std::span<const Step> steps) const {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (!is_within(step.block.count, 1, block_max)) return false;
    if (!is_within(step.price.count, 0, price_max)) return false;
    if (!is_within(step.start.count, 0, step_start_max)) return false;
    if (!is_within(step.cost_before.count, 0, cost_before_max)) return false;
    if (i == 0) {
      if (!step.start.is_zero() || !step.cost_before.is_zero()) return false;
      continue;
    }
    const Step& before = steps[i - 1];
    const i64 length = step.start.count - before.start.count;
    if (length <= 0 || length % before.block.count != 0) return false;
    const i128 cost = i128{length / before.block.count} * before.price.count;
    if (before.cost_before.count + cost != step.cost_before.count) return false;
  }
  return true;
}

// What is behind the steps: factor, bounds, cycle.
bool Checker::is_price(const Rule& rule) const {
  if (!is_within(rule.factor, 1, factor_max)) return false;
  if (!is_within(rule.factor_by, 1, factor_max)) return false;
  const bool is_even = rule.factor == rule.factor_by;
  if (is_even && rule.factor != 1) return false;
  // A cap lies where the price can still be calculated.
  if (i128{rule.cap.count} * rule.factor_by > i128{INT64_MAX} * rule.factor) return false;
  if (!is_even && rule.usage_rounding == BlockRounding::exact) {
    const auto is_short = [](const Step& step) { return step.block.count <= exact_block_max; };
    if (!std::ranges::all_of(rule.steps(), is_short)) return false;
  }
  if (!is_within(rule.minimum.count, 0, price_max)) return false;
  if (!is_within(rule.cap.count, 0, price_max)) return false;
  if (rule.cap.is_positive() && rule.cap < rule.minimum) return false;
  if (!is_within(rule.cycle.count, 0, step_start_max)) return false;
  if (!is_within(rule.cycle_cost.count, 0, cost_before_max)) return false;
  if (rule.cycle.is_zero()) return true;
  if (rule.step_count == 0) return false;
  const Step& last = rule.step[rule.step_count - 1];
  const i64 length = rule.cycle.count - last.start.count;
  if (length <= 0 || length % last.block.count != 0) return false;
  const i128 cost = i128{length / last.block.count} * last.price.count + last.cost_before.count;
  return cost == rule.cycle_cost.count;
}

bool Checker::is_counted(const Rule& rule) const {
  const auto counters = table<Counter>(header_.counters);
  if (rule.usage_counter > counters.size() || rule.money_counter > counters.size()) return false;
  if (rule.is_limit_cap > 1 || !is_within(rule.counted_limit.count, 0, price_max)) return false;
  if (rule.usage_counter != 0) {
    if (counters[rule.usage_counter - 1].unit != rule.unit) return false;
    if (rule.minimum.is_positive() || rule.cap.is_positive()) return false;
  }
  if (rule.money_counter == 0) return true;
  if (counters[rule.money_counter - 1].unit != rule.currency) return false;
  return std::ranges::all_of(rule.sources(), [&](const PaymentSource& source) {
    return !source.is_money() || source.unit == rule.currency;
  });
}

// Its functions are one of the records of the image.
bool Checker::has_functions(const Rule& rule) const {
  const u64 rule_at = static_cast<u64>(reinterpret_cast<const u8*>(&rule) - bytes_.data());
  const u64 at = rule_at + rule.functions;
  if (at < header_.functions.offset) return false;
  const u64 inside = at - header_.functions.offset;
  const u64 number = inside / sizeof(RuleFunctions);
  if (inside % sizeof(RuleFunctions) != 0 || number >= header_.functions.count) return false;
  const RuleFunctions& functions = table<RuleFunctions>(header_.functions)[number];
  return functions.price == 0 || (rule.step_count == 1 && rule.cycle.is_zero() &&
                                  rule.usage_rounding != BlockRounding::exact);
}

// A program so many octets behind a record; 0: there is none.
bool Checker::is_program(u64 record, u32 distance, u32 parameters) const {
  if (distance == 0) return true;
  const u64 end = u64{header_.programs.offset} + header_.programs.count;
  const u64 begin = record + distance;
  if (begin < header_.programs.offset || begin % alignof(ProgramHeader) != 0) return false;
  if (begin + sizeof(ProgramHeader) > end) return false;
  ProgramHeader header;
  std::memcpy(&header, bytes_.data() + begin, sizeof header);
  if (header.bytes < sizeof header || begin + header.bytes > end) return false;
  if ((header.facts_used & ~price_facts) != 0 || header.parameter_count != parameters) return false;
  if (header.input_count > parameters + fact_count) return false;
  return header.steps_max <= price_steps_max &&
         validate_program(bytes_.subspan(begin, header.bytes));
}

bool Checker::functions() const {
  u64 at = header_.functions.offset;
  for (const RuleFunctions& each : table<RuleFunctions>(header_.functions)) {
    const auto is_counter = [&](u16 number) { return number <= header_.counters.count; };
    if (!std::ranges::all_of(each.price_counter, is_counter) ||
        !std::ranges::all_of(each.discount_counter, is_counter) || !is_program(at, each.price, 0) ||
        !is_program(at, each.discount, discount_parameters) ||
        !is_within(each.off.count, 0, price_max) || each.zone_role >= number_roles ||
        each.clock > header_.timelines.count || each.zone_map > header_.zone_maps.count) {
      return false;
    }
    if (each.clock != 0) {
      const Timeline& clock = table<Timeline>(header_.timelines)[each.clock - 1];
      if (clock.class_count != 2 * clock_minutes_max + 1) return false;
    }
    at += sizeof each;
  }
  return true;
}

bool Checker::is_zone_map(const ZoneMap& map) const {
  if (map.digits > zone_index_digits_max || !is_text(map.name)) return false;
  if (map.divisor != number_power(number_digits_max - map.digits)) return false;
  const u64 places = number_power(map.digits) + 1;
  if (map.index_first + places > header_.zone_index.count) return false;
  if (u64{map.leaves_first} + map.leaf_count > header_.zone_leaves.count) return false;
  if (u64{map.zones_first} + map.zone_count > header_.zone_names.count) return false;
  const auto keys = table<u64>(header_.zone_keys).subspan(map.zones_first, map.zone_count);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto zone = static_cast<u32>(keys[i]);
    if (zone == 0 || zone > map.zone_count) return false;
    if (i > 0 && keys[i] >> 32 <= keys[i - 1] >> 32) return false;
  }
  const auto index = table<u32>(header_.zone_index).subspan(map.index_first, places);
  const auto leaves = table<u64>(header_.zone_leaves).subspan(map.leaves_first, map.leaf_count);
  if (leaves.empty() || leaves[0] >> zone_bits != 0) return false;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if ((leaves[i] & zones_max) > map.zone_count) return false;
    if (i > 0 && leaves[i] <= leaves[i - 1]) return false;
  }
  // A search in place p looks at the leaves from index[p] on and falls back on the one before.
  if (index[0] != 0 || index[places - 1] != leaves.size()) return false;
  for (std::size_t i = 1; i < index.size(); ++i) {
    if (index[i] < std::max(index[i - 1], 1U) || index[i] > leaves.size()) return false;
  }
  return true;
}

bool Checker::zones() const {
  const auto names = table<TextRef>(header_.zone_names);
  const auto maps = table<ZoneMap>(header_.zone_maps);
  if (header_.zone_keys.count != header_.zone_names.count) return false;
  return std::ranges::all_of(names, [this](TextRef ref) { return is_text(ref); }) &&
         std::ranges::all_of(maps, [this](const ZoneMap& map) { return is_zone_map(map); });
}

bool Checker::is_timeline(const Timeline& timeline) const {
  if (u64{timeline.days_first} + timeline_days > header_.timeline_days.count) return false;
  if (u64{timeline.edges_first} + timeline.edge_count > header_.timeline_edges.count) return false;
  if (timeline.edge_count == 0) return false;
  const auto days = table<u32>(header_.timeline_days).subspan(timeline.days_first, timeline_days);
  const auto edges =
      table<u64>(header_.timeline_edges).subspan(timeline.edges_first, timeline.edge_count);
  constexpr u64 class_mask = (u64{1} << timeline_class_bits) - 1;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if ((edges[i] & class_mask) >= timeline.class_count) return false;
    if (edges[i] >> timeline_class_bits >= static_cast<u64>(timeline_seconds)) return false;
    const u64 before = i == 0 ? 0 : edges[i - 1] >> timeline_class_bits;
    if (i > 0 && edges[i] >> timeline_class_bits <= before) return false;
  }
  return std::ranges::all_of(days, [&](u32 edge) { return edge < edges.size(); });
}

bool Checker::timelines() const {
  const auto all = table<Timeline>(header_.timelines);
  return std::ranges::all_of(all, [this](const Timeline& each) { return is_timeline(each); });
}

bool Checker::counters() const {
  const auto all = table<Counter>(header_.counters);
  const auto products = table<Product>(header_.products);
  return std::ranges::all_of(all, [&](const Counter& counter) {
    const auto is_its = [&](const Product& each) { return each.id == counter.product; };
    if (counter.product != 0 && (counter.period != Period::ever || counter.is_shared != 0 ||
                                 std::ranges::none_of(products, is_its))) {
      return false;
    }
    return counter.unit != Unit::none && counter.period <= Period::month &&
           counter.is_shared <= 1 && counter.timeline <= header_.timelines.count &&
           is_text(counter.name);
  });
}

bool Checker::is_product(const Product& product) const {
  if (product.id == 0 || !is_money(product.currency) || product.period > Period::month)
    return false;
  if (product.proration > Rounding::half_even || product.day > Product::last_day) return false;
  if (product.period == Period::week && product.day > 7) return false;
  if (product.period == Period::day && product.day != 0) return false;
  if (!is_within(product.fee.count, 0, price_max)) return false;
  if (!is_within(product.recurring_fee.count, 0, price_max)) return false;
  if (!is_within(product.proration_step.count, 1, proration_step_max)) return false;
  if (!is_text(product.name) || !is_text(product.timezone)) return false;
  const u64 end = u64{product.allowances.offset} + product.allowances.count;
  if (end > header_.buckets.count) return false;
  for (const Extent each : {product.prices, product.plans, product.needs, product.excludes}) {
    if (u64{each.offset} + each.count > header_.product_numbers.count) return false;
  }
  return product.prices.count <= priced_products_max;
}

bool Checker::products() const {
  const auto all = table<Product>(header_.products);
  return std::ranges::all_of(all, [this](const Product& each) { return is_product(each); });
}

bool Checker::is_rule(const Rule& rule) const {
  if (rule.verdict > Verdict::barred || rule.meter > Meter::download) return false;
  if (rule.usage_rounding > BlockRounding::exact) return false;
  if (rule.money_rounding > Rounding::half_even) return false;
  if (rule.unit == Unit::none || !is_money(rule.currency)) return false;
  if (rule.step_count > steps_max || rule.source_count > sources_max) return false;
  if (rule.verdict == Verdict::charged && rule.source_count == 0) return false;
  if (!is_text(rule.file) || !is_text(rule.name)) return false;
  if (!is_within(rule.setup_fee.count, 0, price_max)) return false;
  if (!is_within(rule.money_step.count, 1, price_max)) return false;
  const auto is_good = [&](const PaymentSource& source) { return is_source(rule, source); };
  if (!std::ranges::all_of(rule.sources(), is_good)) return false;
  if (rule.functions != 0 && !has_functions(rule)) return false;
  return are_steps(rule.steps()) && is_price(rule) && is_counted(rule) && is_policy(rule);
}

bool Checker::rules() const {
  const auto all = table<Rule>(header_.rules);
  return std::ranges::all_of(all, [this](const Rule& rule) { return is_rule(rule); });
}

bool Checker::redirects() const {
  const auto all = table<TextRef>(header_.redirects);
  return std::ranges::all_of(all, [this](TextRef ref) { return is_text(ref); });
}

u32 image_crc(Bytes bytes) {
  ImageHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.crc = 0;
  const u32 of_header = crc32c({reinterpret_cast<const u8*>(&header), sizeof header});
  return crc32c(bytes.subspan(sizeof header), of_header);
}

}  // namespace

void seal(MutableBytes image) {
  check(image.size() >= sizeof(ImageHeader), "an image begins with its header");
  const u32 crc = image_crc(image);
  std::memcpy(image.data() + offsetof(ImageHeader, crc), &crc, sizeof crc);
}

ImageFault validate(Bytes bytes) {
  if (bytes.size() < sizeof(ImageHeader)) return ImageFault::too_short;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return ImageFault::misaligned;
  ImageHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != image_magic) return ImageFault::wrong_magic;
  if (header.layout != image_layout) return ImageFault::wrong_layout;
  if (header.size_bytes != bytes.size()) return ImageFault::wrong_size;
  if (header.size_bytes > image_size_max) return ImageFault::wrong_size;
  if (image_crc(bytes) != header.crc) return ImageFault::wrong_crc;

  const Checker checker(bytes);
  if (checker.extents() != ImageFault::none) return ImageFault::bad_extent;
  if (!checker.plans()) return ImageFault::bad_plan;
  if (!checker.buckets()) return ImageFault::bad_bucket;
  if (!checker.zones()) return ImageFault::bad_zones;
  if (!checker.timelines()) return ImageFault::bad_timeline;
  if (!checker.counters()) return ImageFault::bad_counter;
  if (!checker.products()) return ImageFault::bad_product;
  if (!checker.rule_slots()) return ImageFault::bad_rule_slot;
  if (!checker.services()) return ImageFault::bad_service;
  if (!checker.functions()) return ImageFault::bad_functions;
  if (!checker.rules()) return ImageFault::bad_rule;
  if (!checker.redirects()) return ImageFault::bad_redirect;
  return ImageFault::none;
}

}  // namespace tollgate::rating
