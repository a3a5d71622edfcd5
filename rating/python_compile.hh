// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// compile_python: a function of a Python file to a Program, or to a list of everything wrong.
//
// docs/python.md says which part of Python this is. All mistakes are told, each with its place and
// with what to write instead. The function may call others of the same file: they are compiled into
// it. For tools and the control process: allocates.
#pragma once

#include <string>
#include <vector>

#include "base/types.hh"
#include "rating/python_tree.hh"

namespace tollgate::rating {

struct PythonMistake {
  u32 line = 0;
  u32 column = 0;
  std::string message;
  std::string hint;  // may be empty
};

// What whoever calls the function gives it besides the event.
struct PythonSignature {
  u32 parameter_count = 0;  // numbers, after the event
};

struct PythonCompiled {
  std::vector<u8> program;  // a Program (program.hh); empty if there are mistakes
  std::vector<PythonMistake> mistakes;

  bool is_good() const { return mistakes.empty(); }
};

[[nodiscard]] PythonCompiled compile_python(const PythonTree& tree, std::string_view function,
                                            PythonSignature signature);

// The names of all functions of the file, in its order.
std::vector<std::string> python_functions(const PythonTree& tree);

}  // namespace tollgate::rating
