// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// check: an assertion that stays on in every build.
//
// A check that fails is a bug of ours: it prints where and why, and ends the process, before the
// bug can touch money. Bad input of a peer, a file or an operator is never a check: it is an
// outcome with a name, a counter and an answer. Split conditions, one check each, so that the line
// tells which.
#pragma once

#include <source_location>

namespace tollgate {

// Where a check stands. The compiler that builds the fuzzers (clang 14) has no source_location.
#ifdef __cpp_lib_source_location
using SourcePlace = std::source_location;
#else
struct SourcePlace {
  const char* file = "";
  unsigned line_number = 0;
  const char* function = "";

  static constexpr SourcePlace current(const char* file = __builtin_FILE(),
                                       unsigned line = __builtin_LINE(),
                                       const char* function = __builtin_FUNCTION()) noexcept {
    return {file, line, function};
  }
  constexpr const char* file_name() const noexcept { return file; }
  constexpr unsigned line() const noexcept { return line_number; }
  constexpr const char* function_name() const noexcept { return function; }
};
#endif

// Prints "file:line: function: what" on standard error and aborts. Never returns.
[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const char* what,
                                                         SourcePlace where) noexcept;

[[gnu::always_inline]] constexpr void check(bool holds, const char* what,
                                            SourcePlace where = SourcePlace::current()) noexcept {
  if (!holds) [[unlikely]]
    check_failed(what, where);
}

}  // namespace tollgate
