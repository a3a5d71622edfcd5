// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Does what a command line asks for.
#pragma once

#include "tools/tollctl/command_line.hh"

namespace tollgate::tollctl {

// Results on standard output, errors on standard error. 0: done; 1: refused; 2: usage; 3: no
// appliance there.
int run(const CommandLine& line);

}  // namespace tollgate::tollctl
