// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// How many requests of 750 octets and answers of 230 one core serves: two processes, lwIP on memif
// on both sides, each on a core of its own and yielding about every 20 us as a tile does.
//
// Usage: dataplane_stream_bench [--seconds N] [--connections N] [--window N] [--check]
// Needs root, two processors and 300 MiB of huge pages (made and given back).
#include <fmt/core.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>

#include "dataplane/eal.hh"
#include "dataplane/echo_peers.hh"
#include "dataplane/huge_pages.hh"
#include "dataplane/tcp_transport.hh"

namespace tollgate::dataplane {
namespace {

constexpr u16 server_port = 3868;
constexpr u32 memory_mib = 160;

struct BenchOptions {
  u32 seconds = 3;
  u32 connections = 16;
  u32 window = 64;
  bool checks_content = false;
  std::string huge_directory;
  std::string socket_path;
};

// What the server tells the client, in memory that both see.
struct ServerReport {
  std::atomic<u64> answered_count;
  std::atomic<u64> busy_ns;  // in polls that had something to do
};
ServerReport* server_report_ = nullptr;

u32 argument(int argc, char** argv, std::string_view name, u32 otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string_view text = argv[i + 1];
    u32 value = 0;
    if (argv[i] == name &&
        std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc())
      return value;
  }
  return otherwise;
}

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "stream_bench: {}\n", why);
  _exit(1);
}

// Calls `turn(now)` until it returns false, letting the kernel in every 20 us.
template <class Turn>
void run_loop(Turn&& turn) {
  Clock clock;
  const u64 slice_ticks = clock.ticks_per_second() / 50'000;
  u64 yielded_at = read_tsc();
  while (true) {
    const u64 tsc = read_tsc();
    if (!turn(clock.at_tsc(tsc))) return;
    if (tsc - yielded_at < slice_ticks) continue;
    sched_yield();
    yielded_at = tsc;
  }
}

struct Node {
  Port port;
  std::unique_ptr<TcpTransport> transport;
};

Node start_node(const BenchOptions& options, bool is_server, StreamHandler& handler) {
  std::string error = start_eal({.program = "stream_bench",
                                 .file_prefix = fmt::format("tollgate_bench_{}_{}", getppid(),
                                                            is_server ? "server" : "client"),
                                 .cpus = {is_server ? 0u : 1u},
                                 .huge_directory = options.huge_directory,
                                 .memory_mib = memory_mib});
  if (!error.empty()) fail(error);
  Node node;
  error = node.port.open({.kind = is_server ? PortKind::memif_server : PortKind::memif_client,
                          .address = options.socket_path});
  if (!error.empty()) fail(error);
  TcpOptions tcp;
  check(parse(is_server ? "198.18.0.1/24" : "198.18.0.2/24", tcp.address4), "a good address");
  node.transport = TcpTransport::create(node.port, tcp, handler, error);
  if (!node.transport) fail(error);
  return node;
}

void run_server(const BenchOptions& options) {
  EchoServer server({.checks_content = options.checks_content});
  Node node = start_node(options, true, server);
  server.attach(*node.transport);
  if (std::string error = node.transport->listen({.address = {}, .port = server_port});
      !error.empty())
    fail(error);
  const Clock clock;
  u64 busy_ticks = 0;
  u32 turn_count = 0;
  run_loop([&](Instant now) {
    const u64 begun = read_tsc();
    if (node.transport->poll(now) > 0) busy_ticks += read_tsc() - begun;
    if (++turn_count % 256 == 0) {
      server_report_->answered_count = server.answered_count;
      server_report_->busy_ns = static_cast<u64>(clock.ticks_to_duration(busy_ticks).ns);
    }
    return true;
  });
}

int run_client(const BenchOptions& options) {
  EchoClient client({.window_count = options.window, .checks_content = options.checks_content});
  Node node = start_node(options, false, client);
  client.attach(*node.transport);
  Endpoint endpoint;
  check(parse("198.18.0.1", server_port, endpoint), "a good address");
  Clock clock;
  const Instant give_up_at = clock.now() + Duration::seconds(20);
  while (!node.port.link_is_up() && clock.now() < give_up_at) usleep(10'000);
  for (u32 i = 0; i < options.connections; ++i)
    static_cast<void>(node.transport->connect(endpoint));
  Instant end_at = give_up_at;
  Instant begun_at;
  u64 warm_count = 0;
  run_loop([&](Instant now) {
    node.transport->poll(now);
    if (warm_count == 0 && client.answered_count > 500'000) {
      warm_count = client.answered_count;
      begun_at = now;
      end_at = now + Duration::seconds(options.seconds);
    }
    return now < end_at;
  });
  if (warm_count == 0) fail(fmt::format("only {} answers came", client.answered_count));
  const double busy_ns = static_cast<double>(server_report_->busy_ns) /
                         static_cast<double>(server_report_->answered_count);
  const double seconds = static_cast<double>((end_at - begun_at).ns) / 1e9;
  const double pairs = static_cast<double>(client.answered_count - warm_count) / seconds;
  const TransportCounters& counters = node.transport->counters();
  fmt::print(
      "{:.2f} million pairs/s, server busy {:.0f} ns a pair, {} connections, window {}, "
      "wrong {}\n",
      pairs / 1e6, busy_ns, client.open_count, options.window, client.wrong_count);
  fmt::print("closed {} ({}) failed {} lost {}\n", client.closed_count, to_text(client.last_reason),
             client.failed_count, client.lost_count);
  for (const CounterText& one : transport_counter_table) {
    if (counters.*one.count != 0) fmt::print(" {}={}", one.name, counters.*one.count);
  }
  fmt::print("\n");
  fmt::print("client frames in {} out {} drops tx {} pool {} retransmissions {}\n",
             counters.frames_in, counters.frames_out, counters.drop_transmit_full,
             counters.drop_buffers_empty, counters.retransmissions);
  return client.wrong_count == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  BenchOptions options;
  options.seconds = argument(argc, argv, "--seconds", options.seconds);
  options.connections = argument(argc, argv, "--connections", options.connections);
  options.window = argument(argc, argv, "--window", options.window);
  options.checks_content = std::string_view(argv[argc - 1]) == "--check";
  HugePages pages(2 * memory_mib + 16);
  if (!pages.error().empty()) fail(pages.error());
  options.huge_directory = pages.directory();
  options.socket_path = fmt::format("/tmp/tollgate-bench-{}.sock", getpid());
  server_report_ = static_cast<ServerReport*>(mmap(
      nullptr, sizeof(ServerReport), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t server = fork();
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_server(options);
  }
  const pid_t client = fork();
  if (client == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int result = run_client(options);
    fflush(stdout);
    _exit(result);
  }
  int status = 0;
  waitpid(client, &status, 0);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  unlink(options.socket_path.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace tollgate::dataplane

int main(int argc, char** argv) {
  return tollgate::dataplane::run(argc, argv);
}
