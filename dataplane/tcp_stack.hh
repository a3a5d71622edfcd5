// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TcpTransport::Stack: lwIP on a port, and the streams that stand on it. Inside dataplane/ only.
//
// lwIP's callbacks come while it is in the midst of something, so they only note what happened and
// hand over octets; whatever changes connections (connect, close, abort, telling the end) waits on
// the pending list until the burst is through (`settle`). What was consumed and committed waits on
// the touched list for `flush`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/check.hh"
#include "dataplane/flow_table.hh"
#include "dataplane/frame_io.hh"
#include "dataplane/lwip_system.hh"
#include "dataplane/neighbours.hh"
#include "dataplane/output_ring.hh"
#include "dataplane/tcp_transport.hh"
#include "lwip/netif.h"
#include "lwip/tcp.h"

namespace tollgate::dataplane {

enum class StreamState : u8 {
  free,
  connecting,
  open,
  lingering,  // the handler was told of the end; committed output still leaves
};

struct TcpStream {
  StreamId id;
  StreamState state = StreamState::free;
  bool is_touched = false;
  bool is_pending = false;
  bool is_stalled = false;
  bool is_in_handler = false;
  bool remote_closed = false;
  bool close_wanted = false;
  bool abort_wanted = false;
  bool has_failed = false;  // lwIP has given the connection up; pcb is gone
  bool is_in_flows = false;
  CloseReason reason = CloseReason::local;
  tcp_pcb* pcb = nullptr;
  pbuf* unread_first = nullptr;  // linked by `next`; each is held for itself
  pbuf* unread_last = nullptr;
  u32 unread_count = 0;
  u32 consumed_bytes = 0;  // since the last flush
  u32 segments_unacknowledged = 0;
  u32 wanted_bytes = 0;  // what `reserve` had no room for
  u32 flow_hash = 0;
  u32 queue_index = 0;  // where it sends, counted from our first
  OutputRing output;
  Instant linger_until;
  Endpoint remote;
};

struct TcpTransport::Stack {
  Stack(const Port::Internals& port, const TcpOptions& options, StreamHandler& handler);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  // tcp_stack.cc: the network interface, frames in, frames out.
  [[nodiscard]] std::string start();
  std::size_t receive_bursts();
  Duration lag() const;
  void handle_frame(rte_mbuf* frame);
  void follow_link();
  void read_counters();

  // tcp_streams.cc: the streams.
  TcpStream* find(StreamId id);
  TcpStream* allocate();
  void release(TcpStream& stream);
  void adopt(TcpStream& stream, tcp_pcb* pcb);
  void begin_connect(TcpStream& stream);
  void deliver(TcpStream& stream, pbuf* chain);
  void keep_unread(TcpStream& stream, pbuf* chain);
  void offer_unread(TcpStream& stream);
  void drop_unread(TcpStream& stream);
  void offer_stalled();
  void touch(TcpStream& stream);
  void pend(TcpStream& stream);
  void settle();
  void settle(TcpStream& stream);
  void end_stream(TcpStream& stream, CloseReason reason);
  void finish_lingering(TcpStream& stream);
  void check_lingering();
  bool push_output(TcpStream& stream);
  void flush_stream(TcpStream& stream);
  void flush();

  static err_t on_accept(void* argument, tcp_pcb* pcb, err_t error);
  static err_t on_connected(void* argument, tcp_pcb* pcb, err_t error);
  static err_t on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t error);
  static err_t on_sent(void* argument, tcp_pcb* pcb, u16_t length);
  static void on_error(void* argument, err_t error);

  TcpOptions options;
  StreamHandler& handler;
  TransportCounters counters{};
  FrameIo io;
  MacAddress mac;
  netif interface {};
  Neighbours neighbours;
  FlowTable flows;
  std::vector<TcpStream> streams;
  std::vector<u32> free_streams;
  std::vector<u32> touched;
  std::vector<u32> flushing;  // what `touched` was when the flush began
  std::vector<u32> pending;
  std::vector<u32> settling;  // what `pending` was when the settling began
  std::vector<u32> stalled;
  std::vector<u32> lingering;
  std::vector<tcp_pcb*> listeners;
  std::vector<u32> queue_streams;  // how many streams send on each queue
  std::vector<Intake> intakes;     // one a queue
  u32 port_offset = 0;
  u8* output_memory = nullptr;
  u32 unread_buffers = 0;
  u32 unread_buffers_max = 0;
  Instant now;
  Instant link_check_at;
  Instant housekeeping_at;
  IpAddress last_source;  // whom the frame before this one came from
  MacAddress last_source_mac;
  bool link_is_up = false;
};

}  // namespace tollgate::dataplane
