// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A flood of SYNs whose senders never answer, on a port whose frames come back: what is half open
// is bounded and counted, who is connected goes on, and when it has passed others can connect
// again.

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstring>
#include <memory>

#include "dataplane/eal.hh"
#include "dataplane/port_internals.hh"
#include "dataplane/tcp_transport.hh"

namespace tollgate::dataplane {
namespace {

constexpr u16 server_port = 23868;
constexpr u32 flood_count = 1000;
constexpr u32 half_open_max = 255;  // of dataplane/lwip/lwipopts.h

// Both ends of all connections: it counts what the servers get.
class Ends final : public StreamHandler {
 public:
  void opened(StreamId id, const Endpoint&, Direction direction) override {
    if (direction == Direction::outgoing) client = id;
    opened_count += direction == Direction::outgoing ? 1 : 0;
  }
  std::size_t received(StreamId, Bytes chunk) override {
    octets += chunk.size();
    return chunk.size();
  }
  void writable(StreamId) override {}
  void closed(StreamId, CloseReason) override { ++closed_count; }
  void connect_failed(StreamId, CloseReason) override { ++failed_count; }

  StreamId client;
  u32 opened_count = 0;
  u32 closed_count = 0;
  u32 failed_count = 0;
  u64 octets = 0;
};

class HalfOpen : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(start_eal({.program = "half_open_test",
                         .file_prefix = "tollgate_half_open_test",
                         .huge_pages = false,
                         .memory_mib = 128}),
              "");
    ASSERT_EQ(port_.open({.kind = PortKind::loopback,
                          .name = "loop",
                          .buffer_count = 4096,
                          .verifies_checksums = false}),
              "");
    TcpOptions options{.stream_count_max = 16, .output_bytes_per_stream = 64 * 1024};
    ASSERT_TRUE(parse("198.18.0.1/24", options.address4));
    std::string error;
    transport_ = TcpTransport::create(port_, options, ends_, error);
    ASSERT_TRUE(transport_) << error;
    ASSERT_EQ(transport_->listen({.address = {}, .port = server_port}), "");
    ASSERT_TRUE(parse("198.18.0.1", server_port, server_));
  }

  void turn(Duration time) {
    now_ = now_ + time;
    transport_->poll(now_);
  }
  void run(int turns, Duration time = Duration::milliseconds(1)) {
    for (int i = 0; i < turns; ++i) turn(time);
  }

  // An octet from the client to the server.
  void expect_goes_on() {
    const u64 before = ends_.octets;
    const MutableBytes room = transport_->reserve(ends_.client, 1);
    ASSERT_EQ(room.size(), 1u);
    room[0] = 'x';
    transport_->commit(ends_.client, 1);
    for (int i = 0; i < 2000 && ends_.octets == before; ++i) turn(Duration::milliseconds(1));
    EXPECT_EQ(ends_.octets, before + 1);
  }

  // A SYN from 198.18.0.77, which does not exist.
  void send_syn(u16 from) {
    const Port::Internals& port = *port_.internals();
    rte_mbuf* const buffer = rte_pktmbuf_alloc(port.pools[0]);
    ASSERT_NE(buffer, nullptr);
    constexpr u8 head[] = {0,    0,    0,   0,  0, 0, 2,    0, 0,  0, 0, 0x77, 8,    0,  // IPv4
                           0x45, 0,    0,   40, 0, 0, 0x40, 0, 64, 6, 0, 0,    198,  18,
                           0,    77,   198, 18, 0, 1,  // from, to
                           0,    0,    0,   0,  0, 0, 0,    1, 0,  0, 0, 0,    0x50, 2,
                           0xff, 0xff, 0,   0,  0, 0};
    auto* const at = reinterpret_cast<u8*>(rte_pktmbuf_append(buffer, sizeof head));
    ASSERT_NE(at, nullptr);
    std::memcpy(at, head, sizeof head);
    std::memcpy(at, port.mac.octets.data(), port.mac.octets.size());
    constexpr std::size_t ports_at = 14 + 20;
    at[ports_at] = static_cast<u8>(from >> 8);
    at[ports_at + 1] = static_cast<u8>(from);
    at[ports_at + 2] = static_cast<u8>(server_port >> 8);
    at[ports_at + 3] = static_cast<u8>(server_port & 0xff);
    rte_mbuf* frame = buffer;
    ASSERT_EQ(rte_eth_tx_burst(port.port_id, 0, &frame, 1), 1);
  }

  Instant now_ = Instant::from_seconds(1'800'000'000);
  Ends ends_;
  Port port_;
  Endpoint server_;
  std::unique_ptr<TcpTransport> transport_;
};

TEST_F(HalfOpen, a_flood_is_bounded_and_counted_and_harms_nobody_who_is_connected) {
  ASSERT_TRUE(transport_->connect(server_).is_set());
  for (int i = 0; i < 2000 && ends_.opened_count == 0; ++i) turn(Duration::milliseconds(1));
  ASSERT_EQ(ends_.opened_count, 1u);
  expect_goes_on();

  const std::size_t streams = transport_->stream_count();
  for (u32 i = 0; i < flood_count; ++i) {
    ASSERT_NO_FATAL_FAILURE(send_syn(static_cast<u16>(1024 + i)));
    if (i % 32 == 31) run(2);
    if (i % 256 == 255) {
      ASSERT_NO_FATAL_FAILURE(expect_goes_on());
    }
  }
  run(20);
  EXPECT_EQ(transport_->counters().refused_half_open, flood_count - half_open_max);
  EXPECT_EQ(transport_->stream_count(), streams);
  EXPECT_EQ(ends_.closed_count, 0u);
  ASSERT_NO_FATAL_FAILURE(expect_goes_on());

  // Nobody completes them: after 20 s they are gone, and there is room for others.
  run(3000, Duration::milliseconds(10));
  ASSERT_TRUE(transport_->connect(server_).is_set());
  for (int i = 0; i < 4000 && ends_.opened_count == 1; ++i) turn(Duration::milliseconds(1));
  EXPECT_EQ(ends_.opened_count, 2u);
  EXPECT_EQ(ends_.failed_count, 0u);
  ASSERT_NO_FATAL_FAILURE(expect_goes_on());
}

}  // namespace
}  // namespace tollgate::dataplane
