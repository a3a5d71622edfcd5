// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a report and an event have in common: use is debited, and remembered in the quota.
#pragma once

#include "app/payers.hh"
#include "app/quota.hh"

namespace tollgate::app {

// Debits what a coverage costs, source by source. The rule's counters have room (has_counters), the
// quota is under change.
ledger::Outcome debit_coverage(const ChargeContext& context, const rating::Rule& rule,
                               const Payers& payers, const rating::Coverage& coverage,
                               ledger::Quota& quota);

// What costs nothing stands in the charging record all the same; money did not pay for it, so it
// joins what allowances paid for.
ledger::Outcome remember_free(Quantity used, ledger::Quota& quota);

}  // namespace tollgate::app
