// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/python_compile.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "rating/facts.hh"
#include "rating/python_function.hh"

namespace tollgate::rating {
namespace {

// A program may have so many registers that are not in its own function's hands at the end.
bool is_within_limits(const ProgramBuilder& builder, const PythonNode& module,
                      std::vector<PythonMistake>& mistakes) {
  const auto tell = [&](std::string message) {
    mistakes.push_back({module.line == 0 ? 1 : module.line, 1, std::move(message),
                        "make the loops shorter, or the function smaller"});
  };
  if (builder.steps() > program_steps_max) {
    tell(fmt::format("the worst case takes {} steps, {} at most are allowed", builder.steps(),
                     program_steps_max));
  }
  if (builder.instructions().size() > program_instructions_max ||
      builder.register_count() > program_registers_max ||
      builder.words().size() > program_words_max) {
    tell("the function is too large");
  }
  return mistakes.empty();
}

template <class Record>
void append(std::vector<u8>& octets, std::span<const Record> records) {
  const auto* begin = reinterpret_cast<const u8*>(records.data());
  octets.insert(octets.end(), begin, begin + records.size_bytes());
}

std::vector<u8> lay_out(const ProgramBuilder& builder, ProgramHeader header) {
  std::vector<u8> octets(sizeof header);
  append(octets, builder.instructions());
  append(octets, builder.tables());
  const auto words_at = static_cast<u32>(octets.size());
  append(octets, builder.words());
  octets.resize(round_up(octets.size(), 16));
  header.code_offset = static_cast<u32>(octets.size());
  const std::vector<u8> code = make_native(builder, {words_at, header.code_offset});
  if (code.empty()) header.code_offset = 0;
  octets.insert(octets.end(), code.begin(), code.end());
  octets.resize(round_up(octets.size(), 16));
  header.bytes = static_cast<u32>(octets.size());
  std::memcpy(octets.data(), &header, sizeof header);
  return octets;
}

}  // namespace

// The parameters that the caller gives are inputs from 0 on; the facts follow.
void FunctionCompiler::compile(std::string_view function, PythonSignature signature) {
  parameter_count_ = signature.parameter_count;
  Frame outermost;
  outermost.is_outermost = true;
  frame_ = &outermost;
  read_module();
  const PythonNode* found = find_function(function);
  if (found == nullptr) {
    mistake(module_, fmt::format("has no function '{}'", function),
            "functions stand at the top of the file: def name(event: Event) -> int:");
    return;
  }
  outermost.function = found;
  if (!check_parameters(*found)) return;
  outermost.result_type = annotation((*found)[4], *found, "the result");
  if (outermost.result_type == PythonType::event) mistake(*found, "a result is a number");
  u32 given = 0;
  const std::vector<PythonNode>& parameters = (*found)[1][1].items;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i][0].name;
    const PythonType type = annotation(parameters[i][1], parameters[i], "the parameter");
    if (type == PythonType::event) {
      if (i != 0) mistake(parameters[i], "the event is the first parameter");
      PythonValue event = PythonValue::constant(0);
      event.type = PythonType::event;
      outermost.variables[name] = {event, true};
      continue;
    }
    const u16 place = builder_.new_register();
    builder_.emit({.op = Op::input, .d = place, .imm = i64{given++}});
    const bool is_changed = assigns(*found, name);
    const PythonValue value = PythonValue::in(place, type);
    outermost.variables[name] = {is_changed ? copy(value, true) : value, !is_changed};
    outermost.assigned.insert(name);
  }
  if (given != signature.parameter_count) {
    mistake(*found, fmt::format("takes {} numbers besides the event, {} are given here", given,
                                signature.parameter_count));
    return;
  }
  function_body(*found);
}

PythonCompiled compile_python(const PythonTree& tree, std::string_view function,
                              PythonSignature signature) {
  PythonCompiled compiled;
  if (!tree.mistake.empty()) {
    compiled.mistakes.push_back({tree.line, tree.column, tree.mistake, ""});
    return compiled;
  }
  ProgramBuilder builder;
  FunctionCompiler compiler(tree.module, builder, compiled.mistakes);
  compiler.compile(function, signature);
  if (compiled.is_good()) is_within_limits(builder, tree.module, compiled.mistakes);
  if (!compiled.is_good()) {
    std::ranges::stable_sort(compiled.mistakes, {}, [](const PythonMistake& one) {
      return std::pair(one.line, one.column);
    });
    return compiled;
  }
  ProgramHeader header;
  header.instruction_count = static_cast<u32>(builder.instructions().size());
  header.table_count = static_cast<u32>(builder.tables().size());
  header.word_count = static_cast<u32>(builder.words().size());
  header.register_count = std::max(builder.register_count(), 1u);
  header.parameter_count = signature.parameter_count;
  header.input_count = signature.parameter_count + fact_count;
  header.facts_used = compiler.facts_used();
  header.steps_max = static_cast<u32>(builder.steps());
  compiled.program = lay_out(builder, header);
  return compiled;
}

}  // namespace tollgate::rating
