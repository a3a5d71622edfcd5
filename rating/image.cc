// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/image.hh"

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/slots.hh"

namespace tollgate::rating {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr u32 role_bit(NumberRole role) {
  return 1u << static_cast<u32>(role);
}

}  // namespace

u32 plan_id(std::string_view name) {
  return crc32c(as_bytes(name));
}

u32 counter_id(std::string_view name) {
  return crc32c(as_bytes(name));
}

// Another number than that of an account's own counter of this name: a payer may have both.
u32 shared_counter_id(std::string_view name) {
  constexpr u32 apart = 0x9e3779b9;
  return counter_id(name) ^ apart;
}

u64 context_key(std::string_view service_context_id) {
  constexpr std::string_view domain = "@3gpp.org";
  if (service_context_id.ends_with(domain)) {
    const std::size_t end = service_context_id.size() - domain.size();
    std::size_t begin = end;
    while (begin > 0 && is_digit(service_context_id[begin - 1])) --begin;
    const bool is_whole = begin == 0 || service_context_id[begin - 1] == '.';
    if (is_whole && end - begin >= 1 && end - begin <= 9) {
      u64 number = 0;
      for (std::size_t i = begin; i < end; ++i) {
        number = number * 10 + static_cast<u64>(service_context_id[i] - '0');
      }
      return number;
    }
  }
  // Above any number of a specification, so that the two never meet.
  return hash64(as_bytes(service_context_id)) | u64{1} << 63;
}

std::string_view to_text(ImageFault fault) {
  switch (fault) {
    case ImageFault::none:
      return "none";
    case ImageFault::too_short:
      return "too_short";
    case ImageFault::misaligned:
      return "misaligned";
    case ImageFault::wrong_magic:
      return "wrong_magic";
    case ImageFault::wrong_layout:
      return "wrong_layout";
    case ImageFault::wrong_size:
      return "wrong_size";
    case ImageFault::wrong_crc:
      return "wrong_crc";
    case ImageFault::bad_extent:
      return "bad_extent";
    case ImageFault::bad_plan:
      return "bad_plan";
    case ImageFault::bad_bucket:
      return "bad_bucket";
    case ImageFault::bad_service:
      return "bad_service";
    case ImageFault::bad_rule_slot:
      return "bad_rule_slot";
    case ImageFault::bad_rule:
      return "bad_rule";
    case ImageFault::bad_functions:
      return "bad_functions";
    case ImageFault::bad_redirect:
      return "bad_redirect";
    case ImageFault::bad_zones:
      return "bad_zones";
    case ImageFault::bad_timeline:
      return "bad_timeline";
    case ImageFault::bad_counter:
      return "bad_counter";
    case ImageFault::bad_product:
      return "bad_product";
  }
  return "unknown";
}

std::string_view to_text(Found found) {
  switch (found) {
    case Found::rule:
      return "rule";
    case Found::no_plan:
      return "no_plan";
    case Found::no_service:
      return "no_service";
    case Found::no_rule:
      return "no_rule";
  }
  return "unknown";
}

Image::Image(Bytes bytes) : base_(bytes.data()) {
  check(bytes.size() >= sizeof(ImageHeader), "an image was validated");
  check(header().magic == image_magic, "an image was validated");
}

const Service* Image::find_service(u32 plan, u64 context) const {
  const std::span<const Service> slots = services();
  const u64 mask = slots.size() - 1;
  for (u64 at = service_slot(plan, context) & mask;; at = (at + 1) & mask) {
    const Service& slot = slots[at];
    if (slot.plan == plan && slot.context == context) return &slot;
    if (slot.plan == 0) return nullptr;
  }
}

const RuleSlot* Image::find_slot(const Service& service, const RuleSlot& key) const {
  const std::span<const RuleSlot> slots =
      rule_slots().subspan(service.slots_first, service.slots_count);
  const u64 mask = slots.size() - 1;
  for (u64 at = rule_slot(key) & mask;; at = (at + 1) & mask) {
    const RuleSlot& slot = slots[at];
    if (slot.shape == 0) return nullptr;
    if (slot.shape == key.shape && slot.rating_group == key.rating_group &&
        slot.service_identifier == key.service_identifier) {
      return &slot;
    }
  }
}

u64 Image::number_of(const RuleKey& key, NumberRole role) {
  switch (role) {
    case NumberRole::origin:
      return key.origin;
    case NumberRole::destination:
      return key.destination;
    case NumberRole::network:
      return key.network;
  }
  return number_absent;
}

ZoneTables Image::zone_tables(const ZoneMap& map) const {
  return {table<u32>(header().zone_index).subspan(map.index_first, number_power(map.digits) + 1),
          table<u64>(header().zone_leaves).subspan(map.leaves_first, map.leaf_count), map.divisor};
}

std::string_view Image::zone_name(const ZoneMap& map, u32 zone) const {
  if (zone == 0 || zone > map.zone_count) return {};
  return text(table<TextRef>(header().zone_names)[map.zones_first + zone - 1]);
}

u32 Image::zone_of(const Service& service, NumberRole role, const RuleKey& key) const {
  const u32 number = service.map[static_cast<u32>(role)];
  if (number == 0) return 0;
  const ZoneMap& map = zone_maps()[number - 1];
  const bool may_be_named =
      role == NumberRole::destination ||
      (role == NumberRole::network && service.map[static_cast<u32>(NumberRole::destination)] == 0);
  return zone_in(map, number_of(key, role), may_be_named ? key.zone : 0);
}

u32 Image::zone_in(const ZoneMap& map, u64 number, u32 named) const {
  if (named != 0) {
    const auto keys = table<u64>(header().zone_keys).subspan(map.zones_first, map.zone_count);
    const u32 zone = zone_named(keys, named);
    if (zone != 0) return zone;
  }
  return rating::zone_of(zone_tables(map), number);
}

u32 Image::roles_asked() const {
  u32 roles = 0;
  for (const Service& service : services()) {
    for (u32 role = 0; role < number_roles; ++role) {
      if (service.map[role] != 0) roles |= 1u << role;
    }
  }
  for (const RuleFunctions& functions : table<RuleFunctions>(header().functions)) {
    if (functions.asks(Fact::calling)) roles |= role_bit(NumberRole::origin);
    if (functions.asks(Fact::called)) roles |= role_bit(NumberRole::destination);
    if (functions.asks(Fact::network)) roles |= role_bit(NumberRole::network);
    if (functions.asks(Fact::direction) || functions.asks(Fact::location)) roles |= way_asked;
    if (functions.zone_map != 0) roles |= 1u << functions.zone_role;
  }
  return roles;
}

void Image::fill_zone(const RuleFunctions& functions, const RuleKey& key, Facts& facts) const {
  const ZoneMap& map = zone_maps()[functions.zone_map - 1];
  const u64 number = number_of(key, static_cast<NumberRole>(functions.zone_role));
  const u32 zone = zone_in(map, number, key.zone);
  facts[Fact::zone] = zone == 0 ? 0 : static_cast<i64>(text_key(zone_name(map, zone)));
}

void Image::fill_facts(const Rule& rule, const RuleKey& key, Instant began,
                       PriceFacts& facts) const {
  const RuleFunctions& functions = functions_of(rule);
  Facts& all = facts.facts;
  const auto number_or_none = [](u64 number) {
    return number == RuleKey::absent ? 0 : static_cast<i64>(number);
  };
  all[Fact::rating_group] = number_or_none(key.rating_group);
  all[Fact::service_identifier] = number_or_none(key.service_identifier);
  all[Fact::service] = service_fact(key.context);
  all[Fact::direction] = static_cast<i64>(text_key(to_text(key.direction)));
  all[Fact::location] = static_cast<i64>(text_key(to_text(key.location)));
  all[Fact::calling] = static_cast<i64>(number_digits(key.origin));
  all[Fact::called] = static_cast<i64>(number_digits(key.destination));
  all[Fact::network] = static_cast<i64>(number_digits(key.network));
  if (functions.zone_map != 0) fill_zone(functions, key, all);
  if (functions.clock == 0) return;
  const Timeline& clock = table<Timeline>(header().timelines)[functions.clock - 1];
  fill_calendar(began, clock_offset(class_at(timeline_tables(clock), began).number), all);
}

TimelineTables Image::timeline_tables(const Timeline& timeline) const {
  return {table<u32>(header().timeline_days).subspan(timeline.days_first, timeline_days),
          table<u64>(header().timeline_edges).subspan(timeline.edges_first, timeline.edge_count)};
}

Instant Image::period_end(const Counter& counter, Instant at) const {
  if (counter.timeline == 0) return Instant::never();
  const Timeline& timeline = table<Timeline>(header().timelines)[counter.timeline - 1];
  return class_at(timeline_tables(timeline), at).until;
}

Image::Conditions Image::conditions_of(const Where& where) const {
  const Service& service = *where.service;
  Conditions conditions;
  if (!service.has_conditions()) return conditions;
  if (service.products != 0) {
    const ProductRow& row = table<ProductRow>(header().product_rows)[service.products - 1];
    conditions.cell = product_class(row, where.key.products);
  }
  for (u32 role = 0; role < number_roles; ++role) {
    u32 number = 0;
    if (service.map[role] != 0) {
      const auto as_role = static_cast<NumberRole>(role);
      const u32 zone = zone_of(service, as_role, where.key);
      number = table<u16>(header().classes)[service.classes_first[role] + zone];
    }
    conditions.cell = conditions.cell * service.class_count[role] + number;
  }
  conditions.cell *= service.band_count;
  if (service.timeline != 0) {
    const Timeline& timeline = table<Timeline>(header().timelines)[service.timeline - 1];
    conditions.time = class_at(timeline_tables(timeline), where.at);
  }
  return conditions;
}

const Rule* Image::resolve(u32 place, const Conditions& conditions) const {
  if ((place & cells_bit) == 0) return &rules()[place];
  const u32 cell = (place & ~cells_bit) + conditions.cell + conditions.time.number;
  const u32 rule = table<u32>(header().cells)[cell];
  return rule == 0 ? nullptr : &rules()[rule - 1];
}

const Rule* Image::choose(const Where& where, const Conditions& conditions) const {
  const Service& service = *where.service;
  const RuleKey& key = where.key;
  const bool is_group_given = key.rating_group <= 0xffffffff;
  const bool has_group = is_group_given || service.default_group_known != 0;
  const bool has_identifier = key.service_identifier <= 0xffffffff;
  const u32 group = is_group_given ? static_cast<u32>(key.rating_group) : service.default_group;
  const u32 identifier = has_identifier ? static_cast<u32>(key.service_identifier) : 0;

  u32 shapes = service.shapes;
  if (!has_group) shapes &= RuleSlot::by_identifier;
  if (!has_identifier) shapes &= RuleSlot::by_group;
  const Rule* found = nullptr;
  const auto look = [&](const RuleSlot& slot_key) {
    if (found != nullptr || (shapes & slot_key.shape) == 0) return;
    const RuleSlot* slot = find_slot(service, slot_key);
    if (slot != nullptr) found = resolve(slot->rule, conditions);
  };
  look({group, identifier, RuleSlot::by_both, 0});
  if (is_group_given) look({group, 0, RuleSlot::by_group, 0});
  look({0, identifier, RuleSlot::by_identifier, 0});
  if (!is_group_given) look({group, 0, RuleSlot::by_group, 0});
  if (found != nullptr || service.default_rule == 0) return found;
  if ((service.default_rule & cells_bit) != 0) return resolve(service.default_rule, conditions);
  return &rules()[service.default_rule - 1];
}

// Edges at which this request keeps its rule are none for it. Looks a day or so ahead: a client
// that is told an edge too early asks again, and is told the next.
void Image::extend(const Where& where, Conditions conditions, Match& match) const {
  constexpr int edges_max = 8;
  const Timeline& timeline = table<Timeline>(header().timelines)[where.service->timeline - 1];
  const TimelineTables tables = timeline_tables(timeline);
  match.until = conditions.time.until;
  for (int i = 0; i < edges_max; ++i) {
    conditions.time = class_at(tables, match.until);
    if (choose(where, conditions) != match.rule) return;
    match.until = conditions.time.until;
  }
}

Found Image::find(const RuleKey& key, Instant at, Match& match) const {
  // Plan 0 marks empty slots, so it must not be looked for.
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr)
    return find_plan(key.plan) == nullptr ? Found::no_plan : Found::no_service;
  const Where where{service, key, at};
  const Conditions conditions = conditions_of(where);
  match.service = service;
  match.rule = choose(where, conditions);
  match.until = Instant::never();
  match.since = conditions.time.since;
  if (service->timeline != 0) extend(where, conditions, match);
  return match.rule == nullptr ? Found::no_rule : Found::rule;
}

Found Image::find_rule(const RuleKey& key, Instant at, const Rule*& rule) const {
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr)
    return find_plan(key.plan) == nullptr ? Found::no_plan : Found::no_service;
  const Where where{service, key, at};
  const Rule* found = choose(where, conditions_of(where));
  if (found == nullptr) return Found::no_rule;
  rule = found;
  return Found::rule;
}

void Image::prefetch_service(u32 plan, u64 context) const {
  const std::span<const Service> slots = services();
  __builtin_prefetch(&slots[service_slot(plan, context) & (slots.size() - 1)]);
}

void Image::prefetch_rule(const RuleKey& key) const {
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr || service->slots_count == 0) return;
  const u64 group = key.rating_group != RuleKey::absent ? key.rating_group : service->default_group;
  const RuleSlot slot{static_cast<u32>(group), 0, RuleSlot::by_group, 0};
  __builtin_prefetch(
      &rule_slots()[service->slots_first + (rule_slot(slot) & (service->slots_count - 1))]);
}

void Image::prefetch_zone_index(const RuleKey& key) const {
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr) return;
  for (u32 role = 0; role < number_roles; ++role) {
    if (service->map[role] == 0) continue;
    const ZoneMap& map = zone_maps()[service->map[role] - 1];
    rating::prefetch_zone_index(zone_tables(map), number_of(key, static_cast<NumberRole>(role)));
  }
}

void Image::prefetch_zones(const RuleKey& key) const {
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr) return;
  for (u32 role = 0; role < number_roles; ++role) {
    if (service->map[role] == 0) continue;
    const ZoneMap& map = zone_maps()[service->map[role] - 1];
    const ZoneTables tables = zone_tables(map);
    const u64 number = number_of(key, static_cast<NumberRole>(role));
    if (number >= number_key_end) continue;
    // Where no stretch begins in this place or behind it, that is one past the last.
    __builtin_prefetch(tables.leaves.data() + tables.index[number / tables.divisor]);
  }
}

const Plan* Image::find_plan(u32 id) const {
  // In the order of their numbers. Only for refusals and for the control process.
  const std::span<const Plan> all = plans();
  std::size_t low = 0;
  std::size_t high = all.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (all[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < all.size() && all[low].id == id ? &all[low] : nullptr;
}

std::span<const InitialBucket> Image::buckets(const Plan& plan) const {
  return table<InitialBucket>(header().buckets).subspan(plan.buckets.offset, plan.buckets.count);
}

std::span<const Bonus> Image::bonuses(const Plan& plan) const {
  return table<Bonus>(header().bonuses).subspan(plan.bonuses.offset, plan.bonuses.count);
}

std::vector<InitialBucket> Image::bonuses(const Plan& plan, Money top_up) const {
  const std::span<const Bonus> all = bonuses(plan);
  Money reached;
  for (const Bonus& bonus : all) {
    if (bonus.from <= top_up && bonus.from > reached) reached = bonus.from;
  }
  std::vector<InitialBucket> brought;
  for (const Bonus& bonus : all) {
    if (bonus.from != reached || top_up < reached) continue;
    InitialBucket one;
    one.unit = bonus.unit;
    one.priority = bonus.priority;
    one.amount = bonus.amount;
    one.lifetime = bonus.lifetime;
    if (bonus.ppm != 0 &&
        !scale(top_up.count, bonus.ppm, 1'000'000, Rounding::down, one.amount.count)) {
      continue;  // no top-up is so large
    }
    if (one.amount.is_positive()) brought.push_back(one);
  }
  return brought;
}

const Product* Image::find_product(u32 id) const {
  for (const Product& product : products()) {
    if (product.id == id) return &product;
  }
  return nullptr;
}

std::span<const InitialBucket> Image::allowances(const Product& product) const {
  return table<InitialBucket>(header().buckets)
      .subspan(product.allowances.offset, product.allowances.count);
}

std::span<const u32> Image::numbers(Extent of_product) const {
  return table<u32>(header().product_numbers).subspan(of_product.offset, of_product.count);
}

std::string_view Image::text(TextRef ref) const {
  return as_text(table<u8>(header().texts).subspan(ref.offset, ref.length));
}

u32 Image::tag_to_keep(u32 plan) const {
  if (header().keeping_plans == 0) [[likely]]
    return 0;
  const Plan* found = find_plan(plan);
  return found != nullptr && found->keeps_sessions != 0 ? tag() : 0;
}

u16 Image::redirect_number(std::string_view url) const {
  u16 number = 0;
  for (const TextRef ref : table<TextRef>(header().redirects)) {
    ++number;
    if (text(ref) == url) return number;
  }
  return 0;
}

std::string_view Image::redirect(u16 number) const {
  const std::span<const TextRef> all = table<TextRef>(header().redirects);
  return number == 0 || number > all.size() ? std::string_view{} : text(all[number - 1]);
}

}  // namespace tollgate::rating
