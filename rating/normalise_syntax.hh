// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the parser makes of normalising files, with places, before anything was checked that needs
// more than one statement.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rating/lexer.hh"
#include "rating/normalise_image.hh"

namespace tollgate::rating {

// A field as it is written: `called`, `rating-group`, `avp "A/B" as number`.
struct FieldText {
  Place at;
  FieldSource source = FieldSource::avp;
  FieldForm form = FieldForm::text;
  std::vector<AvpStep> path;
};

// An address with its network's first and last.
struct AddressRange {
  u128 first = 0;
  u128 last = 0;
};

enum class TestKind : u8 { in, prefix, matches, between, within, present };

struct TestText {
  Place at;
  FieldText field;
  bool is_negated = false;
  TestKind kind = TestKind::present;
  std::vector<std::string> texts;    // in, prefix, matches
  std::vector<AddressRange> ranges;  // between, within, and numbers of `in`
};

struct SettingText {
  Place at;
  Attribute attribute = Attribute::service;
  SettingSource source = SettingSource::number;
  u64 number = 0;
  std::string text;  // digits; the function of a program
  std::string file;  // of a program
  std::optional<FieldText> field;
};

struct NormaliseRuleText {
  Place at;
  std::string name;
  std::vector<TestText> tests;
  std::vector<SettingText> settings;
};

struct NormaliseServiceText {
  Place at;
  std::vector<u64> contexts;  // empty: any other
  std::vector<NormaliseRuleText> rules;
  bool passes = false;
};

struct NumberPair {
  Place at;
  std::string from;
  std::string to;
};

struct NumberPlanText {
  Place at;
  bool is_there = false;
  std::string country;
  std::vector<std::string> national;
  std::vector<std::string> international;
  std::vector<NumberPair> shorts;
  std::vector<NumberPair> ported;
  struct File {
    Place at;
    std::string name;
  };
  std::vector<File> ported_files;
  std::vector<FieldText> calling_from;
  std::vector<FieldText> called_from;
};

// An event to be tried, and what is expected of it.
struct NormaliseExampleText {
  struct Avp {
    std::vector<AvpStep> path;
    std::string octets;
  };
  struct Expected {
    Place at;
    Attribute attribute = Attribute::service;
    u64 number = 0;
    std::string text;
  };
  Place at;
  std::string name;
  u64 context = 0;
  bool has_context = false;
  std::vector<Avp> avps;
  std::optional<u32> rating_group;
  std::optional<u32> identifier;
  std::vector<Expected> expected;
  std::optional<std::string> rule;
  bool is_refused = false;
  bool is_unchanged = false;
};

struct NormaliseSyntax {
  NumberPlanText plan;
  std::vector<NormaliseServiceText> services;
  std::vector<NormaliseExampleText> examples;
};

}  // namespace tollgate::rating
