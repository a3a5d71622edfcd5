// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Expressions of a Python function: values from names, numbers, operators and tables.

#include <fmt/format.h>

#include <array>

#include "rating/charge_event.hh"
#include "rating/facts.hh"
#include "rating/python_function.hh"

namespace tollgate::rating {
namespace {

constexpr u32 expression_depth_max = 100;

struct OperatorName {
  std::string_view name;
  Op op;
};
constexpr std::array<OperatorName, 6> simple_operators = {{{"Add", Op::add},
                                                           {"Sub", Op::sub},
                                                           {"Mult", Op::mul},
                                                           {"BitAnd", Op::bit_and},
                                                           {"BitOr", Op::bit_or},
                                                           {"BitXor", Op::bit_xor}}};

i64 floor_quotient(i64 a, i64 b) {
  const i64 q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

// False if it does not fit.
bool power(i64 base, i64 exponent, i64& result) {
  result = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return false;
    if (result == 0 || result == 1) break;
  }
  return true;
}

}  // namespace

PythonValue FunctionCompiler::expression(const PythonNode& node) {
  if (++expression_depth_ > expression_depth_max) {
    --expression_depth_;
    return mistake(node, "the expression is nested too deeply", "give a part of it a name");
  }
  PythonValue value;
  if (node.is("Constant")) {
    value = constant(node);
  } else if (node.is("Name")) {
    value = name(node);
  } else if (node.is("BinOp")) {
    const PythonValue a = number_expression(node[0]);
    const PythonValue b = number_expression(node[2]);
    value = binary(node, node[1].name, a, b);
  } else if (node.is("UnaryOp")) {
    value = unary(node);
  } else if (node.is("BoolOp")) {
    value = any_or_all(node);
  } else if (node.is("Compare")) {
    value = truth_value(node);
  } else if (node.is("IfExp")) {
    value = conditional(node);
  } else if (node.is("Call")) {
    value = call(node);
  } else if (node.is("Attribute")) {
    value = attribute(node);
  } else if (node.is("Subscript")) {
    value = subscript(node);
  } else if (node.is("Tuple") || node.is("List") || node.is("Dict")) {
    value = mistake(node, "found a table inside of an expression",
                    "give it a name at the top of the file");
  } else {
    value = mistake(node, fmt::format("found {}, which is not in the subset", node.name),
                    "docs/python.md lists what can be written");
  }
  --expression_depth_;
  return value;
}

PythonValue FunctionCompiler::number_expression(const PythonNode& node) {
  const PythonValue value = expression(node);
  if (value.type == PythonType::number || value.type == PythonType::truth) return value;
  return mistake(node, "found a text or a table where a number is needed",
                 "texts can be compared with == and !=, and be keys");
}

PythonValue FunctionCompiler::constant(const PythonNode& node) {
  const PythonNode& value = node[0];
  switch (value.kind) {
    case PythonNode::Kind::number:
      if (value.is_too_large) return mistake(node, "the number does not fit into 64 bits");
      return PythonValue::constant(value.number);
    case PythonNode::Kind::truth:
      return PythonValue::constant(value.number, PythonType::truth);
    case PythonNode::Kind::text:
      return PythonValue::constant(static_cast<i64>(text_key(value.name)), PythonType::text);
    case PythonNode::Kind::other:
      if (value.name == "float") {
        return mistake(node, "found a number with a fraction",
                       "count in whole millionths of the currency: 250_000 is 0.25");
      }
      [[fallthrough]];
    default:
      return mistake(node, "found a constant that is neither int, bool nor str",
                     "there is no None: return a number that means it");
  }
}

PythonValue FunctionCompiler::name(const PythonNode& node) {
  const std::string& text = node[0].name;
  const auto variable = frame().variables.find(text);
  if (variable != frame().variables.end()) {
    if (variable->second.is_fixed || frame().assigned.contains(text)) {
      return variable->second.value;
    }
    return mistake(node, fmt::format("'{}' may have no value yet", text),
                   fmt::format("give it one on every way that leads here: {} = 0", text));
  }
  const auto found = constants_.find(text);
  if (found != constants_.end()) return found->second;
  if (find_function(text) != nullptr) {
    return mistake(node, fmt::format("the function '{}' is named but not called", text),
                   fmt::format("write {}(...)", text));
  }
  return mistake(node, fmt::format("there is no '{}' here", text),
                 "constants of the file stand above the functions");
}

PythonValue FunctionCompiler::attribute(const PythonNode& node) {
  const PythonValue of = node[0].is("Name") ? name(node[0]) : expression(node[0]);
  if (of.type != PythonType::event) {
    return mistake(node, fmt::format("found .{}, but only the event has attributes", node[1].name));
  }
  const std::optional<Fact> fact = find_fact(node[1].name);
  if (!fact) {
    return mistake(node, fmt::format("an event has no '{}'", node[1].name),
                   "docs/python.md lists what it has");
  }
  const bool is_text = fact_info(*fact).type == FactType::text;
  return input(static_cast<u32>(*fact), is_text ? PythonType::text : PythonType::number);
}

PythonValue FunctionCompiler::input(u32 fact, PythonType type) {
  facts_used_ |= u64{1} << fact;
  const u16 place = builder_.new_register();
  builder_.emit({.op = Op::input, .d = place, .imm = i64{parameter_count_} + fact});
  return PythonValue::in(place, type);
}

PythonTable* FunctionCompiler::table_named(const PythonNode& node) {
  if (!node.is("Name")) return nullptr;
  if (frame().variables.contains(node[0].name)) return nullptr;
  const auto found = constants_.find(node[0].name);
  if (found == constants_.end() || found->second.type != PythonType::table) return nullptr;
  return &tables_[static_cast<std::size_t>(found->second.number)];
}

// TABLE[i], TABLE[i][j], DICTIONARY[key]
PythonValue FunctionCompiler::subscript(const PythonNode& node) {
  if (node[1].is("Slice")) return mistake(node[1], "found a slice", "write a loop over the items");
  if (node[0].is("Subscript")) {
    PythonTable* table = table_named(node[0][0]);
    if (table != nullptr && !table->is_dictionary && table->is_nested) {
      const PythonValue row = row_of(node[0], *table, number_expression(node[0][1]));
      const PythonValue column = constant_of(node[1], "the place in a tuple");
      const i64 number = column.number < 0 ? column.number + table->columns : column.number;
      if (number < 0 || number >= table->columns) {
        return mistake(node[1], fmt::format("the tuples have {} items", table->columns));
      }
      return column_of(*table, row, static_cast<u32>(number));
    }
  }
  PythonTable* table = table_named(node[0]);
  if (table == nullptr) {
    return mistake(node, "found [...] behind something that is no table of this file",
                   "give the table a name at the top of the file");
  }
  const PythonValue key = expression(node[1]);
  if (table->is_dictionary) {
    if ((key.type == PythonType::text) != (table->types[0] == PythonType::text)) {
      return mistake(node[1], "the key is of another type than those of the dictionary");
    }
    const u16 row = builder_.new_register();
    builder_.emit({.op = Op::find, .d = row, .a = in_register(key), .b = use_table(*table)});
    builder_.emit({.op = Op::need, .a = row});
    return column_of(*table, PythonValue::in(row), 1);
  }
  if (table->is_nested) {
    return mistake(node, "found a whole tuple where a number is needed",
                   "write [i][0] for its first item");
  }
  if (key.type == PythonType::text) return mistake(node[1], "a list is counted by numbers");
  return column_of(*table, row_of(node, *table, key), 0);
}

PythonValue FunctionCompiler::row_of(const PythonNode& at, PythonTable& table, PythonValue index) {
  if (index.is_constant) {
    const i64 row = index.number < 0 ? index.number + table.rows : index.number;
    if (row >= 0 && row < table.rows) return PythonValue::constant(row);
    return mistake(at, fmt::format("the list has {} items, counted from 0", table.rows));
  }
  const u16 row = builder_.new_register();
  builder_.emit({.op = Op::index, .d = row, .a = index.place, .b = use_table(table)});
  return PythonValue::in(row);
}

PythonValue FunctionCompiler::column_of(PythonTable& table, PythonValue row, u32 column) {
  const PythonType type = table.types[column];
  if (row.is_constant) {
    const auto at = static_cast<std::size_t>(row.number);
    return PythonValue::constant(table.words[column * table.rows + at], type);
  }
  const u16 place = builder_.new_register();
  builder_.emit(
      {.op = Op::value, .d = place, .a = row.place, .b = use_table(table), .imm = i64{column}});
  return PythonValue::in(place, type);
}

PythonValue FunctionCompiler::unary(const PythonNode& node) {
  const std::string& op = node[0].name;
  if (op == "Not") return truth_value(node);
  PythonValue rounded;
  if (op == "USub" && round_up(node[1], rounded)) return rounded;
  const PythonValue a = number_expression(node[1]);
  if (op == "UAdd") return a;
  if (op != "USub") {
    return mistake(node, "found ~, which is not in the subset", "write -x - 1");
  }
  if (!a.is_constant) {
    const u16 place = builder_.new_register();
    builder_.emit({.op = Op::neg, .d = place, .a = a.place});
    return PythonValue::in(place);
  }
  i64 number = 0;
  if (__builtin_sub_overflow(i64{0}, a.number, &number)) {
    return mistake(node, "the number does not fit into 64 bits");
  }
  return PythonValue::constant(number);
}

// -(-a // b), the way to write a quotient that is rounded up, for a constant b above 0: one
// instruction. It goes wrong where the pieces would: at the least number, which has no negative.
bool FunctionCompiler::round_up(const PythonNode& node, PythonValue& rounded) {
  const bool is_pair = node.is("BinOp") && node[1].name == "FloorDiv" && node[0].is("UnaryOp") &&
                       node[0][0].name == "USub";
  if (!is_pair) return false;
  const PythonNode& divisor = node[2];
  PythonValue by;
  if (divisor.is("Constant")) {
    by = constant(divisor);
  } else if (divisor.is("Name")) {
    by = name(divisor);
  } else {
    return false;
  }
  if (!by.is_constant || by.type != PythonType::number || by.number <= 0) return false;
  const PythonValue a = number_expression(node[0][1]);
  if (a.is_constant) {
    rounded = a.number == INT64_MIN ? mistake(node, "the number does not fit into 64 bits")
                                    : PythonValue::constant(-floor_quotient(-a.number, by.number));
    return true;
  }
  const u16 place = builder_.new_register();
  builder_.emit({.op = Op::ceil_imm, .d = place, .a = a.place, .imm = by.number});
  rounded = PythonValue::in(place);
  return true;
}

PythonValue FunctionCompiler::binary(const PythonNode& at, std::string_view op, PythonValue a,
                                     PythonValue b) {
  if (op == "Div") {
    return mistake(at, "found /, which makes fractions",
                   "a // b rounds down, -(-a // b) rounds up");
  }
  if (a.is_constant && b.is_constant) return fold(at, op, a.number, b.number);
  if (op == "FloorDiv" || op == "Mod") return divide(at, op == "Mod", a, b);
  for (const OperatorName& one : simple_operators) {
    if (one.name == op) return emit_binary(one.op, a, b);
  }
  if (op == "Pow" || op == "LShift" || op == "RShift") {
    return mistake(at, "found **, << or >> of a number that is not known before",
                   "multiply or divide (//) by a constant");
  }
  return mistake(at, fmt::format("found the operator {}, which is not in the subset", op));
}

PythonValue FunctionCompiler::fold(const PythonNode& at, std::string_view op, i64 a, i64 b) {
  constexpr i64 shift_max = 62;
  i64 result = 0;
  bool fits = true;
  if ((op == "FloorDiv" || op == "Mod") && b == 0) return mistake(at, "divides by zero");
  if (op == "Add") {
    fits = !__builtin_add_overflow(a, b, &result);
  } else if (op == "Sub") {
    fits = !__builtin_sub_overflow(a, b, &result);
  } else if (op == "Mult") {
    fits = !__builtin_mul_overflow(a, b, &result);
  } else if (op == "FloorDiv") {
    fits = b != -1 || !__builtin_sub_overflow(i64{0}, a, &result);
    if (fits && b != -1) result = floor_quotient(a, b);
  } else if (op == "Mod") {
    result = b == -1 ? 0 : a - floor_quotient(a, b) * b;
  } else if (op == "Pow") {
    if (b < 0) return mistake(at, "found a negative power, which makes fractions");
    fits = power(a, b, result);
  } else if (op == "LShift" || op == "RShift") {
    if (b < 0 || b > shift_max) return mistake(at, "shifts by less than 0 or more than 62 bits");
    const i64 factor = i64{1} << b;
    fits = op == "RShift" || !__builtin_mul_overflow(a, factor, &result);
    if (op == "RShift") result = a >> b;
  } else if (op == "BitAnd") {
    result = a & b;
  } else if (op == "BitOr") {
    result = a | b;
  } else if (op == "BitXor") {
    result = a ^ b;
  } else {
    return mistake(at, fmt::format("found the operator {}, which is not in the subset", op));
  }
  return fits ? PythonValue::constant(result) : mistake(at, "the result does not fit into 64 bits");
}

PythonValue FunctionCompiler::divide(const PythonNode& at, bool wants_rest, PythonValue a,
                                     PythonValue b) {
  if (b.is_constant && b.number == 0) return mistake(at, "divides by zero");
  const u16 place = builder_.new_register();
  if (b.is_constant && b.number > 0) {
    builder_.emit(
        {.op = wants_rest ? Op::mod_imm : Op::div_imm, .d = place, .a = a.place, .imm = b.number});
    return PythonValue::in(place);
  }
  const u16 left = in_register(a);
  builder_.emit({.op = wants_rest ? Op::mod : Op::div, .d = place, .a = left, .b = in_register(b)});
  return PythonValue::in(place);
}

// One of the two is not constant.
PythonValue FunctionCompiler::emit_binary(Op op, PythonValue a, PythonValue b) {
  const bool commutes = op == Op::add || op == Op::mul;
  if (commutes && a.is_constant) std::swap(a, b);
  const u16 place = builder_.new_register();
  const bool is_subtraction = op == Op::sub && b.is_constant && b.number != INT64_MIN;
  if (b.is_constant && (commutes || is_subtraction)) {
    builder_.emit({.op = op == Op::mul ? Op::mul_imm : Op::add_imm,
                   .d = place,
                   .a = a.place,
                   .imm = is_subtraction ? -b.number : b.number});
    return PythonValue::in(place);
  }
  const u16 left = in_register(a);
  builder_.emit({.op = op, .d = place, .a = left, .b = in_register(b)});
  return PythonValue::in(place);
}

u16 FunctionCompiler::in_register(PythonValue value) {
  if (!value.is_constant) return value.place;
  const u16 place = builder_.new_register();
  builder_.emit({.op = Op::constant, .d = place, .imm = value.number});
  return place;
}

void FunctionCompiler::move_to(u16 place, PythonValue value) {
  if (value.is_constant) {
    builder_.emit({.op = Op::constant, .d = place, .imm = value.number});
  } else if (value.place != place) {
    builder_.emit({.op = Op::move, .d = place, .a = value.place});
  }
}

PythonValue FunctionCompiler::copy(PythonValue value, bool is_variable) {
  const u16 place = builder_.new_register(is_variable);
  move_to(place, value);
  return PythonValue::in(place, value.type);
}

// a if test else b
PythonValue FunctionCompiler::conditional(const PythonNode& node) {
  Label otherwise;
  Label end;
  const u16 place = builder_.new_register();
  branch(node[0], otherwise, false);
  const PythonValue a = expression(node[1]);
  move_to(place, a);
  builder_.jump({.op = Op::jump}, end);
  builder_.bind(otherwise);
  const PythonValue b = expression(node[2]);
  move_to(place, b);
  builder_.bind(end);
  if ((a.type == PythonType::text) != (b.type == PythonType::text) || a.type == PythonType::table ||
      b.type == PythonType::table) {
    return mistake(node, "the two values are of different types");
  }
  return PythonValue::in(place, a.type == b.type ? a.type : PythonType::number);
}

// A comparison, or not: 0 or 1.
PythonValue FunctionCompiler::truth_value(const PythonNode& node) {
  Label end;
  const u16 place = builder_.new_register();
  builder_.emit({.op = Op::constant, .d = place, .imm = 1});
  branch(node, end, true);
  builder_.emit({.op = Op::constant, .d = place, .imm = 0});
  builder_.bind(end);
  return PythonValue::in(place, PythonType::truth);
}

// `a and b` is a if that is nothing, else b; `a or b` the other way round.
PythonValue FunctionCompiler::any_or_all(const PythonNode& node) {
  const bool is_any = node[0].name == "Or";
  const u16 place = builder_.new_register();
  Label end;
  bool are_truths = true;
  for (std::size_t i = 0; i < node[1].items.size(); ++i) {
    const PythonValue value = number_expression(node[1].items[i]);
    are_truths = are_truths && value.type == PythonType::truth;
    move_to(place, value);
    if (i + 1 == node[1].items.size()) break;
    builder_.jump({.op = is_any ? Op::jump_ne_imm : Op::jump_eq_imm, .a = place, .imm = 0}, end);
  }
  builder_.bind(end);
  return PythonValue::in(place, are_truths ? PythonType::truth : PythonType::number);
}

}  // namespace tollgate::rating
