// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// NormaliseLowerer: syntax to the tables of an image. Tests that are the same become one atom;
// overlapping ranges become the pieces between their edges.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rating/normalise_compile.hh"
#include "rating/normalise_syntax.hh"

namespace tollgate::rating {

class NormaliseLowerer {
 public:
  NormaliseLowerer(const NormaliseSyntax& syntax, const NormaliseInputs& inputs, Report& report)
      : syntax_(syntax), inputs_(inputs), report_(report) {}

  // The image; what it holds counts only if nothing was reported.
  std::vector<u8> lower();
  u32 rule_count() const { return static_cast<u32>(rules_.size()); }
  u32 pattern_count() const { return static_cast<u32>(patterns_.size()); }

 private:
  struct Key {
    u32 field = 0;
    u32 length = 0;  // 0: the whole text
    std::string text;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Piece {
    u128 first = 0;
    u128 last = 0;
    u32 atom = 0;
  };
  struct PatternText {
    std::string text;
    Place at;
  };

  TextRef add_text(std::string_view text);
  u32 field_of(const FieldText& text, u64 services);
  u32 new_atom(u32 field);
  u32 atom_of(const TestText& test, u64 services);
  void fill_atom(const TestText& test, u32 field, u32 atom);
  void lower_plan();
  Extent prefixes(const std::vector<std::string>& texts);
  Extent number_fields(const std::vector<FieldText>& fields);
  void add_translation(const Key& key, const NumberPair& pair);
  void lower_service(const NormaliseServiceText& service);
  void lower_rule(const NormaliseRuleText& rule, u32 service, u64 services);
  NormaliseSetting lower_setting(const SettingText& setting, u64 services);
  u32 program_of(const SettingText& setting);
  const TariffText* find_file(std::string_view name) const;
  void lower_ported_files();
  void hang_rules();
  void lower_ranges();
  void lower_keys();
  bool compile_patterns();
  std::vector<u8> write();

  const NormaliseSyntax& syntax_;
  const NormaliseInputs& inputs_;
  Report& report_;

  NumberPlan plan_;
  std::vector<NormaliseService> services_;
  std::vector<NormaliseField> fields_;
  std::map<std::string, u32> field_numbers_;
  std::vector<AvpStep> steps_;
  std::vector<u32> atom_fields_;
  std::map<std::string, u32> atom_numbers_;
  std::map<Key, std::vector<u32>> key_atoms_;
  std::map<Key, u32> key_translations_;
  std::vector<NormaliseKey> keys_;
  std::map<u32, std::vector<Piece>> pieces_;  // by field
  std::vector<NormaliseRange> ranges_;
  std::vector<NormalisePattern> patterns_;
  std::vector<PatternText> pattern_texts_;
  std::vector<Extent> atoms_;
  std::vector<u32> postings_;
  std::vector<NormaliseRule> rules_;
  std::vector<NormaliseCondition> conditions_;
  std::vector<NormaliseSetting> settings_;
  std::vector<TextRef> translations_;
  std::vector<u64> ported_;
  std::vector<PortedOperator> operators_;
  std::vector<u8> programs_;
  std::map<std::string, u32> program_numbers_;
  std::string texts_;
  std::map<std::string, TextRef, std::less<>> text_refs_;
  std::vector<u8> database_;
};

}  // namespace tollgate::rating
