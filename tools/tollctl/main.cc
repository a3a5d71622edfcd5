// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollctl: the operator's command line. See docs/operating.md.

#include <cstdio>

#include "tools/tollctl/verbs.hh"

int main(int argc, char** argv) {
  const tollgate::tollctl::Parsed parsed =
      tollgate::tollctl::parse_command_line({argv + 1, argv + argc});
  if (parsed.is_good) return tollgate::tollctl::run(parsed.line);
  std::fputs(parsed.output.c_str(), parsed.exit_code == 0 ? stdout : stderr);
  return parsed.exit_code;
}
