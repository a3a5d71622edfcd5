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

// Prints "file:line: function: what" on standard error and aborts. Never returns.
[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const char* what,
                                                         std::source_location where) noexcept;

[[gnu::always_inline]] constexpr void check(
    bool holds, const char* what,
    std::source_location where = std::source_location::current()) noexcept {
  if (!holds) [[unlikely]]
    check_failed(what, where);
}

}  // namespace tollgate
