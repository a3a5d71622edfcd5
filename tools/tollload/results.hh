// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Results: what a run has counted, and how it is told.
//
//   sent = answered + lost, at the end
//
// Deliberate duplicates count as sent; what is sent again after a lost connection does not: it is
// the same request, waiting still. Rate and latency are of the measured time only: from the moment
// when all sessions are open until the load ends. All else covers the whole run.
#pragma once

#include <array>
#include <string>

#include "base/histogram.hh"
#include "base/time.hh"
#include "dataplane/counters.hh"
#include "tools/tollload/answer_check.hh"
#include "tools/tollload/options.hh"

namespace tollgate::tollload {

struct Results {
  u64 sent_count = 0;
  u64 answered_count = 0;
  u64 lost_count = 0;
  u64 wrong_count = 0;
  u64 too_busy_count = 0;
  u64 refused_count = 0;
  u64 resent_count = 0;
  u64 duplicate_count = 0;
  u64 unsent_count = 0;  // due by the rate, but no session was free in the measured time
  u64 late_count = 0;    // answers of requests that were given up
  u64 reconnect_count = 0;
  u64 re_auth_count = 0;
  u64 abort_session_count = 0;
  u64 sent_octets = 0;
  u64 received_octets = 0;
  std::array<u64, 5> sent_by_type{};
  std::array<u64, 6000> by_code{};  // the last for all beyond
  std::array<u64, answer_fault_count> by_fault{};

  Histogram interval_latency_ns;  // since the last `end_interval`
  Histogram latency_ns;           // before that
  u64 measured_count = 0;         // answers in the measured time
  u64 measured_sent_octets = 0;
  u64 measured_sent_count = 0;
  Duration measured{};
  u32 update_bytes = 0;  // of the request that the scenario sends most; 0: the mean is told
  dataplane::TransportCounters transport{};
  std::string failure;  // why the run ended early; empty: it did not

  void count_code(u32 code) { ++by_code[code < by_code.size() ? code : by_code.size() - 1]; }
  void end_interval() {
    latency_ns.merge(interval_latency_ns);
    interval_latency_ns.clear();
  }
  u64 answers_per_second() const;
  u64 ccr_bytes() const;
  // Every answer came and was right.
  bool all_right() const { return wrong_count == 0 && lost_count == 0 && failure.empty(); }
};

// Call `end_interval` before the first two.
std::string to_json(const Results& results, const Options& options);
std::string to_summary(const Results& results);

// One line for people, about one second of the run.
struct Progress {
  std::string_view phase;
  Duration since_start;
  Duration interval;
  u64 answered_in_interval = 0;
  u64 in_flight_count = 0;
};
std::string to_text(const Progress& progress, const Results& results);

}  // namespace tollgate::tollload
