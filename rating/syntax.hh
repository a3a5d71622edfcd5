// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the parser makes of tariff files: plans, services, rules and examples as they were written,
// with places, before anything was checked that needs more than one statement.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/amount.hh"
#include "rating/image.hh"
#include "rating/lexer.hh"
#include "rating/rule.hh"

namespace tollgate::rating {

struct AmountText {
  i64 count = 0;
  Unit unit = Unit::none;
  Place at;
};

struct NameText {
  std::string text;
  Place at;
  bool is_quoted = false;
};

struct NumberText {
  u32 value = 0;
  Place at;
};

// grant, threshold, validity, holding, final: in a rule, or for all rules of a service or plan.
struct PolicyText {
  struct Grant {
    std::optional<AmountText> size, smallest, largest;
  };
  struct Final {
    FinalAction action = FinalAction::terminate;
    std::string url;  // or the name of a filter
  };
  std::optional<Grant> grant;
  std::optional<AmountText> threshold;
  std::optional<u32> threshold_permille;
  std::optional<AmountText> validity;
  std::optional<AmountText> holding;
  std::optional<Final> final_unit;
};

// `[first 60s] 0.10EUR [per 1s]`
struct SegmentText {
  Place at;
  std::optional<AmountText> length;  // absent: the rest
  AmountText price;                  // unit none: free
  std::optional<AmountText> block;
};

// `octets`, `octets per 100KiB up`, `1unit4097 per 1MB`
struct SourceText {
  Place at;
  Unit unit = Unit::none;
  std::optional<AmountText> amount;
  std::optional<AmountText> block;
  BlockRounding rounding = BlockRounding::up;
};

// `python "prices.py" by_tier by used, spent`, of a price or a discount
struct PythonText {
  NameText file;
  NameText function;
  std::vector<NameText> counters;  // event.counter(0) ...
};

struct MoneyRoundingText {
  Rounding rounding = Rounding::up;
  std::optional<AmountText> step;
};

// 10%, in millionths.
struct PercentText {
  u32 ppm = 0;
  Place at;
};

struct TaxText {
  PercentText rate;
  bool is_inclusive = false;
};

// One of the three.
struct DiscountText {
  Place at;
  std::optional<PercentText> share;
  std::optional<AmountText> amount;
  std::optional<PythonText> python;
};

// In a rule, or for all rules of a service or plan: what is taken off and put on a price.
struct TermsText {
  std::optional<DiscountText> discount;
  std::optional<TaxText> tax;
};

// Which map of zones a service (or all of a plan) looks a number up in; by NumberRole.
using MapsText = std::array<std::optional<NameText>, number_roles>;

// cap and limit, over a session or by a counter of the plan.
struct BoundText {
  AmountText amount;
  std::optional<NameText> counter;
};

// `to europe from home in eu during night priority 1`
struct ConditionsText {
  std::array<std::vector<NameText>, number_roles> zones;
  std::vector<NameText> bands;
  std::vector<NameText> products;
  std::optional<NumberText> priority;

  bool is_any() const;
};

struct RuleText {
  Place at;
  bool is_whole = true;  // all of it could be read, so what is missing was not written
  std::optional<NameText> name;
  bool is_default = false;
  std::vector<NumberText> groups;
  std::vector<NumberText> identifiers;
  ConditionsText conditions;
  Verdict verdict = Verdict::charged;
  std::optional<Meter> meter;
  Place meter_at;
  std::vector<SegmentText> price;
  std::optional<PythonText> python;  // instead of them
  Place price_at;
  std::optional<BlockRounding> round;
  std::optional<MoneyRoundingText> round_money;
  std::optional<AmountText> setup;
  std::vector<SourceText> sources;
  TermsText terms;
  std::optional<AmountText> minimum;
  std::optional<BoundText> cap;
  std::optional<BoundText> limit;
  std::optional<NameText> steps_by;
  std::optional<AmountText> restart;
  PolicyText policy;
};

struct ServiceText {
  Place at;
  std::vector<NameText> names;
  std::optional<NumberText> default_group;
  std::optional<Meter> meter;
  PolicyText policy;
  TermsText terms;
  MapsText maps;
  std::vector<RuleText> rules;
};

struct BucketText {
  AmountText amount;
  u8 priority = 0;
  std::optional<AmountText> lifetime;
  std::optional<AmountText> rollover;  // of a product
};

// `bonus 10% from 20EUR expires 30d`, `bonus 500MiB from 10EUR`
struct BonusText {
  BucketText bucket;
  std::optional<PercentText> share;  // in place of the amount
  AmountText from;
};

struct CounterText {
  NameText name;
  Unit unit = Unit::none;
  Period period = Period::ever;
  std::optional<NameText> product;  // or with each turn of this
  bool is_shared = false;
};

// `exchange 1USD 0.92EUR half_up`: so much of another currency pays for so much of the plan's.
struct ExchangeText {
  AmountText foreign;
  AmountText own;
  Rounding rounding = Rounding::up;
};

struct PlanText {
  NameText name;
  bool is_whole = true;  // as in RuleText, of the plan's own statements
  Unit currency = Unit::none;
  Place currency_at;
  std::vector<BucketText> buckets;
  std::vector<CounterText> counters;
  std::vector<BonusText> bonuses;
  std::vector<ExchangeText> exchanges;
  bool keeps_sessions = false;
  std::optional<NameText> timezone;
  PolicyText policy;
  TermsText terms;
  MapsText maps;
  std::vector<ServiceText> services;
};

// What is sold beside a plan.
struct ProductText {
  struct Recurring {
    AmountText fee;
    Period period = Period::month;
    u8 day = 0;  // as in Product
  };
  NameText name;
  bool is_whole = true;  // as in RuleText
  std::vector<NameText> plans, needs, excludes, includes;
  std::optional<AmountText> fee;
  std::optional<Recurring> recurring;
  std::optional<MoneyRoundingText> proration;
  Place proration_at;
  std::optional<AmountText> lasts, retry, retry_for, grace;
  bool renews = false;
  bool is_repeatable = false;
  Place flags_at;  // of the two
  std::optional<NameText> timezone;
  std::vector<BucketText> allowances;
};

struct PrefixText {
  u64 start = 0;  // number_key
  u32 digits = 0;
  Place at;
};

struct ZoneText {
  NameText name;
  std::vector<PrefixText> prefixes;
};

struct ZonesText {
  NameText name;
  std::vector<ZoneText> zones;
};

struct CalendarText {
  struct Day {
    i64 day = 0;  // since 1970; of the year 2000 if it is each year's
    bool is_yearly = false;
  };
  NameText name;
  std::vector<Day> days;
  std::vector<i64> from_easter;  // days after Easter Sunday, or before it
};

struct BandLineText {
  u8 weekdays = 0;  // as in BandLine
  std::vector<NameText> calendars;
  std::vector<NameText> except;
  std::vector<BandLine::Hours> hours;
};

struct BandText {
  NameText name;
  std::vector<BandLineText> lines;
};

// What a counter stands at before an example.
struct CountedText {
  NameText counter;
  AmountText amount;
};

struct ExampleText {
  struct Use {
    AmountText amount;
    std::optional<AmountText> after;  // the piece before began
  };
  Place at;
  std::string name;
  std::optional<NameText> plan;
  std::optional<NameText> service;
  std::optional<NumberText> group;
  std::optional<NumberText> identifier;
  std::optional<i64> local_second;  // `at`: what the clock of the plan's time zone shows
  Place second_at;
  std::array<std::optional<NameText>, number_roles> numbers;
  Direction direction = Direction::unknown;
  Location location = Location::unknown;
  std::vector<CountedText> counted;
  std::vector<NameText> products;
  std::vector<Use> use;
  std::vector<AmountText> have;
  std::vector<AmountText> costs;      // expect cost ...
  std::optional<AmountText> covered;  // expect covered ...
  std::optional<Verdict> verdict;     // expect free, expect barred
  bool expects_cost = false;
};

struct TariffSyntax {
  std::vector<PlanText> plans;
  std::vector<ProductText> products;
  std::vector<ExampleText> examples;
  std::vector<ZonesText> zones;
  std::vector<CalendarText> calendars;
  std::vector<BandText> bands;
  std::map<u32, NameText> timezones;  // by file

  // The time zone's name that counts for a plan: its own, its file's, UTC.
  std::string timezone_of(const PlanText& plan) const;
  const PlanText* find_plan(std::string_view name) const;
  const ProductText* find_product(std::string_view name) const;
};

inline bool ConditionsText::is_any() const {
  return !zones[0].empty() || !zones[1].empty() || !zones[2].empty() || !bands.empty() ||
         !products.empty();
}

inline std::string TariffSyntax::timezone_of(const PlanText& plan) const {
  if (plan.timezone) return plan.timezone->text;
  const auto of_file = timezones.find(plan.name.at.file);
  return of_file == timezones.end() ? "UTC" : of_file->second.text;
}

inline const PlanText* TariffSyntax::find_plan(std::string_view name) const {
  for (const PlanText& plan : plans) {
    if (plan.name.text == name) return &plan;
  }
  return nullptr;
}

inline const ProductText* TariffSyntax::find_product(std::string_view name) const {
  for (const ProductText& product : products) {
    if (product.name.text == name) return &product;
  }
  return nullptr;
}

}  // namespace tollgate::rating
