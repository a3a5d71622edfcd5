// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// audit: is all that was put in still there?
//
// For every bucket put_in = balance + reserved + consumed; what lies in the balance of an expired
// one is told as expired. The sums by unit follow from it, and are what an auditor compares with
// top-ups and CDRs. It reads beside the running tiles and stops none of them.
//
// What is on its way between two shards counts once: at its source until its target has it, which
// is known by the target's mark of the same transfer. Limits of members are checked, but are no
// money. A payer counts the members of its family; audit counts them again.
#pragma once

#include <string>
#include <vector>

#include "base/time.hh"
#include "ledger/ledger.hh"

namespace tollgate::ledger {

struct AuditUnit {
  Unit unit = Unit::none;
  i128 put_in = 0;  // sums over millions of buckets may leave 64 bits
  i128 balance = 0;
  i128 reserved = 0;
  i128 consumed = 0;
  i128 expired = 0;
  i128 in_transit = 0;  // part of the balance: on its way between shards
};

struct AuditReport {
  bool is_clean = true;
  std::vector<AuditUnit> units;
  u64 account_count = 0;
  u64 bucket_count = 0;
  std::vector<std::string> findings;  // the first hundred, for people
};

AuditReport audit(const LedgerView& ledger, Instant now);

}  // namespace tollgate::ledger
