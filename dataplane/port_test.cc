// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Ports and the TCP transport between real processes: a launcher that owns a memif port and polls
// nothing, one core process for each of its two queues, clients that come, go and die; and a tap
// that the kernel's own sockets reach. Needs root; makes its huge pages and its network namespace
// itself and gives them back.
#include "dataplane/port.hh"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>

#include "dataplane/eal.hh"
#include "dataplane/echo_peers.hh"
#include "dataplane/huge_pages.hh"
#include "dataplane/kernel_transport.hh"
#include "dataplane/tcp_transport.hh"

namespace tollgate::dataplane {
namespace {

constexpr u16 server_port = 3868;
constexpr u32 connection_count = 8;

// What the processes of a test tell each other.
struct Board {
  std::atomic<bool> port_is_open;
  std::atomic<bool> stop_client;
  std::atomic<u32> cores_ready;
  std::atomic<u64> server_wrong[2];
  std::atomic<u64> answered;
  std::atomic<u64> answered_by[2];
  std::atomic<u64> wrong;
  std::atomic<u32> opened;
  std::atomic<u32> closed;
};

class Processes : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    void* memory =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board_ = new (memory) Board{};
    prefix_ = fmt::format("tollgate_port_test_{}", getpid());
    socket_path_ = fmt::format("/tmp/{}.sock", prefix_);
  }
  void TearDown() override {
    while (!children_.empty()) end(children_.back(), SIGKILL);
    if (!socket_path_.empty()) unlink(socket_path_.c_str());
  }

  pid_t start(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      _exit(body());
    }
    children_.push_back(child);
    return child;
  }
  // Returns the exit code, or 128 + the signal that ended it.
  int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    std::erase(children_, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void end(pid_t child, int signal_number) {
    kill(child, signal_number);
    wait_for(child);
  }
  template <class Condition>
  [[nodiscard]] static bool wait_until(Condition condition, int seconds = 30) {
    for (int i = 0; i < seconds * 100; ++i) {
      if (condition()) return true;
      usleep(10'000);
    }
    return condition();
  }

  static int complain(const std::string& error) {
    fmt::print(stderr, "{}\n", error);
    return 1;
  }

  template <class Turn>
  static void run_loop(Turn&& turn) {
    const Clock clock;
    while (turn(clock.now())) sched_yield();
  }

  int launcher() {
    std::string error = start_eal(
        {.file_prefix = prefix_, .huge_directory = pages_->directory(), .memory_mib = 160});
    if (!error.empty()) return complain(error);
    Port port;
    error = port.open({.kind = PortKind::memif_server,
                       .name = "net",
                       .address = socket_path_,
                       .queue_count = 2,
                       .buffer_count = 8192});
    if (!error.empty()) return complain(error);
    board_->port_is_open = true;
    while (true) pause();
  }

  int core(u32 queue) {
    std::string error = start_eal({.role = ProcessRole::secondary,
                                   .file_prefix = prefix_,
                                   .lcore = 1 + queue,
                                   .huge_directory = pages_->directory()});
    if (!error.empty()) return complain(error);
    Port port;
    error = port.join({.name = "net", .queue_index = queue});
    if (!error.empty()) return complain(error);
    EchoServer server({.server_index = queue});
    TcpOptions options{.queue_first = queue};
    check(parse("198.18.0.1/24", options.address4), "a good address");
    auto transport = TcpTransport::create(port, options, server, error);
    if (!transport) return complain(error);
    server.attach(*transport);
    error = transport->listen({.address = {}, .port = server_port});
    if (!error.empty()) return complain(error);
    ++board_->cores_ready;
    run_loop([&](Instant now) {
      transport->poll(now);
      board_->server_wrong[queue] = server.wrong_count;
      return true;
    });
    return 0;
  }

  // Keeps its connections open: one that ended is opened again.
  int client(u32 number) {
    std::string error = start_eal({.file_prefix = fmt::format("{}_client{}", prefix_, number),
                                   .huge_directory = pages_->directory(),
                                   .memory_mib = 100});
    if (!error.empty()) return complain(error);
    EchoClient client({.window_count = 16});
    Port port;
    error = port.open({.kind = PortKind::memif_client,
                       .address = socket_path_,
                       .queue_count = 2,
                       .buffer_count = 8192});
    if (!error.empty()) return complain(error);
    TcpOptions options{.queue_count = 2};
    check(parse("198.18.0.2/24", options.address4), "a good address");
    auto transport = TcpTransport::create(port, options, client, error);
    if (!transport) return complain(error);
    client.attach(*transport);
    Endpoint endpoint;
    check(parse("198.18.0.1", server_port, endpoint), "a good address");
    run_loop([&](Instant now) {
      while (transport->stream_count() < connection_count) {
        if (!transport->connect(endpoint).is_set()) break;
      }
      transport->poll(now);
      board_->answered = client.answered_count;
      board_->wrong = client.wrong_count;
      board_->opened = client.open_count;
      board_->closed = client.closed_count;
      for (u32 i = 0; i < 2; ++i) board_->answered_by[i] = client.answered_by[i];
      return !board_->stop_client;
    });
    transport.reset();
    port.close();
    stop_eal();
    return 0;
  }

  void start_appliance() {
    pages_ = std::make_unique<HugePages>(2 * 160 + 2 * 100);
    ASSERT_EQ(pages_->error(), "");
    launcher_ = start([&] { return launcher(); });
    ASSERT_TRUE(wait_until([&] { return board_->port_is_open.load(); }));
    for (u32 queue = 0; queue < 2; ++queue) cores_[queue] = start([&] { return core(queue); });
    ASSERT_TRUE(wait_until([&] { return board_->cores_ready == 2; }));
  }
  void reset_client_figures() {
    board_->stop_client = false;
    board_->answered = board_->wrong = board_->opened = board_->closed = 0;
    for (auto& count : board_->answered_by) count = 0;
  }
  [[nodiscard]] bool both_cores_answer(u64 more = 2000) {
    const u64 first = board_->answered_by[0];
    const u64 second = board_->answered_by[1];
    return wait_until([&] {
      return board_->answered_by[0] > first + more && board_->answered_by[1] > second + more;
    });
  }

  Board* board_ = nullptr;
  std::string prefix_;
  std::string socket_path_;
  std::unique_ptr<HugePages> pages_;
  std::vector<pid_t> children_;
  pid_t launcher_ = 0;
  pid_t cores_[2] = {};
};

TEST_F(Processes, two_cores_share_one_address_and_both_serve) {
  start_appliance();
  const pid_t one = start([&] { return client(1); });
  EXPECT_TRUE(both_cores_answer(20'000));
  EXPECT_EQ(board_->opened, connection_count);
  EXPECT_EQ(board_->closed, 0u);
  board_->stop_client = true;
  EXPECT_EQ(wait_for(one), 0);
  EXPECT_EQ(board_->wrong, 0u);
  EXPECT_EQ(board_->server_wrong[0] + board_->server_wrong[1], 0u);
}

TEST_F(Processes, clients_come_go_and_come_again) {
  start_appliance();
  for (u32 number = 0; number < 4; ++number) {
    reset_client_figures();
    const pid_t one = start([&] { return client(number); });
    ASSERT_TRUE(both_cores_answer()) << "client " << number;
    EXPECT_EQ(board_->wrong, 0u);
    if (number % 2 == 0) {
      board_->stop_client = true;
      EXPECT_EQ(wait_for(one), 0);
    } else {
      end(one, SIGKILL);
    }
  }
}

TEST_F(Processes, a_killed_core_comes_back_to_its_queue) {
  start_appliance();
  const pid_t one = start([&] { return client(1); });
  ASSERT_TRUE(both_cores_answer());
  for (int round = 0; round < 5; ++round) {
    end(cores_[1], SIGKILL);
    // The other core goes on as if nothing had happened.
    const u64 before = board_->answered_by[0];
    EXPECT_TRUE(wait_until([&] { return board_->answered_by[0] > before + 2000; }));
    cores_[1] = start([&] { return core(1); });
    EXPECT_TRUE(both_cores_answer()) << "round " << round;
  }
  EXPECT_GT(board_->closed, 0u);
  EXPECT_EQ(board_->wrong, 0u);
  board_->stop_client = true;
  EXPECT_EQ(wait_for(one), 0);
}

TEST_F(Processes, what_is_wrong_is_said_in_a_sentence) {
  const pid_t one = start([&] {
    std::string error = start_eal({.role = ProcessRole::secondary, .file_prefix = prefix_});
    if (error.find("is their primary running") == std::string::npos) return complain(error);
    return 0;
  });
  EXPECT_EQ(wait_for(one), 0);
  const pid_t two = start([&] {
    std::string error = start_eal({.file_prefix = prefix_, .memory_mib = 4'000'000});
    if (error.find("huge pages are needed") == std::string::npos) return complain(error);
    return 0;
  });
  EXPECT_EQ(wait_for(two), 0);
  const pid_t three = start([&] {
    std::string error = start_eal({.file_prefix = prefix_, .huge_pages = false, .memory_mib = 64});
    if (!error.empty()) return complain(error);
    Port port;
    error = port.open({.kind = PortKind::af_packet, .address = "nosuch0"});
    if (error.find("there is no interface nosuch0") == std::string::npos) return complain(error);
    error = port.open({.kind = PortKind::pci, .address = "0000:ff:00.0"});
    if (error.find("bind it to vfio-pci") == std::string::npos) return complain(error);
    error = port.open({.kind = PortKind::loopback, .buffer_count = 1'000'000});
    if (error.find("no memory for 1000000 packet buffers") == std::string::npos)
      return complain(error);
    error = port.join({.name = "nosuch"});
    if (error.find("has opened no port named nosuch") == std::string::npos) return complain(error);
    error = port.open({.kind = PortKind::loopback, .buffer_count = 2048});
    return error.empty() ? 0 : complain(error);
  });
  EXPECT_EQ(wait_for(three), 0);
}

TEST_F(Processes, a_memif_client_says_that_nobody_listens) {
  pages_ = std::make_unique<HugePages>(100);
  ASSERT_EQ(pages_->error(), "");
  const pid_t one = start([&] {
    std::string error = start_eal(
        {.file_prefix = prefix_, .huge_directory = pages_->directory(), .memory_mib = 64});
    if (!error.empty()) return complain(error);
    Port port;
    error = port.open({.kind = PortKind::memif_client,
                       .address = socket_path_,
                       .buffer_count = 2048,
                       .wait_max = Duration::milliseconds(100)});
    if (error.find("nobody listens on") == std::string::npos) return complain(error);
    return 0;
  });
  EXPECT_EQ(wait_for(one), 0);
}

// A ping of 1000 octets over a raw socket of the kernel; its octets must come back.
bool echo_request_is_answered(std::string_view address) {
  IpAddress to;
  check(parse(address, to), "a good address");
  const bool is_ipv4 = to.version == IpVersion::v4;
  const int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_RAW,
                        is_ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  const timeval patience{.tv_sec = 2, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::vector<u8> request(1000);
  for (std::size_t i = 8; i < request.size(); ++i) request[i] = static_cast<u8>(i * 7);
  request[0] = is_ipv4 ? 8 : 128;  // echo request
  if (is_ipv4) {                   // over IPv6 the kernel computes it
    u32 sum = 0;
    for (std::size_t i = 0; i < request.size(); i += 2)
      sum += static_cast<u32>(request[i] << 8 | request[i + 1]);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    request[2] = static_cast<u8>(~sum >> 8);
    request[3] = static_cast<u8>(~sum);
  }
  sockaddr_in in4{.sin_family = AF_INET};
  sockaddr_in6 in6{.sin6_family = AF_INET6};
  std::memcpy(&in4.sin_addr, to.octets.data(), 4);
  std::memcpy(&in6.sin6_addr, to.octets.data(), 16);
  const auto* name =
      is_ipv4 ? reinterpret_cast<const sockaddr*>(&in4) : reinterpret_cast<const sockaddr*>(&in6);
  bool is_answered = false;
  for (int attempt = 0; attempt < 3 && !is_answered; ++attempt) {
    sendto(fd, request.data(), request.size(), 0, name, is_ipv4 ? sizeof in4 : sizeof in6);
    u8 answer[2048];
    ssize_t count = 0;
    while (!is_answered && (count = recv(fd, answer, sizeof answer, 0)) > 0) {
      const u8* icmp = answer + (is_ipv4 ? 20 : 0);
      is_answered = count - (icmp - answer) == 1000 && icmp[0] == (is_ipv4 ? 0 : 129) &&
                    std::memcmp(icmp + 8, request.data() + 8, 992) == 0;
    }
  }
  ::close(fd);
  return is_answered;
}

// The kernel's sockets on one side of a tap, lwIP on the other, in a namespace of their own, with
// ordinary memory.
class Tap : public Processes {
 protected:
  int tap_server() {
    std::string error = start_eal({.file_prefix = prefix_, .huge_pages = false, .memory_mib = 96});
    if (!error.empty()) return complain(error);
    Port port;
    error = port.open({.kind = PortKind::tap,
                       .name = "tap",
                       .address = "toll0",
                       .descriptor_count = 512,
                       .buffer_count = 4096});
    if (!error.empty()) return complain(error);
    const char* set_up =
        "ip link set lo up && ip addr add 198.18.0.2/24 dev toll0 && "
        "ip -6 addr add 2001:db8::2/64 dev toll0 nodad && ip link set toll0 up";
    if (system(set_up) != 0) return complain("cannot set up the tap's interface");
    EchoServer server({});
    TcpOptions options;
    check(parse("198.18.0.1/24", options.address4), "a good address");
    check(parse("2001:db8::1/64", options.address6), "a good address");
    auto transport = TcpTransport::create(port, options, server, error);
    if (!transport) return complain(error);
    server.attach(*transport);
    error = transport->listen({.address = {}, .port = server_port});
    if (!error.empty()) return complain(error);
    ++board_->cores_ready;
    run_loop([&](Instant now) {
      transport->poll(now);
      board_->server_wrong[0] = server.wrong_count;
      return true;
    });
    return 0;
  }

  int kernel_client(std::string_view address) {
    EchoClient client({.window_count = 16});
    std::string error;
    auto transport = KernelTransport::create({}, client, error);
    if (!transport) return complain(error);
    client.attach(*transport);
    Endpoint endpoint;
    check(parse(address, server_port, endpoint), "a good address");
    const Clock clock;
    const Instant end_at = clock.now() + Duration::seconds(20);
    run_loop([&](Instant now) {
      while (transport->stream_count() < 4 && transport->connect(endpoint).is_set()) {
      }
      transport->poll(now);
      if (client.answered_count > 20'000) client.stop();
      const bool is_done = client.answered_count > 20'000 && client.in_flight_count() == 0;
      return !is_done && now < end_at;
    });
    fmt::print("kernel client: answered {} wrong {} closed {} failed {}\n", client.answered_count,
               client.wrong_count, client.closed_count, client.failed_count);
    const bool is_good =
        client.answered_count > 20'000 && client.wrong_count == 0 && client.closed_count == 0;
    return is_good ? 0 : 1;
  }
};

TEST_F(Tap, kernel_clients_reach_us_over_ipv4_and_ipv6_and_ping) {
  // The namespace lives in a child: the test's own process stays where it is.
  const pid_t inside = start([&] {
    if (unshare(CLONE_NEWNET) != 0) return complain("cannot make a network namespace");
    const pid_t server = start([&] { return tap_server(); });
    if (!wait_until([&] { return board_->cores_ready == 1; })) return complain("no server");
    int result = 0;
    for (const char* address : {"198.18.0.1", "2001:db8::1"}) {
      const pid_t one = start([&] { return kernel_client(address); });
      result |= wait_for(one);
    }
    if (!echo_request_is_answered("198.18.0.1")) result |= 2;
    if (!echo_request_is_answered("2001:db8::1")) result |= 4;
    if (board_->server_wrong[0] != 0) result |= 8;
    end(server, SIGKILL);
    fflush(stdout);
    return result;
  });
  EXPECT_EQ(wait_for(inside), 0);
}

}  // namespace
}  // namespace tollgate::dataplane
