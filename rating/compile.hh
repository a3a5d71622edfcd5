// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// compile: tariff files (docs/tariffs.md) to an image, or to a list of everything wrong with them.
//
// All files of a tariff are compiled together, with the Python files (*.py) that their prices name.
// If there is one mistake, there is no image: nothing is ever half loaded. Every mistake is told,
// in the order of files and lines, each with its place, what was found, what was expected, and
// where it helps a hint. Examples inside the files are calculated with the image that was made; one
// that does not come out is a mistake as well.
//
// For tools and the control process: allocates. Any text may be given.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.hh"

namespace tollgate::rating {

struct TariffText {
  std::string name;  // of the file, as it is to be shown
  std::string text;
};

struct Diagnostic {
  std::string file;
  u32 line = 0;    // from 1; 0: the file as a whole
  u32 column = 0;  // from 1, in octets
  std::string message;
  std::string hint;  // may be empty
};

// "demo.tariff:12:9: found 'pric', expected a statement of a rule (hint: did you mean 'price'?)"
std::string to_text(const Diagnostic& diagnostic);

struct Compiled {
  std::vector<u8> image;  // passes validate(); empty if there are diagnostics
  std::vector<Diagnostic> diagnostics;
  u32 plan_count = 0;
  u32 rule_count = 0;
  u32 example_count = 0;  // verified

  bool is_good() const { return diagnostics.empty(); }
};

[[nodiscard]] Compiled compile(std::span<const TariffText> texts);

// Reads FILE, or every *.tariff, *.prefixes and *.py of FOLDER in the order of their names, and
// compiles them. What
// cannot be read is a diagnostic as well.
[[nodiscard]] Compiled compile_path(const std::string& path);

}  // namespace tollgate::rating
