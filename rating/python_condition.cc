// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Conditions of a Python function: jumps, without making a truth value of each comparison.

#include <fmt/format.h>

#include "rating/python_function.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t chain_max = 8;  // items of `x in (...)` that are compared one by one

bool is_known(std::string_view op, i64 a, i64 b) {
  if (op == "Lt") return a < b;
  if (op == "LtE") return a <= b;
  if (op == "Gt") return a > b;
  if (op == "GtE") return a >= b;
  if (op == "Eq") return a == b;
  return a != b;
}

std::string_view opposite(std::string_view op) {
  if (op == "Lt") return "GtE";
  if (op == "LtE") return "Gt";
  if (op == "Gt") return "LtE";
  if (op == "GtE") return "Lt";
  if (op == "Eq") return "NotEq";
  return "Eq";
}

// The same comparison with the sides changed.
std::string_view mirrored(std::string_view op) {
  if (op == "Lt") return "Gt";
  if (op == "LtE") return "GtE";
  if (op == "Gt") return "Lt";
  if (op == "GtE") return "LtE";
  return op;
}

Op immediate_jump(std::string_view op) {
  if (op == "Lt") return Op::jump_lt_imm;
  if (op == "LtE") return Op::jump_le_imm;
  if (op == "Gt") return Op::jump_gt_imm;
  if (op == "GtE") return Op::jump_ge_imm;
  return op == "Eq" ? Op::jump_eq_imm : Op::jump_ne_imm;
}

Op register_jump(std::string_view op) {
  if (op == "Lt") return Op::jump_lt;
  if (op == "LtE") return Op::jump_le;
  return op == "Eq" ? Op::jump_eq : Op::jump_ne;
}

}  // namespace

// Goes to `to` if the truth of the expression is `when`, else on.
void FunctionCompiler::branch(const PythonNode& node, Label& to, bool when) {
  if (node.is("UnaryOp") && node[0].name == "Not") {
    branch(node[1], to, !when);
  } else if (node.is("BoolOp")) {
    branch_all(node, to, when);
  } else if (node.is("Compare")) {
    branch_compare(node, to, when);
  } else {
    branch_value(node, expression(node), to, when);
  }
}

void FunctionCompiler::branch_value(const PythonNode& at, PythonValue value, Label& to, bool when) {
  if (value.type != PythonType::number && value.type != PythonType::truth) {
    mistake(at, "found a text or a table as a condition", "compare it: zone == \"EU\"");
    return;
  }
  if (value.is_constant) {
    if ((value.number != 0) == when) builder_.jump({.op = Op::jump}, to);
    return;
  }
  builder_.jump({.op = when ? Op::jump_ne_imm : Op::jump_eq_imm, .a = value.place, .imm = 0}, to);
}

// and, or
void FunctionCompiler::branch_all(const PythonNode& node, Label& to, bool when) {
  const bool is_any = node[0].name == "Or";
  const std::vector<PythonNode>& parts = node[1].items;
  Label on;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    // The first that is true decides an `or`, the first that is false an `and`.
    if (when == is_any || is_last) {
      branch(parts[i], to, when);
    } else {
      branch(parts[i], on, is_any);
    }
  }
  builder_.bind(on);
}

// a < b <= c: each pair as an `and`, each side calculated once.
void FunctionCompiler::branch_compare(const PythonNode& node, Label& to, bool when) {
  const std::vector<PythonNode>& ops = node[1].items;
  const std::vector<PythonNode>& sides = node[2].items;
  PythonValue left = expression(node[0]);
  Label on;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const std::string& op = ops[i].name;
    const bool is_last = i + 1 == ops.size();
    const bool jumps_away = !when || is_last;  // else: on to the next pair only if this one holds
    Label& target = jumps_away ? to : on;
    const bool wanted = is_last && when;
    if (op == "In" || op == "NotIn") {
      branch_in(node, left, sides[i], target, (op == "In") == wanted);
      if (!is_last) mistake(node, "found a comparison behind `in`", "write: a in b and ...");
      break;
    }
    if (op == "Is" || op == "IsNot") {
      mistake(node, "found `is`, which is not in the subset", "write == or !=");
      break;
    }
    const PythonValue right = expression(sides[i]);
    compare(node, op, left, right, target, wanted);
    left = right;
  }
  builder_.bind(on);
}

void FunctionCompiler::compare(const PythonNode& at, std::string_view op, PythonValue a,
                               PythonValue b, Label& to, bool when) {
  const bool is_text = a.type == PythonType::text;
  if (a.type == PythonType::table || b.type == PythonType::table || a.type == PythonType::event ||
      b.type == PythonType::event) {
    mistake(at, "found a table or the event in a comparison", "compare its items");
    return;
  }
  if (is_text != (b.type == PythonType::text)) {
    mistake(at, "a text is compared with a number", "texts with texts, numbers with numbers");
    return;
  }
  if (is_text && op != "Eq" && op != "NotEq") {
    mistake(at, "texts have no order here", "compare them with == and !=");
    return;
  }
  if (!when) op = opposite(op);
  if (a.is_constant && b.is_constant) {
    if (is_known(op, a.number, b.number)) builder_.jump({.op = Op::jump}, to);
    return;
  }
  if (a.is_constant) {
    std::swap(a, b);
    op = mirrored(op);
  }
  if (b.is_constant) {
    builder_.jump({.op = immediate_jump(op), .a = a.place, .imm = b.number}, to);
    return;
  }
  if (op == "Gt" || op == "GtE") {
    std::swap(a, b);
    op = mirrored(op);
  }
  builder_.jump({.op = register_jump(op), .a = a.place, .b = b.place}, to);
}

// x in (1, 2, 3), x in TABLE, key in DICTIONARY
void FunctionCompiler::branch_in(const PythonNode& node, PythonValue value, const PythonNode& list,
                                 Label& to, bool when) {
  PythonTable here;
  PythonTable* table = table_named(list);
  if (table == nullptr) {
    if (!read_table(list, here)) {
      mistake(list, "found `in` with something that is no table",
              "write x in (1, 2, 3), or name a table of this file");
      return;
    }
    table = &here;
  }
  if (table->is_nested) {
    mistake(list, "found `in` with a list of tuples", "write a list of what is looked for");
    return;
  }
  if ((value.type == PythonType::text) != (table->types[0] == PythonType::text)) {
    mistake(node, "what is looked for is of another type than what is in the table");
    return;
  }
  const std::vector<i64> keys(table->words.begin(), table->words.begin() + table->rows);
  const u16 place = in_register(value);
  if (keys.size() <= chain_max) {
    Label on;
    for (const i64 key : keys) {
      builder_.jump({.op = Op::jump_eq_imm, .a = place, .imm = key}, when ? to : on);
    }
    if (!when) builder_.jump({.op = Op::jump}, to);
    builder_.bind(on);
    return;
  }
  std::vector<i64> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  const u16 set = builder_.add_table(static_cast<u32>(sorted.size()), 1, sorted);
  const u16 row = builder_.new_register();
  builder_.emit({.op = Op::find, .d = row, .a = place, .b = set});
  builder_.jump({.op = when ? Op::jump_ge_imm : Op::jump_lt_imm, .a = row, .imm = 0}, to);
}

}  // namespace tollgate::rating
