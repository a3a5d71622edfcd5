// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PythonPrices: functions of Python files as prices of rules (`price python "FILE.py" NAME`).
//
// A function is a cost curve (price.hh): for `event.quantity`, all that the session has used, what
// it has cost in all. It is compiled once however many rules name it, and tried out on quantities
// from nothing up to a tebioctet or 34 years: it must cost nothing for nothing, never become
// cheaper, and always come out.
#pragma once

#include <map>

#include "rating/build.hh"
#include "rating/program.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

class PythonPrices {
 public:
  PythonPrices(std::span<const TariffText> texts, ImageBuilder& builder, Report& report)
      : texts_(texts), builder_(builder), report_(report) {}

  // The number by which a rule names the program until the image is finished; 0: told.
  u32 program_of(const PythonText& text);

 private:
  u32 compile(const PythonText& text);
  bool is_curve(const PythonText& text, const Program& program);
  void add(const PythonText& text, const std::string& what, const std::string& hint = {});

  std::span<const TariffText> texts_;
  ImageBuilder& builder_;
  Report& report_;
  std::map<std::string, u32> known_;  // by file and function
};

}  // namespace tollgate::rating
