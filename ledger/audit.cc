// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/audit.hh"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/balance.hh"
#include "ledger/member_counts.hh"

namespace tollgate::ledger {
namespace {

constexpr std::size_t findings_max = 100;

AuditUnit& unit_of(AuditReport& report, Unit unit) {
  for (AuditUnit& row : report.units) {
    if (row.unit == unit) return row;
  }
  return report.units.emplace_back(AuditUnit{.unit = unit});
}

void find(AuditReport& report, std::string finding) {
  report.is_clean = false;
  if (report.findings.size() < findings_max) report.findings.push_back(std::move(finding));
}

// What is on its way, and what has arrived.
struct Transfers {
  struct Sent {
    u64 id;
    Bucket bucket;
  };
  std::vector<Sent> sent;
  std::vector<u64> received;  // sorted before it is searched
};

void audit_bucket(AuditReport& report, u32 shard, u32 index, const Bucket& bucket) {
  ++report.bucket_count;
  const i128 sum = i128{bucket.balance.count} + bucket.reserved.count + bucket.consumed.count;
  if (sum != bucket.put_in.count) {
    find(report, fmt::format("shard {} bucket {}: {} put in, but {} free + {} held + {} consumed",
                             shard, index, bucket.put_in.count, bucket.balance.count,
                             bucket.reserved.count, bucket.consumed.count));
  }
  if (bucket.reserved.is_negative()) {
    find(report, fmt::format("shard {} bucket {}: {} held, less than nothing", shard, index,
                             bucket.reserved.count));
  }
}

void add_bucket(AuditReport& report, const Bucket& bucket, Second now, Transfers& transfers) {
  switch (bucket.state) {
    case BucketState::free:
    case BucketState::limit:
      return;
    case BucketState::in_transit:
      transfers.sent.push_back({transfer_id_of(bucket), bucket});
      return;
    case BucketState::received:
      transfers.received.push_back(transfer_id_of(bucket));
      return;
    case BucketState::open:
    case BucketState::expired:
      break;
  }
  AuditUnit& unit = unit_of(report, bucket.unit);
  unit.put_in += bucket.put_in.count;
  unit.reserved += bucket.reserved.count;
  unit.consumed += bucket.consumed.count;
  const bool is_over =
      bucket.state == BucketState::expired || (bucket.expires_s != 0 && bucket.expires_s <= now);
  (is_over ? unit.expired : unit.balance) += bucket.balance.count;
}

void add_transfers(AuditReport& report, Transfers& transfers) {
  std::sort(transfers.received.begin(), transfers.received.end());
  for (const Transfers::Sent& sent : transfers.sent) {
    const auto& received = transfers.received;
    if (std::binary_search(received.begin(), received.end(), sent.id)) continue;
    AuditUnit& unit = unit_of(report, sent.bucket.unit);
    unit.put_in += sent.bucket.put_in.count;
    unit.balance += sent.bucket.balance.count;
    unit.in_transit += sent.bucket.balance.count;
  }
}

// A family that changes while it is counted is counted again: it is done within one entry.
void audit_families(AuditReport& report, const LedgerView& ledger, u32 shard, MemberCounts counts) {
  constexpr u32 walks_max = 4;
  for (u32 walk = 1; walk < walks_max && !counts.is_good(); ++walk) {
    counts = {};
    ledger.for_each_account(
        shard, [&](AccountRef ref, const Account& account) { counts.add(ref.index(), account); });
  }
  counts.for_each_difference([&](u32 payer, u32 counted, u32 found) {
    find(report, fmt::format("shard {} account {}: counts {} members, {} name it as their payer",
                             shard, payer, counted, found));
  });
}

}  // namespace

AuditReport audit(const LedgerView& ledger, Instant now) {
  AuditReport report;
  Transfers transfers;
  const auto now_second = static_cast<Second>(now.whole_seconds());
  for (u32 shard = 0; shard < shard_count; ++shard) {
    MemberCounts families;
    ledger.for_each_account(shard, [&](AccountRef ref, const Account& account) {
      ++report.account_count;
      families.add(ref.index(), account);
    });
    audit_families(report, ledger, shard, std::move(families));
    ledger.for_each_bucket(shard, [&](u32 index, const Bucket& bucket) {
      audit_bucket(report, shard, index, bucket);
      add_bucket(report, bucket, now_second, transfers);
    });
  }
  add_transfers(report, transfers);
  for (const AuditUnit& unit : report.units) {
    if (unit.put_in != unit.balance + unit.reserved + unit.consumed + unit.expired) {
      find(report, fmt::format("the sums in {} do not agree", unit_name(unit.unit)));
    }
  }
  return report;
}

}  // namespace tollgate::ledger
