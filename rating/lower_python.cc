// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_python.hh"

#include <fmt/format.h>

#include <algorithm>

#include "rating/facts.hh"
#include "rating/price_program.hh"
#include "rating/python_compile.hh"

namespace tollgate::rating {
namespace {

// Small ones each, then ever larger ones, and what lies beside powers of two and of ten.
std::vector<i64> trial_quantities() {
  std::vector<i64> all;
  for (i64 each = 0; each <= 256; ++each) all.push_back(each);
  for (i64 each = 256; each < price_quantity_max; each += each / 64) all.push_back(each);
  for (const i64 base : {i64{2}, i64{10}}) {
    for (i64 power = base; power <= price_quantity_max; power *= base) {
      for (i64 beside = -1; beside <= 1; ++beside) all.push_back(power + beside);
    }
  }
  std::ranges::sort(all);
  return all;
}

// The first of an event's facts that a price cannot know.
std::string_view unknown_fact(u64 facts_used) {
  for (u32 number = 0; number < fact_count; ++number) {
    const bool is_counter = number >= static_cast<u32>(Fact::counter0);
    if ((facts_used & ~price_facts) >> number & 1) {
      return is_counter ? "counter()" : fact_info(static_cast<Fact>(number)).name;
    }
  }
  return {};
}

}  // namespace

void PythonPrices::add(const PythonText& text, const std::string& what, const std::string& hint) {
  report_.add(text.function.at,
              fmt::format("{} of {} {}", text.function.text, text.file.text, what), hint);
}

u32 PythonPrices::program_of(const PythonText& text) {
  const auto [known, is_new] = known_.try_emplace(text.file.text + " " + text.function.text, 0);
  if (is_new) known->second = compile(text);
  return known->second;
}

u32 PythonPrices::compile(const PythonText& text) {
  const auto file = std::ranges::find_if(texts_, [&](const TariffText& each) {
    return each.name == text.file.text || each.name.ends_with("/" + text.file.text);
  });
  if (file == texts_.end()) {
    report_.add(text.file.at, fmt::format("there is no Python file \"{}\"", text.file.text),
                "it stands in the folder of the tariff");
    return 0;
  }
  const PythonCompiled compiled = compile_python(parse_python(file->text), text.function.text, {});
  for (const PythonMistake& one : compiled.mistakes) {
    report_.add(text.function.at,
                fmt::format("{}:{}:{}: {}", file->name, one.line, one.column, one.message),
                one.hint);
  }
  if (!compiled.is_good()) return 0;
  const Program program(compiled.program, Program::Mapping::data);
  const std::string_view unknown = unknown_fact(program.header().facts_used);
  if (!unknown.empty()) {
    add(text, fmt::format("looks at event.{}: a price knows event.quantity only", unknown),
        "conditions of rules say for whom and when a function counts; 'steps by' a counter moves "
        "the quantity");
    return 0;
  }
  if (program.header().steps_max > price_steps_max) {
    add(text, fmt::format("takes up to {} steps, expected at most {} in a price",
                          program.header().steps_max, price_steps_max));
    return 0;
  }
  return is_curve(text, program) ? builder_.add_program(compiled.program) : 0;
}

bool PythonPrices::is_curve(const PythonText& text, const Program& program) {
  i64 cost_before = 0;
  i64 quantity_before = 0;
  for (const i64 quantity : trial_quantities()) {
    i64 cost = 0;
    const ProgramOutcome outcome = run_price(program, quantity, cost);
    if (outcome != ProgramOutcome::ok) {
      add(text, fmt::format("ends with {} for a quantity of {}", to_text(outcome), quantity));
      return false;
    }
    if (quantity == 0 && cost != 0) {
      add(text, fmt::format("returns {} for a quantity of 0, expected 0", cost),
          "'setup' is a fee for the first use");
      return false;
    }
    if (cost < cost_before) {
      add(text, fmt::format("returns {} for a quantity of {} and less, {}, for {}: expected that "
                            "more never costs less",
                            cost_before, quantity_before, cost, quantity));
      return false;
    }
    cost_before = cost;
    quantity_before = quantity;
  }
  return true;
}

}  // namespace tollgate::rating
