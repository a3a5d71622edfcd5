// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The syntax tree of a Python file, as CPython's own parser makes it.
//
// `parse_python` runs python3 with a small script of ours (rating/python_tree.py, compiled in),
// which reads the text from a pipe and writes its tree to another. It imports nothing of the text
// and runs none of it. For tools and the control process: allocates and blocks.
#pragma once

#include <string>
#include <vector>

#include "base/types.hh"

namespace tollgate::rating {

struct PythonNode {
  enum class Kind : u8 { nothing, node, list, number, truth, text, other };

  Kind kind = Kind::nothing;
  u32 line = 0;      // from 1
  u32 column = 0;    // from 1
  std::string name;  // of the class: "BinOp"; of a text or another constant: what it says
  i64 number = 0;
  bool is_too_large = false;      // a number beyond 64 bits
  std::vector<PythonNode> items;  // fields in the order of python_tree.py, or the list's items

  bool is(std::string_view class_name) const { return kind == Kind::node && name == class_name; }
  bool is_nothing() const { return kind == Kind::nothing; }
  const PythonNode& operator[](std::size_t field) const { return items[field]; }
};

struct PythonTree {
  PythonNode module;
  // What is wrong, if anything; line 0: not with the text but with running python3.
  std::string mistake;
  u32 line = 0;
  u32 column = 0;
};

// The tree of `source`.
[[nodiscard]] PythonTree parse_python(const std::string& source);

// Reads what python_tree.py writes. False if it is of another form.
[[nodiscard]] bool read_python_tree(std::string_view text, PythonNode& module);

}  // namespace tollgate::rating
