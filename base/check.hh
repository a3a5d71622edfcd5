// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// check: an assertion that stays on in every build.
//
// A check that fails is a bug of ours: it prints where and why, and ends the process, before the
// bug can touch money. Bad input of a peer, a file or an operator is never a check: it is an
// outcome with a name, a counter and an answer. Split conditions, one check each, so that the line
// tells which.
#pragma once

namespace tollgate {

// Where a check stands. Not std::source_location: the compiler that builds the fuzzers (clang 14)
// has none.
struct SourcePlace {
  const char* file = "";
  unsigned line = 0;
  const char* function = "";

  static constexpr SourcePlace here(const char* file = __builtin_FILE(),
                                    unsigned line = __builtin_LINE(),
                                    const char* function = __builtin_FUNCTION()) noexcept {
    return {file, line, function};
  }
};

// Prints "file:line: function: what" on standard error and aborts. Never returns.
[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const char* what,
                                                         SourcePlace where) noexcept;

[[gnu::always_inline]] constexpr void check(bool holds, const char* what,
                                            SourcePlace where = SourcePlace::here()) noexcept {
  if (!holds) [[unlikely]]
    check_failed(what, where);
}

}  // namespace tollgate
