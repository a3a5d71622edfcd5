// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What people and programs call a command of the ledger: in histories and in traces.
#pragma once

#include "ledger/command.hh"

namespace tollgate::control {

std::string_view command_name(ledger::CommandKind kind);

}  // namespace tollgate::control
