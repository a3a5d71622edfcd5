// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The verbs of the tariff: tariff.load, list, price, versions, rollback and cancel; and which files
// are loaded at start.
#pragma once

#include "control/context.hh"

namespace tollgate::control {

void add_tariff_verbs(Verbs& verbs, Context& context);

// Loads the tariff when control starts: the files that an operator loaded last, unless the
// configuration names other ones than it did then. If they have mistakes, and an earlier run has
// published a tariff, that stays in force. Returns an empty text, or all mistakes.
[[nodiscard]] std::string load_first_tariff(Context& context);

}  // namespace tollgate::control
