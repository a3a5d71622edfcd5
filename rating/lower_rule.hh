// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// RuleLowering: one rule as written to one Rule record.
#pragma once

#include "rating/build.hh"
#include "rating/lower_python.hh"
#include "rating/lower_world.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

// What the rules of a plan may name.
struct PlanScope {
  struct Counter {
    u32 number = 0;  // as Rule names it
    u32 id = 0;      // as accounts do
    Unit unit = Unit::none;
    std::string product;  // whose turns it begins anew with; empty: none's
  };
  std::map<std::string, Counter, std::less<>> counters;
};

struct RuleScope {
  const PlanText& plan;
  const ServiceText& service;
  const PlanScope& names;
  World& world;
  PythonFunctions& python;
  Meter meter;
  std::string_view file;
  std::string name;  // of the rule, whole
};

class RuleLowering {
 public:
  RuleLowering(const RuleScope& scope, const RuleText& text, ImageBuilder& builder, Report& report)
      : scope_(scope), text_(text), builder_(builder), report_(report) {}

  Rule run();
  // Where the rule that was made names functions; nullptr: it has none such.
  const PythonText* price_text() const { return price_text_; }
  const PythonText* discount_python() const { return discount_text_; }

 private:
  void lower_price();
  void lower_python();
  void lower_functions();
  const DiscountText* discount_text() const;
  u32 add_function(const PythonText& text, u32 parameters, std::span<u16> counters);
  void find_zone_map(const PythonText& text);
  void name_counters(const PythonText& text, u64 facts_used, std::span<u16> counters);
  void lower_step(const SegmentText& segment, bool is_last);
  void lower_sources();
  void lower_source(const SourceText& source);
  void lower_fees();
  void lower_factor();
  void lower_bounds();
  void lower_counted(const BoundText& bound, bool is_cap);
  void lower_restart();
  void lower_policy();
  void lower_quantities();
  void refuse_charges();

  // Is `amount` a positive quantity of this rule, of at most `most`? Tells if not.
  bool is_quantity(const AmountText& amount, i64 most, std::string_view what);
  bool is_price(const AmountText& amount, std::string_view what);
  // Unit none: of any.
  const PlanScope::Counter* find_counter(const NameText& name, Unit unit);
  // The same for one that the rule moves.
  const PlanScope::Counter* moved_counter(const NameText& name, Unit unit);
  bool lower_exchange(const SourceText& source, PaymentSource& made);
  // The innermost of rule, service and plan that says something.
  template <class Field>
  const Field* inherited(std::optional<Field> PolicyText::*member) const;
  // The same for a quantity: one that a service or plan states for another meter does not count.
  Quantity quantity_of(std::optional<AmountText> PolicyText::Grant::*member) const;

  const RuleScope& scope_;
  const RuleText& text_;
  ImageBuilder& builder_;
  Report& report_;
  Rule rule_;
  RuleFunctions functions_;
  const PythonText* price_text_ = nullptr;
  const PythonText* discount_text_ = nullptr;
};

}  // namespace tollgate::rating
