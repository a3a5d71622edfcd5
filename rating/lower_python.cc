// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/lower_python.hh"

#include <fmt/format.h>

#include <algorithm>

#include "rating/python_compile.hh"

namespace tollgate::rating {

PythonFunctions::Compiled PythonFunctions::program_of(const PythonText& text, u32 parameters) {
  const std::string name = fmt::format("{} {} {}", text.file.text, text.function.text, parameters);
  const auto [known, is_new] = known_.try_emplace(name);
  if (is_new) known->second = compile(text, parameters);
  return known->second;
}

PythonFunctions::Compiled PythonFunctions::compile(const PythonText& text, u32 parameters) {
  const auto file = std::ranges::find_if(texts_, [&](const TariffText& each) {
    return each.name == text.file.text || each.name.ends_with("/" + text.file.text);
  });
  if (file == texts_.end()) {
    report_.add(text.file.at, fmt::format("there is no Python file \"{}\"", text.file.text),
                "it stands in the folder of the tariff");
    return {};
  }
  const PythonCompiled compiled =
      compile_python(parse_python(file->text), text.function.text, {parameters});
  for (const PythonMistake& one : compiled.mistakes) {
    report_.add(text.function.at,
                fmt::format("{}:{}:{}: {}", file->name, one.line, one.column, one.message),
                one.hint);
  }
  if (!compiled.is_good()) return {};
  const Program program(compiled.program, Program::Mapping::data);
  if (program.header().steps_max > price_steps_max) {
    report_.add(text.function.at,
                fmt::format("{} of {} takes up to {} steps, expected at most {} in a price",
                            text.function.text, text.file.text, program.header().steps_max,
                            price_steps_max));
    return {};
  }
  return {builder_.add_program(compiled.program), program.header().facts_used};
}

}  // namespace tollgate::rating
