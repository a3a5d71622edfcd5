// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the parser makes of tariff files: plans, services, rules and examples as they were written,
// with places, before anything was checked that needs more than one statement.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/amount.hh"
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
    std::string url;
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

struct MoneyRoundingText {
  Rounding rounding = Rounding::up;
  std::optional<AmountText> step;
};

struct RuleText {
  Place at;
  bool is_whole = true;  // all of it could be read, so what is missing was not written
  std::optional<NameText> name;
  bool is_default = false;
  std::vector<NumberText> groups;
  std::vector<NumberText> identifiers;
  Verdict verdict = Verdict::charged;
  std::optional<Meter> meter;
  Place meter_at;
  std::vector<SegmentText> price;
  Place price_at;
  std::optional<BlockRounding> round;
  std::optional<MoneyRoundingText> round_money;
  std::optional<AmountText> setup;
  std::vector<SourceText> sources;
  PolicyText policy;
};

struct ServiceText {
  Place at;
  std::vector<NameText> names;
  std::optional<NumberText> default_group;
  std::optional<Meter> meter;
  PolicyText policy;
  std::vector<RuleText> rules;
};

struct BucketText {
  AmountText amount;
  u8 priority = 0;
  std::optional<AmountText> lifetime;
};

struct PlanText {
  NameText name;
  bool is_whole = true;  // as in RuleText, of the plan's own statements
  Unit currency = Unit::none;
  Place currency_at;
  std::vector<BucketText> buckets;
  PolicyText policy;
  std::vector<ServiceText> services;
};

struct ExampleText {
  Place at;
  std::string name;
  std::optional<NameText> plan;
  std::optional<NameText> service;
  std::optional<NumberText> group;
  std::optional<NumberText> identifier;
  std::vector<AmountText> use;
  std::vector<AmountText> have;
  std::vector<AmountText> costs;      // expect cost ...
  std::optional<AmountText> covered;  // expect covered ...
  std::optional<Verdict> verdict;     // expect free, expect barred
  bool expects_cost = false;
};

struct TariffSyntax {
  std::vector<PlanText> plans;
  std::vector<ExampleText> examples;
};

}  // namespace tollgate::rating
