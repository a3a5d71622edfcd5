// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PythonFunctions: functions of Python files as prices and discounts of rules
// (`price python "FILE.py" NAME`, `discount python "FILE.py" NAME`).
//
// A function is compiled once however many rules name it. What rules make of it is tried out when
// all of the tariff has been read (try_functions): whether more ever costs less, and whether it
// always comes out.
#pragma once

#include <map>

#include "rating/build.hh"
#include "rating/functions.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

class PythonFunctions {
 public:
  PythonFunctions(std::span<const TariffText> texts, ImageBuilder& builder, Report& report)
      : texts_(texts), builder_(builder), report_(report) {}

  struct Compiled {
    u32 number = 0;  // by which RuleFunctions name the program until the image is finished; 0: told
    u64 facts_used = 0;
  };
  // With so many numbers as parameters beside the event.
  Compiled program_of(const PythonText& text, u32 parameters);

 private:
  Compiled compile(const PythonText& text, u32 parameters);

  std::span<const TariffText> texts_;
  ImageBuilder& builder_;
  Report& report_;
  std::map<std::string, Compiled> known_;  // by file, function and parameters
};

// A rule with functions, and where it names them.
struct FunctionUse {
  u32 rule = 0;  // its index in the image
  const PythonText* price = nullptr;
  const PythonText* discount = nullptr;
};

// Tries the functions of all those rules out, on quantities from nothing up to a tebioctet or 34
// years and on events that are made up: the values that the functions compare with, and others. For
// nothing a price is nothing, more never costs less, a discount leaves between nothing and the
// price, and there is always a result.
void try_functions(const Image& image, std::span<const FunctionUse> uses, Report& report);

}  // namespace tollgate::rating
