// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/network.hh"

#include <fmt/format.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/eal.hh"
#include "dataplane/kernel_transport.hh"
#include "dataplane/tcp_transport.hh"

namespace tollgate::tollload {
namespace {

// Some more than connections: one that ends and the one that follows overlap.
constexpr u32 spare_stream_count = 16;
constexpr u64 output_bytes_min = 64_KiB;
constexpr u64 output_bytes_max = 1_MiB;  // what a stream may have

// Room for what may be under way on one connection, and not much more.
u32 output_bytes_of(const Options& options) {
  constexpr u64 request_bytes = 1024;
  const u64 share = options.window_count / options.connection_count + 1;
  const u64 wanted = next_power_of_two(share * request_bytes * 2);
  return static_cast<u32>(std::clamp(wanted, output_bytes_min, output_bytes_max));
}

std::string run_on_core(const Options& options) {
  if (!options.has_core) return {};
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(options.core, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) == 0) return {};
  return fmt::format("--core {}: {}", options.core, std::strerror(errno));
}

void sleep_for(Duration duration) {
  const timespec wait{0, duration.ns};
  nanosleep(&wait, nullptr);
}

}  // namespace

std::unique_ptr<Network> Network::create(const Options& options, dataplane::StreamHandler& handler,
                                         std::string& error) {
  std::unique_ptr<Network> network(new Network);
  error = run_on_core(options);
  if (!error.empty()) return nullptr;
  if (options.transport == TransportKind::memif) {
    error = network->open_memif(options, handler);
    return error.empty() ? std::move(network) : nullptr;
  }
  // With a window there is nothing to do until an answer comes; with a rate the next request's
  // moment must not be slept through.
  const Duration wait =
      options.rate_per_second == 0 ? Duration::milliseconds(1) : Duration::nanoseconds(0);
  network->transport_ = dataplane::KernelTransport::create(
      {.stream_count_max = options.connection_count + spare_stream_count,
       .output_bytes_per_stream = output_bytes_of(options),
       .wait_max = wait},
      handler, error);
  return network->transport_ ? std::move(network) : nullptr;
}

std::string Network::open_memif(const Options& options, dataplane::StreamHandler& handler) {
  std::string error = dataplane::start_eal(
      {.program = "tollload",
       .file_prefix = options.file_prefix,
       .cpus = options.has_core ? std::vector<u32>{options.core} : std::vector<u32>{},
       .huge_pages = options.huge_pages,
       .huge_directory = options.huge_directory,
       .memory_mib = options.memory_mib});
  if (!error.empty()) return error;
  has_eal_ = true;
  error = port_.open({.kind = dataplane::PortKind::memif_client,
                      .name = "load0",
                      .address = options.memif_socket,
                      .queue_count = options.queue_count,
                      .mtu_bytes = options.mtu_bytes,
                      .verifies_checksums = false});
  if (!error.empty()) return error;
  Duration waited;
  while (!port_.link_is_up()) {
    if (waited >= options.connect_timeout)
      return fmt::format("--memif-socket {}: nobody answers there; is the appliance running?",
                         options.memif_socket);
    sleep_for(Duration::milliseconds(10));
    waited = waited + Duration::milliseconds(10);
  }
  const bool is_v4 = options.from.address.version == dataplane::IpVersion::v4;
  dataplane::TcpOptions tcp{.queue_count = options.queue_count,
                            .stream_count_max = options.connection_count + spare_stream_count,
                            .output_bytes_per_stream = output_bytes_of(options)};
  (is_v4 ? tcp.address4 : tcp.address6) = options.from;
  transport_ = dataplane::TcpTransport::create(port_, tcp, handler, error);
  return error;
}

Network::~Network() {
  transport_.reset();
  port_.close();
  if (has_eal_) dataplane::stop_eal();
}

}  // namespace tollgate::tollload
