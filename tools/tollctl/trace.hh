// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What `tollctl trace` shows: messages decoded with the dictionary's names, and beside them what
// they did to the account.
#pragma once

#include <memory>
#include <string>

#include "control/json.hh"
#include "tools/tollctl/pcap.hh"

namespace tollgate::tollctl {

using control::Json;

class TraceView {
 public:
  // With a path the messages are written there as well.
  explicit TraceView(const std::string& pcap_path);

  // A progress line of a trace (control/traces.hh); adds "text" to a message. Returns a line for
  // people, empty if there is nothing to show.
  std::string show(Json& record);

 private:
  std::unique_ptr<PcapFile> pcap_;
};

// The sum at the end of a trace, for people.
std::string trace_end_text(const Json& result);

}  // namespace tollgate::tollctl
