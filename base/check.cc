// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/check.hh"

#include <cstdio>
#include <cstdlib>

namespace tollgate {

void check_failed(const char* what, SourcePlace where) noexcept {
  std::fprintf(stderr, "%s:%u: %s: check failed: %s\n", where.file_name(), where.line(),
               where.function_name(), what);
  std::abort();
}

}  // namespace tollgate
