// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/build.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/charge_event.hh"
#include "rating/slots.hh"

namespace tollgate::rating {
namespace {

// Places tables one behind the other, each at the beginning of a cache line.
class Layout {
 public:
  template <class Record>
  Extent place(const std::vector<Record>& records) {
    const Extent extent{static_cast<u32>(size_), static_cast<u32>(records.size())};
    size_ = round_up(size_ + records.size() * sizeof(Record), cache_line_bytes);
    return extent;
  }
  u64 size() const { return size_; }

 private:
  u64 size_ = round_up(sizeof(ImageHeader), cache_line_bytes);
};

template <class Record>
void put(std::vector<u8>& image, Extent extent, const std::vector<Record>& records) {
  if (records.empty()) return;
  std::memcpy(image.data() + extent.offset, records.data(), records.size() * sizeof(Record));
}

constexpr u64 program_step = 16;

// Slots for `count` records: under half full, so that searches are short and end.
std::size_t table_size(std::size_t count) {
  return next_power_of_two(2 * count + 1);
}

}  // namespace

TextRef ImageBuilder::add_text(std::string_view text) {
  const auto known = text_refs_.find(text);
  if (known != text_refs_.end()) return known->second;
  const TextRef ref{static_cast<u32>(texts_.size()), static_cast<u32>(text.size())};
  texts_ += text;
  text_refs_.emplace(text, ref);
  return ref;
}

u16 ImageBuilder::add_redirect(std::string_view url) {
  const auto known = redirect_numbers_.find(url);
  if (known != redirect_numbers_.end()) return known->second;
  if (redirects_.size() == 0xffff) return 0;
  redirects_.push_back(add_text(url));
  const u16 number = static_cast<u16>(redirects_.size());
  redirect_numbers_.emplace(url, number);
  return number;
}

u32 ImageBuilder::add_rule(const Rule& rule) {
  rules_.push_back(rule);
  return static_cast<u32>(rules_.size() - 1);
}

void ImageBuilder::add_plan(Plan plan, std::span<const InitialBucket> buckets,
                            std::span<const Bonus> bonuses) {
  plan.bonuses = {static_cast<u32>(bonuses_.size()), static_cast<u32>(bonuses.size())};
  bonuses_.insert(bonuses_.end(), bonuses.begin(), bonuses.end());
  plan.buckets = {static_cast<u32>(buckets_.size()), static_cast<u32>(buckets.size())};
  buckets_.insert(buckets_.end(), buckets.begin(), buckets.end());
  plans_.push_back(plan);
}

void ImageBuilder::add_product(Product product, std::span<const InitialBucket> allowances) {
  product.allowances = {static_cast<u32>(buckets_.size()), static_cast<u32>(allowances.size())};
  buckets_.insert(buckets_.end(), allowances.begin(), allowances.end());
  products_.push_back(product);
}

Extent ImageBuilder::add_product_numbers(std::span<const u32> numbers) {
  const Extent extent{static_cast<u32>(product_numbers_.size()), static_cast<u32>(numbers.size())};
  product_numbers_.insert(product_numbers_.end(), numbers.begin(), numbers.end());
  return extent;
}

u32 ImageBuilder::add_product_row(const ProductRow& row) {
  product_rows_.push_back(row);
  return static_cast<u32>(product_rows_.size());
}

void ImageBuilder::add_service(Service service, std::span<const u64> contexts,
                               std::span<const RuleSlot> slots) {
  service.slots_first = static_cast<u32>(slots_.size());
  service.slots_count = slots.empty() ? 0 : static_cast<u32>(table_size(slots.size()));
  service.shapes = 0;
  slots_.resize(slots_.size() + service.slots_count);
  const u64 mask = service.slots_count - 1;
  for (const RuleSlot& slot : slots) {
    service.shapes |= slot.shape;
    u64 at = rule_slot(slot) & mask;
    while (slots_[service.slots_first + at].shape != 0) at = (at + 1) & mask;
    slots_[service.slots_first + at] = slot;
  }
  for (const u64 context : contexts) {
    service.context = context;
    services_.push_back(service);
  }
}

u32 ImageBuilder::add_zone_map(std::string_view name, std::span<const std::string> zones,
                               const BuiltZones& built) {
  ZoneMap map;
  map.index_first = static_cast<u32>(zone_index_.size());
  map.leaves_first = static_cast<u32>(zone_leaves_.size());
  map.leaf_count = static_cast<u32>(built.leaves.size());
  map.zones_first = static_cast<u32>(zone_names_.size());
  map.zone_count = static_cast<u32>(zones.size());
  map.digits = built.digits;
  map.divisor = number_power(number_digits_max - built.digits);
  map.name = add_text(name);
  zone_index_.insert(zone_index_.end(), built.index.begin(), built.index.end());
  zone_leaves_.insert(zone_leaves_.end(), built.leaves.begin(), built.leaves.end());
  u32 number = 0;
  for (const std::string& zone : zones) {
    zone_names_.push_back(add_text(zone));
    zone_keys_.push_back(zone_key(zone_id(text_key(zone)), ++number));
  }
  std::ranges::sort(zone_keys_.begin() + map.zones_first, zone_keys_.end());
  zone_maps_.push_back(map);
  return static_cast<u32>(zone_maps_.size());
}

u32 ImageBuilder::add_timeline(const BuiltTimeline& built) {
  Timeline timeline;
  timeline.days_first = static_cast<u32>(timeline_days_.size());
  timeline.edges_first = static_cast<u32>(timeline_edges_.size());
  timeline.edge_count = static_cast<u32>(built.edges.size());
  timeline.class_count = static_cast<u32>(built.masks.size());
  timeline_days_.insert(timeline_days_.end(), built.days.begin(), built.days.end());
  timeline_edges_.insert(timeline_edges_.end(), built.edges.begin(), built.edges.end());
  timelines_.push_back(timeline);
  return static_cast<u32>(timelines_.size());
}

u32 ImageBuilder::add_counter(const Counter& counter) {
  const std::vector<u32> key = {counter.id,
                                static_cast<u32>(counter.unit),
                                static_cast<u32>(counter.period),
                                counter.timeline,
                                counter.is_shared,
                                counter.product};
  const auto [known, is_new] =
      counter_numbers_.emplace(key, static_cast<u32>(counters_.size()) + 1);
  if (is_new) counters_.push_back(counter);
  return known->second;
}

u32 ImageBuilder::add_program(Bytes program) {
  check(program.size() % program_step == 0, "programs are whole multiples of their alignment");
  const u64 at = programs_.size();
  programs_.insert(programs_.end(), program.begin(), program.end());
  return static_cast<u32>(at / program_step + 1);
}

u32 ImageBuilder::add_functions(const RuleFunctions& functions) {
  functions_.push_back(functions);
  return static_cast<u32>(functions_.size());
}

// The rules with the distance to their functions.
std::vector<Rule> ImageBuilder::placed_rules(Extent rules, Extent functions) const {
  std::vector<Rule> placed = rules_;
  u64 at = rules.offset;
  for (Rule& rule : placed) {
    if (rule.functions != 0) {
      const u64 place = functions.offset + (rule.functions - 1) * sizeof(RuleFunctions);
      rule.functions = static_cast<u32>(place - at);
    }
    at += sizeof rule;
  }
  return placed;
}

// And these with the distance to their programs.
std::vector<RuleFunctions> ImageBuilder::placed_functions(Extent functions, Extent programs) const {
  std::vector<RuleFunctions> placed = functions_;
  u64 at = functions.offset;
  for (RuleFunctions& each : placed) {
    for (u32* const program : {&each.price, &each.discount}) {
      if (*program == 0) continue;
      *program = static_cast<u32>(programs.offset + u64{*program - 1} * program_step - at);
    }
    at += sizeof each;
  }
  return placed;
}

u32 ImageBuilder::add_classes(std::span<const u16> classes) {
  std::vector<u16> key(classes.begin(), classes.end());
  const auto [known, is_new] =
      class_places_.emplace(std::move(key), static_cast<u32>(classes_.size()));
  if (is_new) classes_.insert(classes_.end(), classes.begin(), classes.end());
  return known->second;
}

u32 ImageBuilder::add_cells(std::span<const u32> cells) {
  const auto place = static_cast<u32>(cells_.size());
  cells_.insert(cells_.end(), cells.begin(), cells.end());
  return place | cells_bit;
}

std::vector<Service> ImageBuilder::service_table() const {
  std::vector<Service> table(table_size(services_.size()));
  const u64 mask = table.size() - 1;
  for (const Service& service : services_) {
    u64 at = service_slot(service.plan, service.context) & mask;
    while (table[at].plan != 0) at = (at + 1) & mask;
    table[at] = service;
  }
  return table;
}

std::vector<u8> ImageBuilder::finish() {
  std::ranges::sort(plans_, {}, &Plan::id);
  const std::vector<Service> services = service_table();
  const std::vector<u8> texts(texts_.begin(), texts_.end());
  std::vector<Rule> rules = rules_;
  std::vector<RuleFunctions> functions = functions_;
  Layout layout;
  ImageHeader header;
  header.magic = image_magic;
  header.layout = image_layout;
  for (const Plan& plan : plans_) header.keeping_plans += plan.keeps_sessions;
  // Each table twice: where it lies, then its octets.
  const auto each_table = [&](auto visit) {
    visit(header.plans, plans_);
    visit(header.buckets, buckets_);
    visit(header.services, services);
    visit(header.rule_slots, slots_);
    visit(header.rules, rules);
    visit(header.redirects, redirects_);
    visit(header.texts, texts);
    visit(header.zone_maps, zone_maps_);
    visit(header.zone_index, zone_index_);
    visit(header.zone_leaves, zone_leaves_);
    visit(header.zone_names, zone_names_);
    visit(header.zone_keys, zone_keys_);
    visit(header.timelines, timelines_);
    visit(header.timeline_days, timeline_days_);
    visit(header.timeline_edges, timeline_edges_);
    visit(header.classes, classes_);
    visit(header.cells, cells_);
    visit(header.counters, counters_);
    visit(header.functions, functions);
    visit(header.programs, programs_);
    visit(header.products, products_);
    visit(header.product_numbers, product_numbers_);
    visit(header.product_rows, product_rows_);
    visit(header.bonuses, bonuses_);
  };
  each_table([&](Extent& extent, const auto& records) { extent = layout.place(records); });
  header.size_bytes = layout.size();
  if (layout.size() > image_size_max) return {};

  rules = placed_rules(header.rules, header.functions);
  functions = placed_functions(header.functions, header.programs);
  std::vector<u8> image(layout.size());
  each_table([&](const Extent& extent, const auto& records) { put(image, extent, records); });
  header.version = hash64(Bytes(image).subspan(sizeof header));
  std::memcpy(image.data(), &header, sizeof header);
  seal(image);
  check(validate(image) == ImageFault::none, "what the compiler makes is valid");
  return image;
}

}  // namespace tollgate::rating
