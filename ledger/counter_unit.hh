// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// counter_unit: of the buckets in which accounts count what they use (app/account_counters.hh).
// Nothing pays with it: to people it is no balance. Stored in records: it never changes.
#pragma once

#include "base/amount.hh"

namespace tollgate::ledger {

inline constexpr Unit counter_unit = static_cast<Unit>(999);

}  // namespace tollgate::ledger
