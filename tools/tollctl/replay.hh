// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Replay: charging records of the past under another tariff, as a report of who would pay what.
// Nothing is charged, and no appliance is needed.
#pragma once

#include <string>

#include "control/json.hh"

namespace tollgate::tollctl {

using control::Json;

// Prices each service of each record of a file (JSON lines, docs/cdr.md) with the tariff of that
// path, as one use of all its quantity with as much money as it takes and no allowance. Throws
// control::Refused if the tariff has mistakes or the file cannot be read.
//
// {"records","services","unpriced":{"WHY":count},"bad_lines",
//  "totals":[{"currency","before","after","difference"}],
//  "accounts":[{"account","currency","before","after","difference","services"}]}
//
// The accounts are those for which something differs, the largest difference first. `before` is
// what the record says was paid in money: nothing where an allowance paid, or where it was free.
Json replay_records(const std::string& file, const std::string& tariff_path);

std::string replay_text(const Json& report);

}  // namespace tollgate::tollctl
