// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Views: the verbs that only look. info, session.list, session.show, stats, peer.list, peer.show,
// audit, cdr.list; and those of the tariff: tariff.load, tariff.list, tariff.price.
#pragma once

#include <future>
#include <vector>

#include "control/context.hh"
#include "ledger/audit.hh"
#include "rating/explain.hh"

namespace tollgate::control {

class Views {
 public:
  explicit Views(Context& context) : context_(context) {}

  void add_verbs(Verbs& verbs);

  // Takes a reading of the counters now and then; answers audits that are done.
  bool step(Instant now);

 private:
  void info(const Reply& reply);
  void session_list(const Json& args, const Reply& reply);
  void session_show(const Json& args, const Reply& reply);
  void stats(const Reply& reply);
  void audit(const Reply& reply);
  void cdr_list(const Reply& reply);
  void peer_list(const Reply& reply);
  void peer_show(const Json& args, const Reply& reply);
  Json peers() const;
  Json name_session(Json session, u32 shard, const ledger::Session& record);

  struct Reading {
    Instant at;
    u64 ccr_received = 0;
  };

  Context& context_;
  Reading readings_[2];  // the one before, the last
  std::vector<Reply> audit_waiters_;
  std::future<ledger::AuditReport> audit_;
};

// {"ccr_received","cca_sent","result_codes":{},"drops":{},...} of all blocks of net tiles.
Json sum_net_counters(const std::vector<CounterBlock>& blocks);

// Adds "in_loop_us": {"p50","p99","p999","max"}, how long requests were in the appliance since it
// started, and "in_loop_ns_counts": [[up to so many nanoseconds, how many]...], from which two
// readings tell the same for the time between them.
void describe_latency(const Histogram& latency, const Clock& clock, Json& told);

Json describe(const ledger::AuditReport& report);

// The files of a CDR folder: [{"file","bytes","state"}].
Json list_cdr_files(const std::string& folder);

// What a price event of a JSON file costs, and why; throws Refused with what was expected, and for
// names that the tariff does not have.
Json price_event(const rating::Image& image, const Json& event);
Json describe(const rating::Explanation& explanation);

}  // namespace tollgate::control
