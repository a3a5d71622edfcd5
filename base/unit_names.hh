// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Unit names: what the operator calls the units that are his own.
//
// Records and journals have numbers, from Unit::operator_first on; without a name they are shown as
// `unit4100`. Names are set once, at the start of a process and before it has threads; from then on
// unit_name, unit_from_name, parse_amount and to_text (amount.hh) know them. The number is
// understood under both names.
#pragma once

#include <string>

#include "base/amount.hh"

namespace tollgate {

// "points 4100" (a letter, then up to 15 letters, digits or _; a number from 4096 to 65535) names
// the unit. Returns an empty text, or what was expected instead.
[[nodiscard]] std::string name_unit(std::string_view text);

// For tests: none has a name any more.
void forget_unit_names();

}  // namespace tollgate
