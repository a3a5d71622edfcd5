// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FrameIo: bursts of frames in and out of some queues of a port, and frames as lwIP sees them.
//
// A received buffer becomes a pbuf without a copy: the pbuf stands in the buffer's private room,
// and when lwIP frees it the buffer goes back to its pool. Frames to send are copied once, from
// lwIP's chain into a buffer, and queue here until `flush`. What the port does not take stays
// queued; what does not fit any more is dropped and counted, and TCP sends it again. Inside
// dataplane/ only.
#pragma once

#include <array>
#include <vector>

#include "dataplane/counters.hh"
#include "dataplane/intake.hh"
#include "dataplane/port_internals.hh"

struct pbuf;

namespace tollgate::dataplane {

class FrameIo {
 public:
  static constexpr u32 burst_max = Intake::burst_max;
  static constexpr u32 backlog_max = 2048;  // frames of each queue that wait for the port

  struct Queues {
    u32 first = 0;
    u32 count = 1;
  };
  FrameIo(const Port::Internals& port, Queues queues, TransportCounters& counters);
  ~FrameIo();
  FrameIo(const FrameIo&) = delete;
  FrameIo& operator=(const FrameIo&) = delete;

  u32 queue_count() const { return queues_.count; }
  const Port::Internals& port() const { return port_; }

  // Takes up to burst_max frames of our `queue`-th queue; they belong to the caller.
  u32 receive(u32 queue, Intake::Burst frames);

  // Whether the port, or where it has not looked we instead of it, found a checksum wrong; counted.
  // Always false on a port that leaves checksums to lwIP.
  bool has_bad_checksum(const rte_mbuf& frame);

  // The frame as a pbuf; from now on it belongs to whoever holds that.
  static pbuf* as_pbuf(rte_mbuf* frame);

  // Copies the chain `frame` (whole Ethernet frame) and queues it. false: dropped and counted.
  bool send(u32 queue, const pbuf* frame);

  // Gives what is queued to the port.
  void flush();

  bool link_is_up() const;
  // What the port counts itself, into the counters.
  void read_port_counters();

  // How many buffers of our first queue are in somebody's hands.
  u32 buffers_in_use() const;
  u32 buffer_count() const;

 private:
  struct Backlog {
    std::array<rte_mbuf*, backlog_max> frames;
    u32 first = 0;
    u32 count = 0;
  };

  void flush(u32 queue);
  void ask_for_checksums(rte_mbuf& frame) const;

  const Port::Internals& port_;
  Queues queues_;
  TransportCounters& counters_;
  std::vector<Backlog> backlogs_;
};

}  // namespace tollgate::dataplane
