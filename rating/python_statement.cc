// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Statements of a Python function. What surely has a value, and whether a place can be reached at
// all, is followed along the way, so that no name is read before it was given a value.

#include <fmt/format.h>

#include <algorithm>

#include "rating/python_function.hh"

namespace tollgate::rating {
namespace {

constexpr i64 range_edge_max = i64{1} << 62;

bool is_docstring(const PythonNode& node) {
  return node.is("Expr") && node[0].is("Constant") && node[0][0].kind == PythonNode::Kind::text;
}

std::set<std::string, std::less<>> both(const std::set<std::string, std::less<>>& a,
                                        const std::set<std::string, std::less<>>& b) {
  std::set<std::string, std::less<>> result;
  std::ranges::set_intersection(a, b, std::inserter(result, result.end()));
  return result;
}

}  // namespace

void FunctionCompiler::block(const PythonNode& statements) {
  bool is_told = false;
  for (const PythonNode& one : statements.items) {
    if (!frame().is_reachable && !is_told) {
      mistake(one, "nothing leads here", "take the statement away, or the return before it");
      is_told = true;
      frame().is_reachable = true;
    }
    statement(one);
  }
}

void FunctionCompiler::statement(const PythonNode& node) {
  if (node.is("Assign")) {
    assign_statement(node);
  } else if (node.is("AugAssign")) {
    augmented(node);
  } else if (node.is("AnnAssign")) {
    annotated(node);
  } else if (node.is("If")) {
    if_statement(node);
  } else if (node.is("For")) {
    for_statement(node);
  } else if (node.is("Return")) {
    return_statement(node);
  } else if (node.is("Break") || node.is("Continue")) {
    if (frame().loops.empty()) return;  // python3 has refused it already
    const Loop& loop = frame().loops.back();
    builder_.jump({.op = Op::jump}, node.is("Break") ? *loop.end : *loop.next);
    frame().is_reachable = false;
  } else if (node.is("While")) {
    mistake(node, "found while, which may never end",
            "write for i in range(1000): and break when it is done");
  } else if (node.is("FunctionDef")) {
    mistake(node, "found a function inside of a function", "write it at the top of the file");
  } else if (node.is("Expr") && !is_docstring(node)) {
    mistake(node, "found an expression whose value nobody uses", "assign or return it");
  } else if (!node.is("Pass") && !node.is("Expr")) {
    mistake(node, fmt::format("found {}, which is not in the subset", node.name),
            "docs/python.md lists what can be written");
  }
}

void FunctionCompiler::assign(const PythonNode& target, PythonValue value, const PythonNode& at) {
  if (!target.is("Name")) {
    mistake(target, "found an assignment to something that is no simple name",
            "tables are constants; a, b = ... is written as two assignments");
    return;
  }
  if (value.type == PythonType::table || value.type == PythonType::event) {
    mistake(at, "found a table or the event as a value", "call it by its own name");
    return;
  }
  const std::string& name = target[0].name;
  const auto found = frame().variables.find(name);
  if (found == frame().variables.end()) {
    if (constants_.contains(name)) {
      mistake(target, fmt::format("'{}' is a constant of the file", name),
              "give the variable another name");
    }
    frame().variables[name] = {copy(value, true), false};
  } else {
    Variable& variable = found->second;
    if ((variable.value.type == PythonType::text) != (value.type == PythonType::text) ||
        variable.value.type == PythonType::event) {
      mistake(at, fmt::format("'{}' was of another type before", name),
              "give the other value another name");
      return;
    }
    move_to(variable.value.place, value);
    if (variable.value.type != value.type) variable.value.type = PythonType::number;
  }
  frame().assigned.insert(name);
}

void FunctionCompiler::assign_statement(const PythonNode& node) {
  const PythonNode& target = node[0].items[0];
  const bool are_several = target.is("Tuple") || target.is("List");
  if (node[0].items.size() != 1 || are_several) {
    mistake(node, "found an assignment to several names", "write one for each");
    return;
  }
  assign(target, expression(node[1]), node);
}

void FunctionCompiler::augmented(const PythonNode& node) {
  if (!node[0].is("Name")) {
    mistake(node, "found an assignment to something that is no simple name",
            "tables are constants");
    return;
  }
  const PythonValue before = number_expression(node[0]);
  const PythonValue by = number_expression(node[2]);
  assign(node[0], binary(node, node[1].name, before, by), node);
}

void FunctionCompiler::annotated(const PythonNode& node) {
  annotation(node[1], node, "the variable");
  if (node[2].is_nothing()) {
    mistake(node, "found a variable without a value", "give it one: n: int = 0");
    return;
  }
  assign(node[0], expression(node[2]), node);
}

void FunctionCompiler::if_statement(const PythonNode& node) {
  Label otherwise;
  Label end;
  branch(node[0], otherwise, false);
  const auto assigned_before = frame().assigned;
  block(node[1]);
  const auto assigned_then = frame().assigned;
  const bool then_goes_on = frame().is_reachable;
  if (!node[2].items.empty() && then_goes_on) builder_.jump({.op = Op::jump}, end);
  builder_.bind(otherwise);
  frame().assigned = assigned_before;
  frame().is_reachable = true;
  block(node[2]);
  builder_.bind(end);
  if (!frame().is_reachable) {
    frame().assigned = assigned_then;
    frame().is_reachable = then_goes_on;
  } else if (then_goes_on) {
    frame().assigned = both(frame().assigned, assigned_then);
  }
}

void FunctionCompiler::for_statement(const PythonNode& node) {
  if (!node[3].items.empty()) {
    mistake(node[3].items[0], "found an else of a loop", "set a flag in the loop instead");
    return;
  }
  const PythonNode& over = node[1];
  if (over.is("Call") && over[0].is("Name") && over[0][0].name == "range") {
    range_loop(node, over);
    return;
  }
  PythonTable* table = table_named(over);
  PythonTable here;
  if (table == nullptr && (over.is("Tuple") || over.is("List")) && read_table(over, here)) {
    tables_.push_back(here);
    table = &tables_.back();
  }
  if (table == nullptr) {
    mistake(over, "found a loop over something that is neither range() nor a table",
            "write for i in range(10): or for row in TABLE:");
    return;
  }
  if (table->is_dictionary) {
    mistake(over, "found a loop over a dictionary", "write a list of (key, value) instead");
    return;
  }
  table_loop(node, *table);
}

// The most that `node` can be: a constant, or min() with a constant among its arguments.
bool FunctionCompiler::most_of(const PythonNode& node, const PythonValue& value, i64& most) {
  if (value.is_constant) {
    most = value.number;
    return true;
  }
  if (!node.is("Call") || !node[0].is("Name") || node[0][0].name != "min") return false;
  bool is_found = false;
  for (const PythonNode& argument : node[1].items) {
    const bool is_plain = argument.is("Constant") && argument[0].kind == PythonNode::Kind::number;
    const bool is_named = argument.is("Name") && constants_.contains(argument[0].name) &&
                          !frame().variables.contains(argument[0].name);
    if (!is_plain && !is_named) continue;
    const i64 number = is_plain ? argument[0].number : constants_[argument[0].name].number;
    most = is_found ? std::min(most, number) : number;
    is_found = true;
  }
  return is_found;
}

void FunctionCompiler::range_loop(const PythonNode& node, const PythonNode& call) {
  const std::vector<PythonNode>& arguments = call[1].items;
  if (arguments.empty() || arguments.size() > 3 || !call[2].items.empty()) {
    mistake(call, "range() takes one to three numbers");
    return;
  }
  const bool has_start = arguments.size() > 1;
  const PythonValue start =
      has_start ? constant_of(arguments[0], "where range() starts") : PythonValue::constant(0);
  const PythonNode& stop_node = arguments[has_start ? 1 : 0];
  const PythonValue stop = number_expression(stop_node);
  const PythonValue step = arguments.size() > 2 ? constant_of(arguments[2], "the step of range()")
                                                : PythonValue::constant(1);
  i64 most = 0;
  const auto is_far = [](i64 edge) { return edge > range_edge_max || edge < -range_edge_max; };
  if (!most_of(stop_node, stop, most) || (step.number < 0 && !stop.is_constant)) {
    mistake(stop_node, "nobody knows how often this loop runs",
            "write range(min(n, 100)), or a constant");
    return;
  }
  if (step.number == 0 || is_far(start.number) || is_far(most) || is_far(step.number)) {
    mistake(call, "the numbers of range() are out of bounds", "the step is not 0");
    return;
  }
  const i64 way = step.number > 0 ? most - start.number : start.number - most;
  const i64 stride = step.number > 0 ? step.number : -step.number;
  const u64 rounds = way <= 0 ? 0 : static_cast<u64>((way - 1) / stride + 1);
  // The limit is copied: the body may change what it was calculated from.
  const PythonValue limit = stop.is_constant ? stop : copy(stop, true);
  const u16 place = copy(start, true).place;
  Label next;
  Label end;
  Label head;
  builder_.begin_loop(rounds + 1);
  builder_.bind(head);
  if (limit.is_constant) {
    builder_.jump({.op = step.number > 0 ? Op::jump_ge_imm : Op::jump_le_imm,
                   .a = place,
                   .imm = limit.number},
                  end);
  } else {
    builder_.jump({.op = Op::jump_le, .a = limit.place, .b = place}, end);
  }
  const auto before = frame().assigned;
  assign(node[0], PythonValue::in(place), node);
  loop_body(node, next, end);
  builder_.emit({.op = Op::add_imm, .d = place, .a = place, .imm = step.number});
  builder_.jump({.op = Op::jump}, head);
  builder_.end_loop();
  builder_.bind(end);
  frame().assigned = before;
  frame().is_reachable = true;
}

void FunctionCompiler::loop_body(const PythonNode& node, Label& next, Label& end) {
  frame().loops.push_back({&next, &end});
  block(node[2]);
  frame().loops.pop_back();
  frame().is_reachable = true;
  builder_.bind(next);
}

void FunctionCompiler::table_loop(const PythonNode& node, PythonTable& table) {
  if (unrolled(node, table)) return;
  const u16 row = copy(PythonValue::constant(0), true).place;
  Label next;
  Label end;
  Label head;
  builder_.begin_loop(u64{table.rows} + 1);
  builder_.bind(head);
  builder_.jump({.op = Op::jump_ge_imm, .a = row, .imm = i64{table.rows}}, end);
  const auto before = frame().assigned;
  assign_row(node[0], table, row);
  loop_body(node, next, end);
  builder_.emit({.op = Op::add_imm, .d = row, .a = row, .imm = 1});
  builder_.jump({.op = Op::jump}, head);
  builder_.end_loop();
  builder_.bind(end);
  frame().assigned = before;
  frame().is_reachable = true;
}

void FunctionCompiler::assign_row(const PythonNode& target, PythonTable& table, u16 row) {
  if (!table.is_nested) {
    assign(target, column_of(table, PythonValue::in(row), 0), target);
    return;
  }
  const bool are_several = target.is("Tuple") || target.is("List");
  if (!are_several || target[0].items.size() != table.columns) {
    mistake(target, fmt::format("the tuples have {} items", table.columns),
            "write a name for each: for limit, price in TIERS:");
    return;
  }
  for (u32 column = 0; column < table.columns; ++column) {
    assign(target[0].items[column], column_of(table, PythonValue::in(row), column), target);
  }
}

void FunctionCompiler::return_statement(const PythonNode& node) {
  if (node[0].is_nothing()) {
    mistake(node, "returns nothing", "return a number");
    return;
  }
  const PythonValue value = expression(node[0]);
  const bool is_text = frame().result_type == PythonType::text;
  if (value.type == PythonType::table || value.type == PythonType::event ||
      (value.type == PythonType::text) != is_text) {
    mistake(node, "returns something else than the function says behind ->");
    return;
  }
  if (frame().is_outermost) {
    builder_.emit({.op = Op::result, .a = in_register(value)});
  } else {
    move_to(frame().result, value);
    builder_.jump({.op = Op::jump}, frame().end);
  }
  frame().is_reachable = false;
}

// Parameters by position, with types and without defaults.
bool FunctionCompiler::check_parameters(const PythonNode& function) {
  const PythonNode& arguments = function[1];
  const bool is_plain = arguments[0].items.empty() && arguments[2].is_nothing() &&
                        arguments[3].items.empty() && arguments[4].is_nothing() &&
                        arguments[5].items.empty();
  if (!is_plain) {
    mistake(function, "found parameters with defaults, *, ** or /",
            "write (event: Event, a: int, b: int)");
  }
  if (!function[3].items.empty()) {
    mistake(function[3].items[0], "found a decorator", "a function stands for itself");
    return false;
  }
  return is_plain;
}

void FunctionCompiler::function_body(const PythonNode& function) {
  calls_.push_back(&function);
  block(function[2]);
  if (frame().is_reachable) {
    mistake(function, fmt::format("the function '{}' may end without return", function[0].name),
            "return a number on every way through it");
  }
  calls_.pop_back();
}

}  // namespace tollgate::rating
