// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FunctionCompiler: the tree of a Python file to the instructions of one function of it.
//
// Expressions (python_expression.cc) become values: a constant that is known now, or a register.
// Statements (python_statement.cc) move them. Functions that are called are compiled in place, each
// call with a frame of names of its own. A mistake is told and compiling goes on with a zero.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "rating/python_builder.hh"
#include "rating/python_compile.hh"

namespace tollgate::rating {

enum class PythonType : u8 { number, truth, text, table, event };

struct PythonValue {
  PythonType type = PythonType::number;
  bool is_constant = true;
  i64 number = 0;  // of a constant; of a table its index
  u16 place = 0;   // the register

  static PythonValue constant(i64 number, PythonType type = PythonType::number) {
    return {type, true, number, 0};
  }
  static PythonValue in(u16 place, PythonType type = PythonType::number) {
    return {type, false, 0, place};
  }
};

// A list, a tuple or a dictionary of constants that the file names, or that stands in a function.
struct PythonTable {
  bool is_dictionary = false;
  u32 rows = 0;
  u32 columns = 1;                // of a dictionary: key and value
  bool is_nested = false;         // a list of tuples
  std::vector<PythonType> types;  // of each column
  std::vector<i64> words;         // column after column
  u16 number = 0;                 // of the program, once it is used
  bool is_used = false;
};

class FunctionCompiler {
 public:
  FunctionCompiler(const PythonNode& module, ProgramBuilder& builder,
                   std::vector<PythonMistake>& mistakes);

  // Reads the file's constants, then compiles the function.
  void compile(std::string_view function, PythonSignature signature);
  u64 facts_used() const { return facts_used_; }

 private:
  static constexpr u32 call_depth_max = 32;

  struct Variable {
    PythonValue value;
    bool is_fixed = false;  // a parameter that its function never changes
  };
  struct Loop {
    Label* next = nullptr;
    Label* end = nullptr;
  };
  struct Frame {
    const PythonNode* function = nullptr;
    std::map<std::string, Variable, std::less<>> variables;
    std::set<std::string, std::less<>> assigned;  // what surely has a value here
    std::vector<Loop> loops;
    PythonType result_type = PythonType::number;
    bool is_outermost = false;
    u16 result = 0;
    Label end;
    bool is_reachable = true;
  };

  // the file (python_module.cc)
  void read_module();
  void read_constant(const PythonNode& target, const PythonNode& value);
  bool read_table(const PythonNode& node, PythonTable& table);
  bool read_row(const PythonNode& node, std::vector<PythonValue>& row);
  bool read_dictionary(const PythonNode& node, PythonTable& table);
  bool read_rows(const PythonNode& node, PythonTable& table);
  PythonValue constant_of(const PythonNode& node, std::string_view what);
  const PythonNode* find_function(std::string_view name) const;
  PythonType annotation(const PythonNode& node, const PythonNode& of, std::string_view what);
  PythonValue table_value(PythonTable table);
  u16 use_table(PythonTable& table);

  // statements (python_statement.cc)
  void block(const PythonNode& statements);
  void statement(const PythonNode& node);
  void assign(const PythonNode& target, PythonValue value, const PythonNode& at);
  void assign_statement(const PythonNode& node);
  void augmented(const PythonNode& node);
  void annotated(const PythonNode& node);
  void if_statement(const PythonNode& node);
  void for_statement(const PythonNode& node);
  void range_loop(const PythonNode& node, const PythonNode& call);
  void table_loop(const PythonNode& node, PythonTable& table);
  bool unrolled(const PythonNode& node, PythonTable& table);
  std::vector<std::string> loop_names(const PythonNode& node, const PythonTable& table);
  void loop_body(const PythonNode& node, Label& next, Label& end);
  void assign_row(const PythonNode& target, PythonTable& table, u16 row);
  bool most_of(const PythonNode& node, const PythonValue& value, i64& most);
  void return_statement(const PythonNode& node);
  bool check_parameters(const PythonNode& function);
  void function_body(const PythonNode& function);

  // expressions (python_expression.cc)
  PythonValue expression(const PythonNode& node);
  PythonValue number_expression(const PythonNode& node);  // a text is a mistake
  PythonValue constant(const PythonNode& node);
  PythonValue name(const PythonNode& node);
  PythonValue attribute(const PythonNode& node);
  PythonValue subscript(const PythonNode& node);
  PythonValue row_of(const PythonNode& at, PythonTable& table, PythonValue index);
  PythonValue column_of(PythonTable& table, PythonValue row, u32 column);
  PythonValue unary(const PythonNode& node);
  bool round_up(const PythonNode& node, PythonValue& rounded);
  PythonValue binary(const PythonNode& at, std::string_view op, PythonValue a, PythonValue b);
  PythonValue fold(const PythonNode& at, std::string_view op, i64 a, i64 b);
  PythonValue divide(const PythonNode& at, bool wants_rest, PythonValue a, PythonValue b);
  PythonValue emit_binary(Op op, PythonValue a, PythonValue b);
  PythonValue conditional(const PythonNode& node);
  PythonValue truth_value(const PythonNode& node);
  PythonValue any_or_all(const PythonNode& node);
  PythonValue copy(PythonValue value, bool is_variable = false);
  u16 in_register(PythonValue value);
  void move_to(u16 place, PythonValue value);

  // conditions (python_condition.cc)
  void branch(const PythonNode& node, Label& to, bool when);
  void branch_value(const PythonNode& at, PythonValue value, Label& to, bool when);
  void branch_all(const PythonNode& node, Label& to, bool when);
  void branch_compare(const PythonNode& node, Label& to, bool when);
  void compare(const PythonNode& at, std::string_view op, PythonValue a, PythonValue b, Label& to,
               bool when);
  void branch_in(const PythonNode& node, PythonValue value, const PythonNode& list, Label& to,
                 bool when);
  void jump_if(Op op, PythonValue a, PythonValue b, Label& to);

  // calls (python_call.cc)
  PythonValue call(const PythonNode& node);
  PythonValue call_builtin(const PythonNode& node, std::string_view name);
  PythonValue call_least_or_most(const PythonNode& node, bool is_least);
  PythonValue call_method(const PythonNode& node);
  PythonValue call_get(const PythonNode& node, PythonTable& table);
  PythonValue call_counter(const PythonNode& node);
  PythonValue call_function(const PythonNode& node, const PythonNode& function);
  PythonValue input(u32 fact, PythonType type);

  PythonValue mistake(const PythonNode& at, std::string message, std::string hint = {});
  Frame& frame() { return *frame_; }
  PythonTable* table_named(const PythonNode& node);

  const PythonNode& module_;
  ProgramBuilder& builder_;
  std::vector<PythonMistake>& mistakes_;
  std::map<std::string, PythonValue, std::less<>> constants_;
  std::deque<PythonTable> tables_;        // they stay where they are
  std::vector<const PythonNode*> calls_;  // the functions that are being compiled
  Frame* frame_ = nullptr;
  u64 facts_used_ = 0;
  u32 parameter_count_ = 0;
  u32 expression_depth_ = 0;
  u32 unrolled_rounds_ = 0;  // tried
};

// Whether an assignment anywhere in the tree gives `name` a value.
bool assigns(const PythonNode& tree, std::string_view name);

}  // namespace tollgate::rating
