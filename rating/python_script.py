#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Writes a script as a C++ constant: python_script.py INPUT OUTPUT."""
import pathlib
import sys

text = pathlib.Path(sys.argv[1]).read_text()
pathlib.Path(sys.argv[2]).write_text(f'''// Made from {pathlib.Path(sys.argv[1]).name}.
#pragma once

#include <string_view>

namespace tollgate::rating {{

inline constexpr std::string_view python_tree_script = R"py({text})py";

}}  // namespace tollgate::rating
''')
