// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TcpTransport: streams over TCP, IPv4 and IPv6, on one or more queues of a Port.
//
// The protocol is lwIP, which keeps global state: there is one TcpTransport in a process. It
// answers ARP, neighbour discovery and echo requests for its addresses.
//
// Several processes may share one address, each on its own queue of one port: the port spreads
// connections over the queues, but an ARP reply reaches only one of them. So the hardware address
// of a neighbour is learned from every packet that comes from it: whoever receives a segment knows
// where the answer goes. `connect` finds its answers only where one process polls all the queues of
// the port: that is what the load generator does; it spreads its connections over them.
#pragma once

#include <memory>
#include <string>

#include "dataplane/port.hh"
#include "dataplane/stream.hh"

namespace tollgate::dataplane {

struct TcpOptions {
  u32 queue_first = 0;  // the queues of the port that are polled here
  u32 queue_count = 1;
  IpPrefix address4;   // ours, with the length of the local net; unset: no IPv4
  IpPrefix address6;   // the local net is its /64, whatever length is given; unset: no IPv6
  IpAddress gateway4;  // next hop to the rest of the world; unset: local net only
  IpAddress gateway6;
  MacAddress mac;                            // unset: the port's
  u32 stream_count_max = 1024;               // at most 16384
  u32 output_bytes_per_stream = 256 * 1024;  // a power of two, committed and not yet acknowledged
  Duration close_linger = Duration::seconds(5);  // how long `close` waits for output to leave
};

class TcpTransport final : public Transport {
 public:
  // Returns nothing and sets `error` to a sentence if it cannot be made. The port and the handler
  // must outlive it.
  static std::unique_ptr<TcpTransport> create(const Port& port, const TcpOptions& options,
                                              StreamHandler& handler, std::string& error);
  ~TcpTransport() override;

  [[nodiscard]] std::string listen(const Endpoint& local) override;
  [[nodiscard]] StreamId connect(const Endpoint& remote) override;
  [[nodiscard]] MutableBytes reserve(StreamId id, std::size_t size_bytes) override;
  void commit(StreamId id, std::size_t size_bytes) override;
  void flush() override;
  void resume(StreamId id) override;
  void close(StreamId id) override;
  void abort(StreamId id) override;
  std::size_t poll(Instant now) override;
  Duration lag() const override;
  std::size_t stream_count() const override;
  const TransportCounters& counters() const override;

  struct Stack;  // known inside dataplane/ only

 private:
  explicit TcpTransport(std::unique_ptr<Stack> stack);
  std::unique_ptr<Stack> stack_;
};

}  // namespace tollgate::dataplane
