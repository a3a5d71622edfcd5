// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ImageBuilder: records to the octets of an image. Makes the hash tables and the checksum; what the
// records say is the caller's matter.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rating/functions.hh"
#include "rating/image.hh"

namespace tollgate::rating {

class ImageBuilder {
 public:
  TextRef add_text(std::string_view text);
  u16 add_redirect(std::string_view url);  // 0 if there is no room for more
  u32 add_rule(const Rule& rule);          // its index
  void add_plan(Plan plan, std::span<const InitialBucket> buckets, std::span<const Bonus> bonuses);
  void add_product(Product product, std::span<const InitialBucket> allowances);
  Extent add_product_numbers(std::span<const u32> numbers);
  u32 add_product_row(const ProductRow& row);  // its number from 1 on
  // Numbers from 1 on, as Service and Rule name them.
  u32 add_zone_map(std::string_view name, std::span<const std::string> zones,
                   const BuiltZones& built);
  u32 add_timeline(const BuiltTimeline& built);
  // By this number RuleFunctions name it until the image is finished.
  u32 add_program(Bytes program);
  u32 add_functions(const RuleFunctions& functions);  // likewise, for rules
  u32 add_counter(const Counter& counter);            // the same once only
  u32 add_classes(std::span<const u16> classes);      // the place of the first; the same once only
  u32 add_cells(std::span<const u32> cells);          // the place of the first, with cells_bit
  // One service under each of `contexts`; `service.context` and the slots fields are set here.
  void add_service(Service service, std::span<const u64> contexts, std::span<const RuleSlot> slots);

  u32 rule_count() const { return static_cast<u32>(rules_.size()); }
  // Empty if it would be larger than image_size_max.
  std::vector<u8> finish();

 private:
  std::vector<Service> service_table() const;
  std::vector<Rule> placed_rules(Extent rules, Extent functions) const;
  std::vector<RuleFunctions> placed_functions(Extent functions, Extent programs) const;

  std::vector<Plan> plans_;
  std::vector<InitialBucket> buckets_;
  std::vector<Service> services_;
  std::vector<RuleSlot> slots_;
  std::vector<Rule> rules_;
  std::vector<TextRef> redirects_;
  std::map<std::string, u16, std::less<>> redirect_numbers_;
  std::vector<ZoneMap> zone_maps_;
  std::vector<u32> zone_index_;
  std::vector<u64> zone_leaves_;
  std::vector<TextRef> zone_names_;
  std::vector<u64> zone_keys_;
  std::vector<Timeline> timelines_;
  std::vector<u32> timeline_days_;
  std::vector<u64> timeline_edges_;
  std::vector<u16> classes_;
  std::map<std::vector<u16>, u32> class_places_;
  std::vector<u32> cells_;
  std::vector<Counter> counters_;
  std::vector<RuleFunctions> functions_;
  std::vector<u8> programs_;
  std::vector<Product> products_;
  std::vector<u32> product_numbers_;
  std::vector<ProductRow> product_rows_;
  std::vector<Bonus> bonuses_;
  std::map<std::vector<u32>, u32> counter_numbers_;
  std::string texts_;
  std::map<std::string, TextRef, std::less<>> text_refs_;
};

}  // namespace tollgate::rating
