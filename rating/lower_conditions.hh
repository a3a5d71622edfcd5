// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ServiceConditions: rules that ask for zones or time bands, to rows of cells.
//
// Several rules of a service may stand for the same rating group, each with conditions. For every
// combination of zones and time that can come up, the most particular of them counts: the one whose
// conditions lie within those of all others that fit, or whose priority is lower. Two that fit and
// neither of which is more particular are a mistake, and so is a rule that counts nowhere.
#pragma once

#include <array>
#include <set>
#include <vector>

#include "rating/lower_world.hh"

namespace tollgate::rating {

class ServiceConditions {
 public:
  ServiceConditions(World& world, const PlanText& plan, const ServiceText& service,
                    ImageBuilder& builder, Report& report);

  // What the service says of maps, timeline and classes.
  void describe(Service& service);

  // One of the rules for the same key.
  struct Variant {
    u32 rule = 0;  // its index
    const RuleText* text = nullptr;
    Place at;
  };
  // The place of the rule, or of the row of cells that names one of the rules; whole: none of them
  // has conditions.
  u32 place_of(const std::vector<Variant>& variants);

  // Rules that were placed, but count nowhere.
  void tell_unreachable();

 private:
  static constexpr std::size_t dimensions = number_roles + 2;  // zones, time, and products
  // Which classes of each dimension a rule fits.
  struct Fit {
    std::array<std::vector<bool>, dimensions> classes;
    u32 priority = 0;
  };
  void read_zones(const PlanText& plan, const ServiceText& service);
  void read_bands(const PlanText& plan, const ServiceText& service);
  void read_products(const PlanText& plan, const ServiceText& service);
  Fit fit_of(const RuleText& rule) const;
  bool is_possible(u64 products) const;
  static bool is_within(const Fit& inner, const Fit& outer);
  static bool outranks(const Fit& one, const Fit& other);
  void tell_ambiguous(const Variant& one, const Variant& other);

  World& world_;
  ImageBuilder& builder_;
  Report& report_;
  Service made_;                                                   // the fields about conditions
  std::array<const World::Map*, number_roles> maps_{};             // nullptr: not asked for
  std::array<std::map<std::string, u32>, number_roles> class_of_;  // by the zone's name
  std::vector<const Band*> bands_;
  std::map<std::string, u32> band_bits_;
  std::vector<u32> masks_ = {0};
  std::map<std::string, u32> product_bits_;
  std::vector<u32> exclusions_;  // sets of two that nobody has
  bool is_broken_ = false;       // conditions were told to be wrong: what they reach is not known
  std::set<const RuleText*> placed_;
  std::set<const RuleText*> reached_;
  std::set<std::pair<const RuleText*, const RuleText*>> told_;
};

}  // namespace tollgate::rating
