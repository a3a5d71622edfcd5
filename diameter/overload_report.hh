// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// DOIC (RFC 7683): how a client that supports it is told, in an answer, to send less.
//
// A client that says OC-Supported-Features gets the same back, and beside it, while there is
// something to say, an overload report for our host by the loss algorithm: drop so many per cent of
// the requests that would be sent to us.
#pragma once

#include "base/types.hh"

namespace tollgate::diameter {

struct OverloadReport {
  u64 sequence_number = 0;    // grows with every change
  u32 reduction_percent = 0;  // 0: the overload is over
  u32 validity_seconds = 0;   // for which it counts; 0: forget what was told
  bool has_report = false;    // false: only that we support it
};

// Appends OC-Supported-Features, and OC-OLR if there is a report, to the answer of `message_bytes`
// at the front of `room`. Returns its new length, or the old one if they do not fit.
std::size_t append_overload_report(const OverloadReport& report, std::size_t message_bytes,
                                   MutableBytes room);
inline constexpr std::size_t overload_report_bytes_max = 96;

}  // namespace tollgate::diameter
