// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Port: where frames come in and go out; always a DPDK ethdev, whatever stands behind it.
//
// The primary process opens the port: it creates the device, gives it queues and buffer pools (one
// pool a queue, so that a queue that is in trouble starves no other), and starts it. Each secondary
// joins it by name and polls its own queue. What a port cannot do (checksums, RSS) is not asked of
// it: the stack computes checksums in software then.
//
// memif: the server listens on a socket file, the client comes, goes and comes again as it likes.
// DPDK's interrupt thread in the primary does the greeting and makes the shared memory, so the
// primary need not poll anything; the secondaries ask it for the new rings when they see the link
// come up (which TcpTransport does in its poll). Ring k of the client is queue k of the server. The
// two ends share memory: a memif peer is trusted as much as a process of our own. A client that
// polls in its primary process may not outlive its server: DPDK takes the memory away under it.
#pragma once

#include <memory>
#include <string>

#include "base/time.hh"
#include "base/types.hh"
#include "dataplane/endpoint.hh"

namespace tollgate::dataplane {

enum class PortKind : u8 {
  memif_server,  // `address` is the path of the socket file (made new)
  memif_client,  // `address` is the path of the socket file
  tap,           // `address` is the name of the interface to make
  af_packet,     // `address` is the name of an interface that exists; one process only
  pcap,          // `address` is the file to replay, `pcap_output` the file to write
  loopback,      // frames sent come back: for tests
  pci,           // `address` is the PCI address of a NIC given to DPDK
};
// "memif-server", "tap", ...; and back: false if there is no such.
std::string_view to_text(PortKind kind);
[[nodiscard]] bool parse(std::string_view text, PortKind& kind);

struct PortOptions {
  PortKind kind = PortKind::memif_server;
  std::string name = "port0";  // ours, up to 15 letters and digits; unique in the group
  std::string address;
  std::string pcap_output;
  MacAddress mac;               // unset: the port's own
  u32 queue_count = 1;          // as many receive as transmit queues; one a net tile
  u32 descriptor_count = 1024;  // slots of each queue, a power of two
  u32 buffer_count = 16384;     // packet buffers of each queue (2.3 KB each)
  u32 mtu_bytes = 1500;
  // False: checksums of received packets are not computed. For memif, whose frames come out of the
  // memory of this machine and never cross a wire; ours are sent right all the same.
  bool verifies_checksums = true;
  Duration wait_max = Duration::seconds(10);  // memif client: for its server to listen
};

class Port {
 public:
  Port();
  ~Port();
  Port(Port&&) noexcept;
  Port& operator=(Port&&) noexcept;

  // Primary: creates, configures and starts. Returns an empty text, or why not.
  [[nodiscard]] std::string open(const PortOptions& options);

  // Secondary: joins the port that the primary has opened under this name. `queue_index` is the
  // queue that this process will poll: buffers that a killed predecessor held are taken back.
  struct Join {
    std::string name;
    u32 queue_index = 0;
  };
  [[nodiscard]] std::string join(const Join& join);

  // Primary: stops and removes the device. Secondary: lets go of it. The destructor does the same.
  void close();

  bool is_open() const;
  u32 queue_count() const;
  MacAddress mac() const;
  u32 mtu_bytes() const;
  // Whether somebody is at the other end: a memif peer, a cable.
  bool link_is_up() const;

  struct Internals;  // known inside dataplane/ only
  const Internals* internals() const { return internals_.get(); }

 private:
  std::unique_ptr<Internals> internals_;
};

}  // namespace tollgate::dataplane
