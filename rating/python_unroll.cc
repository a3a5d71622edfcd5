// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Short loops over tables, written out: a round after the other with its row as constants, so that
// nothing is counted, looked up or compared that is known already.

#include <algorithm>

#include "rating/python_function.hh"

namespace tollgate::rating {
namespace {

constexpr u32 rows_max = 16;
constexpr u32 instructions_max = 256;  // of all rounds together
constexpr u32 rounds_max = 4096;       // in a program: loops in loops multiply, trials as well

// So much of a program's room stays for loops that are not written out.
bool has_room(const ProgramBuilder& builder) {
  return builder.register_count() <= program_registers_max / 2 &&
         builder.here() <= program_instructions_max / 2;
}

}  // namespace

// The names that each row gives values to. None: a value must be told there, and by the loop.
std::vector<std::string> FunctionCompiler::loop_names(const PythonNode& node,
                                                      const PythonTable& table) {
  const PythonNode& target = node[0];
  const bool are_several = target.is("Tuple") || target.is("List");
  if (are_several != table.is_nested) return {};
  std::vector<std::string> names;
  for (u32 column = 0; column < (table.is_nested ? table.columns : 1); ++column) {
    if (are_several && target[0].items.size() != table.columns) return {};
    const PythonNode& one = are_several ? target[0].items[column] : target;
    if (!one.is("Name")) return {};
    const std::string& name = one[0].name;
    // What had a value before has one of the loop's behind it, if the table is not empty.
    if (constants_.contains(name) || frame().assigned.contains(name)) return {};
    if (frame().variables.contains(name) || assigns(node[2], name)) return {};
    if (std::ranges::find(names, name) != names.end()) return {};
    names.push_back(name);
  }
  return names;
}

// Whether the loop was written out. If not, everything is as it was: what goes wrong in a round for
// its constants alone, a division by a zero that the round does not come to, is left to the loop.
bool FunctionCompiler::unrolled(const PythonNode& node, PythonTable& table) {
  const std::vector<std::string> names = loop_names(node, table);
  if (names.empty() || table.rows > rows_max) return false;
  const ProgramBuilder builder_before = builder_;
  const Frame frame_before = frame();
  const std::size_t mistakes_before = mistakes_.size();
  const std::size_t tables_before = tables_.size();
  const u64 facts_before = facts_used_;
  Label end;
  u32 row = 0;
  for (; row < table.rows && unrolled_rounds_ < rounds_max; ++row, ++unrolled_rounds_) {
    for (u32 column = 0; column < names.size(); ++column) {
      frame().variables[names[column]] = {column_of(table, PythonValue::constant(i64{row}), column),
                                          true};
    }
    Label next;
    loop_body(node, next, end);
    frame().assigned = frame_before.assigned;
    const u32 written = builder_.here() - builder_before.here();
    if (mistakes_.size() != mistakes_before || written > instructions_max) break;
    if (!has_room(builder_)) break;
  }
  if (row == table.rows) {
    builder_.bind(end);
    for (const std::string& name : names) frame().variables.erase(name);
    return true;
  }
  builder_ = builder_before;
  frame() = frame_before;
  mistakes_.resize(mistakes_before);
  while (tables_.size() > tables_before) tables_.pop_back();
  for (PythonTable& one : tables_) {
    if (one.is_used && one.number >= builder_.tables().size()) one.is_used = false;
  }
  facts_used_ = facts_before;
  return false;
}

}  // namespace tollgate::rating
