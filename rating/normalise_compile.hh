// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// compile_normalise: normalising files (docs/normalise.md) to an image, or to a list of everything
// wrong with them. As compile.hh does for tariffs: all files together, all mistakes at once, and
// the examples of the files are tried with the image that was made.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "rating/compile.hh"
#include "rating/normalise_image.hh"

namespace tollgate::rating {

// What is known of an AVP by its name.
struct AvpName {
  AvpStep id;
  FieldForm form = FieldForm::text;
};

// Whether an AVP of a path has more of it inside. Some names stand for a group and for a text.
enum class AvpPlace : u8 { group, last };

// The dictionary, for which rating has no word.
class AvpNames {
 public:
  virtual ~AvpNames() = default;
  virtual bool find(std::string_view name, AvpPlace place, AvpName& found) const = 0;
  // The name that is nearest to one that is not there; empty if none is near.
  virtual std::string nearest(std::string_view name) const = 0;
};

struct NormaliseInputs {
  std::span<const TariffText> rules;   // *.normalise
  std::span<const TariffText> others;  // *.py and *.csv that rules name
  const AvpNames& names;
};

struct NormaliseCompiled {
  std::vector<u8>
      image;  // passes validate_normalise(); empty if there are diagnostics, or no rules
  std::vector<Diagnostic> diagnostics;
  u32 rule_count = 0;
  u32 pattern_count = 0;
  u32 example_count = 0;

  bool is_good() const { return diagnostics.empty(); }
};

[[nodiscard]] NormaliseCompiled compile_normalise(const NormaliseInputs& inputs);

}  // namespace tollgate::rating
