// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Calls in a Python function: the few built in, those of the event and of tables, and other
// functions of the file, which are compiled in place.

#include <fmt/format.h>

#include "rating/facts.hh"
#include "rating/python_function.hh"

namespace tollgate::rating {

PythonValue FunctionCompiler::call(const PythonNode& node) {
  if (!node[2].items.empty()) {
    return mistake(node, "found an argument with a name", "write arguments in their order");
  }
  if (node[0].is("Attribute")) return call_method(node);
  if (!node[0].is("Name")) {
    return mistake(node, "found a call of something that is no function of this file");
  }
  const std::string& name = node[0][0].name;
  const PythonNode* function = find_function(name);
  return function != nullptr ? call_function(node, *function) : call_builtin(node, name);
}

PythonValue FunctionCompiler::call_builtin(const PythonNode& node, std::string_view name) {
  const std::vector<PythonNode>& arguments = node[1].items;
  if (name == "min" || name == "max") return call_least_or_most(node, name == "min");
  if (name != "abs" && name != "int" && name != "bool" && name != "len") {
    return mistake(node, fmt::format("there is no function '{}' here", name),
                   "built in are min, max, abs, int, bool, len and range; others stand in this "
                   "file");
  }
  if (arguments.size() != 1) return mistake(node, fmt::format("{}() takes one argument", name));
  if (name == "len") {
    const PythonTable* table = table_named(arguments[0]);
    if (table == nullptr) return mistake(node, "len() is for tables of this file");
    return PythonValue::constant(table->rows);
  }
  const PythonValue value = number_expression(arguments[0]);
  if (name == "int") {
    PythonValue number = value;
    number.type = PythonType::number;
    return number;
  }
  if (name == "bool") {
    if (value.is_constant) return PythonValue::constant(value.number != 0, PythonType::truth);
    Label end;
    const u16 place = builder_.new_register();
    builder_.emit({.op = Op::constant, .d = place, .imm = 0});
    builder_.jump({.op = Op::jump_eq_imm, .a = value.place, .imm = 0}, end);
    builder_.emit({.op = Op::constant, .d = place, .imm = 1});
    builder_.bind(end);
    return PythonValue::in(place, PythonType::truth);
  }
  if (value.is_constant) {
    if (value.number == INT64_MIN) return mistake(node, "the result does not fit into 64 bits");
    return PythonValue::constant(value.number < 0 ? -value.number : value.number);
  }
  const u16 negative = builder_.new_register();
  const u16 place = builder_.new_register();
  builder_.emit({.op = Op::neg, .d = negative, .a = value.place});
  builder_.emit({.op = Op::max, .d = place, .a = negative, .b = value.place});
  return PythonValue::in(place);
}

PythonValue FunctionCompiler::call_least_or_most(const PythonNode& node, bool is_least) {
  const std::vector<PythonNode>& arguments = node[1].items;
  if (arguments.size() < 2) {
    return mistake(node, "min() and max() take two numbers or more");
  }
  PythonValue best = number_expression(arguments[0]);
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const PythonValue other = number_expression(arguments[i]);
    if (best.is_constant && other.is_constant) {
      const bool is_better = is_least ? other.number < best.number : other.number > best.number;
      best = PythonValue::constant(is_better ? other.number : best.number);
      continue;
    }
    const u16 place = builder_.new_register();
    const u16 left = in_register(best);
    builder_.emit(
        {.op = is_least ? Op::min : Op::max, .d = place, .a = left, .b = in_register(other)});
    best = PythonValue::in(place);
  }
  return best;
}

// TABLE.get(key, otherwise), event.counter(n)
PythonValue FunctionCompiler::call_method(const PythonNode& node) {
  const PythonNode& of = node[0][0];
  const std::string& method = node[0][1].name;
  PythonTable* table = table_named(of);
  if (table != nullptr && table->is_dictionary && method == "get") return call_get(node, *table);
  if (table == nullptr && of.is("Name")) {
    const PythonValue value = name(of);
    if (value.type == PythonType::event && method == "counter") return call_counter(node);
  }
  return mistake(node, fmt::format("found a call of .{}()", method),
                 "there are DICTIONARY.get(key, otherwise) and event.counter(n)");
}

PythonValue FunctionCompiler::call_get(const PythonNode& node, PythonTable& table) {
  const std::vector<PythonNode>& arguments = node[1].items;
  if (arguments.size() != 2) {
    return mistake(node, ".get() takes the key and what to take if it is not there");
  }
  const PythonValue key = expression(arguments[0]);
  const PythonValue otherwise = expression(arguments[1]);
  if ((key.type == PythonType::text) != (table.types[0] == PythonType::text) ||
      (otherwise.type == PythonType::text) != (table.types[1] == PythonType::text)) {
    return mistake(node, "the key or the value is of another type than the dictionary's");
  }
  Label end;
  const u16 row = builder_.new_register();
  const PythonValue place = copy(otherwise);
  builder_.emit({.op = Op::find, .d = row, .a = in_register(key), .b = use_table(table)});
  builder_.jump({.op = Op::jump_lt_imm, .a = row, .imm = 0}, end);
  builder_.emit({.op = Op::value, .d = place.place, .a = row, .b = use_table(table), .imm = 1});
  builder_.bind(end);
  return PythonValue::in(place.place, table.types[1]);
}

PythonValue FunctionCompiler::call_counter(const PythonNode& node) {
  const std::vector<PythonNode>& arguments = node[1].items;
  if (arguments.size() != 1) return mistake(node, ".counter() takes the number of a counter");
  const PythonValue number = constant_of(arguments[0], "the number of a counter");
  if (number.number < 0 || number.number >= counter_facts) {
    return mistake(node, fmt::format("counters are numbered from 0 to {}", counter_facts - 1));
  }
  return input(static_cast<u32>(Fact::counter0) + static_cast<u32>(number.number),
               PythonType::number);
}

PythonValue FunctionCompiler::call_function(const PythonNode& node, const PythonNode& function) {
  for (const PythonNode* open : calls_) {
    if (open == &function) {
      return mistake(node, fmt::format("'{}' calls itself", function[0].name),
                     "write a loop: for i in range(100):");
    }
  }
  if (calls_.size() >= call_depth_max) return mistake(node, "the calls are nested too deeply");
  if (!check_parameters(function)) return PythonValue::constant(0);
  const std::vector<PythonNode>& parameters = function[1][1].items;
  const std::vector<PythonNode>& arguments = node[1].items;
  if (parameters.size() != arguments.size()) {
    return mistake(node, fmt::format("'{}' takes {} arguments, {} are given", function[0].name,
                                     parameters.size(), arguments.size()));
  }
  Frame inner;
  inner.function = &function;
  inner.result_type = annotation(function[4], function, "the result");
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i][0].name;
    const PythonValue value = expression(arguments[i]);
    const PythonType type = annotation(parameters[i][1], parameters[i], "the parameter");
    const bool is_text = type == PythonType::text;
    const bool is_event = type == PythonType::event;
    if (is_text != (value.type == PythonType::text) ||
        is_event != (value.type == PythonType::event) || value.type == PythonType::table) {
      return mistake(arguments[i], fmt::format("'{}' is of another type", name));
    }
    if (is_event || !assigns(function, name)) {
      inner.variables[name] = {value, true};
    } else {
      inner.variables[name] = {copy(value, true), false};
      inner.assigned.insert(name);
    }
  }
  inner.result = builder_.new_register(true);
  Frame* outer = frame_;
  frame_ = &inner;
  function_body(function);
  frame_ = outer;
  builder_.bind(inner.end);
  return PythonValue::in(inner.result, inner.result_type);
}

}  // namespace tollgate::rating
