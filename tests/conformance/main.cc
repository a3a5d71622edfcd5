// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// conformance TABLE...: runs conformance tables (table.hh) and prints the rows that differ.
// Exit 0 only if none does.
#include <cstdio>

#include "tests/conformance/table.hh"

int main(int argc, char** argv) {
  int failed = 0;
  for (int i = 1; i < argc; ++i) {
    tollgate::conformance::Table table;
    const std::string faults = table.run(argv[i]);
    if (!faults.empty() || table.row_count() == 0) ++failed;
    std::printf("%s: %u rows\n%s", argv[i], table.row_count(), faults.c_str());
  }
  return failed == 0 && argc > 1 ? 0 : 1;
}
