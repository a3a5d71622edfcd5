// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PcapFile: Diameter messages as a capture that Wireshark and tshark read.
//
// Messages were copied above TCP, so the frames around them are made up: Ethernet, IPv4 or IPv6 and
// TCP with right lengths and checksums, the true addresses and ports, and sequence numbers that
// follow each other. The port of a call of ours is a stand-in. A message that was cut leaves a gap.
// The file holds subscribers' data: only its owner may read it.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "base/time.hh"
#include "dataplane/endpoint.hh"

namespace tollgate::tollctl {

class PcapFile {
 public:
  explicit PcapFile(const std::string& path);  // throws control::Refused
  PcapFile(const PcapFile&) = delete;
  PcapFile& operator=(const PcapFile&) = delete;
  ~PcapFile();

  struct Message {
    Instant at;
    dataplane::Endpoint from;
    dataplane::Endpoint to;
    Bytes octets;
    u64 whole_bytes = 0;  // more than `octets` if it was cut
  };
  void write(const Message& message);

 private:
  using Way = std::pair<dataplane::Endpoint, dataplane::Endpoint>;
  void write_segment(const Message& message, Bytes payload);

  std::FILE* file_;
  std::map<Way, u32> next_sequence_;
};

}  // namespace tollgate::tollctl
