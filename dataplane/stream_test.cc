// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What every transport promises (dataplane/stream.hh), shown for kernel sockets on the loopback
// interface and for lwIP on a port whose frames come back. No privilege and no huge pages needed.
#include "dataplane/stream.hh"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "dataplane/eal.hh"
#include "dataplane/kernel_transport.hh"
#include "dataplane/tcp_transport.hh"

namespace tollgate::dataplane {
namespace {

// One side of a conversation: it notes all that happens and consumes as it is told.
class Side : public StreamHandler {
 public:
  struct Seen {
    std::vector<u8> input;
    int opened_count = 0;
    int closed_count = 0;
    int received_after_closed = 0;
    CloseReason reason{};
    Direction direction{};
    Endpoint remote;
  };

  void opened(StreamId id, const Endpoint& remote, Direction direction) override {
    Seen& one = seen[id];
    ++one.opened_count;
    one.direction = direction;
    one.remote = remote;
    last = id;
    if (on_opened) on_opened(id);
  }
  std::size_t received(StreamId id, Bytes chunk) override {
    Seen& one = seen[id];
    if (one.closed_count > 0) ++one.received_after_closed;
    const std::size_t count = consume ? consume(id, chunk) : chunk.size();
    one.input.insert(one.input.end(), chunk.begin(),
                     chunk.begin() + static_cast<std::ptrdiff_t>(count));
    if (on_received) on_received(id, chunk.first(count));
    return count;
  }
  void writable(StreamId id) override { ++writable_count[id]; }
  void closed(StreamId id, CloseReason reason) override {
    ++seen[id].closed_count;
    seen[id].reason = reason;
    if (on_closed) on_closed(id);
  }
  void connect_failed(StreamId id, CloseReason reason) override { failed[id] = reason; }

  std::function<void(StreamId)> on_opened;
  std::function<std::size_t(StreamId, Bytes)> consume;
  std::function<void(StreamId, Bytes)> on_received;
  std::function<void(StreamId)> on_closed;
  std::map<StreamId, Seen> seen;
  std::map<StreamId, int> writable_count;
  std::map<StreamId, CloseReason> failed;
  StreamId last;
};

// Tells the two sides apart where one transport carries both.
class Both : public StreamHandler {
 public:
  Both(Side& server, Side& client) : server_(server), client_(client) {}
  void opened(StreamId id, const Endpoint& remote, Direction direction) override {
    is_server_[id] = direction == Direction::incoming;
    side(id).opened(id, remote, direction);
  }
  std::size_t received(StreamId id, Bytes chunk) override { return side(id).received(id, chunk); }
  void writable(StreamId id) override { side(id).writable(id); }
  void closed(StreamId id, CloseReason reason) override { side(id).closed(id, reason); }
  void connect_failed(StreamId id, CloseReason reason) override {
    client_.connect_failed(id, reason);
  }

 private:
  Side& side(StreamId id) { return is_server_[id] ? server_ : client_; }
  Side& server_;
  Side& client_;
  std::map<StreamId, bool> is_server_;
};

enum class Kind { kernel, kernel_ipv6, tcp, tcp_ipv6 };

constexpr u32 stream_count_max = 16;
constexpr u32 output_bytes = 64 * 1024;
constexpr u16 server_port = 23868;

class StreamTest : public testing::TestWithParam<Kind> {
 protected:
  bool is_kernel() const { return GetParam() == Kind::kernel || GetParam() == Kind::kernel_ipv6; }
  bool is_ipv6() const { return GetParam() == Kind::kernel_ipv6 || GetParam() == Kind::tcp_ipv6; }

  void SetUp() override {
    const char* kernel_address = is_ipv6() ? "::1" : "127.0.0.1";
    const char* our_address = is_ipv6() ? "2001:db8::1" : "198.18.0.1";
    ASSERT_TRUE(parse(is_kernel() ? kernel_address : our_address, server_port, endpoint_));
    is_kernel() ? make_kernel() : make_tcp();
  }

  void make_kernel() {
    const KernelOptions options{.stream_count_max = stream_count_max,
                                .output_bytes_per_stream = output_bytes};
    std::string error;
    first_ = KernelTransport::create(options, server_side_, error);
    second_ = KernelTransport::create(options, client_side_, error);
    ASSERT_TRUE(first_ && second_) << error;
    server_ = first_.get();
    client_ = second_.get();
    ASSERT_EQ(server_->listen(endpoint_), "");
  }

  void make_tcp() {
    if (!eal_is_running()) {
      ASSERT_EQ(start_eal({.program = "stream_test",
                           .file_prefix = "tollgate_stream_test",
                           .huge_pages = false,
                           .memory_mib = 128}),
                "");
    }
    ASSERT_EQ(port_.open({.kind = PortKind::loopback, .name = "loop", .buffer_count = 4096}), "");
    TcpOptions options{.stream_count_max = 2 * stream_count_max,
                       .output_bytes_per_stream = output_bytes};
    ASSERT_TRUE(parse("198.18.0.1/24", options.address4));
    ASSERT_TRUE(parse("2001:db8::1/64", options.address6));
    std::string error;
    first_ = TcpTransport::create(port_, options, both_, error);
    ASSERT_TRUE(first_) << error;
    server_ = client_ = first_.get();
    ASSERT_EQ(server_->listen({.address = {}, .port = server_port}), "");
  }

  void turn() {
    now_ = now_ + Duration::milliseconds(1);
    server_->poll(now_);
    if (client_ != server_) client_->poll(now_);
  }
  template <class Condition>
  [[nodiscard]] bool run_until(Condition condition, int turns = 20000) {
    for (int i = 0; i < turns; ++i) {
      if (condition()) return true;
      turn();
    }
    return condition();
  }
  void run(int turns) {
    for (int i = 0; i < turns; ++i) turn();
  }

  // Both ends of one new stream.
  void open_one() {
    client_id_ = client_->connect(endpoint_);
    ASSERT_TRUE(client_id_.is_set());
    const std::size_t before = server_side_.seen.size();
    ASSERT_TRUE(run_until([&] {
      return server_side_.seen.size() > before && client_side_.seen.contains(client_id_);
    }));
    server_id_ = server_side_.last;
  }

  static bool send(Transport& transport, StreamId id, Bytes bytes) {
    const MutableBytes room = transport.reserve(id, bytes.size());
    if (room.size() != bytes.size()) return false;
    std::ranges::copy(bytes, room.begin());
    transport.commit(id, bytes.size());
    return true;
  }

  std::vector<u8> random_bytes(std::size_t count) {
    std::vector<u8> bytes(count);
    for (u8& byte : bytes) byte = static_cast<u8>(random_());
    return bytes;
  }

  // lwIP's timers outlive a test: time goes on from one to the next.
  static inline Instant now_ = Instant::from_seconds(1'800'000'000);
  std::mt19937 random_{42};
  Endpoint endpoint_;
  Side server_side_;
  Side client_side_;
  Both both_{server_side_, client_side_};
  Port port_;
  std::unique_ptr<Transport> first_;
  std::unique_ptr<Transport> second_;
  Transport* server_ = nullptr;
  Transport* client_ = nullptr;
  StreamId server_id_;
  StreamId client_id_;
};

TEST_P(StreamTest, opens_once_and_knows_the_peer) {
  open_one();
  EXPECT_EQ(server_side_.seen[server_id_].opened_count, 1);
  EXPECT_EQ(server_side_.seen[server_id_].direction, Direction::incoming);
  EXPECT_EQ(server_side_.seen[server_id_].remote.address, endpoint_.address);
  EXPECT_EQ(client_side_.seen[client_id_].opened_count, 1);
  EXPECT_EQ(client_side_.seen[client_id_].direction, Direction::outgoing);
  EXPECT_EQ(client_side_.seen[client_id_].remote, endpoint_);
}

TEST_P(StreamTest, carries_octets_both_ways_unchanged) {
  open_one();
  std::vector<u8> to_server;
  std::vector<u8> to_client;
  for (int i = 0; i < 3000; ++i) {
    const std::vector<u8> up = random_bytes(1 + random_() % 2000);
    if (send(*client_, client_id_, up)) to_server.insert(to_server.end(), up.begin(), up.end());
    const std::vector<u8> down = random_bytes(1 + random_() % 700);
    if (send(*server_, server_id_, down))
      to_client.insert(to_client.end(), down.begin(), down.end());
    turn();
  }
  ASSERT_TRUE(run_until([&] {
    return server_side_.seen[server_id_].input.size() == to_server.size() &&
           client_side_.seen[client_id_].input.size() == to_client.size();
  }));
  EXPECT_GT(to_server.size(), 2'000'000u);
  EXPECT_EQ(server_side_.seen[server_id_].input, to_server);
  EXPECT_EQ(client_side_.seen[client_id_].input, to_client);
  EXPECT_EQ(client_->counters().drop_tcp_checksum, 0u);
}

TEST_P(StreamTest, keeps_many_streams_apart) {
  std::map<StreamId, std::vector<u8>> sent;
  std::map<StreamId, u32> echoed;
  server_side_.on_received = [&](StreamId id, Bytes chunk) {
    ASSERT_TRUE(send(*server_, id, chunk));
  };
  for (u32 i = 0; i < stream_count_max; ++i) {
    const StreamId id = client_->connect(endpoint_);
    ASSERT_TRUE(id.is_set());
    sent[id] = {};
  }
  ASSERT_TRUE(run_until([&] { return client_side_.seen.size() == stream_count_max; }));
  for (int round = 0; round < 50; ++round) {
    for (auto& [id, octets] : sent) {
      const std::vector<u8> message = random_bytes(300);
      ASSERT_TRUE(send(*client_, id, message));
      octets.insert(octets.end(), message.begin(), message.end());
    }
    turn();
  }
  ASSERT_TRUE(run_until([&] {
    for (auto& [id, octets] : sent) {
      if (client_side_.seen[id].input.size() != octets.size()) return false;
    }
    return true;
  }));
  for (auto& [id, octets] : sent) EXPECT_EQ(client_side_.seen[id].input, octets);
}

TEST_P(StreamTest, tells_that_nothing_listens) {
  Endpoint nobody = endpoint_;
  nobody.port = 1;
  const StreamId id = client_->connect(nobody);
  ASSERT_TRUE(id.is_set());
  ASSERT_TRUE(run_until([&] { return client_side_.failed.contains(id); }));
  EXPECT_EQ(client_side_.failed[id], CloseReason::refused);
  EXPECT_FALSE(client_side_.seen.contains(id));
  EXPECT_TRUE(client_->reserve(id, 10).empty());
  EXPECT_EQ(client_->stream_count(), 0u);
}

TEST_P(StreamTest, close_lets_output_leave_first) {
  open_one();
  const std::vector<u8> message = random_bytes(60'000);
  ASSERT_TRUE(send(*client_, client_id_, message));
  client_->close(client_id_);
  EXPECT_TRUE(client_->reserve(client_id_, 1).empty());
  ASSERT_TRUE(run_until([&] { return server_side_.seen[server_id_].closed_count > 0; }));
  run(100);
  EXPECT_EQ(server_side_.seen[server_id_].input, message);
  EXPECT_EQ(server_side_.seen[server_id_].reason, CloseReason::remote);
  EXPECT_EQ(server_side_.seen[server_id_].closed_count, 1);
  EXPECT_EQ(client_side_.seen[client_id_].reason, CloseReason::local);
  EXPECT_EQ(client_side_.seen[client_id_].closed_count, 1);
  EXPECT_EQ(client_->stream_count(), 0u);
  EXPECT_EQ(server_->stream_count(), 0u);
}

TEST_P(StreamTest, abort_resets) {
  open_one();
  server_->abort(server_id_);
  ASSERT_TRUE(run_until([&] { return client_side_.seen[client_id_].closed_count > 0; }));
  run(20);
  EXPECT_EQ(client_side_.seen[client_id_].reason, CloseReason::reset);
  EXPECT_EQ(client_side_.seen[client_id_].closed_count, 1);
  EXPECT_EQ(server_side_.seen[server_id_].reason, CloseReason::local);
  EXPECT_EQ(server_side_.seen[server_id_].closed_count, 1);
  EXPECT_EQ(client_->stream_count(), 0u);
}

TEST_P(StreamTest, ended_streams_are_refused_quietly) {
  open_one();
  const StreamId old = client_id_;
  client_->close(old);
  ASSERT_TRUE(run_until([&] { return client_->stream_count() == 0; }));
  open_one();
  EXPECT_NE(client_id_, old);
  EXPECT_TRUE(client_->reserve(old, 10).empty());
  client_->commit(old, 10);
  client_->resume(old);
  client_->abort(old);
  run(50);
  EXPECT_EQ(client_side_.seen[client_id_].closed_count, 0);
  EXPECT_EQ(client_side_.seen[old].closed_count, 1);
}

TEST_P(StreamTest, closing_from_inside_the_handler_is_allowed) {
  server_side_.on_received = [&](StreamId id, Bytes chunk) {
    ASSERT_TRUE(send(*server_, id, chunk));
    server_->close(id);
  };
  open_one();
  const std::vector<u8> message = random_bytes(500);
  ASSERT_TRUE(send(*client_, client_id_, message));
  ASSERT_TRUE(run_until([&] { return client_side_.seen[client_id_].closed_count > 0; }));
  EXPECT_EQ(client_side_.seen[client_id_].input, message);
  EXPECT_EQ(client_side_.seen[client_id_].reason, CloseReason::remote);
  EXPECT_EQ(server_side_.seen[server_id_].received_after_closed, 0);
}

TEST_P(StreamTest, unread_input_holds_the_sender_back_and_is_offered_again) {
  bool is_reading = false;
  server_side_.consume = [&](StreamId, Bytes chunk) { return is_reading ? chunk.size() : 0; };
  open_one();
  std::vector<u8> sent;
  bool was_refused = false;
  for (int i = 0; i < 30'000 && !was_refused; ++i) {
    const std::vector<u8> message = random_bytes(1000);
    if (send(*client_, client_id_, message)) {
      sent.insert(sent.end(), message.begin(), message.end());
    } else {
      run(200);
      was_refused = client_->reserve(client_id_, 1000).empty();
    }
    turn();
  }
  EXPECT_TRUE(was_refused) << sent.size();
  EXPECT_EQ(server_side_.seen[server_id_].input.size(), 0u);
  EXPECT_EQ(client_side_.writable_count[client_id_], 0);
  is_reading = true;
  server_->resume(server_id_);
  EXPECT_GT(server_side_.seen[server_id_].input.size(), 0u);
  ASSERT_TRUE(run_until([&] { return server_side_.seen[server_id_].input.size() >= sent.size(); }));
  EXPECT_EQ(server_side_.seen[server_id_].input, sent);
  run(100);
  EXPECT_EQ(client_side_.writable_count[client_id_], 1);
}

TEST_P(StreamTest, whatever_is_left_unread_comes_first) {
  server_side_.consume = [&](StreamId, Bytes chunk) { return random_() % (chunk.size() + 1); };
  open_one();
  std::vector<u8> sent;
  for (int i = 0; i < 1000; ++i) {
    const std::vector<u8> message = random_bytes(1 + random_() % 1500);
    if (send(*client_, client_id_, message))
      sent.insert(sent.end(), message.begin(), message.end());
    turn();
  }
  ASSERT_TRUE(run_until([&] { return server_side_.seen[server_id_].input.size() == sent.size(); }));
  EXPECT_EQ(server_side_.seen[server_id_].input, sent);
}

TEST_P(StreamTest, the_end_waits_for_unread_input) {
  bool is_reading = false;
  server_side_.consume = [&](StreamId, Bytes chunk) { return is_reading ? chunk.size() : 0; };
  open_one();
  const std::vector<u8> message = random_bytes(5000);
  ASSERT_TRUE(send(*client_, client_id_, message));
  client_->close(client_id_);
  run(500);
  EXPECT_EQ(server_side_.seen[server_id_].closed_count, 0);
  is_reading = true;
  ASSERT_TRUE(run_until([&] { return server_side_.seen[server_id_].closed_count == 1; }));
  EXPECT_EQ(server_side_.seen[server_id_].input, message);
}

TEST_P(StreamTest, refuses_more_streams_than_it_has) {
  std::vector<StreamId> ids;
  const u32 capacity = is_kernel() ? stream_count_max : 2 * stream_count_max;
  for (u32 i = 0; i < capacity; ++i) ids.push_back(client_->connect(endpoint_));
  EXPECT_TRUE(ids.back().is_set());
  EXPECT_FALSE(client_->connect(endpoint_).is_set());
  EXPECT_EQ(client_->counters().refused_streams_full, 1u);
  // Over one transport for both sides none is left for the server's half: all end, none hangs.
  run(2000);
  for (StreamId id : ids) client_->abort(id);
  ASSERT_TRUE(run_until([&] { return client_->stream_count() == 0; }));
}

TEST_P(StreamTest, streams_come_and_go_without_loss) {
  server_side_.on_received = [&](StreamId id, Bytes chunk) { send(*server_, id, chunk); };
  for (int i = 0; i < 300; ++i) {
    open_one();
    const std::vector<u8> message = random_bytes(200);
    ASSERT_TRUE(send(*client_, client_id_, message));
    ASSERT_TRUE(run_until([&] { return client_side_.seen[client_id_].input == message; })) << i;
    i % 3 == 0 ? client_->abort(client_id_) : client_->close(client_id_);
    ASSERT_TRUE(run_until([&] { return server_side_.seen[server_id_].closed_count == 1; })) << i;
  }
  ASSERT_TRUE(run_until([&] { return client_->stream_count() + server_->stream_count() == 0; }));
  for (const auto& [id, seen] : client_side_.seen) EXPECT_EQ(seen.closed_count, 1);
}

std::string kind_name(const testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::kernel:
      return "kernel";
    case Kind::kernel_ipv6:
      return "kernel_ipv6";
    case Kind::tcp:
      return "tcp";
    case Kind::tcp_ipv6:
      return "tcp_ipv6";
  }
  return "unknown";
}

INSTANTIATE_TEST_SUITE_P(all, StreamTest,
                         testing::Values(Kind::kernel, Kind::kernel_ipv6, Kind::tcp,
                                         Kind::tcp_ipv6),
                         kind_name);

}  // namespace
}  // namespace tollgate::dataplane
