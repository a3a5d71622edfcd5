// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The top of a Python file: its constants, tables and functions.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "rating/charge_event.hh"
#include "rating/facts.hh"
#include "rating/python_function.hh"

namespace tollgate::rating {
namespace {

constexpr u32 table_words_max = 1 << 16;

// Field numbers of python_tree.py.
constexpr std::size_t function_name = 0;

bool is_docstring(const PythonNode& node) {
  return node.is("Expr") && node[0].is("Constant") && node[0][0].kind == PythonNode::Kind::text;
}

// The rows of a table in the order of their keys, which is how a search wants them.
void sort_by_key(PythonTable& table) {
  std::vector<u32> order(table.rows);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](u32 row) { return table.words[row]; });
  std::vector<i64> words(table.words.size());
  for (u32 column = 0; column < table.columns; ++column) {
    for (u32 row = 0; row < table.rows; ++row) {
      words[column * table.rows + row] = table.words[column * table.rows + order[row]];
    }
  }
  table.words = std::move(words);
}

// Rows to columns. False if the rows are not alike.
bool lay_out(const std::vector<std::vector<PythonValue>>& rows, PythonTable& table) {
  table.rows = static_cast<u32>(rows.size());
  table.columns = static_cast<u32>(rows[0].size());
  for (const PythonValue& value : rows[0]) table.types.push_back(value.type);
  table.words.resize(std::size_t{table.rows} * table.columns);
  for (u32 row = 0; row < table.rows; ++row) {
    if (rows[row].size() != table.columns) return false;
    for (u32 column = 0; column < table.columns; ++column) {
      const PythonValue& value = rows[row][column];
      const bool is_text = value.type == PythonType::text;
      if (is_text != (table.types[column] == PythonType::text)) return false;
      table.words[column * table.rows + row] = value.number;
    }
  }
  return true;
}

}  // namespace

FunctionCompiler::FunctionCompiler(const PythonNode& module, ProgramBuilder& builder,
                                   std::vector<PythonMistake>& mistakes)
    : module_(module), builder_(builder), mistakes_(mistakes) {}

PythonValue FunctionCompiler::mistake(const PythonNode& at, std::string message, std::string hint) {
  constexpr std::size_t mistakes_max = 200;
  const u32 line = std::max(at.line, 1U);  // what is of the whole file is told at its beginning
  const u32 column = std::max(at.column, 1U);
  const auto is_same = [&](const PythonMistake& one) {
    return one.line == line && one.column == column;
  };
  // One place is told once, however often its function is compiled in.
  if (mistakes_.size() < mistakes_max && std::ranges::none_of(mistakes_, is_same)) {
    mistakes_.push_back({line, column, std::move(message), std::move(hint)});
  }
  return PythonValue::constant(0);
}

const PythonNode* FunctionCompiler::find_function(std::string_view name) const {
  for (const PythonNode& node : module_[0].items) {
    if (node.is("FunctionDef") && node[function_name].name == name) return &node;
  }
  return nullptr;
}

void FunctionCompiler::read_module() {
  for (const PythonNode& node : module_[0].items) {
    if (node.is("FunctionDef") || is_docstring(node)) continue;
    if (node.is("Assign") && node[0].items.size() == 1) {
      read_constant(node[0].items[0], node[1]);
    } else if (node.is("AnnAssign") && !node[2].is_nothing()) {
      read_constant(node[0], node[2]);
    } else if (node.is("ImportFrom")) {
      if (node[0].name != "tollgate") {
        mistake(node, fmt::format("found an import from {}", node[0].name),
                "nothing can be imported but the event: from tollgate import Event");
      }
    } else {
      mistake(node, fmt::format("found {} outside of a function", node.name),
              "a file holds functions, and constants like RATES = {1: 100, 2: 250}");
    }
  }
}

void FunctionCompiler::read_constant(const PythonNode& target, const PythonNode& value) {
  if (!target.is("Name")) {
    mistake(target, "found a constant without a simple name", "write NAME = value");
    return;
  }
  const std::string& name = target[0].name;
  if (constants_.contains(name)) {
    mistake(target, fmt::format("the constant '{}' is given a value twice", name),
            "give the other one a name of its own");
    return;
  }
  PythonTable table;
  const std::size_t before = mistakes_.size();
  if (read_table(value, table)) {
    constants_[name] = table_value(std::move(table));
  } else if (mistakes_.size() == before) {
    constants_[name] = constant_of(value, "a constant");
  } else {
    constants_[name] = PythonValue::constant(0);
  }
}

PythonValue FunctionCompiler::constant_of(const PythonNode& node, std::string_view what) {
  const std::size_t before = mistakes_.size();
  const PythonValue value = expression(node);
  if (mistakes_.size() != before) return value;
  if (value.is_constant && value.type != PythonType::event) return value;
  return mistake(node, fmt::format("{} is calculated only when an event comes", what),
                 "write it with numbers and names of constants of this file");
}

// False without a mistake: it is no table.
bool FunctionCompiler::read_table(const PythonNode& node, PythonTable& table) {
  const bool is_read = node.is("Dict") ? read_dictionary(node, table) : read_rows(node, table);
  if (is_read && table.words.size() > table_words_max) {
    mistake(node,
            fmt::format("the table has {} numbers, {} at most are possible", table.words.size(),
                        table_words_max),
            "a table of number prefixes belongs into the tariff, as zones");
    return false;
  }
  return is_read;
}

bool FunctionCompiler::read_dictionary(const PythonNode& node, PythonTable& table) {
  std::vector<std::vector<PythonValue>> rows;
  std::set<i64> keys;
  for (std::size_t i = 0; i < node[0].items.size(); ++i) {
    if (node[0].items[i].is_nothing()) {
      mistake(node, "found ** in a dictionary", "write its keys and values out");
      return false;
    }
    const PythonValue key = constant_of(node[0].items[i], "a key");
    const PythonValue value = constant_of(node[1].items[i], "a value");
    if (key.type == PythonType::table || value.type == PythonType::table) {
      mistake(node[1].items[i], "found a table inside of a dictionary",
              "write a dictionary for each");
      return false;
    }
    if (!keys.insert(key.number).second) {
      mistake(node[0].items[i], "the key stands twice", "leave one of the two out");
      return false;
    }
    rows.push_back({key, value});
  }
  if (rows.empty()) {
    mistake(node, "found an empty dictionary", "it needs a key at least");
    return false;
  }
  table.is_dictionary = true;
  if (!lay_out(rows, table)) {
    mistake(node, "the keys or the values are of different types", "all numbers, or all texts");
    return false;
  }
  sort_by_key(table);
  return true;
}

bool FunctionCompiler::read_row(const PythonNode& node, std::vector<PythonValue>& row) {
  const bool is_nested = node.is("Tuple") || node.is("List");
  if (!is_nested) {
    row.push_back(constant_of(node, "an item"));
  } else {
    for (const PythonNode& item : node[0].items) row.push_back(constant_of(item, "an item"));
  }
  for (const PythonValue& value : row) {
    if (value.type != PythonType::table) continue;
    mistake(node, "found a table inside of a table", "a list of tuples is the deepest");
    return false;
  }
  return !row.empty();
}

bool FunctionCompiler::read_rows(const PythonNode& node, PythonTable& table) {
  if (!node.is("List") && !node.is("Tuple")) return false;
  const std::vector<PythonNode>& items = node[0].items;
  if (items.empty()) {
    mistake(node, "found an empty list", "it needs an item at least");
    return false;
  }
  std::vector<std::vector<PythonValue>> rows(items.size());
  table.is_nested = items[0].is("Tuple") || items[0].is("List");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if ((items[i].is("Tuple") || items[i].is("List")) != table.is_nested) {
      mistake(items[i], "some items are tuples and some are not", "write all of them alike");
      return false;
    }
    if (!read_row(items[i], rows[i])) return false;
  }
  if (lay_out(rows, table)) return true;
  mistake(node, "the items are not alike", "each has as many numbers and texts as the others");
  return false;
}

PythonValue FunctionCompiler::table_value(PythonTable table) {
  tables_.push_back(std::move(table));
  PythonValue value = PythonValue::constant(static_cast<i64>(tables_.size()) - 1);
  value.type = PythonType::table;
  return value;
}

// Only tables that are looked at go into the program.
u16 FunctionCompiler::use_table(PythonTable& table) {
  if (!table.is_used) table.number = builder_.add_table(table.rows, table.columns, table.words);
  table.is_used = true;
  return table.number;
}

PythonType FunctionCompiler::annotation(const PythonNode& node, const PythonNode& of,
                                        std::string_view what) {
  if (node.is("Name")) {
    const std::string& name = node[0].name;
    if (name == "int") return PythonType::number;
    if (name == "bool") return PythonType::truth;
    if (name == "str") return PythonType::text;
    if (name == "Event") return PythonType::event;
  }
  mistake(node.is_nothing() ? of : node, fmt::format("{} has no type that is known here", what),
          "int, bool or str; the first parameter may be an Event");
  return PythonType::number;
}

bool assigns(const PythonNode& tree, std::string_view name) {
  const auto is_target = [&](const PythonNode& target) {
    if (target.is("Name")) return target[0].name == name;
    return (target.is("Tuple") || target.is("List")) &&
           std::ranges::any_of(target[0].items, [&](const PythonNode& one) {
             return one.is("Name") && one[0].name == name;
           });
  };
  if (tree.is("Assign") && std::ranges::any_of(tree[0].items, is_target)) return true;
  if ((tree.is("AugAssign") || tree.is("AnnAssign") || tree.is("For")) && is_target(tree[0])) {
    return true;
  }
  return std::ranges::any_of(tree.items,
                             [&](const PythonNode& item) { return assigns(item, name); });
}

std::vector<std::string> python_functions(const PythonTree& tree) {
  std::vector<std::string> names;
  if (!tree.module.is("Module")) return names;
  for (const PythonNode& node : tree.module[0].items) {
    if (node.is("FunctionDef")) names.push_back(node[function_name].name);
  }
  return names;
}

}  // namespace tollgate::rating
